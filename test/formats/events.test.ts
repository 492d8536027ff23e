import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';

import { ROOT } from '../support/processes';
import type { Job } from '../../lib/runs/job';
import { IdleSources } from '../../lib/runs/open-source';
import { EventClock } from '../../lib/formats/events/event-clock';
import type { EventOptions } from '../../lib/formats/events/event-files';
import { openEventsHdf5 } from '../../lib/formats/events/events-hdf5';
import { openEventsNpy } from '../../lib/formats/events/events-npy';
import { encodeHeader } from '../../lib/formats/npy/header';
import { encodeNpy } from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import type { RasterSource, Region } from '../../lib/formats/raster-source';
import { bytesOf } from '../support/bits';
import { isCommandError } from '../support/command-errors';
import { randomNumbers } from '../support/oracle';

/** NumPy and h5py write the files: Debian's python3-numpy and python3-h5py. */
const PYTHON = '/usr/bin/python3';
const WRITER = `
import json, sys
import h5py, numpy

def numbers(values, kind):
    return numpy.array([float(value) for value in values]).astype(kind)

def write_npy(path, rows, kind, shape=None, order='C'):
    array = numbers([value for row in rows for value in row], kind)
    array = array.reshape(shape if shape is not None else (-1, 2))
    numpy.save(path, numpy.asarray(array, order=order))
    return array.astype(float).ravel().tolist()

def write_lists(group, name, kind, lists, **options):
    # h5py swaps bytes neither here nor when it reads: it takes what it is given for little-endian.
    dataset = group.create_dataset(
        name, (len(lists),), dtype=h5py.vlen_dtype(numpy.dtype(kind)), **options)
    native = numpy.dtype(kind).newbyteorder('=')
    arrays = [numbers(values, native) for values in lists]
    for index, array in enumerate(arrays):
        if len(array) > 0:
            dataset[index] = array
    return [array.astype(float).tolist() for array in arrays]

def write_hdf5(path, times=None, units=None, times_kind='<f4', units_kind='<u2', user=0,
               options={}):
    if 'chunks' in options:
        options['chunks'] = tuple(options['chunks'])
    with h5py.File(path, 'w', userblock_size=user) as file:
        group = file.create_group('spikes')
        stored = []
        if times is not None:
            stored.append(write_lists(group, 'times', times_kind, times, **options))
        if units is not None:
            stored.append(write_lists(group, 'units', units_kind, units, **options))
        return stored

def write_strange(path, what):
    with h5py.File(path, 'w') as file:
        group = file.create_group('spikes')
        group['units'] = numpy.zeros(3)
        if what == 'plain':
            group['times'] = numpy.zeros(3)
        elif what == 'text':
            group.create_dataset('times', (3,), dtype=h5py.string_dtype())
        elif what == 'square':
            group.create_dataset('times', (3, 2), dtype=h5py.vlen_dtype(numpy.float32))
        elif what == 'scalar':
            group.create_dataset('times', (), dtype=h5py.vlen_dtype(numpy.float32))
        elif what == 'group':
            group.create_group('times')

for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps(globals()[job.pop('call')](**job)), flush=True)
`;

const SECONDS = { dt: 1e-3, timeUnit: 1 };

let folder: string;
let python: Python;

/** A Python that writes files as it is told, and answers with the values that it has stored. */
class Python {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor() {
    this.#process = spawn(PYTHON, ['-c', WRITER]);
    this.#process.stderr.pipe(process.stderr);
    this.#reader = createInterface({ input: this.#process.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async call(call: string, args: object): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify({ call, ...args })}\n`);
    const line = await this.#lines.next();
    assert.ok(line.done !== true, `${PYTHON} with python3-numpy and python3-h5py ended`);
    return JSON.parse(line.value);
  }

  end(): void {
    this.#process.stdin.end();
    this.#reader.close();
  }
}

let files = 0;

function newPath(extension: string): string {
  return join(folder, `${files++}.${extension}`);
}

/** A file of so many rows of events, written here, since JSON is slow and knows no NaN. */
async function fileOf(data: Elements, isFortranOrder = false): Promise<string> {
  const path = newPath('npy');
  const text = Buffer.from(encodeNpy({ data, shape: [data.length / 2, 2] }));
  const at = text.indexOf('False');
  if (isFortranOrder) text.write('True ', at);
  await writeFile(path, text);
  return path;
}

/** Runs a script that may call openEventsHdf5(path) of the compiled package by itself. */
async function inAnotherProcess(
  script: string,
  path: string,
  dist = join(ROOT, 'dist'),
): Promise<{ stdout: string; stderr: string }> {
  const module = JSON.stringify(join(dist, 'formats', 'events', 'events.js'));
  const preamble = `const { openEventsHdf5 } = require(${module});
    const path = ${JSON.stringify(path)};`;
  return promisify(execFile)(process.execPath, ['-e', preamble + script]);
}

