/**
 * Zarr arrays. The other side is Python: the package zarr for format 2, and test/zarr_v3.py, which
 * follows the specification, for format 3. Of Debian: python3-numpy, python3-numcodecs, python3-zarr.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { CommandError } from '../../lib/errors/command-errors';
import type { CurrentsArray } from '../../lib/formats/currents-sink';
import { readNpyFile, type NpyArray } from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import { sizeOfRegion, type Range, type Region } from '../../lib/formats/raster-source';
import {
  createZarr,
  describeZarr,
  openZarrSink,
  openZarrSource,
  updateZarrAttributes,
  type ZarrOptions,
} from '../../lib/formats/zarr/zarr';
import { isCommandError } from '../support/command-errors';
import { randomNumbers } from '../support/oracle';
import { ROOT, runProgram } from '../support/processes';

type Triple = [number, number, number];

const BYTES = { name: 'bytes', configuration: { endian: 'little' } };
const GZIP = { name: 'gzip', configuration: { level: 5 } };
const ZSTD = { name: 'zstd', configuration: { level: 3, checksum: false } };
const CRC32C = { name: 'crc32c' };
const TYPES = [
  ...['bool', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'],
  ...['float16', 'float32', 'float64'],
];
const COMPRESSIONS = ['none', 'zstd', 'blosc'] as const;

function blosc(cname: string, shuffle = 'shuffle') {
  const configuration = { cname, clevel: 5, shuffle, typesize: 8, blocksize: 0 };
  return { name: 'blosc', configuration };
}

let folder: string;
let python: ChildProcessWithoutNullStreams;
let answers: AsyncIterator<string>;
let nNames = 0;

function newPath(ending = ''): string {
  return join(folder, `${nNames++}${ending}`);
}

/** Lets Python do something; it takes one request after the other. */
async function ask(request: Record<string, unknown>): Promise<void> {
  python.stdin.write(`${JSON.stringify(request)}\n`);
  const answer = await answers.next();
  assert.equal(answer.done, false, 'Python has ended');
  assert.equal(JSON.parse(answer.value), 'ok');
}

/** An array that NumPy makes, in a .npy file. */
async function makeArray(
  shape: number[],
  dtype: string,
): Promise<{ npy: string; array: NpyArray }> {
  const npy = newPath('.npy');
  await ask({ do: 'make', shape, dtype, npy });
  return { npy, array: await readNpyFile(npy) };
}

