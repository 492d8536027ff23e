/** The arguments of a call: read, checked, and copied where another thread needs them. */
import { readSignal, type AbortSignalLike } from './abort';
import {
  DETAIL_OPTIONS,
  NO_DETAILS,
  readDetails,
  TRIAL_OPTIONS,
  type DetailOptions,
  type GivenDetails,
  type RawDetails,
} from './details';
import {
  areEventLists,
  isEventList,
  readEventLists,
  readEvents,
  type EventList,
  type GivenEvents,
} from './events';
import {
  checkSize,
  duplicateOrShare,
  readArray,
  type GivenArray,
  type NdArray,
  type NestedArray,
} from '../arrays/arrays';
import {
  arrayClassOf,
  type Dtype,
  type FloatArray,
  type TypedArray,
} from '../arrays/element-types';
import {
  haveSameBuffer,
  isTransferable,
  isTypedArray,
  ofFixedLength,
  transferMemory,
  typeOfArray,
} from '../arrays/typed-arrays';
import {
  flag,
  formatShape,
  outOfRange,
  requireObject,
  unknownOption,
  wrongType,
} from '../errors/checks';

/** An input: (T,), (T, N) or (B, T, N), as data with a shape or as nested plain arrays. */
export type RasterInput = NdArray<TypedArray> | NestedArray;

/** What a call takes: a raster, or in its place a list of events, or one for each batch item. */
export type EvolveInput = RasterInput | EventList | readonly EventList[];

/** The options that every call has. */
export interface CallOptions extends DetailOptions {
  /**
   * Array that receives the output, (B, T, N), or (B, T', N) of the steps that are kept, of the module's
   * dtype. It may be the input's own memory if the call is synchronous.
   */
  out?: FloatArray | NdArray;
  /**
   * Only for calls that return a promise: transfer the memory of input and `out` instead of copying it.
   * Both are detached at once; the result's output holds the memory of `out`. Default false.
   */
  transfer?: boolean;
  /**
   * Only for calls that return a promise: ends the call when it is aborted. The promise rejects with the
   * signal's reason, the state is as if the call had not been made, and the contents of `out` are
   * undefined.
   */
  signal?: AbortSignalLike;
}

/** @internal What a caller gave to a call, not yet checked. */
export interface GivenArguments {
  /** If the input is a list of events, their times and the shape of the raster that they stand for. */
  readonly raster: GivenArray;
  readonly events: GivenEvents | undefined;
  readonly details: GivenDetails;
  readonly out: { data: TypedArray; shape: number[] | undefined } | undefined;
  readonly isTransferred: boolean;
  readonly signal: AbortSignal | undefined;
  /** As they were given, for calls that know these options. */
  readonly state: unknown;
  readonly origin: unknown;
}

/** @internal The options of calls of a session. */
export const SESSION_OPTIONS = ['out', 'transfer', 'signal', ...DETAIL_OPTIONS] as const;
/** @internal The options of calls of a module. */
export const MODULE_OPTIONS = [...SESSION_OPTIONS, ...TRIAL_OPTIONS, 'state', 'origin'] as const;

/**
 * Reads the arguments of a call. The caller's code (getters, proxies) runs here, each part once.
 *
 * @internal
 */
export function readArguments(
  input: unknown,
  options: unknown,
  known: readonly string[],
): GivenArguments {
  let out: unknown;
  let state: unknown;
  let transfer: unknown;
  let signal: unknown;
  let origin: unknown;
  let raw: RawDetails | undefined;
  // Spelled out, because a server makes this call for every tick of every stream.
  if (options !== undefined) {
    requireObject(options, 'options');
    for (const key of Object.keys(options)) {
      const value: unknown = Reflect.get(options, key);
      if (!known.includes(key)) throw unknownOption(key, 'options', known);
      if (key === 'out') out = value;
      else if (key === 'state') state = value;
      else if (key === 'transfer') transfer = value;
      else if (key === 'signal') signal = value;
      else if (key === 'origin') origin = value;
      else if (value !== undefined) raw = { ...raw, [key]: value };
    }
  }
  const isTransferred = transfer === undefined ? false : flag(transfer, 'options.transfer');
  let read: ReturnType<typeof readEvents> | undefined;
  if (isEventList(input)) read = readEvents(input, 'input');
  else if (areEventLists(input)) read = readEventLists(input, 'input');
  return {
    raster: read === undefined ? readArray(input, 'input') : read.raster,
    events: read?.events,
    details: raw === undefined ? NO_DETAILS : readDetails(raw, 'options'),
    out: readOut(out),
    isTransferred,
    signal: readSignal(signal, 'options.signal'),
    state,
    origin,
  };
}

