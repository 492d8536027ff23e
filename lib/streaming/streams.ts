/**
 * Streams of currents: async iterators, Web Streams and Node streams, in chunks of any length. The input
 * is steps of N elements, one after the other; the output is the currents of the same steps, as elements
 * of the module's dtype.
 */
import { Duplex } from 'node:stream';
import {
  ReadableStream,
  WritableStream,
  type ReadableStreamDefaultController,
  type WritableStreamDefaultController,
} from 'node:stream/web';

import {
  abortReason,
  isAborted,
  isAbortedNow,
  onAbort,
  orAborted,
  readSignal,
  type AbortSignalLike,
} from '../calls/abort';
import { flag, oneOf, readOptions, requireObject, wholeNumber, wrongType } from '../errors/checks';
import {
  ELEMENT_TYPES,
  type ArrayOf,
  type ElementType,
  type FloatArray,
} from '../arrays/element-types';
import { ChunkReader, type RasterPiece } from './chunks';
import { bytesIn, bytesOf, isRevoked, isTypedArray } from '../arrays/typed-arrays';

export type { ElementType };

/** What a stream runs through: a module or a session. */
export interface StreamTarget<Data extends FloatArray = FloatArray> {
  /** N, the elements of a step. */
  readonly sizeIn: number;
  /** Computes the next steps. */
  evolve(
    input: RasterPiece,
    options: { transfer: boolean; signal?: AbortSignalLike },
  ): Promise<{
    /** The result of the call. */
    output: {
      /** The currents, step after step. */
      data: Data;
    };
  }>;
}

/** Bytes, or elements of the stream's type. */
export type StreamChunk = ArrayOf<ElementType>;

/** The options of every stream. */
export interface StreamOptions {
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

interface Settings {
  target: StreamTarget;
  type: ElementType;
  steps: number | undefined;
  signal: AbortSignal | undefined;
  highWaterMark: number;
  bytes: boolean;
}

const OPTIONS = ['type', 'steps', 'signal'] as const;
const BUFFERED_OPTIONS = [...OPTIONS, 'highWaterMark'] as const;
const ITERATOR_OPTIONS = [...OPTIONS, 'bytes'] as const;
const WEB_OPTIONS = [...BUFFERED_OPTIONS, 'bytes'] as const;
const castType = oneOf<ElementType>(Object.keys(ELEMENT_TYPES) as ElementType[]);

/** The most elements of one call. */
const MOST_ELEMENTS = 2 ** 31;

function readSettings(
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
  };
}

/** A chunk that comes out. */
type Output = FloatArray | Uint8Array;

/** Passes one piece after the other through the target. */
class Currents {
  readonly #settings: Settings;
  readonly #reader: ChunkReader;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#reader = new ChunkReader(settings.type, settings.target.sizeIn, settings.steps);
  }

  /** The currents of the steps that a chunk completes; each piece is computed when it is requested. */
  async *of(chunk: unknown, whenRequested?: () => Promise<void>): AsyncGenerator<Output> {
    for (const piece of this.#reader.read(chunk)) {
      await whenRequested?.();
      yield await this.#evolve(piece);
    }
  }

  /** The currents of the remainder at the end. */
  async *rest(): AsyncGenerator<Output> {
    const piece = this.#reader.end();
    if (piece !== undefined) yield await this.#evolve(piece);
  }

  async #evolve(piece: RasterPiece): Promise<Output> {
    const { target, signal, bytes } = this.#settings;
    const options = { transfer: piece.isOwn, ...(signal && { signal }) };
    const { data } = (await target.evolve(piece, options)).output;
    return bytes ? bytesIn(data) : data;
  }
}

type Chunks = AsyncIterable<StreamChunk> | Iterable<StreamChunk>;

/**
 * The currents of a source of chunks. Reads on only when they are asked for. An error of the source,
 * of a chunk or of the signal ends the iteration with it, and ends the source.
 */
