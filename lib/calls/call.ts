/**
 * The arguments of one call: read, checked, and copied where another thread needs them. Knows
 * nothing of the module that makes it but the settings it is given.
 */
import { abortReason, isAborted, readSignal } from './abort';
import { checkSize, duplicate, readArray, sizeOf, type GivenArray } from '../arrays/arrays';
import {
  flag,
  formatShape,
  outOfRange,
  readOptions,
  requireObject,
  unknownOption,
  wholeNumber,
  wrongType,
} from '../errors/checks';
import {
  arrayClassOf,
  bytesPerElement,
  type Dtype,
  type FloatArray,
  type TypedArray,
} from '../arrays/element-types';
import { Admission } from './load';
import type { Synapses } from '../native/native';
import type { CarriedIsyn } from '../modules/state';
import {
  bytesOf,
  haveSameBuffer,
  isShared,
  isTransferable,
  isTypedArray,
  ofFixedLength,
  takeOver,
  typeOfArray,
} from '../arrays/typed-arrays';

/** The state that a call starts from, or leaves. */
export interface CarriedState {
  readonly isyn: CarriedIsyn;
  readonly step: number;
}

/** What a caller gave to a call. Nothing of it is checked against the rest yet. */
export interface CallArguments {
  raster: GivenArray;
  out: { data: TypedArray; shape: number[] | undefined } | undefined;
  start: Partial<CarriedState> | undefined;
  origin: Origin;
  isTransferred: boolean;
  signal: AbortSignal | undefined;
}

/** The place of a call's first item and synapse in the raster whose noise is drawn. */
export interface Origin {
  readonly batch: number;
  readonly synapse: number;
}

const NO_ORIGIN: Origin = { batch: 0, synapse: 0 };

/** As many batch items as the noise tells apart. */
const MOST_BATCHES = 2 ** 32;
/** As many synapses. */
const MOST_SYNAPSES = 2 ** 32;
/** Neighbours that draw their noise together. */
const SYNAPSES_PER_DRAW = 4;

/** What the module has set when a call is made; never changed. */
export interface CallSettings {
  size: number;
  dtype: Dtype;
  synapses: Synapses;
  windowLength: number;
  seed: number;
  isRockpool: boolean;
}

/** A call as it was made: nothing that happens to the module or its caller later changes it. */
export interface PreparedCall {
  settings: CallSettings;
  method: 'fft' | 'recursive';
  data: TypedArray;
  inputShape: readonly number[];
  batches: number;
  timesteps: number;
  given: Partial<CarriedState> | undefined;
  firstBatch: number;
  firstSynapse: number;
  out: FloatArray | undefined;
  isTransferred: boolean;
  /** Ends the call when it is aborted. */
  signal: AbortSignal | undefined;
  /** What a call on another thread is counted by, until leave() is called. */
  admission: Admission | undefined;
}

/**
 * Reads the arguments of a call. All of the caller's code that there may be (getters, proxies) runs
 * here; `castIsyn` checks a state, and without it there is no such option.
 */
export function readArguments(
  input: unknown,
  options: unknown,
  castIsyn?: (value: unknown, name: string) => CarriedIsyn,
): CallArguments {
  let out: unknown;
  let state: unknown;
  let transfer: unknown;
  let signal: unknown;
  let origin: unknown;
  // Spelled out, because a server makes this call for every tick of every stream.
  if (options !== undefined) {
    requireObject(options, 'options');
    for (const key of Object.keys(options)) {
      const value: unknown = Reflect.get(options, key);
      if (key === 'out') out = value;
      else if (key === 'state' && castIsyn !== undefined) state = value;
      else if (key === 'transfer') transfer = value;
      else if (key === 'signal') signal = value;
      else if (key === 'origin' && castIsyn !== undefined) origin = value;
      else {
        const own = castIsyn === undefined ? [] : ['state', 'origin'];
        const known = ['out', ...own, 'transfer', 'signal'];
        throw unknownOption(key, 'options', known);
      }
    }
  }
  const isTransferred = transfer === undefined ? false : flag(transfer, 'options.transfer');
  return {
    raster: readArray(input, 'input'),
    out: readOut(out),
    start: state === undefined || castIsyn === undefined ? undefined : readState(state, castIsyn),
    origin: origin === undefined ? NO_ORIGIN : readOrigin(origin),
    isTransferred,
    signal: readSignal(signal, 'options.signal'),
  };
}