/** The output's array as the caller gave it, with a shape if there is one. */
function readOut(out: unknown): GivenArguments['out'] {
  if (out === undefined) return undefined;
  if (isTypedArray(out)) return { data: out, shape: undefined };
  return readArray(out, 'options.out');
}

/** @internal B, T and the number of columns of an input for `size` synapses. */
export interface Extent {
  readonly batches: number;
  readonly timesteps: number;
  readonly columns: number;
}

/** @internal The extent of an input; throws unless it fits `size` synapses. */
export function extentOf({ shape }: GivenArray, size: number): Extent {
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

/**
 * The output's array if it has the dtype of the output and, if that is known, its shape; throws otherwise.
 *
 * @internal
 */
export function checkOut(
  out: GivenArguments['out'],
  dtype: Dtype,
  shape: readonly number[] | undefined,
): FloatArray | undefined {
  if (out === undefined) return undefined;
  const type = arrayClassOf(dtype).name;
  if (typeOfArray(out.data) !== type) throw wrongType(`a ${type}`, 'options.out', out.data);
  if (shape !== undefined) checkShape(out, shape);
  return ofFixedLength(out.data as FloatArray);
}

/** @internal Throws unless the output's array has a shape. */
export function checkShape(
  out: Exclude<GivenArguments['out'], undefined>,
  shape: readonly number[],
): void {
  if (out.shape !== undefined && formatShape(out.shape) !== formatShape(shape)) {
    throw outOfRange(
      `shape ${formatShape(shape)}`,
      'options.out',
      `shape ${formatShape(out.shape)}`,
    );
  }
  checkSize({ data: out.data, shape }, 'options.out');
}

/** @internal Throws if a call on the calling thread was given options that it cannot have. */
export function refuseAsyncOptions({ signal, isTransferred }: GivenArguments): void {
  if (signal !== undefined) {
    const advice = 'evolveSync() cannot be aborted; use evolve()';
    throw outOfRange('none', 'options.signal', 'one', advice);
  }
  if (isTransferred) {
    throw outOfRange('false', 'options.transfer', 'true', 'evolveSync() copies nothing');
  }
}

/** @internal Throws unless the memory of a call's arrays can be transferred. */
export function checkTransfer(
  input: TypedArray,
  out: FloatArray | undefined,
  events: GivenEvents | undefined,
): void {
  const arrays: [string, TypedArray][] = [['input', input]];
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
  const inputs = [input, events?.channels, events?.values, events?.batches];
  if (
    inputs.some((array) => out !== undefined && array !== undefined && haveSameBuffer(array, out))
  ) {
    throw outOfRange('another buffer than that of the input', 'options.out', 'the same one');
  }
}

/**
 * The elements of an input, in memory that nobody can detach while another thread reads it.
 *
 * @internal
 */
export function inputForThread(input: TypedArray, isTransferred: boolean): TypedArray {
  const own = isTransferred ? transferMemory(input) : undefined;
  return own ?? duplicateOrShare(input, 'input');
}

/** @internal Transfers the memory of an output. */
export function transferOut(out: FloatArray): FloatArray {
  const own = transferMemory(out);
  if (own !== undefined) return own;
  throw outOfRange(
    'memory that can be transferred',
    'options.out',
    "a pooled Buffer's, or WebAssembly's",
    'leave out options.transfer',
  );
}