type Event = readonly [time: number, channel: number];

/** A file that NumPy has written, and the events as it has stored them. */
async function npyOf(
  rows: readonly Event[],
  options: { kind?: string; order?: 'C' | 'F'; shape?: number[] } = {},
): Promise<{ path: string; samples: [number, number][][] }> {
  const path = newPath('npy');
  const kind = options.kind ?? '<f8';
  const stored = await python.call('write_npy', { path, rows, ...options, kind });
  const values = stored as number[];
  const pairs = rows.map((_, i): [number, number] => [values[2 * i] ?? 0, values[2 * i + 1] ?? 0]);
  return { path, samples: [pairs] };
}

/** A file that h5py has written, and the events as it has stored them. */
async function hdf5Of(
  lists: readonly (readonly Event[])[],
  options: { times_kind?: string; units_kind?: string; user?: number; options?: object } = {},
): Promise<{ path: string; samples: [number, number][][] }> {
  const path = newPath('h5');
  const times = lists.map((list) => list.map(([time]) => time));
  const units = lists.map((list) => list.map(([, channel]) => channel));
  const stored = await python.call('write_hdf5', { path, times, units, ...options });
  const [ownTimes = [], ownUnits = []] = stored as number[][][];
  const samples = ownTimes.map((list, sample) =>
    list.map((time, event): [number, number] => [time, ownUnits[sample]?.[event] ?? 0]),
  );
  return { path, samples };
}

/** A double as the fraction that it is. */
function fractionOf(value: number): [numerator: bigint, denominator: bigint] {
  let denominator = 1n;
  while (!Number.isInteger(value)) {
    value *= 2;
    denominator *= 2n;
  }
  return [BigInt(value), denominator];
}

/** Of times in double precision. */
function stepOf(time: number, options: EventOptions): number {
  return new EventClock(options, { kind: 'double' }).stepOf(time);
}

/** The rule for times in double precision, in exact arithmetic. */
function exactStepOf(time: number, { dt, timeUnit }: EventOptions): number {
  const [times, perTime] = fractionOf(time);
  const [units, perUnit] = fractionOf(timeUnit);
  const [steps, perStep] = fractionOf(dt);
  const numerator = times * units * perStep;
  const denominator = perTime * perUnit * steps;
  const floor = numerator / denominator;
  const missing = (floor + 1n) * denominator - numerator;
  // Less than 1e-3 of a step by more than rounding, or by no more than rounding below the step.
  const isNext =
    missing * 1000n + ((1000n * numerator) >> 50n) < denominator ||
    missing * 2n ** 51n <= numerator;
  return Number(isNext ? floor + 1n : floor);
}

/** Counts by sample, step and channel. */
type Bins = Map<string, number>;

function binsOf(samples: readonly [number, number][][], options: EventOptions): Bins {
  const bins: Bins = new Map();
  for (const [sample, events] of samples.entries()) {
    for (const [time, channel] of events) {
      const bin = `${sample} ${exactStepOf(time, options)} ${channel}`;
      bins.set(bin, (bins.get(bin) ?? 0) + 1);
    }
  }
  return bins;
}

function expectedCounts(bins: Bins, { batches, steps, channels }: Region): Uint16Array {
  const counts: number[] = [];
  for (let batch = batches.begin; batch < batches.end; batch++) {
    for (let step = steps.begin; step < steps.end; step++) {
      for (let channel = channels.begin; channel < channels.end; channel++) {
        counts.push(bins.get(`${batch} ${step} ${channel}`) ?? 0);
      }
    }
  }
  return Uint16Array.from(counts);
}

function wholeOf({ shape: [batches, steps, channels] }: RasterSource): Region {
  return {
    batches: { begin: 0, end: batches },
    steps: { begin: 0, end: steps },
    channels: { begin: 0, end: channels },
  };
}

function randomRegion({ shape }: RasterSource, random: () => number): Region {
  const [batches, steps, channels] = shape.map((length) => {
    const ends = [random(), random()].map((place) => Math.floor(place * (length + 1)));
    return { begin: Math.min(...ends), end: Math.max(...ends) };
  });
  assert.ok(batches && steps && channels);
  return { batches, steps, channels };
}

