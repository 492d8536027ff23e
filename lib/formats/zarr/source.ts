/** A Zarr array that is read region by region. */
import { createHash } from 'node:crypto';

import type { AsyncReadable } from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import type { TypedArray } from '../../index';
import type { AddressOptions } from '../http/reader';
import { decodeBytes, decodedItemBytes } from '../elements';
import {
  lengthOf,
  sizeOfRegion,
  type InputIdentity,
  type Range,
  type RasterSource,
  type Region,
} from '../raster-source';
import { CorruptChunkError } from './corruption';
import { sizeOf } from '../../arrays/arrays';
import type { RawType } from './validator';
import { loadZarrita, type RawArray, type RawChunk } from './library';
import { type ZarrDescription, type ZarrMetadata, readMetadata } from './metadata';
import { remarkOnChunks, sampleKeys } from './presence';
import {
  type ChunkPart,
  type Strided,
  type Triple,
  checkRegion,
  copyPart,
  forEachAtOnce,
  indexOf,
  movableView,
  partsOf,
  rowMajor,
  toTriple,
} from './regions';
import { INNER_KEYS, ShardReader } from './shards';
import { MissingChunkError, type ZarrStore, openStore } from './stores';

/** Of chunks that are kept, since the next steps are in them too. */
const MOST_KEPT_BYTES = 2 ** 26;

/**
 * Opens a Zarr array of format 2 or 3, of shape (T,), (T, N) or (B, T, N).
 *
 * @param location A folder, or an address that begins with http:// or https://.
 * @param options How it is read, where it is an address.
 * @throws CommandError when it is no such array, or cannot be read.
 */
export async function openZarrSource(
  location: string,
  options?: AddressOptions,
): Promise<RasterSource> {
  const store = await openStore(location, options);
  try {
    return await openIn(store);
  } catch (error) {
    store.close?.();
    throw error;
  }
}

async function openIn(store: ZarrStore): Promise<RasterSource> {
  const zarrita = await loadZarrita();
  const metadata = await readMetadata(store);
  const { sharding } = metadata;
  const chunks = sharding ? new ShardReader(store, metadata, sharding, zarrita) : store;
  const keys = sharding ? INNER_KEYS : metadata.keyEncoding;
  const chunkShape = sharding?.chunkShape ?? metadata.chunkShape;
  const array: RawArray = new zarrita.Array<RawType, AsyncReadable>(chunks, '/', {
    zarr_format: 3,
    node_type: 'array',
    shape: metadata.shape,
    data_type: metadata.raw,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
    chunk_key_encoding: { name: keys.name, configuration: { separator: keys.separator } },
    codecs: metadata.pipeline,
    // Missing chunks are filled here.
    fill_value: 0,
    attributes: {},
  });
  const identifyNow = async () => identify(store, await readMetadata(store));
  const remark = await remarkOnChunks(store, metadata);
  const identity = await identify(store, metadata);
  return new ZarrSource(array, metadata, store, identity, identifyNow, remark);
}

/** See ZarrDescription. */
export async function describeZarr(
  location: string,
  options?: AddressOptions,
): Promise<ZarrDescription> {
  return withStore(location, options, async (store) => {
    const { shape, type, chunkShape, codecs, zarrFormat, attributes } = await readMetadata(store);
    return { shape, type, chunkShape, codecs, zarrFormat, attributes };
  });
}

/** What a user should know of an array's chunks, in one sentence; undefined when it is nothing. */
export async function remarkOnZarr(
  location: string,
  options?: AddressOptions,
): Promise<string | undefined> {
  return withStore(location, options, async (store) =>
    remarkOnChunks(store, await readMetadata(store)),
  );
}

/** Opens the place of an array for as long as some work takes. */
async function withStore<Result>(
  location: string,
  options: AddressOptions | undefined,
  work: (store: ZarrStore) => Promise<Result>,
): Promise<Result> {
  const store = await openStore(location, options);
  try {
    return await work(store);
  } finally {
    store.close?.();
  }
}

