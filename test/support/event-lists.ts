/** Lists of events that NumPy and h5py write, and what they mean. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import type { EventOptions } from '../../lib/formats/event-options';
import { ROOT } from './processes';
import { EventClock } from '../../lib/formats/events/event-clock';
import { openEventsNpy } from '../../lib/formats/events/events-npy';
import { encodeNpy } from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import type { RasterSource, Region } from '../../lib/formats/raster-source';
import { isCommandError } from './command-errors';
import { randomNumbers } from './oracle';

/** NumPy and h5py write the files: Debian's python3-numpy and python3-h5py. */
export const PYTHON = '/usr/bin/python3';
export const WRITER = `
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

export const SECONDS = { dt: 1e-3, timeUnit: 1 };

let folder: string;
let python: Python;

/** A Python that writes files as it is told, and answers with the values that it has stored. */
export class Python {
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

export function newPath(extension: string): string {
  return join(folder, `${files++}.${extension}`);
}

/** A file of so many rows of events, written here, since JSON is slow and knows no NaN. */
export async function fileOf(data: Elements, isFortranOrder = false): Promise<string> {
  const path = newPath('npy');
  const text = Buffer.from(encodeNpy({ data, shape: [data.length / 2, 2] }));
  const at = text.indexOf('False');
  if (isFortranOrder) text.write('True ', at);
  await writeFile(path, text);
  return path;
}

/** Runs a script that may call openEventsHdf5(path) of the compiled package by itself. */
export async function inAnotherProcess(
  script: string,
  path: string,
  dist = join(ROOT, 'dist'),
): Promise<{ stdout: string; stderr: string }> {
  const module = JSON.stringify(join(dist, 'formats', 'events', 'events-hdf5.js'));
  const preamble = `const { openEventsHdf5 } = require(${module});
    const path = ${JSON.stringify(path)};`;
  return promisify(execFile)(process.execPath, ['-e', preamble + script]);
}

export type Event = readonly [time: number, channel: number];

/** A file that NumPy has written, and the events as it has stored them. */
export async function npyOf(
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
export async function hdf5Of(
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
export function fractionOf(value: number): [numerator: bigint, denominator: bigint] {
  let denominator = 1n;
  while (!Number.isInteger(value)) {
    value *= 2;
    denominator *= 2n;
  }
  return [BigInt(value), denominator];
}

/** Of times in double precision. */
export function stepOf(time: number, options: EventOptions): number {
  const [step = NaN] = new EventClock(options, { kind: 'double' }).stepsOf(Float64Array.of(time));
  return step;
}

/** The rule for times in double precision, in exact arithmetic. */
export function exactStepOf(time: number, { dt, timeUnit }: EventOptions): number {
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
export type Bins = Map<string, number>;

export function binsOf(samples: readonly [number, number][][], options: EventOptions): Bins {
  const bins: Bins = new Map();
  for (const [sample, events] of samples.entries()) {
    for (const [time, channel] of events) {
      const bin = `${sample} ${exactStepOf(time, options)} ${channel}`;
      bins.set(bin, (bins.get(bin) ?? 0) + 1);
    }
  }
  return bins;
}

export function expectedCounts(bins: Bins, { batches, steps, channels }: Region): Uint16Array {
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

export function wholeOf({ shape: [batches, steps, channels] }: RasterSource): Region {
  return {
    batches: { begin: 0, end: batches },
    steps: { begin: 0, end: steps },
    channels: { begin: 0, end: channels },
  };
}

export function randomRegion({ shape }: RasterSource, random: () => number): Region {
  const [batches, steps, channels] = shape.map((length) => {
    const ends = [random(), random()].map((place) => Math.floor(place * (length + 1)));
    return { begin: Math.min(...ends), end: Math.max(...ends) };
  });
  assert.ok(batches && steps && channels);
  return { batches, steps, channels };
}

/** Compares the whole and random regions, and closes the source. */
export async function assertCounts(
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

export function randomEvents(
  length: number,
  seed: number,
  last = 100,
  channels = 9,
): [number, number][] {
  const random = randomNumbers(seed);
  return Array.from({ length }, () => [random() * last, Math.floor(random() * channels)]);
}

export function inOrder(events: [number, number][]): [number, number][] {
  return events.toSorted(([a], [b]) => a - b);
}

export function refuses(
  opener: typeof openEventsNpy,
  path: string,
  pattern: RegExp,
  options: Partial<EventOptions> = {},
): Promise<void> {
  return assert.rejects(opener(path, { ...SECONDS, ...options }), isCommandError(pattern));
}

/** Gives the tests of a suite a folder, and a Python that writes files there. */
export function withPython(): { readonly folder: string; readonly python: Python } {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'expsyn-events-'));
    python = new Python();
  });
  after(async () => {
    python.end();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    get folder() {
      return folder;
    },
    get python() {
      return python;
    },
  };
}
