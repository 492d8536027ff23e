/** Events in HDF5 files, as the Spiking Heidelberg Digits have them: a list of events per sample. */
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { EventOptions } from '../event-options';
import { CommandError } from '../../errors/command-errors';
import { message } from '../../errors/message';
import { fileError } from '../../errors/system-errors';
import type { EventClock, TimePrecision, TimeSurvey } from './event-clock';
import { describeOptions, EventCheck, toNumbers, type EventReceiver } from './event-files';
import { EventSource, type EventSet } from './event-source';
import { identifyFile } from '../files/fingerprint';
import { describeForeign } from '../foreign/formats';
import { HEAD_BYTES } from '../foreign/head';
import type { Lists, ListsDescription } from '../hdf5/lists-file';
import { ListsReader, PATIENCE } from '../hdf5/lists-reader';
import { isHdf5File } from '../hdf5/signature';
import { readBytes, requireFile } from '../files/read-bytes';
import type { Elements } from '../elements';
import type { InputIdentity, RasterSource, Region } from '../raster-source';

const TIMES = 'spikes/times';
const UNITS = 'spikes/units';
/** Samples are read together as long as their times, or their units, have at most so many bytes. */
const GROUP_BYTES = 2 ** 18;
const MAX_GROUP_SAMPLES = 256;

/**
 * Opens an HDF5 file whose datasets spikes/times and spikes/units, both of shape (B,), hold the times
 * and the channels of the events of every sample as variable-length arrays of integers or floats,
 * as a raster of shape (B, T, N) with the T and the N of the latest step and the last channel of all
 * samples; see event-clock.ts for the step of an event.
 *
 * All events are checked. Neither here nor later is more than a group of samples in memory.
 *
 * @param patience Milliseconds after which the HDF5 library is given up.
 * @throws CommandError when it is no such file, an event has no bin, or h5wasm is not installed.
 */
