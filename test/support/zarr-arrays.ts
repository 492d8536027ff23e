/**
 * Zarr arrays that Python reads and writes: the package zarr for format 2, and zarr_v3.py, which follows
 * the specification, for format 3. Of Debian: python3-numpy, python3-numcodecs, python3-zarr.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readNpyFile, type NpyArray } from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import { sizeOfRegion, type Range, type Region } from '../../lib/formats/raster-source';
import { createZarr, openZarrSource, type ZarrOptions } from '../../lib/formats/zarr/zarr';
import { isCommandError } from './command-errors';
import { randomNumbers } from './oracle';
import { ROOT } from './processes';

export type Triple = [number, number, number];

export const BYTES = { name: 'bytes', configuration: { endian: 'little' } };
export const GZIP = { name: 'gzip', configuration: { level: 5 } };
export const ZSTD = { name: 'zstd', configuration: { level: 3, checksum: false } };
export const CRC32C = { name: 'crc32c' };
export const TYPES = [
  ...['bool', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'],
  ...['float16', 'float32', 'float64'],
];
export const COMPRESSIONS = ['none', 'zstd', 'blosc'] as const;

export function blosc(cname: string, shuffle = 'shuffle') {
  const configuration = { cname, clevel: 5, shuffle, typesize: 8, blocksize: 0 };
  return { name: 'blosc', configuration };
}

let folder: string;
let python: ChildProcessWithoutNullStreams;
let answers: AsyncIterator<string>;
let nNames = 0;

/** Gives the tests of a suite a folder, and a Python that reads and writes arrays there. */
export function withZarrInPython(): { readonly folder: string } {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'expsyn-zarr-'));
    python = spawn('/usr/bin/python3', [join(ROOT, 'test', 'support', 'zarr_v3.py')]);
    python.stderr.pipe(process.stderr);
    answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  });
  after(async () => {
    python.stdin.end();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    get folder() {
      return folder;
    },
  };
}

export function newPath(ending = ''): string {
  return join(folder, `${nNames++}${ending}`);
}

/** Lets Python do something; it takes one request after the other. */
export async function ask(request: Record<string, unknown>): Promise<void> {
  python.stdin.write(`${JSON.stringify(request)}\n`);
  const answer = await answers.next();
  assert.equal(answer.done, false, 'Python has ended');
  assert.equal(JSON.parse(answer.value), 'ok');
}

/** An array that NumPy makes, in a .npy file. */
export async function makeArray(
  shape: number[],
  dtype: string,
): Promise<{ npy: string; array: NpyArray }> {
  const npy = newPath('.npy');
  await ask({ do: 'make', shape, dtype, npy });
  return { npy, array: await readNpyFile(npy) };
}

/** An array of format 2 or 3 that Python writes. */
export async function writeInPython(
  format: 2 | 3,
  shape: number[],
  dtype: string,
  options: Record<string, unknown>,
): Promise<{ path: string; array: NpyArray }> {
  const { npy, array } = await makeArray(shape, dtype);
  const path = newPath('.zarr');
  await ask({ do: `write${format}`, folder: path, npy, options });
  return { path, array };
}

export function whole(shape: readonly number[]): Region {
  const [batches = 0, steps = 0, channels = 0] = shape;
  return regionOf([0, batches], [0, steps], [0, channels]);
}

export function regionOf(...ranges: [number, number][]): Region {
  const [batches, steps, channels] = ranges.map(([begin, end]) => ({ begin, end }));
  assert.ok(batches !== undefined && steps !== undefined && channels !== undefined);
  return { batches, steps, channels };
}

/** A region of an array in memory. */
export function cut(
  data: Elements,
  [, timesteps, columns]: Triple,
  region: Region,
): (number | bigint)[] {
  const elements: (number | bigint)[] = [];
  for (let b = region.batches.begin; b < region.batches.end; b++) {
    for (let t = region.steps.begin; t < region.steps.end; t++) {
      for (let n = region.channels.begin; n < region.channels.end; n++) {
        elements.push(data[(b * timesteps + t) * columns + n] ?? NaN);
      }
    }
  }
  return elements;
}

/** Reads the whole array, and regions of it one after the other and at the same time. */
export async function checkSource(location: string, array: NpyArray, dtype: string): Promise<void> {
  const source = await openZarrSource(location);
  const [first = 0, second, third] = array.shape;
  const shape: Triple =
    second === undefined
      ? [1, first, 1]
      : third === undefined
        ? [1, first, second]
        : [first, second, third];
  assert.deepEqual(source.shape, shape);
  assert.equal(source.nAxes, array.shape.length);
  assert.equal(source.type, dtype);
  assert.equal(source.itemBytes, array.data.BYTES_PER_ELEMENT);
  assert.equal(source.isInterleaved, false);
  const all = await source.read(whole(shape));
  assert.equal(all.constructor, array.data.constructor);
  assert.ok(
    all.every((value, i) => Object.is(value, array.data[i])),
    'the whole',
  );
  assert.equal(all.length, array.data.length);
  const random = randomNumbers(1);
  const part = (length: number): Range => {
    const begin = Math.floor(random() * (length + 1));
    return { begin, end: begin + Math.floor(random() * (length - begin + 1)) };
  };
  const regions = Array.from({ length: 12 }, () => {
    return { batches: part(shape[0]), steps: part(shape[1]), channels: part(shape[2]) };
  });
  const check = async (region: Region): Promise<void> => {
    const data = await source.read(region);
    assert.equal(data.length, sizeOfRegion(region));
    assert.equal(data.constructor, array.data.constructor);
    assert.deepEqual(Array.from<number | bigint>(data), cut(array.data, shape, region));
    // It belongs to the caller.
    new Uint8Array(data.buffer).fill(1);
  };
  for (const region of regions) await check(region);
  await Promise.all(regions.map(check));
  await source.close();
}

export async function readAll(location: string): Promise<unknown> {
  const source = await openZarrSource(location);
  return source.read(whole(source.shape));
}

export async function refuses(location: string, pattern: RegExp): Promise<void> {
  await assert.rejects(readAll(location), isCommandError(pattern));
}

export async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Changes members of an array's document; undefined removes them. */
export async function editDocument(
  path: string,
  members: Record<string, unknown>,
  name = 'zarr.json',
): Promise<void> {
  const document = JSON.parse(await readFile(join(path, name), 'utf8')) as Record<string, unknown>;
  await writeFile(join(path, name), JSON.stringify({ ...document, ...members }));
}

export async function newZarr(
  shape: Triple,
  chunkShape: Triple,
  compression: ZarrOptions['compression'],
  dtype: 'float64' | 'float32' = 'float64',
  attributes: Record<string, unknown> = {},
): Promise<string> {
  const path = join(newPath(), 'new.zarr');
  await createZarr(path, { shape, dtype }, { chunkShape, compression, attributes });
  return path;
}

/** Numbers among which are long runs of the same, and some that are easily lost. */
export function currents(shape: Triple, dtype: 'float64' | 'float32'): Float64Array | Float32Array {
  const length = shape.reduce((product, axis) => product * axis, 1);
  const data = dtype === 'float64' ? new Float64Array(length) : new Float32Array(length);
  const random = randomNumbers(2);
  for (let i = 0; i < length; i++) data[i] = i % 7 < 3 ? 0 : (random() - 0.5) * 1e-9;
  data.set([-0, NaN, Infinity, 1e-320].slice(0, length));
  return data;
}
