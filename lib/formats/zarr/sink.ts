/** A Zarr array of format 3 that is made and written chunk by chunk. */
import { randomBytes } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import type { AbsolutePath } from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError, CorruptRunError } from '../../errors/command-errors';
import { fileError } from '../../errors/system-errors';
import {
  flushFolder,
  makeFolder,
  makeFolderIn,
  writeAll,
  writeCompleteFile,
} from '../files/complete-file';
import { rename } from '../files/patience';
import type { FloatArray } from '../../arrays/element-types';
import type { CurrentsLayout, CurrentsSink } from '../currents-sink';
import { lengthOf, sizeOfRegion, type Range, type Region } from '../raster-source';
import { codecOf } from './codecs';
import { sizeOf } from '../../arrays/arrays';
import { bytesPerElement } from '../../arrays/element-types';
import { type CodecMetadata, MAX_CHUNK_BYTES } from './validator';
import { loadZarrita } from './library';
import { type ZarrMetadata, parseJson, readMetadata } from './metadata';
import {
  type ChunkPart,
  type Triple,
  checkRegion,
  chunkKey,
  copyPart,
  forEachAtOnce,
  indexOf,
  movableView,
  partsOf,
  rowMajor,
  toTriple,
} from './regions';
import { FolderStore } from './stores';
import { formatShape } from '../../errors/checks';

/** How to make an array. */
export interface ZarrOptions {
  /** Made smaller where an axis is shorter. */
  chunkShape: [number, number, number];
  /** One of COMPRESSIONS. */
  compression: string;
  attributes: Record<string, unknown>;
}

/** The default first. */
export const COMPRESSIONS = ['none', 'zstd', 'blosc'] as const;

/**
 * The library's compressors have 2 GiB, in which a chunk must find room three times, and write to the
 * wrong place where it does not.
 */
const MAX_COMPRESSED_CHUNK_BYTES = 2 ** 29;

/** How large a chunk may be, in bytes and in words. */
export function largestChunk(compression: string = COMPRESSIONS[0]): {
  bytes: number;
  inWords: string;
} {
  return compression === 'none'
    ? { bytes: MAX_CHUNK_BYTES, inWords: 'chunks of less than 2 GiB' }
    : { bytes: MAX_COMPRESSED_CHUNK_BYTES, inWords: 'compressed chunks of at most 512 MiB' };
}

const BLOSC = { cname: 'lz4', clevel: 5, blocksize: 0 };

function codecsFor(compression: string, itemBytes: number): CodecMetadata[] {
  const bytes = { name: 'bytes', configuration: { endian: 'little' } };
  switch (compression) {
    case 'zstd':
      return [bytes, { name: 'zstd', configuration: { level: 3, checksum: false } }];
    case 'blosc': {
      const configuration = { ...BLOSC, shuffle: 'shuffle', typesize: itemBytes };
      return [bytes, { name: 'blosc', configuration }];
    }
    default:
      return [bytes];
  }
}

/**
 * Makes an array of format 3 whose elements are zeros until they are written.
 *
 * @param folder Must not exist, or be empty.
 * @throws CommandError when the folder cannot be made, or no such array can be.
 */
export async function createZarr(
  folder: string,
  { shape, dtype }: CurrentsLayout,
  { chunkShape, compression, attributes }: ZarrOptions,
): Promise<void> {
  const zarrita = await loadZarrita();
  const itemBytes = bytesPerElement(dtype);
  const chunks = shape.map((length, axis) => {
    return Math.min(Math.max(length, 1), chunkShape[axis] ?? 1);
  });
  checkSizes(folder, shape, chunks, itemBytes, compression);
  await makeEmptyFolder(folder);
  const set = async (key: AbsolutePath, value: Uint8Array): Promise<void> => {
    await writeCompleteFile(join(folder, key), [value]);
  };
  await zarrita.create(
    { get: () => Promise.resolve(undefined), set },
    {
      shape: [...shape],
      chunkShape: chunks,
      dtype,
      codecs: codecsFor(compression, itemBytes),
      // Other readers refuse an array without one.
      fillValue: 0,
      dimensionNames: ['batch', 'time', 'synapse'],
      attributes,
    },
  );
}

