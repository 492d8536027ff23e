/** Zarr arrays that are written, and read by others. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FloatArray } from '../../lib/arrays/element-types';
import { readNpyFile } from '../../lib/formats/npy/npy';
import { type Region } from '../../lib/formats/raster-source';
import {
  createZarr,
  describeZarr,
  openZarrSink,
  updateZarrAttributes,
  type ZarrOptions,
} from '../../lib/formats/zarr/zarr';
import { isCommandError } from '../support/command-errors';
import { ROOT } from '../support/processes';
import {
  Triple,
  BYTES,
  COMPRESSIONS,
  blosc,
  withZarrInPython,
  newPath,
  ask,
  whole,
  regionOf,
  cut,
  checkSource,
  readAll,
  filesOf,
  editDocument,
  newZarr,
  currents,
} from '../support/zarr-arrays';

describe('Zarr arrays that are written', () => {
  const work = withZarrInPython();

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
            const sink = await openZarrSink(path, join(work.folder, 'temporaries'));
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
        const sink = await openZarrSink(path, join(work.folder, 'temporaries'));
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
      const sink = await openZarrSink(path, join(work.folder, 'temporaries'));
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
        join(work.folder, 'temporaries'),
      );
      const cases: [Region, FloatArray][] = [
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
        openZarrSink(path, join(work.folder, 'temporaries')),
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
});
