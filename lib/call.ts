/**
 * One call of evolve(): its arguments read, checked and copied, the native call made, its result put
 * together. Knows nothing of the module that makes it but the settings it is given.
 */
import { inspect } from 'node:util';

import {
  allocate,
  allocateState,
  arrayOf,
  checkSize,
  readArray,
  type GivenArray,
  type NdArray,
} from './arrays';
import {
  flag,
  formatShape,
  outOfRange,
  readOptions,
  requireObject,
  unknownOption,
  wholeNumber,
  wrongType,
} from './checks';
import type { Dtype, ExpSynEvolution } from './exp-syn-options';
import { abortReason, isAborted, onAbort, readSignal } from './abort';
import { CANCELLED, METHOD_CODES, native, type EvolveArguments, type Kernels } from './native';
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
  readonly isyn: NdArray;
  readonly step: number;
}

/** What a caller gave to a call. Nothing of it is checked against the rest yet. */
export interface CallArguments {
  raster: GivenArray;
  out: { data: TypedArray; shape: number[] | undefined } | undefined;
  start: Partial<CarriedState> | undefined;
  isTransferred: boolean;
  signal: AbortSignal | undefined;
}

/** What the module has set when a call is made; never changed. */
export interface CallSettings {
  size: number;
  dtype: Dtype;
  kernels: Kernels;
  windowLength: number;
  /** One of NOISE_CODES. */
  noise: number;
  noiseScale: number;
  seed: number;
  throwNonFinite: boolean;
  isRockpool: boolean;
  threads: number;
}

/** A call as it was made: nothing that happens to the module or its caller later changes it. */
export interface PreparedCall {
  settings: CallSettings;
  method: 'fft' | 'recursive';
  data: TypedArray;
  inputShape: readonly number[];
  batches: number;
  timesteps: number;
  isInputPerSynapse: boolean;
  given: Partial<CarriedState> | undefined;
  out: FloatArray | undefined;
  isTransferred: boolean;
  /** Ends the call when it is aborted. */
  signal: AbortSignal | undefined;
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
  let out: unknown;
  let state: unknown;
  let transfer: unknown;
  let signal: unknown;
  // Spelled out, because a server makes this call for every tick of every stream.
  if (options !== undefined) {
    requireObject(options, 'options');
    for (const key of Object.keys(options)) {
      const value: unknown = Reflect.get(options, key);
      if (key === 'out') out = value;
      else if (key === 'state') state = value;
      else if (key === 'transfer') transfer = value;
      else if (key === 'signal') signal = value;
      else throw unknownOption(key, 'options', ['out', 'state', 'transfer', 'signal']);
    }
  }
  const isTransferred = transfer === undefined ? false : flag(transfer, 'options.transfer');
  return {
    raster: readArray(input, 'input'),
    out: readOut(out),
    start: state === undefined ? undefined : readState(state, castIsyn),
    isTransferred,
    signal: readSignal(signal, 'options.signal'),
  };
}

function readState(
  state: unknown,
  castIsyn: (value: unknown, name: string) => NdArray,
): Partial<CarriedState> {
  const given = readOptions(state, 'options.state', ['isyn', 'step']);
  return {
    ...(given.isyn !== undefined && { isyn: castIsyn(given.isyn, 'options.state.isyn') }),
    ...(given.step !== undefined && { step: wholeNumber(given.step, 'options.state.step') }),
  };
}

/**
 * Checks the arguments against each other and takes everything that the call depends on. Runs none
 * of the caller's code.
 */
export function prepareCall(
  given: CallArguments,
  settings: CallSettings,
  chooseMethod: (timesteps: number) => 'fft' | 'recursive',
  isAsync: boolean,
): PreparedCall {
  const { raster, isTransferred, signal } = given;
  const { size } = settings;
  checkSize(raster, 'input');
  const { batches, timesteps, columns } = interpretShape(raster.shape, size);
  const out =
    given.out === undefined
      ? undefined
      : checkOut(given.out, settings.dtype, batches, timesteps, size);
  if (signal !== undefined && !isAsync) {
    throw outOfRange(
      'none',
      'options.signal',
      'one',
      'evolveSync() cannot be aborted; use evolve()',
    );
  }
  // Before memory is taken over or copied.
  if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
  if (isTransferred) checkTransfer(raster.data, out, isAsync);
  return {
    settings,
    method: chooseMethod(timesteps),
    data: isAsync ? dataForThread(raster.data, isTransferred) : raster.data,
    inputShape: raster.shape,
    batches,
    timesteps,
    isInputPerSynapse: columns === size,
    given: given.start,
    out: out && (isTransferred ? takeOver(out) : ofFixedLength(out)),
    isTransferred,
    signal,
  };
}

/** The state that a call starts from, given the one that the module carries. */
export function startOf(call: PreparedCall, carried: CarriedState): CarriedState {
  return call.given === undefined ? carried : { ...carried, ...call.given };
}

/** Computes on the calling thread. */
export function runHere(call: PreparedCall, before: CarriedState): CallResult {
  const { output, nextState, isEmpty } = allocateFor(call, before, call.out);
  if (!isEmpty) {
    refuseNonFinite(callNative(native.evolve, call, before, output, nextState, 0), call);
  }
  return finish(call, before, output, nextState);
}

