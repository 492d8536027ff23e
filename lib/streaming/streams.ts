/**
 * Streams of currents: async iterators, Web Streams and Node streams, in chunks of any length. The input
 * is steps of N elements, one after the other; the output is the currents of the same steps, as elements
 * of the module's dtype.
 */
// Programs that list the types that they use do not get those of Node by the import below alone.
/// <reference types="node" preserve="true" />
import { Duplex } from 'node:stream';
import {
  ReadableStream,
  WritableStream,
  type ReadableStreamDefaultController,
  type WritableStreamDefaultController,
} from 'node:stream/web';

import { abortReason, isAborted, isAbortedNow, onAbort, orAborted } from '../calls/abort';
import { isEventList, type EventList } from '../calls/events';
import type { ElementType, FloatArray } from '../arrays/element-types';
import { bytesIn, bytesOf, isRevoked, isTypedArray } from '../arrays/typed-arrays';
import { outOfRange, requireObject, wrongKind, wrongType } from '../errors/checks';
import { ChunkReader, type RasterPiece } from './chunks';
import {
  BUFFERED_OPTIONS,
  ITERATOR_OPTIONS,
  readSettings,
  WEB_OPTIONS,
  type BufferedStreamOptions,
  type OutputOptions,
  type Settings,
  type StreamChunk,
  type StreamOptions,
  type StreamTarget,
} from './settings';

export type {
  BufferedStreamOptions,
  ElementType,
  OutputOptions,
  StreamChunk,
  StreamOptions,
  StreamTarget,
};

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
    if (isEventList(chunk)) {
      this.#refuseCutEvents();
      await whenRequested?.();
      yield* this.#evolve(chunk, false);
      return;
    }
    for (const piece of this.#reader.read(chunk)) {
      await whenRequested?.();
      yield* this.#evolve(piece, piece.isOwn);
    }
  }

  /** The currents of the remainder at the end. */
  async *rest(): AsyncGenerator<Output> {
    const piece = this.#reader.end();
    if (piece !== undefined) yield* this.#evolve(piece, piece.isOwn);
  }

  /** The currents of a piece; nothing if none of its steps is kept. */
  async *#evolve(piece: RasterPiece | EventList, transfer: boolean): AsyncGenerator<Output> {
    const { target, signal, bytes, details } = this.#settings;
    const options = { ...details, transfer, ...(signal && { signal }) };
    const { data } = (await target.evolve(piece, options)).output;
    if (data.length === 0) return;
    yield bytes ? bytesIn(data) : data;
  }

  /** Throws if the steps of a list of events cannot be computed in one call. */
  #refuseCutEvents(): void {
    if (this.#settings.steps !== undefined) {
      const advice = 'a list of events is computed in one call';
      throw outOfRange('none', 'options.steps', `${this.#settings.steps}`, advice);
    }
    if (this.#reader.isWithinStep) {
      throw wrongKind(
        'the rest of a step',
        'a chunk',
        'a list of events',
        'end the step before it',
      );
    }
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
