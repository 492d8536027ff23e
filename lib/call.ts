/**
 * One call of evolve(): its arguments read, checked and copied, the native call made, its result put
 * together. Knows nothing of the module that makes it but the settings it is given.
 */
import { allocate, checkSize, readArray, sizeOf, type GivenArray, type NdArray } from './arrays';
import { flag, formatShape, outOfRange, readOptions, wholeNumber, wrongType } from './checks';
import type { Dtype, ExpSynEvolution } from './exp-syn-options';
import { METHOD_CODES, native, type EvolveArguments, type Kernels } from './native';
import {
  copyInto,
  copyOf,
  haveSameBuffer,
  isShared,
  isTransferable,
  isTypedArray,
  lengthOf,
  ofFixedLength,
  takeOver,
  typeOfArray,
  type TypedArray,
} from './typed-arrays';

type FloatArray = Float64Array | Float32Array;

/** The state that a call starts from, or leaves; nobody changes its arrays. */
export interface CarriedState {
  isyn: NdArray;
  step: number;
}

/** What a caller gave to a call. Nothing of it is checked against the rest yet. */
export interface CallArguments {
  raster: GivenArray;
  out: { data: TypedArray; shape: number[] | undefined } | undefined;
  start: Partial<CarriedState>;
  isTransferred: boolean;
}

/** What the module has set when a call is made. */
export interface CallSettings {
  size: number;
  dtype: Dtype;
  kernels: Kernels;
  windowLength: number;
  /** The method for a run of so many steps. */
  method: (timesteps: number) => 'fft' | 'recursive';
  /** One of NOISE_CODES. */
  noise: number;
  noiseScale: number;
  seed: number;
  throwNonFinite: boolean;
  isRockpool: boolean;
}

/** A call as it was made: nothing that happens to the module or its caller later changes it. */
export interface PreparedCall extends Omit<CallSettings, 'method'> {
  method: 'fft' | 'recursive';
  data: TypedArray;
  inputShape: readonly number[];
  batches: number;
  timesteps: number;
  isInputPerSynapse: boolean;
  given: Partial<CarriedState>;
  out: FloatArray | undefined;
  isTransferred: boolean;
}

/** What a call returns, and the state that it leaves. */
export interface CallResult {
  evolution: ExpSynEvolution;
  after: CarriedState;
}

/**
 * Reads the arguments of a call. All of the caller's code that there may be (getters, proxies) runs
 * here; `castIsyn` checks a state.
 */
export function readArguments(
  input: unknown,
  options: unknown,
  castIsyn: (value: unknown, name: string) => NdArray,
): CallArguments {
  const given = readOptions(options, 'options', ['out', 'state', 'transfer']);
  const { transfer = false } = given;
  const isTransferred = flag(transfer, 'options.transfer');
  const state = readOptions(given.state, 'options.state', ['isyn', 'step']);
  const start: Partial<CarriedState> = {};
  if (state.isyn !== undefined) start.isyn = castIsyn(state.isyn, 'options.state.isyn');
  if (state.step !== undefined) start.step = wholeNumber(state.step, 'options.state.step');
  return { raster: readArray(input, 'input'), out: readOut(given.out), start, isTransferred };
}

/**
 * Checks the arguments against each other and takes everything that the call depends on. Runs none
 * of the caller's code.
 */
export function prepareCall(
  given: CallArguments,
  settings: CallSettings,
  isAsync: boolean,
): PreparedCall {
  const { raster, isTransferred } = given;
  const { size, method, ...kept } = settings;
  checkSize(raster, 'input');
  const { batches, timesteps, columns } = interpretShape(raster.shape, size);
  const out = checkOut(given.out, settings.dtype, [batches, timesteps, size]);
  if (isTransferred) checkTransfer(raster.data, out, isAsync);
  return {
    ...kept,
    size,
    method: method(timesteps),
    data: isAsync ? dataForThread(raster.data, isTransferred) : raster.data,
    inputShape: raster.shape,
    batches,
    timesteps,
    isInputPerSynapse: columns === size,
    given: given.start,
    out: out && (isTransferred ? takeOver(out) : ofFixedLength(out)),
    isTransferred,
  };
}

