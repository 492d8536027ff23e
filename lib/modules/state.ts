/** The state that synapses carry from call to call: isyn, in more than double precision. */
import { allocate, readFloats, type NdArray } from '../arrays/arrays';
import { formatShape, outOfRange } from '../errors/checks';
import type { Dtype, FloatArray } from '../arrays/element-types';
import { isRevoked } from '../arrays/typed-arrays';

/**
 * The synaptic current, (N,) or (B, N). Its data have the module's dtype. The current that a call goes
 * on from is data + correction: `correction` is what rounding `data` left out, and is absent where that
 * is nothing. Without it, calls of few steps would add up their rounding errors.
 */
export interface SynapticCurrent<Data extends FloatArray = FloatArray> extends NdArray<Data> {
  readonly correction?: Float64Array;
}

/** isyn as it is carried. Nobody changes its numbers. */
export class CarriedIsyn implements SynapticCurrent {
  constructor(
    readonly dtype: Dtype,
    /** The currents, then their corrections. */
    readonly numbers: Float64Array,
    readonly shape: readonly number[],
  ) {}

  /** The currents, in memory of the caller's own. */
  get data(): FloatArray {
    const size = this.numbers.length / 2;
    return this.dtype === 'float32'
      ? new Float32Array(this.numbers.subarray(0, size))
      : this.numbers.slice(0, size);
  }

  /** The corrections, likewise. */
  get correction(): Float64Array {
    return this.numbers.slice(this.numbers.length / 2);
  }

  /** As plain data, in memory of the caller's own. */
  copy(): SynapticCurrent {
    const { data, numbers } = this;
    const shape = [...this.shape];
    for (let index = data.length; index < numbers.length; index++) {
      if (numbers[index] !== 0) return { data, shape, correction: this.correction };
    }
    return { data, shape };
  }

  /** The state of the first of the batch's items. */
  firstItem(): CarriedIsyn {
    const [batches = 1, size = 0] = this.shape;
    const numbers = new Float64Array(2 * size);
    numbers.set(this.numbers.subarray(0, size));
    numbers.set(this.numbers.subarray(batches * size, batches * size + size), size);
    return new CarriedIsyn(this.dtype, numbers, [size]);
  }

  /** Currents of 0. */
  static zeros(dtype: Dtype, shape: readonly number[]): CarriedIsyn {
    return new CarriedIsyn(dtype, allocate(Float64Array, [2, ...shape], 'isyn'), shape);
  }

  /**
   * What a caller gave: floats, with a `correction` where they are a module's own. Where they are more
   * precise than `dtype`, the correction keeps the difference. `check` is called with the currents.
   */
  static read(
    value: unknown,
    name: string,
    dtype: Dtype,
    check: (data: Float64Array, shape: readonly number[]) => void,
  ): CarriedIsyn {
    const correction = readCorrection(value, name);
    const { data, shape } = readFloats(value, name);
    check(data, shape);
    const size = data.length;
    if (correction !== undefined && correction.length !== size) {
      throw outOfRange(
        `${size} numbers, as isyn of shape ${formatShape(shape)} has,`,
        `${name}.correction`,
        `${correction.length}`,
      );
    }
    const numbers = allocate(Float64Array, [2, size], name);
    const isSingle = dtype === 'float32';
    for (let index = 0; index < size; index++) {
      const current = data[index] ?? 0;
      const rest = correction?.[index] ?? 0;
      // A current that a call has left stays as it was shown; its correction is a few roundings.
      const most = Math.abs(current) * (isSingle ? 2 ** -16 : 2 ** -40);
      const exact = Math.abs(rest) > most ? current + rest : current;
      const shown = isSingle ? Math.fround(exact) : exact;
      const [larger, smaller] =
        Math.abs(rest) > Math.abs(current) ? [rest, current] : [current, rest];
      const difference = larger - shown + smaller;
      numbers[index] = shown;
      // A current that is not finite has none.
      if (Number.isFinite(difference)) numbers[size + index] = difference;
    }
    return new CarriedIsyn(dtype, numbers, shape);
  }
}

/** The own property `correction` of what a caller gave, if there is one. */
function readCorrection(value: unknown, name: string): Float64Array | undefined {
  if (typeof value !== 'object' || value === null || isRevoked(value)) return undefined;
  if (!Object.hasOwn(value, 'correction')) return undefined;
  const given: unknown = Reflect.get(value, 'correction');
  if (given === undefined) return undefined;
  const { data } = readFloats(given, `${name}.correction`);
  const index = data.findIndex((element) => !Number.isFinite(element));
  if (index >= 0) {
    throw outOfRange('finite numbers', `${name}.correction[${index}]`, String(data[index]));
  }
  return data;
}