function checkSizes(
  folder: string,
  shape: readonly number[],
  chunkShape: readonly number[],
  itemBytes: number,
  compression: string,
): void {
  const isCount = (length: number): boolean => Number.isSafeInteger(length) && length >= 0;
  const areChunks = chunkShape.every((length) => isCount(length) && length > 0);
  if (!shape.every(isCount) || !areChunks) {
    throw new RangeError(
      `Expected shapes of whole numbers but received ${formatShape(shape)} and ` +
        `${formatShape(chunkShape)}.`,
    );
  }
  if (!Number.isSafeInteger(sizeOf(shape) * itemBytes)) {
    throw new CommandError(
      `Expected a shape that can be for ${folder} but received ${formatShape(shape)}.`,
    );
  }
  const largest = largestChunk(compression);
  if (sizeOf(chunkShape) * itemBytes > largest.bytes) {
    throw new CommandError(
      `Expected ${largest.inWords} for ${folder} but received shape ` +
        `${formatShape(chunkShape)}; make them smaller.`,
    );
  }
}

async function makeEmptyFolder(folder: string): Promise<void> {
  try {
    await makeFolder(dirname(resolve(folder)));
    await makeFolderIn(folder);
    if ((await readdir(folder)).length === 0) {
      await flushFolder(dirname(resolve(folder)));
      return;
    }
  } catch (error) {
    throw fileError('write', folder, error);
  }
  throw new CommandError(
    `Expected an empty folder for the array but ${folder} holds something; give another name.`,
  );
}

/**
 * Adds attributes to an array of format 3, or replaces those of the same names, at one stroke.
 *
 * @param temporaries A folder on the same disk for a file that is not complete.
 */
export async function updateZarrAttributes(
  folder: string,
  attributes: Record<string, unknown>,
  temporaries?: string,
): Promise<void> {
  const store = new FolderStore(folder, resolve(folder));
  const { document, attributes: former, zarrFormat } = await readMetadata(store);
  if (zarrFormat !== 3) {
    throw new CommandError(
      `Expected an array of Zarr format 3 in ${folder} but received one of 2.`,
    );
  }
  const json = parseJson(document.bytes, document.name, folder);
  const updated = { ...json, attributes: { ...former, ...attributes } };
  await writeCompleteFile(
    join(folder, document.name),
    [Buffer.from(`${JSON.stringify(updated, undefined, 2)}\n`)],
    temporaries === undefined ? {} : { temporaries },
  );
}

/**
 * Opens an array that createZarr() made. A region that is written must begin and end between chunks
 * or at the array's end. Each chunk's file appears when it is complete, so that neither a process
 * that is killed nor several ones that write the same leave half of it.
 *
 * @param temporaries A folder on the same disk, made in one that is there, for files that are not
 *   complete; a process that is killed may leave some there.
 * @throws CommandError when the array is not one that createZarr() makes.
 */
export async function openZarrSink(folder: string, temporaries: string): Promise<CurrentsSink> {
  const zarrita = await loadZarrita();
  const metadata = await readMetadata(new FolderStore(folder, resolve(folder)));
  const { shape, type, codecs, keyEncoding, zarrFormat, pipeline } = metadata;
  const [bytes, compressor, ...others] = codecs;
  const isKnown = compressor === undefined || compressor === 'zstd' || compressor === 'blosc';
  const isOurs =
    zarrFormat === 3 &&
    shape.length === 3 &&
    (type === 'float64' || type === 'float32') &&
    bytes === 'bytes' &&
    pipeline[0]?.configuration['endian'] === 'little' &&
    isKnown &&
    others.length === 0 &&
    keyEncoding.name === 'default' &&
    keyEncoding.separator === '/' &&
    metadata.fill.get() === 0;
  if (!isOurs) throw new CorruptRunError(folder);
  const encode = async (content: Uint8Array): Promise<Uint8Array> => {
    if (compressor === undefined) return content;
    const configuration = compressor === 'zstd' ? { level: 3 } : { ...BLOSC, shuffle: 1 };
    return (await codecOf(zarrita.registry, compressor, configuration)).encode(content);
  };
  try {
    await makeFolderIn(resolve(temporaries));
  } catch (error) {
    throw fileError('write', temporaries, error);
  }
  return new ZarrSink(resolve(folder), resolve(temporaries), metadata, encode);
}

class ZarrSink implements CurrentsSink {
  readonly #folder: string;
  readonly #temporaries: string;
  readonly #metadata: ZarrMetadata;
  readonly #encode: (content: Uint8Array) => Promise<Uint8Array>;
  /** Files that are not yet durable. */
  #unsafe = new Set<string>();
  readonly #folders = new Map<string, Promise<void>>();

  constructor(
    folder: string,
    temporaries: string,
    metadata: ZarrMetadata,
    encode: (content: Uint8Array) => Promise<Uint8Array>,
  ) {
    this.#folder = folder;
    this.#temporaries = temporaries;
    this.#metadata = metadata;
    this.#encode = encode;
  }