/** Compares the whole and random regions, and closes the source. */
async function assertCounts(
  source: RasterSource,
  samples: readonly [number, number][][],
  options: EventOptions,
  regions = 20,
): Promise<void> {
  try {
    const bins = binsOf(samples, options);
    const all = [...bins.keys()].map((bin) => bin.split(' ').map(Number));
    const [timesteps, channels] = [1, 2].map((axis) =>
      all.reduce((last, bin) => Math.max(last, bin[axis] ?? 0), -1),
    );
    const { dt, duration } = options;
    assert.deepEqual(source.shape, [
      samples.length,
      duration === undefined ? (timesteps ?? 0) + 1 : Math.round(duration / dt),
      options.channels ?? (channels ?? 0) + 1,
    ]);
    assert.deepEqual(await source.read(wholeOf(source)), expectedCounts(bins, wholeOf(source)));
    const random = randomNumbers(7);
    for (let i = 0; i < regions; i++) {
      const region = randomRegion(source, random);
      assert.deepEqual(await source.read(region), expectedCounts(bins, region));
    }
  } finally {
    await source.close();
  }
}

function randomEvents(length: number, seed: number, last = 100, channels = 9): [number, number][] {
  const random = randomNumbers(seed);
  return Array.from({ length }, () => [random() * last, Math.floor(random() * channels)]);
}

function inOrder(events: [number, number][]): [number, number][] {
  return events.toSorted(([a], [b]) => a - b);
}

function refuses(
  opener: typeof openEventsNpy,
  path: string,
  pattern: RegExp,
  options: Partial<EventOptions> = {},
): Promise<void> {
  return assert.rejects(opener(path, { ...SECONDS, ...options }), isCommandError(pattern));
}

describe('events', () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'expsyn-events-'));
    python = new Python();
  });

  after(async () => {
    python.end();
    await rm(folder, { recursive: true, force: true });
  });

  describe('stepOf', () => {
    it('puts every multiple of dt, as it is rounded, in its own step', () => {
      assert.ok(0.043 / 0.001 < 43, 'the quotient alone does not do');
      const random = randomNumbers(1);
      for (const dt of [1e-3, 1e-4, 0.25e-3, 0.1, 1 / 3, 7e-6, 1, 0.7]) {
        for (const timeUnit of [1, 1e-3, 1e-6, 60]) {
          for (let i = 0; i < 500; i++) {
            const k = Math.floor(2 ** (40 * random()));
            for (const time of [(k * dt) / timeUnit, k * (dt / timeUnit)]) {
              const options = { dt, timeUnit };
              assert.equal(stepOf(time, options), k, `${time} * ${timeUnit} / ${dt}`);
              assert.equal(exactStepOf(time, options), k);
            }
          }
        }
      }
      for (let k = 0; k < 20_000; k++) {
        assert.equal(stepOf(Number(`${k}e-3`), SECONDS), k);
        assert.equal(stepOf(k, { dt: 1e-3, timeUnit: 1e-3 }), k);
        assert.equal(stepOf(Number(`${k}e-1`), { dt: 1e-4, timeUnit: 1e-3 }), k);
      }
    });

    it('knows what single precision loses', () => {
      const clock = new EventClock(SECONDS, { kind: 'single', largest: 20 });
      for (let k = 0; k < 20_000; k++) {
        assert.equal(clock.stepOf(Math.fround(Number(`${k}e-3`))), k);
        assert.equal(clock.stepOf(Math.fround((k + 0.99) * 1e-3)), k);
      }
    });

    it('rounds down what lies between', () => {
      const random = randomNumbers(2);
      for (const dt of [1e-3, 1e-4, 0.1, 1 / 3, 1]) {
        for (let i = 0; i < 2000; i++) {
          const options = { dt, timeUnit: i % 2 === 0 ? 1 : 1e-3 };
          const time = 2 ** (40 * random() - 20);
          assert.equal(stepOf(time, options), exactStepOf(time, options));
          const k = 1 + Math.floor(random() * 1e6);
          for (const [part, expected] of [
            [1.1e-3, k - 1],
            [0.9e-3, k],
          ] as const) {
            const early = ((k - part) * dt) / options.timeUnit;
            assert.equal(stepOf(early, options), expected);
            assert.equal(exactStepOf(early, options), expected);
          }
        }
      }
      assert.equal(stepOf(0, SECONDS), 0);
      assert.equal(stepOf(5e-324, SECONDS), 0);
    });

    it('never decreases', () => {
      for (const step of [1, 3, 1000, 123_456_789]) {
        let last = 0;
        for (let ulps = -20; ulps <= 20; ulps++) {
          const next = stepOf(step * 1e-3 * (1 + ulps * 2 ** -52), SECONDS);
          assert.ok(next >= last);
          last = next;
        }
        assert.equal(last, step);
      }
    });
  });

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
      await refuses(openEventsNpy, join(folder, 'none.npy'), /none\.npy: there is no such file/);
      await refuses(openEventsNpy, folder, /folder/);
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
        await python.call('write_hdf5', { path, ...what });
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
        await python.call('write_strange', { path, what });
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
      await refuses(openEventsHdf5, join(folder, 'none.h5'), /none\.h5: there is no such file/);
      await refuses(openEventsHdf5, folder, /is a folder/);
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
      const dist = join(folder, 'package', 'dist');
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