async function identify(store: ZarrStore, metadata: ZarrMetadata): Promise<InputIdentity> {
  const { document, shape, itemBytes } = metadata;
  const hash = createHash('sha256').update(document.bytes);
  const modified = await store.identify(document.name, sampleKeys(metadata), hash);
  return {
    path: store.place,
    format: 'zarr',
    bytes: sizeOf(shape) * itemBytes,
    modified,
    fingerprint: hash.digest('hex'),
  };
}

class ZarrSource implements RasterSource {
  readonly shape: Triple;
  readonly nAxes: number;
  readonly type: string;
  readonly itemBytes: number;
  readonly isInterleaved = false;
  readonly channelsAtOnce: number;
  readonly #array: RawArray;
  readonly #metadata: ZarrMetadata;
  readonly #store: ZarrStore;
  /** Chunks of which the last region has taken a part, by their indices; undefined: fill values. */
  readonly #kept = new Map<string, Promise<RawChunk | undefined>>();

  constructor(
    array: RawArray,
    metadata: ZarrMetadata,
    store: ZarrStore,
    readonly identity: InputIdentity,
    readonly identify: () => Promise<InputIdentity>,
    readonly remark: string | undefined,
  ) {
    const { shape, type, itemBytes } = metadata;
    const [first = 0, second] = shape;
    this.shape = second === undefined ? [1, first, 1] : toTriple(shape, 1);
    this.nAxes = shape.length;
    this.type = type;
    const [batches, steps, columns] = toTriple(metadata.chunkShape, 1);
    const fitting = MOST_KEPT_BYTES / (batches * steps * itemBytes);
    this.channelsAtOnce = Math.max(columns, Math.floor(fitting / columns) * columns);
    this.itemBytes = decodedItemBytes(metadata);
    this.#array = array;
    this.#metadata = metadata;
    this.#store = store;
  }

  async read(region: Region): Promise<TypedArray> {
    return this.readChannels(region, [region.channels]);
  }

  async readChannels(
    { batches, steps }: Omit<Region, 'channels'>,
    ranges: readonly Range[],
  ): Promise<TypedArray> {
    const { shape, code, itemBytes } = this.#metadata;
    for (const channels of ranges) checkRegion({ batches, steps, channels }, this.shape);
    const axesOf = (channels: Range) =>
      [batches, steps, channels].slice(...(this.nAxes === 1 ? [1, 2] : [-this.nAxes]));
    const width = ranges.reduce((sum, range) => sum + lengthOf(range), 0);
    const size = sizeOfRegion({ batches, steps, channels: { begin: 0, end: width } });
    const bytes = this.#allocate(size * itemBytes);
    const target = movableView(bytes.buffer, 0, size, itemBytes);
    const strides = rowMajor(toTriple(axesOf({ begin: 0, end: width }).map(lengthOf), 1));
    let column = 0;
    for (const group of size > 0 ? this.#fitting(ranges) : []) {
      const pieces = group.map((channels) => {
        const piece = { axes: axesOf(channels), column };
        column += lengthOf(channels);
        return piece;
      });
      const parts = function* (chunks: readonly number[]) {
        for (const { axes, column: first } of pieces) {
          for (const part of partsOf(axes, shape, chunks)) yield { part, axes, first };
        }
      };
      this.#forget([...parts(this.#array.chunks)].map(({ part }) => part));
      await forEachAtOnce(parts(this.#array.chunks), async ({ part, axes, first }) => {
        const place = part.ranges.map((range, axis) => range.begin - (axes[axis]?.begin ?? 0));
        const begin = indexOf(toTriple(place, 0), strides) + first;
        this.#take(part, await this.#chunk(part), { data: target, begin, strides });
      });
    }
    return decodeBytes(bytes, { code, isBigEndian: false });
  }

  /** Ranges in groups whose chunks fit the memory together. */
  *#fitting(ranges: readonly Range[]): Generator<Range[]> {
    const [, , columns] = toTriple(this.#array.chunks, 1);
    const most = this.channelsAtOnce / columns;
    let group: Range[] = [];
    let [nChunks, last] = [0, -1];
    for (const range of ranges) {
      const [first, end] = [Math.floor(range.begin / columns), Math.ceil(range.end / columns)];
      const nNew = end - Math.max(first, last);
      if (group.length > 0 && nChunks + nNew > most) {
        yield group;
        [group, nChunks] = [[], 0];
      }
      group.push(range);
      nChunks += nNew;
      last = end;
    }
    if (group.length > 0) yield group;
  }