/** Computes on the calling thread. */
export function runHere(call: PreparedCall, before: CarriedState): CallResult {
  const { output, nextState, isEmpty } = allocateFor(call, before, call.out);
  if (!isEmpty) {
    refuseNonFinite(native.evolve(...nativeArguments(call, before, output, nextState)), call);
  }
  return finish(call, before, output, nextState);
}

/** Computes on the addon's own threads. */
export async function runOffThread(call: PreparedCall, before: CarriedState): Promise<CallResult> {
  // The caller's own memory is filled at the end: until then it may be detached or shrink.
  const isOutSafe = call.out !== undefined && (call.isTransferred || isShared(call.out));
  const { output, nextState, isEmpty } = allocateFor(
    call,
    before,
    isOutSafe ? call.out : undefined,
  );
  if (!isEmpty) {
    const arguments_ = nativeArguments(call, before, output, nextState);
    refuseNonFinite(await native.evolveAsync(...arguments_), call);
  }
  if (call.out === undefined || isOutSafe) return finish(call, before, output, nextState);
  if (lengthOf(call.out) !== lengthOf(output)) {
    throw outOfRange(
      `${lengthOf(output)} elements`,
      'options.out',
      `${lengthOf(call.out)}`,
      'it was detached or resized while the call ran',
    );
  }
  copyInto(call.out, output);
  return finish(call, before, call.out, nextState);
}

/** Checks a call against the state it starts from, and makes the arrays that it fills. */
function allocateFor(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray | undefined,
): { output: FloatArray; nextState: Float64Array; isEmpty: boolean } {
  const { batches, timesteps, size } = call;
  const isEmpty = batches === 0 || timesteps === 0;
  const held = before.isyn.shape.length === 2 ? before.isyn.shape[0] : undefined;
  if (!isEmpty && held !== undefined && held !== batches) {
    throw outOfRange(
      `${held} batch items, as isyn of shape ${formatShape(before.isyn.shape)} holds,`,
      'input',
      `${batches}`,
      'reset the state, or pass one in with the call',
    );
  }
  if (!isEmpty && !Number.isSafeInteger(before.step + timesteps)) {
    throw outOfRange(
      'an absolute step below 2^53 after the call',
      'step',
      `${before.step} + ${timesteps}`,
      'reset the state',
    );
  }
  const Output = call.dtype === 'float32' ? Float32Array : Float64Array;
  const shape = [batches, timesteps, size];
  return {
    output: output ?? allocate<FloatArray>(Output, shape, 'output'),
    nextState: allocate(Float64Array, [isEmpty ? 0 : batches, size], 'isyn'),
    isEmpty,
  };
}

/** Puts the result together, and the state after it. */
function finish(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: Float64Array,
): CallResult {
  const { batches, timesteps, size } = call;
  let isyn = before.isyn;
  let step = before.step;
  if (batches > 0 && timesteps > 0) {
    const isSingle = batches === 1 || call.isRockpool;
    const data = isSingle ? nextState.slice(0, size) : nextState;
    isyn = {
      data: call.dtype === 'float32' ? new Float32Array(data) : data,
      shape: isSingle ? [size] : [batches, size],
    };
    step += timesteps;
  }
  return {
    after: { isyn, step },
    evolution: {
      output: { data: output, shape: [batches, timesteps, size] },
      state: { isyn: { data: isyn.data.slice(), shape: [...isyn.shape] }, step },
      record: {
        method: call.method,
        windowLength: call.windowLength,
        firstStep: before.step,
      },
    },
  };
}

/** The output's array as the caller gave it, with a shape where there is one. */
function readOut(out: unknown): CallArguments['out'] {
  if (out === undefined) return undefined;
  if (isTypedArray(out)) return { data: out, shape: undefined };
  return readArray(out, 'options.out');
}