  async write(region: Region, data: FloatArray): Promise<void> {
    const { shape, chunkShape, keyEncoding, type } = this.#metadata;
    const ranges = [region.batches, region.steps, region.channels];
    checkRegion(region, toTriple(shape, 1));
    ranges.forEach((range, axis) => checkAlignment(range, shape[axis] ?? 0, chunkShape[axis] ?? 1));
    const isOfType = data instanceof (type === 'float64' ? Float64Array : Float32Array);
    if (!isOfType || data.length !== sizeOfRegion(region)) {
      throw new RangeError(
        `Expected ${sizeOfRegion(region)} elements of ${type} but received ${data.length}.`,
      );
    }
    if (data.length === 0) return;
    await forEachAtOnce(partsOf(ranges, shape, chunkShape), async (part) => {
      const path = join(this.#folder, chunkKey(part.indices, keyEncoding));
      const content = await this.#encodeChunk(part, ranges, data);
      await this.#writeChunk(path, content);
    });
  }

  async sync(): Promise<void> {
    const paths = this.#unsafe;
    this.#unsafe = new Set();
    try {
      const folders = new Set<string>();
      for (const path of paths) {
        let folder = dirname(path);
        for (; folder !== this.#folder; folder = dirname(folder)) folders.add(folder);
      }
      if (paths.size > 0) folders.add(this.#folder);
      await forEachAtOnce(paths, flushFile);
      await forEachAtOnce(folders, flushFolder);
    } catch (error) {
      for (const path of paths) this.#unsafe.add(path);
      throw fileError('write', this.#folder, error);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A chunk's content: the array's elements without a copy where they lie as they must. */
  async #encodeChunk(
    { ranges }: ChunkPart,
    region: readonly Range[],
    data: FloatArray,
  ): Promise<Uint8Array> {
    const chunkShape = toTriple(this.#metadata.chunkShape, 1);
    const regionShape = toTriple(region.map(lengthOf), 1);
    const partShape = toTriple(ranges.map(lengthOf), 1);
    const itemBytes = data.BYTES_PER_ELEMENT;
    const place = ranges.map((range, axis) => range.begin - (region[axis]?.begin ?? 0));
    const strides = rowMajor(regionShape);
    const begin = indexOf(toTriple(place, 0), strides);
    if (isContiguous(partShape, chunkShape, regionShape)) {
      const byteOffset = data.byteOffset + begin * itemBytes;
      return this.#encode(new Uint8Array(data.buffer, byteOffset, sizeOf(chunkShape) * itemBytes));
    }
    // What a chunk at the array's end has beyond it is the fill value.
    const chunk = new Uint8Array(sizeOf(chunkShape) * itemBytes);
    const to = movableView(chunk.buffer, 0, sizeOf(chunkShape), itemBytes);
    const from = movableView(data.buffer, data.byteOffset, data.length, itemBytes);
    copyPart(
      { data: from, begin, strides },
      { data: to, begin: 0, strides: rowMajor(chunkShape) },
      partShape,
    );
    return this.#encode(chunk);
  }

  async #writeChunk(path: string, content: Uint8Array): Promise<void> {
    const folder = dirname(path);
    const name = `${basename(path)}.${randomBytes(6).toString('hex')}`;
    const temporary = join(this.#temporaries, name);
    try {
      await this.#makeFolder(folder);
      try {
        const file = await open(temporary, 'wx');
        try {
          await writeAll(file, content);
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined);
        throw error;
      }
    } catch (error) {
      throw fileError('write', path, error);
    }
    this.#unsafe.add(path);
  }

  /** Nothing above the array: who has removed it meanwhile does not want it again. */
  async #makeFolder(folder: string): Promise<void> {
    if (folder === this.#folder) return;
    const make = async (): Promise<void> => {
      await this.#makeFolder(dirname(folder));
      await makeFolderIn(folder);
    };
    const made = this.#folders.get(folder) ?? make();
    this.#folders.set(folder, made);
    try {
      await made;
    } catch (error) {
      this.#folders.delete(folder);
      throw error;
    }
  }
}

function checkAlignment({ begin, end }: Range, length: number, chunk: number): void {
  if (begin % chunk === 0 && (end % chunk === 0 || end === length)) return;
  throw new RangeError(
    `Expected a region of whole chunks of ${chunk} but received ${begin} to ${end} of ${length}.`,
  );
}

/** Whether a whole chunk lies in a region as it lies in its file. */
function isContiguous(part: Triple, chunk: Triple, region: Triple): boolean {
  if (part.some((length, axis) => length !== chunk[axis])) return false;
  // Up to the first axis that is longer than 1, the others must be the region's own.
  const first = part.findIndex((length) => length > 1);
  return first < 0 || part.slice(first + 1).every((length, i) => length === region[first + 1 + i]);
}

/** Windows flushes only what is open for writing. */
async function flushFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