function readState(
  state: unknown,
  castIsyn: (value: unknown, name: string) => CarriedIsyn,
): Partial<CarriedState> {
  const given = readOptions(state, 'options.state', ['isyn', 'step']);
  return {
    ...(given.isyn !== undefined && { isyn: castIsyn(given.isyn, 'options.state.isyn') }),
    ...(given.step !== undefined && { step: wholeNumber(given.step, 'options.state.step') }),
  };
}

function readOrigin(origin: unknown): Origin {
  const given = readOptions(origin, 'options.origin', ['batch', 'synapse']);
  const { batch = 0, synapse = 0 } = given;
  const place = {
    batch: wholeNumber(batch, 'options.origin.batch'),
    synapse: wholeNumber(synapse, 'options.origin.synapse'),
  };
  if (place.synapse % SYNAPSES_PER_DRAW !== 0) {
    throw outOfRange(
      `a multiple of ${SYNAPSES_PER_DRAW}`,
      'options.origin.synapse',
      `${place.synapse}`,
    );
  }
  return place;
}

/** Throws when the noise knows no such places. */
function checkOrigin({ batch, synapse }: Origin, batches: number, size: number): void {
  if (batch + batches > MOST_BATCHES) {
    throw outOfRange('fewer than 2^32 batch items', 'options.origin.batch', `${batch}`);
  }
  if (synapse + size > MOST_SYNAPSES) {
    throw outOfRange('fewer than 2^32 synapses', 'options.origin.synapse', `${synapse}`);
  }
}

/**
 * Checks the arguments against each other and takes everything that the call depends on. Runs none
 * of the caller's code. `checkStart` throws where the call does not fit what it starts from: nothing
 * is counted, copied or taken over before.
 */
export function prepareCall(
  given: CallArguments,
  settings: CallSettings,
  chooseMethod: (timesteps: number) => 'fft' | 'recursive',
  isAsync: boolean,
  checkStart: (call: PreparedCall) => void,
): PreparedCall {
  const { raster, isTransferred, signal } = given;
  const { size } = settings;
  checkSize(raster, 'input');
  const { batches, timesteps } = interpretShape(raster.shape, size);
  const { origin } = given;
  if (origin !== NO_ORIGIN) checkOrigin(origin, batches, size);
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
  const method = chooseMethod(timesteps);
  const call: PreparedCall = {
    settings,
    method,
    data: raster.data,
    inputShape: raster.shape,
    batches,
    timesteps,
    given: given.start,
    firstBatch: origin.batch,
    firstSynapse: origin.synapse,
    out: out && ofFixedLength(out),
    isTransferred,
    signal,
    admission: undefined,
  };
  checkStart(call);
  return isAsync ? admit(call) : call;
}

/** Counts a call as pending, then copies or takes over its arrays. */
function admit(call: PreparedCall): PreparedCall {
  const { method, batches, timesteps, data, out, isTransferred } = call;
  const { size, dtype } = call.settings;
  const shape = [batches, timesteps, size];
  const inputBytes = isShared(data) ? 0 : bytesOf(data);
  const outputBytes = sizeOf(shape) * bytesPerElement(dtype);
  const bytes = inputBytes + (out !== undefined && isShared(out) ? 0 : outputBytes);
  const admission = new Admission({ shape, dtype, method, bytes });
  try {
    // The output first: of an input that cannot be taken over, a copy does.
    const ownOut = out && isTransferred ? takeOver(out) : out;
    if (out !== undefined && ownOut === undefined) {
      throw outOfRange(
        'memory that can be handed over',
        'options.out',
        "a pooled Buffer's, or WebAssembly's",
        'leave out options.transfer',
      );
    }
    return { ...call, data: dataForThread(data, isTransferred), out: ownOut, admission };
  } catch (error) {
    admission.announce();
    admission.leave('failed', error);
    throw error;
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
  const type = arrayClassOf(dtype).name;
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

/** B and T of an input for `size` synapses. */
function interpretShape(
  shape: readonly number[],
  size: number,
): {
  batches: number;
  timesteps: number;
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
  return { batches, timesteps };
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
  const ownData = isTransferred ? takeOver(data) : undefined;
  return ownData ?? (isShared(data) ? ofFixedLength(data) : duplicate(data, 'input'));
}