export function iterate(
  target: StreamTarget,
  source: Chunks,
  options: StreamOptions & { bytes: true },
): AsyncGenerator<Uint8Array, void, undefined>;
export function iterate<Data extends FloatArray>(
  target: StreamTarget<Data>,
  source: Chunks,
  options?: StreamOptions & { bytes?: false },
): AsyncGenerator<Data, void, undefined>;
export function iterate<Data extends FloatArray>(
  target: StreamTarget<Data>,
  source: Chunks,
  options: StreamOptions & OutputOptions,
): AsyncGenerator<Data | Uint8Array, void, undefined>;
export async function* iterate(
  target: StreamTarget,
  source: Chunks,
  options: StreamOptions & OutputOptions = {},
): AsyncGenerator<Output, void, undefined> {
  const settings = readSettings(target, options, ITERATOR_OPTIONS);
  const { signal } = settings;
  const currents = new Currents(settings);
  const chunks = iteratorOf(source);
  let isOver = false;
  try {
    for (;;) {
      if (signal !== undefined && isAbortedNow(signal)) throw abortReason(signal);
      // A source that has failed needs no return().
      const next = nextOf(chunks).catch((error: unknown) => {
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

type ChunkIterator = AsyncIterator<unknown> | Iterator<unknown>;

function iteratorOf(source: unknown): ChunkIterator {
  const isObject = typeof source === 'object' && source !== null && !isRevoked(source);
  if (isObject && !isTypedArray(source)) {
    for (const symbol of [Symbol.asyncIterator, Symbol.iterator]) {
      const begin: unknown = Reflect.get(source, symbol);
      if (typeof begin !== 'function') continue;
      const iterator: unknown = Reflect.apply(begin, source, []);
      requireObject(iterator, "the source's iterator", 'an object with next()');
      const next: unknown = Reflect.get(iterator, 'next');
      if (typeof next === 'function') return iterator as ChunkIterator;
      throw wrongType('a function', "next of the source's iterator", next);
    }
  }
  throw wrongType('an iterable of chunks', 'source', source);
}

async function nextOf(chunks: ChunkIterator): Promise<IteratorResult<unknown>> {
  const result: unknown = await chunks.next();
  requireObject(result, "the result of the source's next()");
  return result as IteratorResult<unknown>;
}

function byteLengthOf(chunk: unknown): number {
  return isTypedArray(chunk) ? bytesOf(chunk) : 1;
}

/** What pipeThrough() takes: Node's streams or the DOM's, whichever the project's types declare. */
export interface WebStreams<Chunk> {
  /** Where currents come out. */
  readable: globalThis.ReadableStream<Chunk>;
  /** Where chunks of the input go in. */
  writable: globalThis.WritableStream<StreamChunk>;
}

/**
 * A pair of Web Streams for pipeThrough(): chunks are written to `writable`, their currents read from
 * `readable`. write() and close() settle when their chunk has been computed, and reject if it was
 * refused; the writer may use the chunk's memory again then. Both sides count their queues in bytes. An
 * error, an abort or a cancellation on either side reaches the other.
 */
export function webTransform(
  target: StreamTarget,
  options: BufferedStreamOptions & { bytes: true },
): WebStreams<Uint8Array>;
export function webTransform<Data extends FloatArray>(
  target: StreamTarget<Data>,
  options?: BufferedStreamOptions & { bytes?: false },
): WebStreams<Data>;
export function webTransform<Data extends FloatArray>(
  target: StreamTarget<Data>,
  options: BufferedStreamOptions & OutputOptions,
): WebStreams<Data | Uint8Array>;
export function webTransform(
  target: StreamTarget,
  options: BufferedStreamOptions & OutputOptions = {},
): WebStreams<Output> {
  const settings = readSettings(target, options, WEB_OPTIONS);
  const { signal, highWaterMark } = settings;
  const own = new AbortController();
  const currents = new Currents({ ...settings, signal: own.signal });
  let output!: ReadableStreamDefaultController<Output>;
  let input!: WritableStreamDefaultController;
  let isRequested = false;
  let wake: (() => void) | undefined;
  let stopListening: (() => void) | undefined;
  const whenRequested = async () => {
    if (isRequested) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  };
  /** Ends what is computed, and the readable side. */
  const end = (reason: unknown) => {
    stopListening?.();
    own.abort(reason);
    output.error(reason);
  };
  const endBoth = (reason: unknown) => {
    end(reason);
    input.error(reason);
  };
  const send = async (pieces: AsyncIterable<Output>) => {
    for await (const piece of pieces) {
      // Before the queue asks for more, as it may at once.
      isRequested = false;
      output.enqueue(piece);
    }
  };
  const sendAll = async (pieces: AsyncIterable<Output>) => {
    try {
      await orAborted(send(pieces), own.signal, () => true);
    } catch (error) {
      end(error);
      throw error;
    }
  };
  const readable = new ReadableStream<Output>(
    {
      start: (controller) => {
        output = controller;
      },
      pull: () => {
        isRequested = true;
        wake?.();
      },
      cancel: endBoth,
    },
    { highWaterMark, size: byteLengthOf },
  );
  const writable = new WritableStream<StreamChunk>(
    {
      start: (controller) => {
        input = controller;
        // An abort reaches the sink only after the write that is under way. The types leave it out.
        const { signal: aborted } = controller as unknown as { signal: AbortSignal };
        onAbort(aborted, () => {
          end(abortReason(aborted));
        });
      },
      write: (chunk) => sendAll(currents.of(chunk, whenRequested)),
      // Does not wait for a reader, which may start to read only when close() has settled.
      close: async () => {
        await sendAll(currents.rest());
        stopListening?.();
        output.close();
      },
    },
    // With a high-water mark of 0, a writer that waits for room would wait for ever.
    { highWaterMark: Math.max(1, highWaterMark), size: byteLengthOf },
  );
  if (signal !== undefined) {
    const abort = () => {
      endBoth(abortReason(signal));
    };
    if (isAborted(signal)) abort();
    else stopListening = onAbort(signal, abort);
  }
  return { readable, writable };
}

/** The error to destroy a stream with: a falsy reason would destroy it without an error. */
function errorOf(reason: unknown): Error {
  if (reason) return reason as Error;
  const error = new Error('The stream was aborted.', { cause: reason });
  error.name = 'AbortError';
  // As that of the platform's own streams.
  return Object.assign(error, { code: 'ABORT_ERR' });
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
    if (isAborted(signal)) {
      // It computes nothing from now on, but is destroyed a tick later: pipeline() would refuse a stream
      // that is destroyed already, and not tell the reason.
      this.#own.abort(abortReason(signal));
      process.nextTick(abort);
    } else {
      this.#stopListening = onAbort(signal, abort);
    }
  }

  override _write(
    chunk: unknown,
    _encoding: unknown,
    callback: (error?: Error | null) => void,
  ): void {
    this.#send(this.#currents.of(chunk), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#send(this.#currents.rest(), (error) => {
      if (error === undefined) this.push(null);
      callback(error);
    });
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

  #send(pieces: AsyncIterable<Output>, callback: (error?: Error) => void): void {
    this.#pushAll(pieces).then(
      () => {
        callback();
      },
      (error: unknown) => {
        // A falsy error would report success.
        callback(
          error ? (error as Error) : wrongType('an Error', 'a rejection of target.evolve()', error),
        );
      },
    );
  }

  async #pushAll(pieces: AsyncIterable<Output>): Promise<void> {
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
  return new CurrentsStream({ ...readSettings(target, options, BUFFERED_OPTIONS), bytes: true });
}