/** An array of format 2 or 3 that Python writes. */
async function writeInPython(
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

function whole(shape: readonly number[]): Region {
  const [batches = 0, steps = 0, channels = 0] = shape;
  return regionOf([0, batches], [0, steps], [0, channels]);
}

function regionOf(...ranges: [number, number][]): Region {
  const [batches, steps, channels] = ranges.map(([begin, end]) => ({ begin, end }));
  assert.ok(batches !== undefined && steps !== undefined && channels !== undefined);
  return { batches, steps, channels };
}

/** A region of an array in memory. */
function cut(data: Elements, [, timesteps, columns]: Triple, region: Region): (number | bigint)[] {
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
async function checkSource(location: string, array: NpyArray, dtype: string): Promise<void> {
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

async function readAll(location: string): Promise<unknown> {
  const source = await openZarrSource(location);
  return source.read(whole(source.shape));
}

async function refuses(location: string, pattern: RegExp): Promise<void> {
  await assert.rejects(readAll(location), isCommandError(pattern));
}

async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('zarr', () => {
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

  describe('openZarrSource, of format 3', () => {
    for (const dtype of TYPES) {
      it(`reads ${dtype} in both byte orders`, async () => {
        for (const endian of ['little', 'big']) {
          const codecs = [{ name: 'bytes', configuration: { endian } }];
          const { path, array } = await writeInPython(3, [2, 13, 5], dtype, {
            chunks: [1, 4, 3],
            codecs,
          });
          await checkSource(path, array, dtype);
        }
      });
    }

    const sizes: [number[], number[]][] = [
      [[0], [1]],
      [[1], [1]],
      [[13], [5]],
      [[13], [100]],
      [
        [0, 7],
        [1, 7],
      ],
      [
        [7, 0],
        [7, 1],
      ],
      [
        [31, 17],
        [31, 17],
      ],
      [
        [31, 17],
        [8, 17],
      ],
      [
        [32, 16],
        [8, 4],
      ],
      [
        [33, 15],
        [8, 4],
      ],
      [
        [31, 40],
        [8, 40],
      ],
      [
        [0, 3, 3],
        [1, 2, 2],
      ],
      [
        [3, 31, 17],
        [2, 30, 16],
      ],
      [
        [3, 31, 17],
        [2, 32, 18],
      ],
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
    ];
    for (const [shape, chunks] of sizes) {
      it(`reads shape (${shape.join(', ')}) in chunks of (${chunks.join(', ')})`, async () => {
        const options = { chunks, codecs: [BYTES] };
        const { path, array } = await writeInPython(3, shape, 'float32', options);
        await checkSource(path, array, 'float32');
      });
    }

    const pipelines: [string, unknown[]][] = [
      ['gzip', [BYTES, GZIP]],
      ['zstd', [BYTES, ZSTD]],
      ['checksums', [BYTES, ZSTD, CRC32C]],
      ['checksums within zstd', [BYTES, CRC32C, ZSTD]],
      ['blosc with lz4', [BYTES, blosc('lz4')]],
      ['blosc with lz4hc', [BYTES, blosc('lz4hc', 'noshuffle')]],
      ['blosc with zstd', [BYTES, blosc('zstd', 'bitshuffle')]],
      ['blosc with zlib', [BYTES, blosc('zlib')]],
      ['blosc with blosclz', [BYTES, blosc('blosclz')]],
      ['transpose', [{ name: 'transpose', configuration: { order: [2, 0, 1] } }, BYTES, ZSTD]],
      [
        'transpose, big end first',
        [
          { name: 'transpose', configuration: { order: [1, 2, 0] } },
          { name: 'bytes', configuration: { endian: 'big' } },
        ],
      ],
    ];
    for (const [name, codecs] of pipelines) {
      it(`reads ${name}`, async () => {
        for (const [shape, chunks] of [
          [
            [3, 31, 17],
            [2, 30, 16],
          ],
          [
            [2, 300, 50],
            [2, 250, 50],
          ],
        ]) {
          const options = { chunks, codecs };
          const { path, array } = await writeInPython(3, shape ?? [], 'float64', options);
          await checkSource(path, array, 'float64');
        }
      });
    }

    it('reads shards', async () => {
      const configuration = {
        chunk_shape: [1, 5, 4],
        codecs: [{ name: 'transpose', configuration: { order: [0, 2, 1] } }, BYTES, ZSTD],
        index_codecs: [BYTES, CRC32C],
        index_location: 'end',
      };
      const options = { chunks: [2, 10, 8], codecs: [{ name: 'sharding_indexed', configuration }] };
      const { path, array } = await writeInPython(3, [3, 31, 17], 'int16', options);
      await checkSource(path, array, 'int16');
      const shard = join(path, 'c/1/2/1');
      const bytes = await readFile(shard);
      for (const corrupt of [bytes.subarray(1), bytes.subarray(0, 20), Buffer.alloc(0)]) {
        await writeFile(shard, corrupt);
        await refuses(path, /^Could not read chunk \(.*\.zarr: .* not complete\.$/);
      }
      bytes[bytes.length - 10] = 77;
      await writeFile(shard, bytes);
      await refuses(path, /its checksum is wrong/);
    });

    it('reads names of chunks in all their forms', async () => {
      for (const keys of [
        { name: 'default' },
        { name: 'default', configuration: { separator: '.' } },
        { name: 'v2' },
        { name: 'v2', configuration: { separator: '/' } },
      ]) {
        const options = { chunks: [2, 3], codecs: [BYTES], keys };
        const { path, array } = await writeInPython(3, [5, 5], 'uint8', options);
        await checkSource(path, array, 'uint8');
      }
    });

    it('gives the fill value where there is no chunk', async () => {
      for (const [dtype, fill, value] of [
        ['float64', 'NaN', NaN],
        ['float64', '-Infinity', -Infinity],
        ['float32', 0.1, Math.fround(0.1)],
        ['float32', '0x3f800000', 1],
        ['float16', 1.5, 1.5],
        ['float16', 'NaN', NaN],
        ['float16', '0x3c00', 1],
        ['bool', true, 1],
        ['int8', -5, -5],
        ['int64', -7, -7n],
        ['uint64', 9, 9n],
        ['float64', null, 0],
      ] as const) {
        const options = { chunks: [2, 3], codecs: [BYTES] };
        const { path } = await writeInPython(3, [5, 7], dtype, options);
        await rm(join(path, 'c'), { recursive: true, force: true });
        await editDocument(path, { fill_value: fill });
        const source = await openZarrSource(path);
        const data = await source.read(whole(source.shape));
        assert.equal(data.length, 35);
        assert.ok(
          data.every((element) => Object.is(element, value)),
          `${dtype} ${fill}`,
        );
      }
    });

    it('reads any byte but 0 as true', async () => {
      const { path } = await writeInPython(3, [4], 'bool', { chunks: [4], codecs: [BYTES] });
      await mkdir(join(path, 'c'), { recursive: true });
      await writeFile(join(path, 'c/0'), Uint8Array.of(0, 1, 2, 255));
      assert.deepEqual(await readAll(path), Uint8Array.of(0, 1, 1, 1));
    });

    it('decodes a chunk once for reads that take it in parts', async () => {
      const options = { chunks: [16, 4], codecs: [BYTES, ZSTD] };
      const { path, array } = await writeInPython(3, [16, 8], 'float64', options);
      const source = await openZarrSource(path);
      const first = await source.read(regionOf([0, 1], [0, 3], [0, 8]));
      // Whatever is read from now on was kept.
      await rm(join(path, 'c'), { recursive: true });
      assert.deepEqual(
        Array.from<number | bigint>(first),
        cut(array.data, [1, 16, 8], regionOf([0, 1], [0, 3], [0, 8])),
      );
      for (const begin of [3, 7, 11]) {
        const region = regionOf([0, 1], [begin, begin + 4], [0, 8]);
        assert.deepEqual(
          Array.from<number | bigint>(await source.read(region)),
          cut(array.data, [1, 16, 8], region),
        );
      }
      // A region that does without a chunk lets it go.
      await source.read(regionOf([0, 1], [0, 3], [0, 4]));
      const gone = await source.read(regionOf([0, 1], [0, 3], [4, 8]));
      assert.ok(gone.every((element) => element === 0));
    });

    it('is told from itself after a change of any chunk', async () => {
      const options = { chunks: [1, 1], codecs: [BYTES] };
      const { path } = await writeInPython(3, [40, 30], 'uint8', options);
      const before = (await openZarrSource(path)).identity;
      const chunk = join(path, 'c/17/3');
      await utimes(chunk, new Date(), new Date(0));
      const after = (await openZarrSource(path)).identity;
      assert.equal(after.modified, before.modified);
      assert.notEqual(after.fingerprint, before.fingerprint);
      await writeFile(join(path, 'notes.txt'), 'of the user');
      assert.deepEqual((await openZarrSource(path)).identity, after);
    });

    it('is told from others and from itself after a change', async () => {
      const options = { chunks: [3, 4], codecs: [BYTES] };
      const { path } = await writeInPython(3, [300, 8], 'float64', options);
      const { identity } = await openZarrSource(path);
      assert.equal(identity.path, path);
      assert.equal(identity.format, 'zarr');
      assert.equal(identity.bytes, 300 * 8 * 8);
      assert.match(identity.modified, /^[0-9]{19}$/);
      assert.match(identity.fingerprint, /^[0-9a-f]{64}$/);
      assert.deepEqual((await openZarrSource(path)).identity, identity);
      const chunk = join(path, 'c/99/1');
      await utimes(chunk, new Date(), new Date(4e12));
      const touched = (await openZarrSource(path)).identity;
      assert.equal(touched.modified, '4000000000000000000');
      assert.notEqual(touched.fingerprint, identity.fingerprint);
      await writeFile(chunk, Buffer.alloc(96, 1));
      assert.notEqual((await openZarrSource(path)).identity.fingerprint, identity.fingerprint);
      await rm(chunk);
      assert.notEqual((await openZarrSource(path)).identity.fingerprint, identity.fingerprint);
    });
  });

  describe('openZarrSource, of format 2', () => {
    it('reads every type in both byte orders', async () => {
      for (const dtype of TYPES) {
        for (const endian of ['<', '>']) {
          const options = { chunks: [2, 5, 3], endian, compressor: { id: 'zstd', level: 3 } };
          const { path, array } = await writeInPython(2, [3, 11, 7], dtype, options);
          await checkSource(path, array, dtype);
        }
      }
    });

    it('reads every compressor', async () => {
      for (const compressor of [
        null,
        { id: 'zlib', level: 1 },
        { id: 'gzip', level: 1 },
        { id: 'lz4' },
        { id: 'zstd', level: 3 },
        { id: 'blosc' },
        { id: 'blosc', cname: 'lz4', clevel: 9, shuffle: 2 },
        { id: 'blosc', cname: 'zstd', shuffle: 1 },
        { id: 'blosc', cname: 'zlib', shuffle: 0, blocksize: 512 },
        { id: 'blosc', cname: 'blosclz' },
      ]) {
        for (const dtype of ['float64', 'int16', 'uint8']) {
          const options = { chunks: [70, 13], compressor };
          const { path, array } = await writeInPython(2, [151, 13], dtype, options);
          await checkSource(path, array, dtype);
        }
      }
    });

    it('reads Fortran order, other separators, filters and fewer axes', async () => {
      const shuffle = { id: 'shuffle', elementsize: 4 };
      for (const options of [
        { chunks: [2, 5, 3], order: 'F' },
        { chunks: [2, 5, 3], order: 'F', endian: '>', compressor: { id: 'blosc' } },
        { chunks: [2, 5, 3], separator: '/' },
        { chunks: [2, 5, 3], filters: [shuffle], compressor: { id: 'zlib', level: 1 } },
      ]) {
        const { path, array } = await writeInPython(2, [3, 11, 7], 'float32', options);
        await checkSource(path, array, 'float32');
      }
      for (const shape of [[0], [23], [23, 4]]) {
        const chunks = shape.map(() => 5);
        const { path, array } = await writeInPython(2, shape, 'int32', { chunks, order: 'F' });
        await checkSource(path, array, 'int32');
      }
    });

    it('gives the fill value where there is no chunk', async () => {
      const { path } = await writeInPython(2, [5, 7], 'float32', { chunks: [2, 3] });
      await rm(join(path, '0.0'), { force: true });
      for (const [fill, value] of [
        ['NaN', NaN],
        [2.5, 2.5],
        [null, 0],
      ] as const) {
        await editDocument(path, { fill_value: fill }, '.zarray');
        const source = await openZarrSource(path);
        const data = await source.read(regionOf([0, 1], [0, 2], [0, 3]));
        assert.ok(data.every((element) => Object.is(element, value)));
      }
    });
  });

  describe('describeZarr', () => {
    it('tells what an array says about itself', async () => {
      const options = { chunks: [2, 3], compressor: { id: 'zlib', level: 1 } };
      const { path } = await writeInPython(2, [5, 7], 'int16', options);
      assert.deepEqual(await describeZarr(path), {
        shape: [5, 7],
        type: 'int16',
        chunkShape: [2, 3],
        codecs: ['zlib'],
        zarrFormat: 2,
        attributes: { unit: 'pA' },
      });
      const created = await newZarr([2, 5, 3], [1, 9, 2], 'blosc', 'float32', {
        a: [1, { b: null }],
      });
      assert.deepEqual(await describeZarr(created), {
        shape: [2, 5, 3],
        type: 'float32',
        chunkShape: [1, 5, 2],
        codecs: ['bytes', 'blosc'],
        zarrFormat: 3,
        attributes: { a: [1, { b: null }] },
      });
    });
  });

  describe('createZarr and openZarrSink', () => {
    const sizes: [Triple, Triple][] = [
      [
        [0, 5, 3],
        [1, 2, 2],
      ],
      [
        [2, 0, 3],
        [1, 2, 2],
      ],
      [
        [2, 5, 0],
        [1, 2, 2],
      ],
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
      [
        [2, 31, 17],
        [1, 30, 16],
      ],
      [
        [2, 31, 17],
        [1, 31, 17],
      ],
      [
        [2, 31, 17],
        [2, 32, 18],
      ],
      [
        [3, 32, 16],
        [2, 8, 16],
      ],
      [
        [3, 33, 15],
        [1, 8, 4],
      ],
      [
        [2, 997, 3],
        [1, 499, 3],
      ],
    ];
    for (const compression of COMPRESSIONS) {
      it(`writes, with compression ${compression}, what others read`, async () => {
        for (const dtype of ['float64', 'float32'] as const) {
          for (const [shape, chunkShape] of sizes) {
            const path = await newZarr(shape, chunkShape, compression, dtype);
            const data = currents(shape, dtype);
            const sink = await openZarrSink(path, join(folder, 'temporaries'));
            await sink.write(whole(shape), data);
            await sink.sync();
            await sink.close();
            const npy = newPath('.npy');
            await ask({ do: 'read', folder: path, npy });
            assert.deepEqual(await readNpyFile(npy), { data, shape: [...shape] });
            await checkSource(path, { data, shape }, dtype);
          }
        }
      });

      it(`writes, with compression ${compression}, region by region`, async () => {
        const shape: Triple = [3, 33, 15];
        const path = await newZarr(shape, [1, 8, 4], compression);
        const data = currents(shape, 'float64');
        const sink = await openZarrSink(path, join(folder, 'temporaries'));
        const writes: Promise<void>[] = [];
        for (const batches of [
          [0, 2],
          [2, 3],
        ] as [number, number][]) {
          for (const steps of [
            [16, 33],
            [0, 8],
            [8, 16],
          ] as [number, number][]) {
            for (const channels of [
              [0, 4],
              [4, 15],
            ] as [number, number][]) {
              const region = regionOf(batches, steps, channels);
              const part = Float64Array.from(cut(data, shape, region) as number[]);
              writes.push(sink.write(region, part), sink.write(region, part));
            }
          }
        }
        await Promise.all(writes);
        await sink.sync();
        const npy = newPath('.npy');
        await ask({ do: 'read', folder: path, npy });
        assert.deepEqual(await readNpyFile(npy), { data, shape });
        assert.equal((await filesOf(path)).filter((file) => file.includes('.part')).length, 0);
      });
    }

    it('has zeros where nothing was written', async () => {
      const path = await newZarr([2, 5, 3], [1, 2, 2], 'zstd');
      const sink = await openZarrSink(path, join(folder, 'temporaries'));
      await sink.write(regionOf([1, 2], [4, 5], [2, 3]), Float64Array.of(7));
      const data = await readAll(path);
      assert.deepEqual(data, new Float64Array(30).fill(7, 29));
    });

    it('writes the document that other readers want', async () => {
      const path = await newZarr([2, 5, 3], [1, 2, 2], 'blosc');
      const document = JSON.parse(await readFile(join(path, 'zarr.json'), 'utf8')) as unknown;
      assert.deepEqual(document, {
        zarr_format: 3,
        node_type: 'array',
        shape: [2, 5, 3],
        data_type: 'float64',
        chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, 2, 2] } },
        chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
        codecs: [BYTES, blosc('lz4')],
        fill_value: 0,
        dimension_names: ['batch', 'time', 'synapse'],
        attributes: {},
      });
    });

    it('refuses regions that are not of whole chunks, and other data', async () => {
      const sink = await openZarrSink(
        await newZarr([2, 5, 3], [1, 2, 2], 'none'),
        join(folder, 'temporaries'),
      );
      const cases: [Region, CurrentsArray][] = [
        [regionOf([0, 1], [1, 2], [0, 2]), new Float64Array(2)],
        [regionOf([0, 1], [0, 1], [0, 2]), new Float64Array(2)],
        [regionOf([0, 1], [0, 2], [0, 1]), new Float64Array(2)],
        [regionOf([0, 1], [0, 6], [0, 2]), new Float64Array(12)],
        [regionOf([0, 1], [0, 2], [0, 2]), new Float64Array(5)],
        [regionOf([0, 1], [0, 2], [0, 2]), new Float32Array(4)],
      ];
      for (const [region, data] of cases)
        await assert.rejects(sink.write(region, data), RangeError);
    });

    it('refuses what cannot be', async () => {
      const path = newPath('.zarr');
      const options: ZarrOptions = { chunkShape: [1, 2, 2], compression: 'none', attributes: {} };
      const make = (shape: Triple, chunkShape = options.chunkShape, at = path) =>
        createZarr(at, { shape, dtype: 'float64' }, { ...options, chunkShape });
      await assert.rejects(make([2 ** 20, 2 ** 20, 2 ** 20]), isCommandError(/^Expected a shape/));
      const huge: Triple = [1, 2 ** 20, 2 ** 10];
      await assert.rejects(make(huge, huge), isCommandError(/^Expected chunks of less than 2 GiB/));
      for (const compression of ['zstd', 'blosc'] as const) {
        const large: Triple = [1, 2 ** 20, 65];
        const layout = { shape: large, dtype: 'float64' } as const;
        await assert.rejects(
          createZarr(path, layout, { ...options, chunkShape: large, compression }),
          isCommandError(/^Expected compressed chunks of at most 512 MiB/),
        );
      }
      await assert.rejects(make([1, -1, 1]), RangeError);
      await assert.rejects(make([1, 1.5, 1]), RangeError);
      await assert.rejects(make([1, 1, 1], [1, 0, 1]), RangeError);
      assert.ok(!existsSync(path));
      await mkdir(path);
      await make([1, 1, 1]);
      await assert.rejects(make([1, 1, 1]), isCommandError(/holds something; give another name/));
      await assert.rejects(
        make([1, 1, 1], [1, 1, 1], join(path, 'zarr.json')),
        isCommandError(/a part of its path is a file/),
      );
      await assert.rejects(
        make([1, 1, 1], [1, 1, 1], '/proc/expsyn/a.zarr'),
        isCommandError(/^Could not write \/proc/),
      );
      await editDocument(path, { data_type: 'int32' });
      await assert.rejects(
        openZarrSink(path, join(folder, 'temporaries')),
        isCommandError(/as the run left it but it is corrupt; start over/),
      );
    });

    it('replaces attributes and keeps the rest', async () => {
      const path = await newZarr([2, 5, 3], [1, 2, 2], 'none', 'float64', { a: 1, b: 2 });
      await updateZarrAttributes(path, { b: 3, c: 'ü' });
      const { attributes, shape } = await describeZarr(path);
      assert.deepEqual(attributes, { a: 1, b: 3, c: 'ü' });
      assert.deepEqual(shape, [2, 5, 3]);
      assert.deepEqual(await readdir(path), ['zarr.json']);
      const { dimension_names: names } = JSON.parse(
        await readFile(join(path, 'zarr.json'), 'utf8'),
      ) as Record<string, unknown>;
      assert.deepEqual(names, ['batch', 'time', 'synapse']);
    });

    it('leaves whole chunks when it is killed', async () => {
      const shape: Triple = [1, 64, 4096];
      for (const compression of ['none', 'zstd'] as const) {
        const path = await newZarr(shape, [1, 32, 4096], compression);
        const script = `
          const { openZarrSink } = require(${JSON.stringify(join(ROOT, 'lib/formats/zarr/zarr.ts'))});
          const range = (end) => ({ begin: 0, end });
          const region = { batches: range(1), steps: range(64), channels: range(4096) };
          (async () => {
            const sink = await openZarrSink(${JSON.stringify(path)}, ${JSON.stringify(`${path}.temporaries`)});
            for (let i = 1; ; i++) {
              await sink.write(region, new Float64Array(64 * 4096).fill(i));
              if (i === 1) console.log('begun');
            }
          })();`;
        const child = spawn(process.execPath, ['--import', 'tsx', '-e', script], { cwd: ROOT });
        child.stderr.pipe(process.stderr);
        await once(child.stdout, 'data');
        await sleep(20 + 40 * Math.random());
        child.kill('SIGKILL');
        await once(child, 'close');
        const data = (await readAll(path)) as Float64Array;
        for (const begin of [0, data.length / 2]) {
          const chunk = data.subarray(begin, begin + data.length / 2);
          assert.ok((chunk[0] ?? 0) >= 1);
          assert.ok(chunk.every((element) => element === chunk[0]));
        }
      }
    });

    it('says that the disk is full, and leaves nothing half done', async function () {
      const disk = newPath('disk');
      await mkdir(disk);
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], {
          stdio: 'ignore',
        });
      } catch {
        console.log('        (no right to mount a small disk)');
        this.skip();
      }
      try {
        const path = join(disk, 'a.zarr');
        const shape: Triple = [1, 64, 1024];
        const options: ZarrOptions = {
          chunkShape: [1, 16, 1024],
          compression: 'none',
          attributes: {},
        };
        await createZarr(path, { shape, dtype: 'float64' }, options);
        const sink = await openZarrSink(path, join(disk, 'temporaries'));
        await assert.rejects(
          sink.write(whole(shape), new Float64Array(64 * 1024).fill(1)),
          isCommandError(/^Could not write .*a\.zarr\/c\/0\/.*: no space is left on its disk\.$/),
        );
        const files = await filesOf(path);
        assert.ok(
          files.every((file) => !file.includes('.part')),
          files.join(),
        );
        const data = (await readAll(path)) as Float64Array;
        for (let chunk = 0; chunk < 4; chunk++) {
          const part = data.subarray(chunk * 16384, (chunk + 1) * 16384);
          assert.ok(part.every((element) => element === part[0]));
        }
      } finally {
        execFileSync('umount', [disk]);
      }
    });
  });

  describe('corruption', () => {
    const pipelines: [string, unknown[]][] = [
      ['bytes', [BYTES]],
      ['gzip', [BYTES, GZIP]],
      ['zstd', [BYTES, ZSTD]],
      ['blosc with lz4', [BYTES, blosc('lz4')]],
      ['blosc with zstd', [BYTES, blosc('zstd')]],
      ['blosc with zlib', [BYTES, blosc('zlib')]],
      ['blosc with blosclz', [BYTES, blosc('blosclz')]],
      ['checksum', [BYTES, CRC32C]],
    ];
    for (const [name, codecs] of pipelines) {
      it(`is noticed in a chunk that was cut off or made longer: ${name}`, async () => {
        const options = { chunks: [1, 50, 40], codecs };
        const { path } = await writeInPython(3, [2, 60, 40], 'float64', options);
        const chunk = join(path, 'c/1/1/0');
        const bytes = await readFile(chunk);
        const lengths = [0, 1, 4, 7, 8, 15, 16, 17, 20, bytes.length >> 1, bytes.length - 8];
        for (const length of [...lengths, bytes.length - 1]) {
          await writeFile(chunk, bytes.subarray(0, length));
          await refuses(path, /^Could not read chunk \(1, 1, 0\) of .*\.zarr: .* not complete\.$/);
        }
        if (name === 'gzip') return;
        await writeFile(chunk, Buffer.concat([bytes, Buffer.alloc(8, 1)]));
        await refuses(path, /^Could not read chunk \(1, 1, 0\) of /);
      });
    }

    it('is noticed in compressed chunks of any other bytes', async () => {
      const random = randomNumbers(5);
      for (const codecs of [
        [BYTES, GZIP],
        [BYTES, ZSTD],
        [BYTES, blosc('lz4')],
      ]) {
        const options = { chunks: [50, 40], codecs };
        const { path } = await writeInPython(3, [50, 40], 'float64', options);
        const chunk = join(path, 'c/0/0');
        const bytes = await readFile(chunk);
        for (let round = 0; round < 60; round++) {
          const corrupt = Buffer.from(bytes);
          const from = round % 2 === 0 ? 0 : 16;
          for (let i = from; i < from + 1 + round / 4; i++) corrupt[i] = Math.floor(random() * 256);
          await writeFile(chunk, corrupt);
          // A byte of the content that is another one cannot be told from the right one.
          await readAll(path).catch((error: unknown) => isCommandError(/chunk \(0, 0\)/)(error));
        }
        await writeFile(chunk, Buffer.from(Array.from(bytes, () => Math.floor(random() * 256))));
        await refuses(path, /chunk \(0, 0\)/);
        await writeFile(chunk, bytes);
        await readAll(path);
      }
    });

    it('is noticed in chunks that say that they are huge', async () => {
      const { path } = await writeInPython(3, [50], 'float64', {
        chunks: [50],
        codecs: [BYTES, ZSTD],
      });
      const zstd = Buffer.from('28b52ffde0000000000000100001', 'hex');
      await writeFile(join(path, 'c/0'), zstd);
      await refuses(path, /it says that it holds more than its 400 bytes/);
      await editDocument(path, { codecs: [BYTES, GZIP] });
      await writeFile(join(path, 'c/0'), gzipSync(Buffer.alloc(2 ** 20)));
      await refuses(path, /the codec gzip cannot decode it/);
    });

    it('is noticed in files that are no files', async () => {
      const { path } = await writeInPython(3, [50], 'float64', { chunks: [10], codecs: [BYTES] });
      const chunk = join(path, 'c/3');
      await rm(chunk);
      await mkdir(chunk);
      await refuses(path, /^Expected a file but .*c\/3 is a folder or a device\.$/);
      await rm(chunk, { recursive: true });
      await symlink(chunk, chunk);
      await refuses(path, /^Could not read .*c\/3: its symbolic links go round in a circle\.$/);
      await rm(chunk);
      execFileSync('mkfifo', [chunk]);
      await refuses(path, /is a folder or a device/);
      await rm(join(path, 'c'), { recursive: true });
      await writeFile(join(path, 'c'), '');
      await refuses(path, /^Could not read .*: a part of its path is a file and not a folder\.$/);
    });

    it('is noticed in a sparse file of many gigabytes', async () => {
      const { path } = await writeInPython(3, [50], 'float64', {
        chunks: [50],
        codecs: [BYTES, ZSTD],
      });
      await truncate(join(path, 'c/0'), 2 ** 33);
      await refuses(path, /^Could not read chunk \(0\) of .* its file has 2 GiB or more/);
    });
  });

  describe('documents', () => {
    it('says what is wrong', async () => {
      const missing = newPath('.zarr');
      await refuses(missing, /^Could not read .*: there is no such file or folder\.$/);
      await mkdir(missing);
      await refuses(missing, /^Expected a Zarr array in .* neither zarr\.json nor \.zarray; give/);
      await writeFile(join(missing, '.zgroup'), '{"zarr_format": 2}');
      await refuses(
        missing,
        /received a group; give one of the arrays in it, such as .*\/raster\.$/,
      );
      await refuses(
        join(missing, '.zgroup'),
        /^Expected the folder of a Zarr array but .* is a file/,
      );
      const document = join(missing, 'zarr.json');
      await writeFile(document, '{"zarr_format": 3, "node_type": "group"}');
      await refuses(missing, /received a group/);
      for (const text of ['', '{', '{"zarr_format": 3', '\0\xff']) {
        await writeFile(document, text);
        await refuses(missing, /^Expected a JSON document in zarr\.json of .* that is corrupt\.$/);
      }
      for (const text of ['[]', 'null', '3']) {
        await writeFile(document, text);
        await refuses(missing, /^Expected an object in zarr\.json of/);
      }
      await rm(document);
      await mkdir(document);
      await refuses(missing, /is a folder or a device/);
    });

    const changes: [Record<string, unknown>, RegExp][] = [
      [{ zarr_format: 4 }, /'zarr_format' 3/],
      [{ node_type: 7 }, /'node_type' array/],
      [{ shape: [-1] }, /a shape of whole numbers/],
      [{ shape: [1.5] }, /a shape of whole numbers/],
      [{ shape: ['9'] }, /a shape of whole numbers/],
      [{ shape: undefined }, /received nothing/],
      [{ shape: [] }, /a shape of 1 to 3 axes/],
      [{ shape: [1, 1, 1, 1] }, /a shape of 1 to 3 axes/],
      [{ shape: [2 ** 53] }, /a shape of whole numbers/],
      [{ shape: [2 ** 52] }, /a shape that can be/],
      [{ data_type: 'string' }, /booleans, integers or floats/],
      [{ data_type: 'complex64' }, /booleans, integers or floats/],
      [{ data_type: 'r24' }, /booleans, integers or floats/],
      [{ data_type: 'toString' }, /booleans, integers or floats/],
      [{ data_type: { name: 'struct', configuration: {} } }, /booleans, integers or floats/],
      [{ chunk_grid: { name: 'rectilinear' } }, /a regular grid/],
      [{ chunk_grid: 5 }, /a regular grid/],
      [grid([0]), /whole numbers above 0/],
      [grid([1, 1]), /chunks of 1 axes/],
      [grid([2 ** 40]), /chunks of less than 2 GiB/],
      [grid(undefined), /whole numbers above 0/],
      [{ chunk_key_encoding: 'other' }, /'default' or 'v2'/],
      [
        { chunk_key_encoding: { name: 'v2', configuration: { separator: '..' } } },
        /between indices/,
      ],
      [{ codecs: [] }, /the codec 'bytes'/],
      [{ codecs: 'bytes' }, /a list of codecs/],
      [{ codecs: [BYTES, { name: 'other' }] }, /the codecs transpose, bytes and then/],
      [{ codecs: [BYTES, { name: 'expsyn.size' }] }, /the codecs transpose/],
      [{ codecs: [{ name: 'bytes' }] }, /order of the bytes/],
      [{ codecs: [{ name: 'transpose', configuration: { order: [1] } }, BYTES] }, /an order of 1/],
      [{ codecs: [{ name: 'sharding_indexed' }] }, /shape of the chunks/],
      [{ fill_value: 'zero' }, /a fill value of type float64/],
      [{ fill_value: [] }, /a fill value of type float64/],
      [{ attributes: [] }, /an object of attributes/],
      [{ storage_transformers: [{ name: 'x' }] }, /no storage transformers/],
    ];

    function grid(chunkShape: unknown): Record<string, unknown> {
      return { chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } } };
    }

    it('judges every member of format 3', async () => {
      const { path } = await writeInPython(3, [50], 'float64', { chunks: [50], codecs: [BYTES] });
      const document = await readFile(join(path, 'zarr.json'));
      for (const [change, pattern] of changes) {
        await writeFile(join(path, 'zarr.json'), document);
        await editDocument(path, change);
        await refuses(path, pattern);
        await assert.rejects(describeZarr(path), CommandError);
      }
      await rm(join(path, 'c'), { recursive: true });
      for (const [type, fill] of [
        ['uint8', 256],
        ['uint8', -1],
        ['int8', 128],
        ['uint64', -(2 ** 60)],
      ]) {
        await writeFile(join(path, 'zarr.json'), document);
        await editDocument(path, { data_type: type, fill_value: fill });
        await refuses(path, /a fill value of type/);
      }
    });

    it('judges every member of format 2', async () => {
      const { path } = await writeInPython(2, [50], 'float64', { chunks: [50] });
      const document = await readFile(join(path, '.zarray'));
      for (const [change, pattern] of [
        [{ zarr_format: 3 }, /'zarr_format' 2/],
        [{ dtype: '|O' }, /booleans, integers or floats/],
        [{ dtype: '<U5' }, /received "<U5"/],
        [{ dtype: '<M8[ns]' }, /booleans, integers or floats/],
        [{ dtype: [['a', '<f8']] }, /booleans, integers or floats/],
        [{ shape: [1, 2, 3, 4] }, /1 to 3 axes/],
        [{ chunks: [-5] }, /whole numbers above 0/],
        [{ order: 'K' }, /the order/],
        [{ filters: [{ id: 'delta', dtype: '|O' }] }, /integers or floats.* filter 'delta'/],
        [{ filters: [{ id: 'shuffle', elementsize: 0 }] }, /elements of the filter 'shuffle'/],
        [{ filters: [{ id: 'fletcher32' }] }, /a filter among .* received "fletcher32"/],
        [{ compressor: { id: 'bz2' } }, /a compressor among .* received "bz2"/],
        [{ compressor: 'zlib' }, /a codec/],
        [{ dimension_separator: '-' }, /between indices/],
      ] as const) {
        await writeFile(join(path, '.zarray'), document);
        await editDocument(path, change, '.zarray');
        await refuses(path, pattern);
      }
      await writeFile(join(path, '.zarray'), document);
      await assert.rejects(updateZarrAttributes(path, {}), isCommandError(/one of 2\.$/));
    });

    it('costs no memory for chunks that are not there', async () => {
      const { path } = await writeInPython(3, [5], 'uint8', { chunks: [2 ** 20], codecs: [BYTES] });
      await rm(join(path, 'c'), { recursive: true, force: true });
      await editDocument(path, { ...grid([2 ** 30]), shape: [2 ** 50] });
      const source = await openZarrSource(path);
      const far = regionOf([0, 1], [2 ** 50 - 3, 2 ** 50], [0, 1]);
      const begun = process.memoryUsage().rss;
      assert.deepEqual(await source.read(far), new Uint8Array(3));
      assert.ok(process.memoryUsage().rss - begun < 2 ** 28);
      await assert.rejects(
        source.read(whole(source.shape)),
        isCommandError(/^Expected a part of .* to fit the memory/),
      );
      await assert.rejects(source.read(regionOf([0, 2], [0, 1], [0, 1])), RangeError);
    });
  });

  describe('without the packages', () => {
    it('says what to install', async () => {
      const script = `
        const hook = 'export const resolve = (name, context, next) =>' +
          '{ if (name === "zarrita") throw new Error(); return next(name, context); }';
        require('node:module').register('data:text/javascript,' + encodeURIComponent(hook));
        const { openZarrSource } = require(${JSON.stringify(join(ROOT, 'lib/formats/zarr/zarr.ts'))});
        openZarrSource('.').catch((error) => console.log(error.name + ': ' + error.message));`;
      const { output } = await runProgram(process.execPath, ['--import', 'tsx', '-e', script]);
      assert.equal(
        output,
        'CommandError: Expected the packages that read and write Zarr but they could not be loaded; ' +
          "run 'npm install zarrita'.\n",
      );
    });
  });

  describe('addresses', () => {
    let server: Server;
    let address: string;
    /** How the server answers: as it should, or not. */
    let manner: 'right' | 'no ranges' | number;

    before(async () => {
      server = createServer((request, response) => {
        const path = join(folder, (request.url ?? '').replace(/\?.*/, ''));
        readFile(path).then(
          (bytes) => {
            const isChunk = !path.endsWith('zarr.json');
            if (typeof manner === 'number' && isChunk) return response.writeHead(manner).end();
            const [, begin, end] =
              /bytes=([0-9]+)-([0-9]+)/.exec(request.headers.range ?? '') ?? [];
            const isPart = begin !== undefined && manner !== 'no ranges';
            const body = isPart ? bytes.subarray(Number(begin), Number(end) + 1) : bytes;
            response.writeHead(isPart ? 206 : 200, {
              'Content-Length': body.length,
              ETag: `"${createHash('sha256').update(bytes).digest('hex')}"`,
            });
            if (request.method === 'HEAD') return response.end();
            return response.end(body);
          },
          () => response.writeHead(404).end(),
        );
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });

    after(() => {
      server.close();
      server.closeAllConnections();
    });

    beforeEach(() => {
      manner = 'right';
    });

    function addressOf(path: string): string {
      return `${address}/${path.slice(folder.length + 1)}`;
    }

    it('reads arrays of both formats', async () => {
      const options = { chunks: [2, 5, 3], codecs: [BYTES, blosc('lz4')] };
      const third = await writeInPython(3, [3, 11, 7], 'float32', options);
      await checkSource(addressOf(third.path), third.array, 'float32');
      const second = await writeInPython(2, [3, 11], 'int16', { chunks: [2, 5] });
      await checkSource(`${addressOf(second.path)}/?token=1`, second.array, 'int16');
      const { identity } = await openZarrSource(addressOf(third.path));
      assert.equal(identity.path, addressOf(third.path));
      assert.equal(identity.modified, '');
      assert.equal(identity.bytes, 3 * 11 * 7 * 4);
      assert.equal((await describeZarr(addressOf(second.path))).zarrFormat, 2);
    });

    it('is told from itself by what the server says of chunks', async () => {
      const options = { chunks: [1, 5], codecs: [BYTES] };
      const { path } = await writeInPython(3, [7, 5], 'uint8', options);
      const before = (await openZarrSource(addressOf(path))).identity;
      assert.deepEqual((await openZarrSource(addressOf(path))).identity, before);
      await writeFile(join(path, 'c/3/0'), Uint8Array.of(9, 9, 9, 9, 9));
      const after = (await openZarrSource(addressOf(path))).identity;
      assert.notEqual(after.fingerprint, before.fingerprint);
      manner = 405;
      const silent = (await openZarrSource(addressOf(path))).identity;
      await rm(join(path, 'c/3/0'));
      assert.notDeepEqual((await openZarrSource(addressOf(path))).identity, silent);
    });

    it('reads shards from servers that know parts of files and from others', async () => {
      const configuration = {
        chunk_shape: [5, 4],
        codecs: [BYTES, ZSTD],
        index_codecs: [BYTES, CRC32C],
      };
      const options = { chunks: [10, 8], codecs: [{ name: 'sharding_indexed', configuration }] };
      const { path, array } = await writeInPython(3, [31, 17], 'float64', options);
      await checkSource(addressOf(path), array, 'float64');
      manner = 'no ranges';
      await checkSource(addressOf(path), array, 'float64');
    });

    it('says what is wrong', async () => {
      const options = { chunks: [50], codecs: [BYTES] };
      const { path } = await writeInPython(3, [100], 'float64', options);
      const location = addressOf(path);
      await truncate(join(path, 'c/1'), 399);
      await refuses(location, /^Could not read chunk \(1\) of http:.*399 bytes/);
      await refuses(`${address}/none.zarr`, /neither zarr\.json nor \.zarray/);
      await refuses('http://', /^Expected the address of a Zarr array/);
      await refuses(
        'http://a:b@127.0.0.1:1/',
        /^Expected an address without a name and a password/,
      );
    });
  });
});

/** Changes members of an array's document; undefined removes them. */
async function editDocument(
  path: string,
  members: Record<string, unknown>,
  name = 'zarr.json',
): Promise<void> {
  const document = JSON.parse(await readFile(join(path, name), 'utf8')) as Record<string, unknown>;
  await writeFile(join(path, name), JSON.stringify({ ...document, ...members }));
}

async function newZarr(
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
function currents(shape: Triple, dtype: 'float64' | 'float32'): Float64Array | Float32Array {
  const length = shape.reduce((product, axis) => product * axis, 1);
  const data = dtype === 'float64' ? new Float64Array(length) : new Float32Array(length);
  const random = randomNumbers(2);
  for (let i = 0; i < length; i++) data[i] = i % 7 < 3 ? 0 : (random() - 0.5) * 1e-9;
  data.set([-0, NaN, Infinity, 1e-320].slice(0, length));
  return data;
}