export async function openEventsHdf5(
  path: string,
  options: EventOptions,
  patience = PATIENCE,
): Promise<RasterSource> {
  const absolute = resolve(path);
  const identify = () => identifyHdf5(absolute, path, options);
  const identity = await identify();
  const reader = await ListsReader.open(absolute, path, [TIMES, UNITS], patience);
  try {
    const samples = new Samples(reader, path);
    checkPlausible(samples.length, identity.bytes, path);
    // The addon, which has the clock, is not loaded before there is a list.
    const { EventClock, TimeSurvey } = await import('./event-clock.js');
    const clock = new EventClock(options, await surveyTimes(samples, new TimeSurvey()));
    const check = new EventCheck(options, clock, path);
    const lengths = await checkSamples(samples, clock, check);
    const shape = [samples.length, ...check.shape] as const;
    return new EventSource({
      name: path,
      identity,
      identify,
      nAxes: 3,
      shape,
      summary: check.summary,
      events: new EventsOfSamples(samples, lengths, clock),
      close: () => samples.close(),
    });
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** @throws CommandError when the file cannot be read, or is of another format. */
async function identifyHdf5(
  absolute: string,
  name: string,
  options: EventOptions,
): Promise<InputIdentity> {
  try {
    await requireFile(name);
    const file = await open(absolute, 'r');
    try {
      if (!(await isHdf5File(file, name))) {
        const { size } = await file.stat();
        const head = await readBytes(file, 0, Math.min(size, HEAD_BYTES), name);
        throw new CommandError(
          message`Expected an HDF5 file but ${name} \
${describeForeign(head, name) ?? 'does not begin like one; the name of any other format ends differently'}.`,
        );
      }
      return await identifyFile(file, absolute, 'hdf5', describeOptions(options));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', name, error);
  }
}

/** The events of one sample. */
interface Sample {
  times: Elements;
  units: ArrayLike<number>;
}

class Samples {
  /** B. */
  readonly length: number;
  /** Bytes of an event in the dataset whose elements are larger. */
  readonly eventBytes: number;
  /** Whether the times are of a type that holds nothing but whole numbers. */
  readonly isInteger: boolean;
  readonly #reader: ListsReader;
  readonly #name: string;

  /** @throws CommandError when there are none, or the datasets disagree. */
  constructor(reader: ListsReader, name: string) {
    const [times, units] = reader.descriptions as [ListsDescription, ListsDescription];
    if (times.length !== units.length || times.length === 0) {
      throw new CommandError(
        `Expected lists of as many samples, at least one, in ${TIMES} and ${UNITS} of ${name} ` +
          `but received ${times.length} and ${units.length}.`,
      );
    }
    this.length = times.length;
    this.eventBytes = Math.max(times.itemBytes, units.itemBytes);
    this.isInteger = !times.code.startsWith('f');
    this.#reader = reader;
    this.#name = name;
  }

  /**
   * The samples from `begin` to the one before `end`, in groups: each is read while the one before it
   * is used.
   *
   * @param endOf Before which sample a group that begins with one ends.
   */
  async *groups(
    begin: number,
    end: number,
    endOf: (first: number) => number,
  ): AsyncGenerator<{ first: number; group: Sample[] }> {
    let first = begin;
    let next = first < end ? endOf(first) : end;
    let reading = first < end ? this.#read(first, next) : undefined;
    while (reading !== undefined) {
      const group = await reading;
      const current = first;
      first = next;
      reading = undefined;
      if (first < end) {
        next = endOf(first);
        reading = this.#read(first, next);
        // Told when it is its turn, if there is one.
        reading.catch(() => undefined);
      }
      yield { first: current, group };
    }
  }

  async #read(begin: number, end: number): Promise<Sample[]> {
    const [times, units] = (await this.#reader.read(begin, end)) as [Lists, Lists];
    const channels = toNumbers(units.numbers);
    let at = 0;
    return Array.from(times.lengths, (nTimes, index) => {
      const nUnits = units.lengths[index];
      if (nTimes !== nUnits) {
        throw new CommandError(
          `Expected as many times as units of every sample in ${this.#name} but sample ` +
            `${begin + index} has ${nTimes} times and ${nUnits} units.`,
        );
      }
      const [from, to] = [at, at + nTimes];
      at = to;
      return { times: times.numbers.subarray(from, to), units: channels.subarray(from, to) };
    });
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

/**
 * Even a sample without events takes 16 bytes in each dataset, perhaps compressed. A corrupt file may
 * tell of so many that reading them would never end.
 */
function checkPlausible(nSamples: number, fileBytes: number, name: string): void {
  if (nSamples <= fileBytes) return;
  throw new CommandError(
    `Expected fewer samples than bytes in ${name} but received ${nSamples} samples in ` +
      `${fileBytes} bytes; the file is corrupt.`,
  );
}

/** All samples, in groups of as many as fit the memory if they are like those before them. */
async function* allSamples(samples: Samples): AsyncGenerator<{ first: number; group: Sample[] }> {
  let size = 1;
  const endOf = (first: number): number => Math.min(samples.length, first + size);
  for await (const { first, group } of samples.groups(0, samples.length, endOf)) {
    yield { first, group };
    const nEvents = group.reduce((sum, { times }) => sum + times.length, 0);
    const fitting = Math.floor((GROUP_BYTES * group.length) / (nEvents * samples.eventBytes));
    size = Math.max(1, Math.min(fitting, 2 * size, MAX_GROUP_SAMPLES));
  }
}

/** How exact the times are; of floats in double precision, a few of them tell. */
async function surveyTimes(samples: Samples, survey: TimeSurvey): Promise<TimePrecision> {
  if (samples.isInteger) return { kind: 'exact' };
  for await (const { group } of allSamples(samples)) {
    if (!group.every(({ times }) => survey.add(times))) break;
  }
  return survey.precision;
}

/** How many events every sample has. */
async function checkSamples(
  samples: Samples,
  clock: EventClock,
  check: EventCheck,
): Promise<Uint32Array> {
  const lengths = new Uint32Array(samples.length);
  for await (const { first, group } of allSamples(samples)) {
    for (const [index, { times, units }] of group.entries()) {
      const sample = first + index;
      lengths[sample] = times.length;
      const events = { times, steps: clock.stepsOf(times), channels: units };
      for (let event = 0; event < times.length; event++) check.stepOf(events, event, 0, sample);
    }
  }
  return lengths;
}

class EventsOfSamples implements EventSet {
  readonly #samples: Samples;
  readonly #lengths: Uint32Array;
  readonly #clock: EventClock;

  /** @param lengths How many events every sample has. */
  constructor(samples: Samples, lengths: Uint32Array, clock: EventClock) {
    this.#samples = samples;
    this.#lengths = lengths;
    this.#clock = clock;
  }

  async addTo(receiver: EventReceiver, { batches: { begin, end } }: Region): Promise<void> {
    const endOf = (first: number): number => this.#groupEnd(first, end);
    for await (const { first, group } of this.#samples.groups(begin, end, endOf)) {
      for (const [index, { times, units }] of group.entries()) {
        this.#clock.stepsOf(times).forEach((step, event) => {
          receiver.add(first + index, step, units[event] ?? NaN);
        });
      }
    }
  }

  /** The sample before which a group that begins with `first` ends. */
  #groupEnd(first: number, end: number): number {
    const maxEvents = GROUP_BYTES / this.#samples.eventBytes;
    let nEvents = this.#lengths[first] ?? 0;
    let next = first + 1;
    for (; next < end && next - first < MAX_GROUP_SAMPLES; next++) {
      nEvents += this.#lengths[next] ?? 0;
      if (nEvents > maxEvents) break;
    }
    return next;
  }
}