  interrupt(): void {
    this.#store.interrupt?.();
  }

  close(): Promise<void> {
    this.#kept.clear();
    this.#store.close?.();
    return Promise.resolve();
  }

  #allocate(bytes: number): Uint8Array {
    try {
      return new Uint8Array(bytes);
    } catch (cause) {
      throw new CommandError(
        `Expected a part of ${this.#store.location} to fit the memory but it has ${bytes} bytes.`,
        { cause },
      );
    }
  }

  /** Copies a part of a chunk. */
  #take({ ranges, indices }: ChunkPart, chunk: RawChunk | undefined, to: Strided): void {
    const { itemBytes, fill, raw } = this.#metadata;
    const partShape = toTriple(ranges.map(lengthOf), 1);
    if (chunk === undefined) {
      const filling = elementsOf(raw, fill.get());
      const data = movableView(filling.buffer, 0, 1, itemBytes);
      copyPart({ data, begin: 0, strides: [0, 0, 0] }, to, partShape);
      return;
    }
    const { buffer, byteOffset, length } = chunk.data;
    const data = movableView(buffer, byteOffset, length, itemBytes);
    const begin = ranges.map((range, axis) => {
      return range.begin - (indices[axis] ?? 0) * (chunk.shape[axis] ?? 1);
    });
    const strides = toTriple(chunk.stride, 0);
    copyPart({ data, begin: indexOf(toTriple(begin, 0), strides), strides }, to, partShape);
  }

  /** Drops the kept chunks that a region does not need. */
  #forget(parts: Iterable<ChunkPart>): void {
    if (this.#kept.size === 0) return;
    const needed = new Set<string>();
    for (const { indices } of parts) {
      const name = indices.join();
      if (this.#kept.has(name)) needed.add(name);
    }
    for (const name of this.#kept.keys()) if (!needed.has(name)) this.#kept.delete(name);
  }

  /** A chunk, which is kept while something is left of it to be read; undefined: fill values. */
  async #chunk({ indices, isWhole }: ChunkPart): Promise<RawChunk | undefined> {
    const name = indices.join();
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const loaded = this.#load(indices);
    if (isWhole) return loaded;
    this.#kept.set(name, loaded);
    try {
      return await loaded;
    } catch (error) {
      if (this.#kept.get(name) === loaded) this.#kept.delete(name);
      throw error;
    }
  }

  async #load(indices: number[]): Promise<RawChunk | undefined> {
    try {
      return await this.#array.getChunk(indices);
    } catch (error) {
      if (error instanceof MissingChunkError) return undefined;
      if (error instanceof CommandError) throw error;
      throw new CommandError(
        `Could not read chunk (${indices.join(', ')}) of ${this.#store.location}: ${corruptionOf(error)}.`,
        { cause: error },
      );
    }
  }
}

/** What is wrong with a chunk and its file, by the error of zarrita or of a check. */
function corruptionOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const corruption = [error, cause].find((one) => one instanceof CorruptChunkError);
  const { message, verdict } = corruption ?? new CorruptChunkError('it cannot be decoded');
  return `${message}; ${verdict}`;
}

/** One element of a type. */
function elementsOf(raw: RawType, value: number | bigint): TypedArray {
  switch (raw) {
    case 'int64':
    case 'uint64':
      return BigUint64Array.of(BigInt.asUintN(64, BigInt(value)));
    case 'float32':
      return Float32Array.of(Number(value));
    case 'float64':
      return Float64Array.of(Number(value));
    case 'int8':
    case 'uint8':
      return Uint8Array.of(Number(value));
    case 'int16':
    case 'uint16':
      return Uint16Array.of(Number(value));
    case 'int32':
    case 'uint32':
      return Uint32Array.of(Number(value));
  }
}
