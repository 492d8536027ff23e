/** Lists of events in .npy files. */
import assert from 'node:assert/strict';
import { readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Job } from '../../lib/runs/job';
import { IdleSources } from '../../lib/runs/open-source';
import { openEventsNpy } from '../../lib/formats/events/events-npy';
import { encodeHeader } from '../../lib/formats/npy/header';
import { bytesOf } from '../support/bits';
import { isCommandError } from '../support/command-errors';
import { randomNumbers } from '../support/oracle';
import {
  SECONDS,
  newPath,
  fileOf,
  Event,
  npyOf,
  wholeOf,
  assertCounts,
  randomEvents,
  inOrder,
  refuses,
  withPython,
} from '../support/event-lists';

describe('events in .npy files', () => {
  const work = withPython();

  describe('openEventsNpy', () => {
    for (const kind of ['i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f2', 'f4', 'f8']) {
      for (const order of ['C', 'F'] as const) {
        it(`reads ${kind} of both byte orders in ${order} order`, async () => {
          const options = { dt: 0.75, timeUnit: kind === 'f8' ? 0.1 : 1 };
          for (const mark of ['<', '>']) {
            const events = inOrder(randomEvents(300, 3));
            const { path, samples } = await npyOf(events, { kind: mark + kind, order });
            await assertCounts(await openEventsNpy(path, options), samples, options);
          }
        });
      }
    }

    it('says what it is', async () => {
      const { path } = await npyOf([
        [0.0035, 4],
        [0.009, 1],
      ]);
      const source = await openEventsNpy(relative('.', path), SECONDS);
      const { size, mtimeNs } = await stat(path, { bigint: true });
      assert.deepEqual(source.shape, [1, 10, 5]);
      assert.equal(source.type, 'uint16');
      assert.equal(source.itemBytes, 2);
      assert.equal(source.nAxes, 2);
      assert.equal(source.isInterleaved, false);
      const { fingerprint, ...identity } = source.identity;
      assert.deepEqual(identity, {
        path,
        format: 'events',
        bytes: Number(size),
        modified: String(mtimeNs),
      });
      assert.match(fingerprint, /^[0-9a-f]{64}$/);
      await source.close();
      const prints = new Set<string>();
      for (const change of [
        {},
        { dt: 2e-3 },
        { timeUnit: 0.5 },
        { duration: 1 },
        { channels: 9 },
      ]) {
        const other = await openEventsNpy(path, { ...SECONDS, ...change });
        prints.add(other.identity.fingerprint);
        await other.close();
      }
      assert.equal(prints.size, 5);
      assert.ok(prints.has(fingerprint));
      await utimes(path, 1, 1);
      const touched = await openEventsNpy(path, SECONDS);
      assert.equal(touched.identity.fingerprint, fingerprint);
      assert.equal(touched.identity.modified, '1000000000');
      await touched.close();
    });

    it('puts the counts in the memory that it is given', async () => {
      const { path } = await npyOf([
        [1, 0],
        [1, 2],
        [1, 2],
      ]);
      const source = await openEventsNpy(path, { dt: 1, timeUnit: 1 });
      const expected = Uint16Array.of(0, 0, 0, 1, 0, 2);
      for (const [offset, length, isUsed] of [
        [0, 12, true],
        [2, 30, true],
        [1, 30, false],
        [0, 11, false],
      ] as const) {
        const memory = new Uint8Array(new ArrayBuffer(40), offset, length).fill(99);
        const counts = await source.read(wholeOf(source), memory);
        assert.deepEqual(counts, expected);
        assert.equal(counts.buffer === memory.buffer, isUsed);
      }
      await source.close();
    });

    it('takes duration and channels from the options', async () => {
      const { path, samples } = await npyOf(inOrder(randomEvents(50, 4, 0.05)));
      for (const duration of [0.05, 0.0504, 0.0496, 0.2]) {
        const options = { ...SECONDS, duration, channels: 20 };
        await assertCounts(await openEventsNpy(path, options), samples, options);
      }
    });

    it('refuses events beyond the duration or the channels', async () => {
      const { path } = await npyOf([
        [0.001, 0],
        [0.01, 7],
      ]);
      const end =
        /^Expected times before the end of the 10 steps .* time of event 1 is 0\.01; give/;
      await refuses(openEventsNpy, path, end, { duration: 0.01 });
      await refuses(openEventsNpy, path, /from 0 to 6 .* channel of event 1 is 7;/, {
        channels: 7,
      });
      await refuses(openEventsNpy, path, /duration of 1 to .* received 0\.0004 s/, {
        duration: 0.0004,
      });
      const source = await openEventsNpy(path, { ...SECONDS, duration: 0.011, channels: 8 });
      assert.deepEqual(source.shape, [1, 11, 8]);
      await source.close();
    });

    it('makes zeros of no events if it is told how many', async () => {
      const { path } = await npyOf([], { kind: '<i4', shape: [0, 2] });
      await refuses(openEventsNpy, path, /received none; give the duration and the number/);
      await refuses(openEventsNpy, path, /received none/, { duration: 1 });
      await refuses(openEventsNpy, path, /received none/, { channels: 1 });
      const options = { dt: 1, timeUnit: 1, duration: 3, channels: 2 };
      const source = await openEventsNpy(path, options);
      assert.deepEqual(source.shape, [1, 3, 2]);
      assert.deepEqual(await source.read(wholeOf(source)), new Uint16Array(6));
      await source.close();
    });

    it('sorts lists that are not in order', async () => {
      const options = { dt: 0.01, timeUnit: 1 };
      for (const order of ['C', 'F'] as const) {
        const { path, samples } = await npyOf(randomEvents(5000, 5), { order });
        await assertCounts(await openEventsNpy(path, options), samples, options);
      }
    });

    it('sorts steps of more than 32 bits', async () => {
      const { path } = await npyOf([
        [9e9, 1],
        [5e9, 2],
        [3, 1],
        [9e9, 1],
        [5e9 + 1, 0],
        [2 ** 52, 3],
      ]);
      const source = await openEventsNpy(path, { dt: 1, timeUnit: 1 });
      assert.deepEqual(source.shape, [1, 2 ** 52 + 1, 4]);
      for (const [step, expected] of [
        [3, [0, 1, 0, 0]],
        [5e9, [0, 0, 1, 0]],
        [5e9 + 1, [1, 0, 0, 0]],
        [9e9, [0, 2, 0, 0]],
        [9e9 + 1, [0, 0, 0, 0]],
        [2 ** 52, [0, 0, 0, 1]],
      ] as const) {
        const steps = { begin: step, end: step + 1 };
        const counts = await source.read({ ...wholeOf(source), steps });
        assert.deepEqual([...counts], expected);
      }
      await source.close();
    });

    it('reads lists of several slabs, in order or not', async () => {
      const options = { dt: 1, timeUnit: 1e-3, channels: 11 };
      const length = 200_000;
      const random = randomNumbers(6);
      // Events of a step lie on both sides of the end of a slab, and one step spans whole slabs.
      const times = Float64Array.from({ length }, (_, i) => (i < 1000 ? i : 5e4 + (i >> 17) * 9e5));
      const channels = Float64Array.from({ length }, () => Math.floor(random() * 10));
      for (const isOrdered of [true, false]) {
        if (!isOrdered) times.reverse();
        const data = new Float64Array(2 * length);
        data.set(times);
        data.set(channels, length);
        const path = await fileOf(data, true);
        const samples = [[...times].map((time, i): [number, number] => [time, channels[i] ?? 0])];
        await assertCounts(await openEventsNpy(path, options), samples, options, 50);
      }
    });

    it('reads a million events', async () => {
      const length = 1_000_000;
      const random = randomNumbers(8);
      const events = Uint32Array.from({ length: 2 * length }, (_, i) =>
        i % 2 === 0 ? i : i === 1 ? 999 : Math.floor(random() * 1000),
      );
      const path = await fileOf(events);
      const source = await openEventsNpy(path, { dt: 1, timeUnit: 1e-2 });
      assert.deepEqual(source.shape, [1, 20_000, 1000]);
      const expected = new Uint16Array(20_000 * 1000);
      for (let i = 0; i < length; i++) {
        const bin = Math.floor((2 * i) / 100) * 1000 + (events[2 * i + 1] ?? 0);
        expected[bin] = (expected[bin] ?? 0) + 1;
      }
      for (let begin = 0; begin < 20_000; begin += 4000) {
        const steps = { begin, end: begin + 4000 };
        const counts = await source.read({ ...wholeOf(source), steps });
        const part = expected.subarray(begin * 1000, (begin + 4000) * 1000);
        assert.equal(Buffer.compare(bytesOf(counts), bytesOf(part)), 0);
      }
      await source.close();
    });

    it('is opened once for the shards of a run, and again when it has changed', async () => {
      const path = await fileOf(Float64Array.of(0.01, 1, 0.02, 2));
      const jobOf = (timeUnit: number) =>
        ({ input: { path, format: 'events', timeUnit }, settings: { dt: 1e-3 } }) as Job;
      const idle = new IdleSources();
      const first = await idle.take(jobOf(1));
      const second = await idle.take(jobOf(1));
      assert.notEqual(second, first, 'each is read by one at a time');
      await idle.giveBack(jobOf(1), first);
      assert.equal(await idle.take(jobOf(1)), first);
      await idle.giveBack(jobOf(1), first);
      await utimes(path, new Date(), new Date(0));
      const changed = await idle.take(jobOf(1));
      assert.equal(changed.identity.modified, '0');
      const other = await idle.take(jobOf(2));
      await idle.giveBack(jobOf(1), changed);
      await assert.rejects(changed.read(wholeOf(changed)), 'it is closed');
      await second.close();
      await idle.giveBack(jobOf(2), other);
      await idle.close();
      await assert.rejects(other.read(wholeOf(other)), 'it is closed');
    });

    it('refuses lists that are too long to sort', async () => {
      const path = newPath('npy');
      const length = 2 ** 25 + 1;
      const header = encodeHeader('|u1', [length, 2]);
      await writeFile(path, Buffer.concat([header, Uint8Array.of(0, 0, 9, 1)]));
      await truncate(path, header.length + 2 * length);
      const sentence = /more than 33554432, but event 2 is earlier than the one before; sort them/;
      await refuses(openEventsNpy, path, sentence);
    });

    it('counts up to 65535 events in a bin, and names the bin of more', async () => {
      const rows = (length: number) => Array.from({ length }, (): Event => [2, 3]);
      const full = await npyOf(rows(65_535), { kind: '|u1' });
      const source = await openEventsNpy(full.path, { dt: 1, timeUnit: 1 });
      assert.equal((await source.read(wholeOf(source))).at(-1), 65_535);
      await source.close();
      const { path } = await npyOf(rows(65_536), { kind: '|u1' });
      const overfull = await openEventsNpy(path, { dt: 1, timeUnit: 1 });
      await assert.rejects(
        overfull.read(wholeOf(overfull)),
        isCommandError(/at most 65535 events .* but channel 3 has more in step 2; take shorter/),
      );
      await overfull.close();
    });

    it('names the events that have no bin', async () => {
      const cases: [Event, RegExp][] = [
        [[NaN, 0], /times that are finite in .* but the time of event 2 is NaN\.$/],
        [[Infinity, 0], /times that are finite in .* but the time of event 2 is Infinity\.$/],
        [
          [-0.5, 0],
          /from 0 s on, where step 0 begins, in .* but the time of event 2 is -0\.5; give an/,
        ],
        [[1e300, 0], /fewer than 2\^53 steps .* time of event 2 is 1e\+300; check the unit/],
        [[1, -1], /whole numbers from 0 to 4294967295 in .* channel of event 2 is -1;/],
        [[1, 0.5], /whole numbers .* channel of event 2 is 0\.5; the first column is the time/],
        [[1, NaN], /whole numbers .* channel of event 2 is NaN;/],
        [[1, 2 ** 32], /whole numbers .* channel of event 2 is 4294967296;/],
      ];
      for (const [event, pattern] of cases) {
        const data = Float64Array.from([[0, 0], [0, 1], event, [2, 2]].flat());
        const path = await fileOf(data);
        await refuses(openEventsNpy, path, pattern);
      }
    });

    it('refuses what is no list of events', async () => {
      const rows: Event[] = [
        [0, 1],
        [1, 0],
        [1, 1],
      ];
      for (const [shape, received] of [
        [[6], /\(6,\)/],
        [[2, 3], /\(2, 3\)/],
        [[3, 2, 1], /\(3, 2, 1\)/],
      ] as const) {
        const { path } = await npyOf(rows, { shape: [...shape] });
        await refuses(openEventsNpy, path, /^Expected shape \(E, 2\)/);
        await refuses(openEventsNpy, path, received);
      }
      const { path } = await npyOf(rows, { kind: '|b1' });
      await refuses(openEventsNpy, path, /received booleans/);
      await refuses(
        openEventsNpy,
        join(work.folder, 'none.npy'),
        /none\.npy: there is no such file/,
      );
      await refuses(openEventsNpy, work.folder, /folder/);
    });

    it('refuses corrupt files, and ones that become shorter', async () => {
      const { path } = await npyOf(inOrder(randomEvents(100, 9)));
      const whole = await readFile(path);
      const source = await openEventsNpy(path, SECONDS);
      for (const size of [0, 5, 100, whole.length - 1]) {
        await truncate(path, size);
        await refuses(openEventsNpy, path, /^Expected /);
      }
      await assert.rejects(source.read(wholeOf(source)), isCommandError(/it became shorter/));
      await source.close();
    });
  });
});
