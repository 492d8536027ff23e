/** Lists of events in HDF5 files. */
import assert from 'node:assert/strict';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ROOT } from '../support/processes';
import { openEventsHdf5 } from '../../lib/formats/events/events-hdf5';
import { isCommandError } from '../support/command-errors';
import { randomNumbers } from '../support/oracle';
import {
  SECONDS,
  newPath,
  inAnotherProcess,
  Event,
  hdf5Of,
  wholeOf,
  assertCounts,
  randomEvents,
  refuses,
  withPython,
} from '../support/event-lists';

describe('events in HDF5 files', () => {
  const work = withPython();

  describe('openEventsHdf5', () => {
    const kinds = [
      ['<f2', '<u2'],
      ['<f4', '<i8'],
      ['<f8', '|u1'],
      ['>f2', '>u4'],
      ['>f4', '>i2'],
      ['>f8', '|i1'],
      ['<u4', '<u8'],
      ['>i8', '<i4'],
    ];
    for (const [times_kind = '', units_kind = ''] of kinds) {
      it(`reads times of ${times_kind} and units of ${units_kind}`, async () => {
        const options = { dt: 0.75, timeUnit: 1 };
        const lists = [120, 0, 1, 77, 0].map((length, i) => randomEvents(length, 10 + i, 40));
        const { path, samples } = await hdf5Of(lists, { times_kind, units_kind });
        await assertCounts(await openEventsHdf5(path, options), samples, options);
      });
    }

    it('widens every half float as NumPy does', async () => {
      const times = [0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 0.1, 1 / 3, 1, 3.14159, 1000, 65504];
      const lists = [times.map((time, i): Event => [time, i])];
      const options = { dt: 2 ** -24, timeUnit: 1 };
      const { path, samples } = await hdf5Of(lists, { times_kind: '<f2' });
      const source = await openEventsHdf5(path, options);
      for (const [time, channel] of samples[0] ?? []) {
        const step = time * 2 ** 24;
        const counts = await source.read({
          batches: { begin: 0, end: 1 },
          steps: { begin: step, end: step + 1 },
          channels: { begin: channel, end: channel + 1 },
        });
        assert.deepEqual(counts, Uint16Array.of(1), `${time}`);
      }
      await source.close();
    });

    it('reads many samples in groups, compressed, chunked and behind a block of the user', async () => {
      const options = { dt: 5e-3, timeUnit: 1, duration: 1.5, channels: 12 };
      const lists = Array.from({ length: 700 }, (_, i) => randomEvents(i % 23, 100 + i, 1.4, 12));
      const chunked = { chunks: [100], compression: 'gzip' };
      const { path, samples } = await hdf5Of(lists, { user: 1024, options: chunked });
      await assertCounts(await openEventsHdf5(path, options), samples, options, 5);
    });

    it('says what it is', async () => {
      const { path } = await hdf5Of([[[0.0035, 4]], []]);
      const source = await openEventsHdf5(relative('.', path), SECONDS);
      const { size, mtimeNs } = await stat(path, { bigint: true });
      assert.deepEqual(source.shape, [2, 4, 5]);
      assert.equal(source.type, 'uint16');
      assert.equal(source.itemBytes, 2);
      assert.equal(source.nAxes, 3);
      assert.equal(source.isInterleaved, false);
      const { fingerprint, ...identity } = source.identity;
      assert.deepEqual(identity, {
        path,
        format: 'hdf5',
        bytes: Number(size),
        modified: String(mtimeNs),
      });
      assert.match(fingerprint, /^[0-9a-f]{64}$/);
      await source.close();
      await source.close();
    });

    it('makes zeros of empty samples if it is told how many', async () => {
      const { path } = await hdf5Of([[], []]);
      await refuses(openEventsHdf5, path, /received none; give the duration/);
      const source = await openEventsHdf5(path, { ...SECONDS, duration: 0.003, channels: 2 });
      assert.deepEqual(source.shape, [2, 3, 2]);
      assert.deepEqual(await source.read(wholeOf(source)), new Uint16Array(12));
      await source.close();
    });

    it('names the sample and the event that have no bin', async () => {
      const good: Event[] = [[0.5, 1]];
      const bad = async (event: Event) =>
        (await hdf5Of([good, [...good, event]], { units_kind: '<f4' })).path;
      const negative = await bad([-1, 0]);
      await refuses(openEventsHdf5, negative, /time of event 1 of sample 1 is -1; give/);
      const half = await bad([1, 0.5]);
      await refuses(openEventsHdf5, half, /channel of event 1 of sample 1 is 0\.5/);
      const late = await bad([1, 7]);
      await refuses(openEventsHdf5, late, /from 0 to 6 .* event 1 of sample 1 is 7;/, {
        channels: 7,
      });
      await refuses(openEventsHdf5, late, /1000 steps .* time of event 1 of sample 1 is 1;/, {
        duration: 1,
      });
    });

    it('names the bin of too many events', async () => {
      const full = Array.from({ length: 65_536 }, (): Event => [2, 3]);
      const { path } = await hdf5Of([[], full], { times_kind: '|u1', units_kind: '|u1' });
      const source = await openEventsHdf5(path, { dt: 1, timeUnit: 1 });
      const sentence = /but channel 3 has more in step 2 of sample 1; take shorter steps/;
      await assert.rejects(source.read(wholeOf(source)), isCommandError(sentence));
      await source.close();
    });

    it('refuses datasets that are missing, or of another kind', async () => {
      const lists = [[1], [2]];
      const write = async (what: object) => {
        const path = newPath('h5');
        await work.python.call('write_hdf5', { path, ...what });
        return path;
      };
      await refuses(openEventsHdf5, await write({}), /there is no spikes\/times; python3 /);
      await refuses(openEventsHdf5, await write({ times: lists }), /there is no spikes\/units\.$/);
      await refuses(
        openEventsHdf5,
        await write({ times: lists, units: [[1]] }),
        /as many samples, at least one, .* but received 2 and 1\.$/,
      );
      await refuses(
        openEventsHdf5,
        await write({ times: lists, units: [[1], [1, 2]] }),
        /sample 1 has 1 times and 2 units\.$/,
      );
      await refuses(openEventsHdf5, await write({ times: [], units: [] }), /received 0 and 0/);
      for (const [what, pattern] of [
        ['plain', /variable-length arrays of integers or floats in spikes\/times .* another type/],
        ['text', /variable-length arrays/],
        ['group', /there is no spikes\/times/],
        ['square', /shape \(B,\), .* received \(3, 2\)/],
        ['scalar', /shape \(B,\), .* received \(\)/],
      ] as const) {
        const path = newPath('h5');
        await work.python.call('write_strange', { path, what });
        await refuses(openEventsHdf5, path, pattern);
      }
    });

    it('refuses what is no HDF5 file, or not all of one', async () => {
      const { path } = await hdf5Of([randomEvents(500, 11, 1), randomEvents(500, 12, 1)]);
      const whole = await readFile(path);
      const changed = newPath('h5');
      for (const size of [8, 100, 2000, whole.length - 1]) {
        await writeFile(changed, whole.subarray(0, size));
        await refuses(openEventsHdf5, changed, /whole HDF5 file in .* corrupt, or not complete\.$/);
      }
      for (const text of ['', 'no', 'x'.repeat(5000)]) {
        await writeFile(changed, text);
        await refuses(
          openEventsHdf5,
          changed,
          /^Expected an HDF5 file but \S+ (does not begin|is empty)/,
        );
      }
      await refuses(
        openEventsHdf5,
        join(work.folder, 'none.h5'),
        /none\.h5: there is no such file/,
      );
      await refuses(openEventsHdf5, work.folder, /is a folder/);
    });

    it('survives wrong bytes anywhere', async () => {
      const { path } = await hdf5Of([randomEvents(60, 13, 1), randomEvents(60, 14, 1)]);
      const whole = await readFile(path);
      const changed = newPath('h5');
      const random = randomNumbers(15);
      const options = { ...SECONDS, duration: 1, channels: 9 };
      let failures = 0;
      for (let i = 0; i < 60; i++) {
        const bytes = Buffer.from(whole);
        const at = 8 + Math.floor(random() * (whole.length - 8));
        bytes.fill(
          i % 2 === 0 ? 0xff : 0,
          at,
          Math.min(at + 1 + Math.floor(random() * 64), bytes.length),
        );
        await writeFile(changed, bytes);
        try {
          const source = await openEventsHdf5(changed, options, 3000);
          await source.read(wholeOf(source)).finally(() => source.close());
        } catch (error) {
          isCommandError(/./)(error);
          failures++;
        }
      }
      assert.ok(failures > 0);
      const source = await openEventsHdf5(path, options);
      const counts = await source.read(wholeOf(source));
      assert.equal(
        [...counts].map(Number).reduce((sum, count) => sum + count),
        120,
      );
      await source.close();
    });

    it('gives up when the library does not return', async () => {
      const { path } = await hdf5Of([randomEvents(5, 18, 1), randomEvents(5, 19, 1)]);
      const bytes = await readFile(path);
      // The first object of a heap says that it is another one, which the library looks for for ever.
      const heap = bytes.indexOf('GCOL');
      bytes[heap + 24] = 0xff;
      const corrupt = newPath('h5');
      await writeFile(corrupt, bytes);
      const options = { ...SECONDS, duration: 1, channels: 9 };
      await assert.rejects(
        openEventsHdf5(corrupt, options, 500),
        isCommandError(/^Could not read .*\.h5: the HDF5 library has not returned in 0\.5 s;/),
      );
    });

    it('prints nothing, and leaves no file open', async () => {
      const { path } = await hdf5Of([randomEvents(500, 16, 1)]);
      const whole = await readFile(path);
      const corrupt = newPath('h5');
      await writeFile(corrupt, whole.subarray(0, -1));
      const outcome = await inAnotherProcess(
        `const { readdirSync } = require('node:fs');
        const attempt = () => openEventsHdf5(path, { dt: 1, timeUnit: 1 }).catch((error) => error);
        attempt().then(async (error) => {
          const nOpen = () => readdirSync('/proc/self/fd').length;
          const before = process.platform === 'linux' ? nOpen() : 0;
          for (let i = 0; i < 5; i++) await attempt();
          const after = process.platform === 'linux' ? nOpen() : 0;
          process.stdout.write(error.name + ' ' + (after - before));
        });`,
        corrupt,
      );
      assert.deepEqual(outcome, { stdout: 'CommandError 0', stderr: '' });
    });

    it('says how to install the package that it needs', async () => {
      const { path } = await hdf5Of([randomEvents(5, 17)]);
      // Where nothing is installed.
      const dist = join(work.folder, 'package', 'dist');
      await cp(join(ROOT, 'dist'), dist, { recursive: true });
      const { stdout } = await inAnotherProcess(
        `openEventsHdf5(path, { dt: 1, timeUnit: 1 }).catch((error) =>
          process.stdout.write(error.name + ': ' + error.message),
        );`,
        path,
        dist,
      );
      assert.equal(
        stdout,
        'CommandError: Expected the package that reads HDF5 but it could not be loaded; run ' +
          "'npm install h5wasm'.",
      );
    });
  });
});