/** Computes on the addon's own threads. */
export async function runOffThread(call: PreparedCall, before: CarriedState): Promise<CallResult> {
  // It may have waited for other calls.
  if (call.signal !== undefined && isAborted(call.signal)) throw abortReason(call.signal);
  // The caller's own memory is filled at the end: until then it may be detached or shrink.
  const isOutSafe = call.out !== undefined && (call.isTransferred || isShared(call.out));
  const { output, nextState, isEmpty } = allocateFor(
    call,
    before,
    isOutSafe ? call.out : undefined,
  );
  if (!isEmpty) refuseNonFinite(await compute(call, before, output, nextState), call);
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

/** Numbers of calls of evolveAsync(). */
let nextId = 0;

/** The native call on another thread; throws the signal's reason when that ended it. */
async function compute(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: FloatArray,
): Promise<number> {
  const { signal } = call;
  const id = nextId++;
  if (signal === undefined) {
    return callNative(native.evolveAsync, call, before, output, nextState, id);
  }
  const stopListening = onAbort(signal, () => {
    native.cancel(id);
  });
  try {
    const index = await callNative(native.evolveAsync, call, before, output, nextState, id);
    if (index === CANCELLED) throw abortReason(signal);
    return index;
  } finally {
    stopListening();
  }
}

/** Checks a call against the state it starts from, and makes the arrays that it fills. */
function allocateFor(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray | undefined,
): { output: FloatArray; nextState: FloatArray; isEmpty: boolean } {
  const { batches, timesteps } = call;
  const { size, dtype } = call.settings;
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
  return {
    output: output ?? allocate(arrayOf(dtype), [batches, timesteps, size], 'output'),
    nextState: allocateState(dtype, isEmpty ? 0 : batches * size),
    isEmpty,
  };
}

/** Puts the result together, and the state after it. */
function finish(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: FloatArray,
): CallResult {
  const { batches, timesteps } = call;
  const { size, isRockpool, windowLength } = call.settings;
  let after = before;
  if (batches > 0 && timesteps > 0) {
    const isSingle = batches === 1 || isRockpool;
    const isyn = {
      data: isSingle && batches > 1 ? nextState.subarray(0, size) : nextState,
      shape: isSingle ? [size] : [batches, size],
    };
    after = { isyn, step: before.step + timesteps };
  }
  return {
    after,
    evolution: new FinishedRun({ data: output, shape: [batches, timesteps, size] }, after, {
      method: call.method,
      windowLength,
      firstStep: before.step,
    }),
  };
}

/** What evolve() returns. Its state is copied out when it is first read. */
class FinishedRun implements ExpSynEvolution {
  #state: ExpSynEvolution['state'] | undefined;
  readonly #after: CarriedState;

  constructor(
    readonly output: NdArray,
    after: CarriedState,
    readonly record: ExpSynEvolution['record'],
  ) {
    this.#after = after;
  }

  get state(): ExpSynEvolution['state'] {
    const { isyn, step } = this.#after;
    this.#state ??= { isyn: { data: isyn.data.slice(), shape: [...isyn.shape] }, step };
    return this.#state;
  }

  [inspect.custom](_depth: number, options: object): string {
    return inspect({ output: this.output, state: this.state, record: this.record }, options);
  }
}

/** The output's array as the caller gave it, with a shape where there is one. */
function readOut(out: unknown): CallArguments['out'] {
  if (out === undefined) return undefined;
  if (isTypedArray(out)) return { data: out, shape: undefined };
  return readArray(out, 'options.out');
}

/** The output's array, if it fits. */
function checkOut(
  out: { data: TypedArray; shape: number[] | undefined },
  dtype: Dtype,
  batches: number,
  timesteps: number,
  size: number,
): FloatArray {
  const type = dtype === 'float32' ? 'Float32Array' : 'Float64Array';
  if (typeOfArray(out.data) !== type) throw wrongType(`a ${type}`, 'options.out', out.data);
  const shape = [batches, timesteps, size];
  if (out.shape !== undefined && formatShape(out.shape) !== formatShape(shape)) {
    throw outOfRange(
      `shape ${formatShape(shape)}`,
      'options.out',
      `shape ${formatShape(out.shape)}`,
    );
  }
  checkSize({ data: out.data, shape }, 'options.out');
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
  const nAxes = shape.length;
  const columns = nAxes === 1 ? 1 : (shape[nAxes - 1] ?? 1);
  if (nAxes === 0 || (columns !== size && columns !== 1)) {
    throw outOfRange(
      `shape (T,), (T, ${size}) or (B, T, ${size}), or a last axis of 1,`,
      'input',
      `shape ${formatShape(shape)}`,
    );
  }
  const timesteps = (nAxes === 1 ? shape[0] : shape[nAxes - 2]) ?? 0;
  const batches = nAxes === 3 ? (shape[0] ?? 0) : 1;
  if (!Number.isSafeInteger(batches * timesteps * size)) {
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

/** Calls one of the addon's functions with a call. Not by spreading an array, which takes longer. */
function callNative<Result>(
  evolve: (...call: [...EvolveArguments, id: number]) => Result,
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: FloatArray,
  id: number,
): Result {
  const { settings } = call;
  return evolve(
    settings.kernels,
    METHOD_CODES[call.method],
    call.data,
    call.batches,
    call.timesteps,
    call.isInputPerSynapse,
    output,
    before.isyn.data,
    before.isyn.shape.length === 1,
    nextState,
    settings.throwNonFinite,
    settings.noise,
    settings.noiseScale,
    settings.seed,
    before.step,
    settings.isRockpool,
    settings.threads,
    id,
  );
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
