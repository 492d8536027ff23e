/** Chunks that share files, shards: where a shard has each is said by an index at its start or end. */
import type { AbsolutePath, AsyncReadable } from 'zarrita' with { 'resolution-mode': 'import' };
import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { CorruptChunkError } from './corruption';
import { MAX_CHUNK_BYTES } from './validator';
import type { ZarrMetadata } from './metadata';
import type { Sharding } from './pipelines';
import { chunkKey } from './regions';
import { MissingChunkError, type ZarrStore } from './stores';

/** What the index says of a chunk that is not there, of its place and of its size. */
const MISSING = 2n ** 64n - 1n;
/** Of indices that are kept, the last ones used. */
const MOST_KEPT_BYTES = 2 ** 26;
/** How the library is to ask for a chunk. */
export const INNER_KEYS = { name: 'v2', separator: '.' } as const;

/** The numbers of an index, and where those of a chunk stand among them. */
interface Index {
  data: BigUint64Array;
  stride: readonly number[];
}

/** What the library reads chunks from, as if each had a file. */
export class ShardReader implements AsyncReadable {
  readonly #store: ZarrStore;
  readonly #keyEncoding: ZarrMetadata['keyEncoding'];
  readonly #sharding: Sharding;
  readonly #zarrita: typeof Zarrita;
  readonly #kept = new Map<string, Promise<Index>>();

  constructor(
    store: ZarrStore,
    { keyEncoding }: ZarrMetadata,
    sharding: Sharding,
    zarrita: typeof Zarrita,
  ) {
    this.#store = store;
    this.#keyEncoding = keyEncoding;
    this.#sharding = sharding;
    this.#zarrita = zarrita;
  }

  /** @throws MissingChunkError when there is no such chunk. */
  async get(key: AbsolutePath): Promise<Uint8Array> {
    const counts = this.#sharding.index.shape.slice(0, -1);
    const indices = key.slice(1).split(INNER_KEYS.separator).map(Number);
    const shard = indices.map((index, axis) => Math.floor(index / (counts[axis] ?? 1)));
    const path: AbsolutePath = `/${chunkKey(shard, this.#keyEncoding)}`;
    const { data, stride } = await this.#index(path);
    const at = indices.reduce(
      (sum, index, axis) => sum + (index % (counts[axis] ?? 1)) * (stride[axis] ?? 0),
      0,
    );
    const [offset = MISSING, length = MISSING] = [data[at], data[at + (stride.at(-1) ?? 0)]];
    if (offset === MISSING && length === MISSING) throw new MissingChunkError();
    const range = { offset: Number(offset), length: Number(length) };
    if (length === 0n || length > MAX_CHUNK_BYTES || !Number.isSafeInteger(range.offset)) {
      throw new CorruptChunkError(
        `the index of its shard says that it has ${length} bytes from byte ${offset} on`,
      );
    }
    return this.#read(path, range);
  }

  async #read(path: AbsolutePath, range: Zarrita.RangeQuery): Promise<Uint8Array> {
    const bytes = await this.#store.getRange(path, range);
    if (bytes === undefined) throw new MissingChunkError();
    return bytes;
  }

  async #index(path: AbsolutePath): Promise<Index> {
    const kept = this.#kept.get(path);
    const index = kept ?? this.#readIndex(path);
    // The last one used stands last.
    this.#kept.delete(path);
    this.#kept.set(path, index);
    const most = Math.max(1, Math.floor(MOST_KEPT_BYTES / this.#sharding.index.bytes));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= most) break;
      this.#kept.delete(oldest);
    }
    try {
      return await index;
    } catch (error) {
      if (this.#kept.get(path) === index) this.#kept.delete(path);
      throw error;
    }
  }

  /** An index is an array of one chunk, which the library decodes as it does any other. */
  async #readIndex(path: AbsolutePath): Promise<Index> {
    const { shape, isAtStart, bytes, pipeline } = this.#sharding.index;
    const range = isAtStart ? { offset: 0, length: bytes } : { suffixLength: bytes };
    const content = await this.#read(path, range);
    const array = new this.#zarrita.Array<'uint64', AsyncReadable>(
      { get: () => Promise.resolve(content) },
      '/',
      {
        zarr_format: 3,
        node_type: 'array',
        shape,
        data_type: 'uint64',
        chunk_grid: { name: 'regular', configuration: { chunk_shape: shape } },
        chunk_key_encoding: { name: 'v2', configuration: { separator: '.' } },
        codecs: pipeline,
        fill_value: 0n,
        attributes: {},
      },
    );
    const { data, stride } = await array.getChunk(shape.map(() => 0));
    return { data, stride };
  }
}
