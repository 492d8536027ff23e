/**
 * Streams of currents: async iterators, Web Streams and Node streams, in chunks of any length. What
 * comes in are steps of N elements, one behind the other; what comes out are the currents of the same
 * steps, as elements of the module's dtype.
 */
import { Duplex } from 'node:stream';
import { ReadableStream, TransformStream, type WritableStream } from 'node:stream/web';

import { abortReason, isAborted, onAbort, orAborted, readSignal } from './abort';
import { oneOf, readOptions, requireObject, wholeNumber, wrongType } from './checks';
import { ChunkReader, ELEMENT_TYPES, type ElementType, type RasterPiece } from './chunks';
import type { AbortSignalLike } from './exp-syn-options';
import { bytesOf, isTypedArray } from './typed-arrays';

export type { ElementType };

/** What a stream runs through: an ExpSyn, one of its sessions, or a module of one's own. */
export interface StreamTarget {
  readonly sizeIn: number;
  evolve(
    input: RasterPiece,
    options: { transfer: boolean; signal?: AbortSignalLike },
  ): Promise<{ output: { data: Float64Array | Float32Array } }>;
}

/** Bytes, or elements of the stream's type. */
export type StreamChunk =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

export interface StreamOptions {
  /** Element type of the input, in the machine's byte order. Default 'uint8'. */
  type?: ElementType;
  /**
   * Steps that are computed in one call, and come out in one chunk; the last may have fewer. Then no
   * bit depends on how the input is cut into chunks. By default steps are computed as they come, at
   * once.
   */
  steps?: number;
  /** Ends the stream with its reason. */
  signal?: AbortSignalLike;
}

export interface BufferedStreamOptions extends StreamOptions {
  /** Bytes that wait on either side before the stream asks its source to wait. Default 65,536. */
  highWaterMark?: number;
}

interface Settings {
  target: StreamTarget;
  type: ElementType;
  steps: number | undefined;
  signal: AbortSignal | undefined;
  highWaterMark: number;
}

const OPTIONS = ['type', 'steps', 'signal'] as const;
const BUFFERED_OPTIONS = [...OPTIONS, 'highWaterMark'] as const;
const castType = oneOf<ElementType>(Object.keys(ELEMENT_TYPES) as ElementType[]);

/** The most elements of one call. */
const MOST_ELEMENTS = 2 ** 31;

function readSettings(
  target: StreamTarget,
  options: unknown,
  known: readonly (typeof BUFFERED_OPTIONS)[number][],
): Settings {
  requireObject(target, 'target', 'an ExpSyn or a session');
  if (typeof target.evolve !== 'function')
    throw wrongType('an ExpSyn or a session', 'target', target);
  const given = readOptions(options, 'options', known);
  const size = wholeNumber(target.sizeIn, 'target.sizeIn', 1);
  const { type, steps, signal, highWaterMark } = given;
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
  };
}

/** One piece after the other through the target. */
class Currents {
  readonly #settings: Settings;
  readonly #reader: ChunkReader;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#reader = new ChunkReader(settings.type, settings.target.sizeIn, settings.steps);
  }

  /** The currents of the steps that a chunk completes. */
  async *of(
    chunk: unknown,
    signal = this.#settings.signal,
  ): AsyncGenerator<Float64Array | Float32Array> {
    for (const piece of this.#reader.read(chunk)) yield await this.#evolve(piece, signal);
  }

  /** The currents of what is left at the end. */
  async *rest(signal = this.#settings.signal): AsyncGenerator<Float64Array | Float32Array> {
    const piece = this.#reader.end();
    if (piece !== undefined) yield await this.#evolve(piece, signal);
  }

  async #evolve(
    piece: RasterPiece,
    signal: AbortSignal | undefined,
  ): Promise<Float64Array | Float32Array> {
    const options = { transfer: piece.isOwn, ...(signal && { signal }) };
    return (await this.#settings.target.evolve(piece, options)).output.data;
  }
}

/**
 * The currents of a source of chunks. Reads on only when they are asked for. An error of the source,
 * of a chunk or of the signal ends the iteration with it, and ends the source.
 */
export async function* iterate(
  target: StreamTarget,
  source: AsyncIterable<StreamChunk> | Iterable<StreamChunk>,
  options: StreamOptions = {},
): AsyncGenerator<Float64Array | Float32Array, void, undefined> {
  const settings = readSettings(target, options, OPTIONS);
  yield* iterateWith(settings, source);
}

async function* iterateWith(
  settings: Settings,
  source: AsyncIterable<unknown> | Iterable<unknown>,
): AsyncGenerator<Float64Array | Float32Array, void, undefined> {
  const { signal } = settings;
  const currents = new Currents(settings);
  const chunks = iteratorOf(source);
  let isOver = false;
  try {
    for (;;) {
      if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
      // A source that fails has ended itself.
      const next = (async () => chunks.next())().catch((error: unknown) => {
        isOver = true;
        throw error;
      });
      const result = await (signal === undefined ? next : orAborted(next, signal, () => true));
      isOver = result.done === true;
      if (isOver) break;
      yield* currents.of(result.value);
    }
    yield* currents.rest();
  } finally {
    // Not waited for: it may be in the middle of a read that never ends.
    if (!isOver) void (async () => chunks.return?.())().catch(() => undefined);
  }
}

