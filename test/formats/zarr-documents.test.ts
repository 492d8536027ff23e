/** Documents of Zarr arrays that cannot be read, chunks that are corrupt, and missing packages. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CommandError } from '../../lib/errors/command-errors';
import { describeZarr, openZarrSource, updateZarrAttributes } from '../../lib/formats/zarr/zarr';
import { isCommandError } from '../support/command-errors';
import { randomNumbers } from '../support/oracle';
import { ROOT, runProgram } from '../support/processes';
import {
  BYTES,
  GZIP,
  ZSTD,
  CRC32C,
  blosc,
  withZarrInPython,
  newPath,
  writeInPython,
  whole,
  regionOf,
  readAll,
  refuses,
  editDocument,
} from '../support/zarr-arrays';

describe('Zarr arrays that are invalid', () => {
  withZarrInPython();

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
});
