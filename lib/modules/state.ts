/**
 * The state that synapses carry from call to call, in more than double precision. The addon has it as
 * planes of doubles, (S, B, N), or (S, N) if it is the same for every batch item: each number that a
 * recursion carries is a plane of its values and one of their corrections, and each of the last inputs of
 * a kernel without a recursion is a plane. This file alone knows that.
 */
import { allocate, indexIn, readFloats, type NdArray } from '../arrays/arrays';
import { arrayClassOf, type Dtype, type FloatArray } from '../arrays/element-types';
import { isRevoked } from '../arrays/typed-arrays';
import { formatShape, notFinite, outOfRange } from '../errors/checks';
import type { StateVariable } from './kernel-definition';
import type { ShapePattern } from './parameters';

/**
 * A variable of the state. A call goes on from data + correction: `correction` is what rounding `data`
 * to the module's dtype left out, and is absent if that is 0 everywhere. Without it, calls of few steps
 * would add up their rounding errors.
 */
export interface StateArray<Data extends FloatArray = FloatArray> extends NdArray<Data> {
  /** What rounding `data` left out, one number for each element. */
  readonly correction?: Float64Array;
}

/** The variables of a state by name. */
export type StateVariables = Record<string, StateArray>;

/** The synaptic current, (N,) or, after a batch of B > 1, (B, N), in the unit of the input. */
export type SynapticCurrent<Data extends FloatArray = FloatArray> = StateArray<Data>;

/** The state of synapses: each variable as it is carried, and the absolute number of the next step. */
export interface CarriedState {
  readonly variables: readonly CarriedVariable[];
  readonly step: number;
}

/** The synapses whose state it is, as far as their state needs to know. */
export interface StateOwner {
  readonly size: number;
  readonly dtype: Dtype;
}

/** A variable as it is carried. Nobody changes its planes. */
export abstract class CarriedVariable implements StateArray {
  constructor(
    readonly definition: StateVariable,
    readonly owner: StateOwner,
    readonly planes: Float64Array,
    readonly shape: readonly number[],
  ) {}

  /** B, or undefined if the variable is the same for every batch item. */
  abstract get batches(): number | undefined;
  /** The values, in memory of the caller's own. */
  abstract get data(): FloatArray;
  /** As plain data, in memory of the caller's own. */
  abstract copy(): StateArray;

  /** Elements of a plane. */
  get stride(): number {
    return (this.batches ?? 1) * this.owner.size;
  }
}

/** A number that a recursion carries, (N,) or (B, N): a plane of values, and one of corrections. */
class CarriedNumber extends CarriedVariable {
  /** Made once: a view costs more than a short call computes. */
  readonly #values = this.planes.subarray(0, this.planes.length / 2);
  readonly #corrections = this.planes.subarray(this.planes.length / 2);

  override get batches(): number | undefined {
    return this.shape.length === 2 ? this.shape[0] : undefined;
  }

