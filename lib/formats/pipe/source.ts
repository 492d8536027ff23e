/** .npy data that comes through a pipe: once, and in its order. */
import type { Readable } from 'node:stream';

import { CommandError } from '../../errors/command-errors';
import { decodeBytes, decodedItemBytes, type Elements } from '../elements';
import { isNpy, MAX_HEADER_BYTES, parseLayout, type NpyLayout } from '../npy/header';
import { interpretShape } from '../npy/npy-file';
import {
  lengthOf,
  sizeOfRegion,
  type InputIdentity,
  type RasterSource,
  type Region,
} from '../raster-source';

/** Takes any number of bytes from a stream of pieces. */
class ByteReader {
  readonly #stream: Readable;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: Readable) {
    this.#stream = stream;
    this.#pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  /** Up to `length` bytes; fewer only at the end. */
  async take(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) break;
        this.#rest = next.value;
      }
      const taken = this.#rest.subarray(0, length - done);
      bytes.set(taken, done);
      done += taken.length;
      this.#rest = this.#rest.subarray(taken.length);
    }
    return bytes.subarray(0, done);
  }

  /** Bytes that have come and are not taken. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** Bytes that are to be taken again. */
  putBack(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([bytes, this.#rest]);
  }

  interrupt(): void {
    this.#stream.destroy();
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}

/**
 * Opens .npy data in C order that comes from a stream. Regions are read in the order of the array,
 * over all channels; a region may begin within the one before it.
 */
export async function openPipeSource(stream: Readable, name: string): Promise<RasterSource> {
  const reader = new ByteReader(stream);
  const layout = await readHeader(reader, name);
  const shape = interpretShape(layout.shape, name);
  if (layout.isFortranOrder && shape.filter((axis) => axis > 1).length > 1) {
    throw new CommandError(
      `Expected C order in ${name} but received Fortran order; give the file by its name, or save ` +
        'it in C order.',
    );
  }
  return new PipeSource(reader, name, layout, shape);
}

async function readHeader(reader: ByteReader, name: string): Promise<NpyLayout> {
  // As much as says how long the header is, then the rest.
  const start = await reader.take(12);
  // What is no such file would not say that.
  if (!isNpy(start)) parseLayout(Buffer.concat([start, reader.rest]), name);
  const length = start.length < 12 ? 0 : headerLengthOf(start);
  const rest = await reader.take(Math.max(0, Math.min(length, MAX_HEADER_BYTES) - start.length));
  const header = Buffer.concat([start, rest]);
  const layout = parseLayout(header, name);
  reader.putBack(header.subarray(layout.headerBytes));
  return layout;
}

/** Bytes before the elements, as the header says. */
function headerLengthOf(start: Uint8Array): number {
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  return start[6] === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
}

class PipeSource implements RasterSource {
  readonly identity: InputIdentity;
  readonly nAxes: number;
  readonly type: string;
  readonly itemBytes: number;
  readonly isInterleaved = false;
  readonly #reader: ByteReader;
  readonly #name: string;
  readonly #layout: NpyLayout;
  /** The region that was read last, and where in the data it begins and ends, in bytes. */
  #last: Uint8Array = new Uint8Array(0);
  #lastBegin = 0;

  constructor(
    reader: ByteReader,
    name: string,
    layout: NpyLayout,
    readonly shape: readonly [number, number, number],
  ) {
    this.#reader = reader;
    this.#name = name;
    this.#layout = layout;
    this.nAxes = layout.shape.length;
    this.type = layout.type;
    this.itemBytes = decodedItemBytes(layout);
    const { dataBytes } = layout;
    this.identity = { path: '-', format: 'pipe', bytes: dataBytes, modified: '', fingerprint: '' };
  }

  /** What has come through a pipe is not there any more. */
  readonly identify = () => Promise.resolve(this.identity);

  async read(region: Region): Promise<Elements> {
    const { batches, steps, channels } = region;
    const [, timesteps, columns] = this.shape;
    const { itemBytes } = this.#layout;
    const begin = (batches.begin * timesteps + steps.begin) * columns * itemBytes;
    const lastEnd = this.#lastBegin + this.#last.length;
    const isWhole = lengthOf(batches) === 1 || lengthOf(steps) === timesteps;
    if (lengthOf(channels) !== columns || !isWhole || begin < this.#lastBegin || begin > lastEnd) {
      throw new CommandError(
        `Expected so few channels in ${this.#name} that their window fits the memory; give the file ` +
          'by its name.',
      );
    }
    const length = sizeOfRegion(region) * itemBytes;
    const kept = this.#last.subarray(begin - this.#lastBegin);
    const bytes = new Uint8Array(length);
    bytes.set(kept.subarray(0, length));
    if (kept.length < length) {
      const fresh = await this.#reader.take(length - kept.length);
      if (fresh.length < length - kept.length) {
        throw new CommandError(
          `Expected ${this.#layout.dataBytes} bytes of elements in ${this.#name}, as its header ` +
            `says, but it ended after ${lastEnd + fresh.length}.`,
        );
      }
      bytes.set(fresh, kept.length);
    }
    if (begin + length === this.#layout.dataBytes && (await this.#reader.take(1)).length > 0) {
      throw new CommandError(
        `Expected ${this.#layout.dataBytes} bytes of elements in ${this.#name}, as its header says, ` +
          'but it goes on; it holds more than one array, or its header is wrong.',
      );
    }
    this.#last = bytes;
    this.#lastBegin = begin;
    // What is returned may be changed and taken over.
    return decodeBytes(bytes.slice(), this.#layout);
  }

  readonly interrupt = () => {
    this.#reader.interrupt();
  };

  async close(): Promise<void> {
    await this.#reader.close();
  }
}
