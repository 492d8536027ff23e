/** What a stream is made from: a module or a session, and options. */
import { readSignal, type AbortSignalLike } from '../calls/abort';
import { DETAIL_OPTIONS, readDetails, type DetailOptions } from '../calls/details';
import type { EventList } from '../calls/events';
import {
  ELEMENT_TYPES,
  type ArrayOf,
  type ElementType,
  type FloatArray,
} from '../arrays/element-types';
import { flag, oneOf, readOptions, requireObject, wholeNumber, wrongType } from '../errors/checks';
import type { RasterPiece } from './chunks';

/** What a stream runs through: a module or a session. */
export interface StreamTarget<Data extends FloatArray = FloatArray> {
  /** N, the elements of a step. */
  readonly sizeIn: number;
  /** Computes the next steps. */
  evolve(
    input: RasterPiece | EventList,
    options: DetailOptions & { transfer: boolean; signal?: AbortSignalLike },
  ): Promise<{
    /** The result of the call. */
    output: {
      /** The currents, step after step. */
      data: Data;
    };
  }>;
}

/**
 * Bytes, or elements of the stream's type; or the events of some steps, with times from the first of these
 * steps on.
 */
export type StreamChunk = ArrayOf<ElementType> | EventList;

/**
 * The options of every stream. With `every`, a chunk that comes out holds the steps that are kept; none
 * comes out where there are none.
 */
export interface StreamOptions extends DetailOptions {
  /** Element type of the input, in the machine's byte order. Default 'uint8'. */
  type?: ElementType;
  /**
   * Steps that are computed in one call, and come out in one chunk; the last may have fewer. Then no
   * bit depends on how the input is cut into chunks. By default steps are computed as they come, at
   * once.
   */
  steps?: number;
  /**
   * Ends the stream with its reason. Holds a stream in memory until that has ended, so one that is not
   * used to its end must be cancelled or destroyed.
   */
  signal?: AbortSignalLike;
}

/** The options of webTransform() and nodeTransform(). */
export interface BufferedStreamOptions extends StreamOptions {
  /** Bytes that wait on either side before the stream asks its source to wait. Default 65,536. */
  highWaterMark?: number;
}

/** Of iterate() and webTransform(); what comes out of nodeTransform() is always bytes. */
export interface OutputOptions {
  /**
   * Whether the currents come out as bytes, for a Response or a socket: each chunk is a Uint8Array of
   * elements of the module's dtype, 8 or 4 bytes each, in the machine's byte order, which is
   * little-endian on x86 and ARM. By default each chunk is a Float64Array or Float32Array.
   */
  bytes?: boolean;
}

/** The settings of a stream. */
export interface Settings {
  target: StreamTarget;
  type: ElementType;
  steps: number | undefined;
  signal: AbortSignal | undefined;
  highWaterMark: number;
  bytes: boolean;
  /** As they were given, for every call. */
  details: DetailOptions;
}

const OPTIONS = ['type', 'steps', 'signal', ...DETAIL_OPTIONS] as const;
/** The options of each kind of stream. */
export const BUFFERED_OPTIONS = [...OPTIONS, 'highWaterMark'] as const;
export const ITERATOR_OPTIONS = [...OPTIONS, 'bytes'] as const;
export const WEB_OPTIONS = [...BUFFERED_OPTIONS, 'bytes'] as const;
const castType = oneOf<ElementType>(Object.keys(ELEMENT_TYPES) as ElementType[]);

/** The most elements of one call. */
const MOST_ELEMENTS = 2 ** 31;

/** Reads the options of a stream; throws unless they are among those that are known. */
export function readSettings(
  target: StreamTarget,
  options: unknown,
  known: readonly (typeof WEB_OPTIONS)[number][],
): Settings {
  requireObject(target, 'target', 'a module or a session');
  if (typeof target.evolve !== 'function')
    throw wrongType('a module or a session', 'target', target);
  const given = readOptions(options, 'options', known);
  const size = wholeNumber(target.sizeIn, 'target.sizeIn', 1);
  const { type, steps, signal, highWaterMark, bytes } = given;
  return {
    target,
    type: type === undefined ? 'uint8' : castType(type, 'options.type'),
    steps:
      steps === undefined
        ? undefined
        : wholeNumber(steps, 'options.steps', 1, Math.floor(MOST_ELEMENTS / size)),
    signal: readSignal(signal, 'options.signal'),
    highWaterMark:
      highWaterMark === undefined ? 65_536 : wholeNumber(highWaterMark, 'options.highWaterMark'),
    bytes: bytes === undefined ? false : flag(bytes, 'options.bytes'),
    details: detailsOf(given),
  };
}

/** The options that every call has; throws if one of them is wrong. */
function detailsOf(given: Partial<Record<string, unknown>>): DetailOptions {
  const details: Record<string, unknown> = {};
  for (const name of DETAIL_OPTIONS) if (given[name] !== undefined) details[name] = given[name];
  readDetails(details, 'options');
  return details;
}