/** The output's array, if it fits. */
function checkOut(
  out: CallArguments['out'],
  dtype: Dtype,
  shape: readonly number[],
): FloatArray | undefined {
  if (out === undefined) return undefined;
  const type = dtype === 'float32' ? 'Float32Array' : 'Float64Array';
  if (typeOfArray(out.data) !== type) throw wrongType(`a ${type}`, 'options.out', out.data);
  if (out.shape !== undefined && formatShape(out.shape) !== formatShape(shape)) {
    throw outOfRange(
      `shape ${formatShape(shape)}`,
      'options.out',
      `shape ${formatShape(out.shape)}`,
    );
  }
  checkSize({ data: out.data, shape: [...shape] }, 'options.out');
  return out.data as FloatArray;
}

/** B, T and the number of columns of an input for `size` synapses. */
function interpretShape(
  shape: readonly number[],
  size: number,
): {
  batches: number;
  timesteps: number;
  columns: number;
} {
  const what = `shape (T,), (T, ${size}) or (B, T, ${size}), or a last axis of 1,`;
  if (shape.length === 0) throw outOfRange(what, 'input', 'shape ()');
  const columns = shape.length === 1 ? 1 : (shape.at(-1) ?? 1);
  const timesteps = (shape.length === 1 ? shape[0] : shape.at(-2)) ?? 0;
  const batches = shape.length === 3 ? (shape[0] ?? 0) : 1;
  if (columns !== size && columns !== 1) {
    throw outOfRange(what, 'input', `shape ${formatShape(shape)}`);
  }
  if (!Number.isSafeInteger(sizeOf([batches, timesteps, size]))) {
    throw outOfRange(
      'fewer than 2^53 elements',
      'output',
      `shape ${formatShape([batches, timesteps, size])}`,
    );
  }
  return { batches, timesteps, columns };
}

/** Throws unless the memory of a call's arrays can be handed over. */
function checkTransfer(data: TypedArray, out: FloatArray | undefined, isAsync: boolean): void {
  if (!isAsync) {
    throw outOfRange('false', 'options.transfer', 'true', 'evolveSync() copies nothing');
  }
  const arrays: [string, TypedArray][] = [['input', data]];
  if (out !== undefined) arrays.push(['options.out', out]);
  for (const [name, array] of arrays) {
    if (isTransferable(array)) continue;
    throw outOfRange(
      'memory of fixed size that is not shared',
      name,
      'shared or resizable memory',
      'leave out options.transfer',
    );
  }
  if (out !== undefined && haveSameBuffer(data, out)) {
    throw outOfRange('another buffer than that of the input', 'options.out', 'the same one');
  }
}

/** The input's elements where nobody can take them away while another thread reads. */
function dataForThread(data: TypedArray, isTransferred: boolean): TypedArray {
  if (isTransferred) return takeOver(data);
  return isShared(data) ? ofFixedLength(data) : copyOf(data);
}

function nativeArguments(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: Float64Array,
): EvolveArguments {
  const { data, shape } = before.isyn;
  return [
    call.kernels,
    METHOD_CODES[call.method],
    call.data,
    call.batches,
    call.timesteps,
    call.isInputPerSynapse,
    output,
    data instanceof Float64Array ? data : new Float64Array(data),
    shape.length === 1,
    nextState,
    call.throwNonFinite,
    call.noise,
    call.noiseScale,
    call.seed,
    before.step,
    call.isRockpool,
  ];
}

/** Throws when the addon found a NaN or infinity at flat index `index` >= 0. */
function refuseNonFinite(index: number, call: PreparedCall): void {
  if (index < 0) return;
  const place: number[] = [];
  let rest = index;
  for (const size of [...call.inputShape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  throw outOfRange(
    'finite numbers',
    'input',
    `${call.data[index]} at [${place.join(', ')}]`,
    "set nonFinite to 'propagate' to let it through",
  );
}
