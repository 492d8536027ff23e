/** Zarr arrays that others have written. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeZarr, openZarrSource } from '../../lib/formats/zarr/zarr';
import {
  BYTES,
  GZIP,
  ZSTD,
  CRC32C,
  TYPES,
  blosc,
  withZarrInPython,
  writeInPython,
  whole,
  regionOf,
  cut,
  checkSource,
  readAll,
  refuses,
  editDocument,
  newZarr,
} from '../support/zarr-arrays';

describe('Zarr arrays that are read', () => {
  withZarrInPython();

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
});