function iteratorOf(source: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  if (typeof source === 'object' && source !== null && !isTypedArray(source)) {
    for (const symbol of [Symbol.asyncIterator, Symbol.iterator]) {
      const begin: unknown = Reflect.get(source, symbol);
      if (typeof begin !== 'function') continue;
      return Reflect.apply(begin, source, []) as AsyncIterator<unknown>;
    }
  }
  throw wrongType('an iterable of chunks', 'source', source);
}

function byteLengthOf(chunk: unknown): number {
  return isTypedArray(chunk) ? bytesOf(chunk) : 1;
}

/**
 * A pair of Web Streams for pipeThrough(): chunks are written to `writable`, their currents read from
 * `readable`. Both sides count their queues in bytes. An error, an abort or a cancellation on either
 * side reaches the other.
 */
export function webTransform(
  target: StreamTarget,
  options: BufferedStreamOptions = {},
): {
  readable: ReadableStream<Float64Array | Float32Array>;
  writable: WritableStream<StreamChunk>;
} {
  const settings = readSettings(target, options, BUFFERED_OPTIONS);
  const { signal, highWaterMark } = settings;
  const strategy = { highWaterMark, size: byteLengthOf };
  // With room for nothing, a writer that waits for room would wait for ever.
  const inputStrategy = { ...strategy, highWaterMark: Math.max(1, highWaterMark) };
  const own = new AbortController();
  // What is written waits here, and is not read before its currents are wanted.
  const input = new TransformStream<StreamChunk, StreamChunk>({}, inputStrategy, {
    highWaterMark: 0,
  });
  const reader = input.readable.getReader();
  const chunks = async function* () {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  };
  const ending = signal === undefined ? own.signal : AbortSignal.any([signal, own.signal]);
  const currents = iterateWith({ ...settings, signal: ending }, chunks());
  const end = (reason: unknown): void => {
    own.abort(reason);
    reader.cancel(reason).catch(() => undefined);
  };
  let stopListening = () => {
    // Nothing to stop.
  };
  const readable = new ReadableStream<Float64Array | Float32Array>(
    {
      start: (controller) => {
        // Whoever aborts the other side.
        reader.closed.catch((reason: unknown) => {
          stopListening();
          controller.error(reason);
          own.abort(reason);
        });
        if (signal === undefined) return;
        const abort = () => {
          controller.error(abortReason(signal));
          end(abortReason(signal));
        };
        if (isAborted(signal)) abort();
        else stopListening = onAbort(signal, abort);
      },
      pull: async (controller) => {
        try {
          const { done, value } = await currents.next();
          if (done === true) {
            stopListening();
            controller.close();
          } else {
            controller.enqueue(value);
          }
        } catch (error) {
          stopListening();
          end(error);
          throw error;
        }
      },
      cancel: (reason) => {
        stopListening();
        end(reason);
      },
    },
    strategy,
  );
  return { readable, writable: input.writable };
}

/** A stream is destroyed without an error by what counts as false. */
function errorOf(reason: unknown): Error {
  if (reason) return reason as Error;
  const error = new Error('The stream was aborted.', { cause: reason });
  error.name = 'AbortError';
  return error;
}

/** Bytes in, bytes out. */
class CurrentsStream extends Duplex {
  readonly #currents: Currents;
  readonly #own = new AbortController();
  readonly #stopListening: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(settings: Settings) {
    const { highWaterMark, signal } = settings;
    super({
      readableHighWaterMark: highWaterMark,
      writableHighWaterMark: highWaterMark,
      decodeStrings: false,
    });
    this.#currents = new Currents({ ...settings, signal: this.#own.signal });
    if (signal === undefined) return;
    const abort = () => this.destroy(errorOf(abortReason(signal)));
    if (isAborted(signal)) abort();
    else this.#stopListening = onAbort(signal, abort);
  }

  override _write(
    chunk: unknown,
    _encoding: unknown,
    callback: (error?: Error | null) => void,
  ): void {
    this.#send(this.#currents.of(chunk)).then(() => {
      callback();
    }, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#send(this.#currents.rest()).then(() => {
      this.push(null);
      callback();
    }, callback);
  }

  override _read(): void {
    this.#wake?.();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stopListening?.();
    this.#own.abort(error ?? undefined);
    this.#wake?.();
    callback(error);
  }

  async #send(pieces: AsyncIterable<Float64Array | Float32Array>): Promise<void> {
    for await (const { buffer, byteOffset, byteLength } of pieces) {
      if (this.destroyed) return;
      if (this.push(Buffer.from(buffer, byteOffset, byteLength))) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}

/**
 * A Node stream for pipe() and pipeline(): bytes of the raster in, bytes of the currents out. An
 * error, or the reason of the signal, destroys it.
 */
export function nodeTransform(target: StreamTarget, options: BufferedStreamOptions = {}): Duplex {
  return new CurrentsStream(readSettings(target, options, BUFFERED_OPTIONS));
}