  override get data(): FloatArray {
    const Floats = arrayClassOf(this.owner.dtype);
    // Allocated and filled in one go, which is faster than slice().
    return new Floats(this.#values);
  }

  get correction(): Float64Array {
    return new Float64Array(this.#corrections);
  }

  override copy(): StateArray {
    const { data } = this;
    const shape = this.shape.slice();
    // A loop, because a callback for each element would take as long as the copy.
    for (const correction of this.#corrections) {
      if (correction !== 0) return { data, shape, correction: this.correction };
    }
    return { data, shape };
  }
}

/** The last inputs, the newest first, (P, N) or (B, P, N): P planes. */
class CarriedInputs extends CarriedVariable {
  override get batches(): number | undefined {
    return this.shape.length === 3 ? this.shape[0] : undefined;
  }

  override get data(): Float64Array {
    const [batches, count = 0, size = 0] = this.shape;
    if (this.batches === undefined || batches === undefined) return this.planes.slice();
    return swapAxes(this.planes, count, batches, size);
  }

  override copy(): StateArray {
    return { data: this.data, shape: [...this.shape] };
  }
}

/** A copy of an array (A, B, N) as one of shape (B, A, N). */
function swapAxes(source: Float64Array, a: number, b: number, n: number): Float64Array {
  const target = new Float64Array(source.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      const row = (i * b + j) * n;
      target.set(source.subarray(row, row + n), (j * a + i) * n);
    }
  }
  return target;
}

/** The shapes that a variable may have if it is the same for every batch item. */
export function itemShapesOf({ kind }: StateVariable, { size }: StateOwner): ShapePattern[] {
  if (kind === 'number') return [[size]];
  return [
    [0, size],
    ['*', size],
  ];
}

/** The shapes that a variable may have. */
export function shapesOf(definition: StateVariable, owner: StateOwner): ShapePattern[] {
  const shapes = itemShapesOf(definition, owner);
  return [...shapes, ...shapes.map((shape): ShapePattern => ['*', ...shape])];
}

/** A variable that is 0 everywhere. */
export function zeros(definition: StateVariable, owner: StateOwner): CarriedVariable {
  const { size } = owner;
  if (definition.kind === 'inputs') {
    return new CarriedInputs(definition, owner, new Float64Array(0), [0, size]);
  }
  const planes = allocate(Float64Array, [2, size], definition.name);
  return new CarriedNumber(definition, owner, planes, [size]);
}

/**
 * The variables of a state whose planes the addon has filled: (S, B, N), or (S, N) without `batches`.
 * Nobody changes the planes from now on.
 */
export function variablesIn(
  definitions: readonly StateVariable[],
  owner: StateOwner,
  planes: Float64Array,
  batches: number | undefined,
): CarriedVariable[] {
  const { size } = owner;
  const items = batches === undefined ? [] : [batches];
  const length = planes.length / definitions.length;
  return definitions.map((definition, index) => {
    const own =
      definitions.length === 1 ? planes : planes.subarray(index * length, (index + 1) * length);
    if (definition.kind === 'number') {
      return new CarriedNumber(definition, owner, own, [...items, size]);
    }
    const count = own.length / ((batches ?? 1) * size);
    return new CarriedInputs(definition, owner, own, [...items, count, size]);
  });
}

/**
 * The planes of a state of `stateSize` numbers a synapse, (S, B, N), or (S, N) if no variable differs
 * between the batch items. Past inputs that the kernel no longer needs are left out; those that it needs
 * and never had are 0.
 */
export function planesOf(variables: readonly CarriedVariable[], stateSize: number): Float64Array {
  const [first] = variables;
  if (first !== undefined && variables.length === 1) {
    if (first.planes.length === stateSize * first.stride) return first.planes;
  }
  const { batches } = variables.find((variable) => variable.batches !== undefined) ?? {};
  const size = first?.owner.size ?? 0;
  const planes = allocate(Float64Array, [stateSize, batches ?? 1, size], 'the state');
  let next = 0;
  for (const variable of variables) {
    const isRepeated = variable.batches === undefined;
    const count = variable.definition.kind === 'number' ? 2 : stateSize;
    for (let plane = 0; plane < count; plane++) {
      const own = variable.planes.subarray(plane * variable.stride, (plane + 1) * variable.stride);
      for (let item = 0; item < (isRepeated ? (batches ?? 1) : 1); item++) {
        planes.set(own, next + item * size);
      }
      next += (batches ?? 1) * size;
    }
  }
  return planes;
}

/** The state of the first of `batches` items, whose planes are given. */
export function firstItem(planes: Float64Array, batches: number, size: number): Float64Array {
  const stride = batches * size;
  const own = new Float64Array(planes.length / batches);
  for (let plane = 0; plane * stride < planes.length; plane++) {
    own.set(planes.subarray(plane * stride, plane * stride + size), plane * size);
  }
  return own;
}

/**
 * A variable as a caller gave it: floats, with a `correction` if they are what a module has shown. The
 * state of a batch of one item becomes that of every item; the caller checks any other shape. NaNs are
 * refused unless `isNaNAllowed`. Infinities are permitted, since a sum that overflowed leaves one.
 */
export function readVariable(
  definition: StateVariable,
  owner: StateOwner,
  value: unknown,
  name: string,
  isNaNAllowed: boolean,
): CarriedVariable {
  const isNumber = definition.kind === 'number';
  const correction = isNumber ? readCorrection(value, name) : undefined;
  const { data, shape: given } = readFloats(value, name);
  if (!isNaNAllowed) refuseNaN(data, given, name);
  if (correction !== undefined && correction.length !== data.length) {
    throw outOfRange(
      `${data.length} numbers, as ${definition.name} of shape ${formatShape(given)} has,`,
      `${name}.correction`,
      `${correction.length}`,
    );
  }
  const nAxes = isNumber ? 2 : 3;
  const shape = given.length === nAxes && given[0] === 1 ? given.slice(1) : given;
  if (isNumber) {
    const planes = split(data, correction, owner.dtype, name);
    return new CarriedNumber(definition, owner, planes, shape);
  }
  const [batches = 0, count = 0, size = 0] = shape;
  const planes = shape.length === nAxes ? swapAxes(data, batches, count, size) : data;
  return new CarriedInputs(definition, owner, planes, shape);
}

/** The planes of values and of corrections. A correction keeps what the dtype leaves out of a value. */
function split(
  data: Float64Array,
  correction: Float64Array | undefined,
  dtype: Dtype,
  name: string,
): Float64Array {
  const size = data.length;
  const planes = allocate(Float64Array, [2, size], name);
  const isSingle = dtype === 'float32';
  for (let index = 0; index < size; index++) {
    const current = data[index] ?? 0;
    const rest = correction?.[index] ?? 0;
    // The correction that a call leaves is a few roundings; its value then stays as it was shown.
    const most = Math.abs(current) * (isSingle ? 2 ** -16 : 2 ** -40);
    const exact = Math.abs(rest) > most ? current + rest : current;
    const shown = isSingle ? Math.fround(exact) : exact;
    const [larger, smaller] =
      Math.abs(rest) > Math.abs(current) ? [rest, current] : [current, rest];
    const difference = larger - shown + smaller;
    planes[index] = shown;
    // A value that is not finite has no correction.
    if (Number.isFinite(difference)) planes[size + index] = difference;
  }
  return planes;
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

function refuseNaN(data: Float64Array, shape: readonly number[], name: string): void {
  const index = data.findIndex((element) => Number.isNaN(element));
  if (index < 0) return;
  const place = shape.length === 0 ? name : `${name}.data[${index}]`;
  const found = { argument: name, index: indexIn(shape, index), value: NaN };
  throw notFinite('numbers', place, 'NaN', found);
}
