/** Lists of events in .npy files: a column of times and one of channels. */
import { open, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { EventOptions } from '../event-options';
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { fileError } from '../../errors/system-errors';
import type { EventClock, TimePrecision, TimeSurvey } from './event-clock';
import {
  describeOptions,
  EventCheck,
  toNumbers,
  type EventReceiver,
  type Events,
} from './event-files';
import { EventSource, type EventSet } from './event-source';
import { EventsInMemory, lowerBound, stepsArray } from './events-in-memory';
import { identifyFile, identifyPath } from '../files/fingerprint';
import { decodeBytes, type Elements } from '../elements';
import { readBytes, requireFile } from '../files/read-bytes';
import { readNpyLayout } from '../npy/npy';
import type { NpyLayout } from '../npy/header';
import type { RasterSource, Region } from '../raster-source';
import { everySecond, requirePairs } from './pair-columns';

/** A slab, the events that are read at a time, has at most 1 MB. */
const EVENTS_PER_SLAB = 2 ** 16;
/** Longer lists must be in order; sorting takes 16 bytes of memory per event, keeping them 8. */
const MAX_UNSORTED_EVENTS = 2 ** 25;

/**
 * Opens a .npy file of shape (E, 2), of any type of integers or floats, byte order and memory order,
 * whose columns are time and channel, as a raster of shape (1, T, N); see event-clock.ts for the
 * step of an event.
 *
 * All events are checked, a slab at a time. Of a list in the order of the steps, reading a region
 * reads the slabs that it lies in. Another list is sorted, and kept in memory.
 *
 * @throws CommandError when it is no such file, an event has no bin, or there are too many to sort.
 */
export async function openEventsNpy(path: string, options: EventOptions): Promise<RasterSource> {
  const absolute = resolve(path);
  let file: FileHandle | undefined;
  try {
    await requireFile(path);
    file = await open(absolute, 'r');
    const layout = await readNpyLayout(file, path);
    const list = new EventList(file, path, layout);
    const reading = describeOptions(options);
    const identity = await identifyFile(file, absolute, 'events', reading);
    const identify = () => identifyPath(absolute, 'events', reading);
    // The addon, which has the clock, is not loaded before there is a list.
    const { EventClock, TimeSurvey } = await import('./event-clock.js');
    const clock = new EventClock(options, await surveyTimes(list, new TimeSurvey()));
    const check = new EventCheck(options, clock, path);
    const firstSteps = await checkEvents(list, clock, check);
    const [timesteps, channels] = check.shape;
    const events =
      firstSteps === undefined
        ? await sortedEvents(list, clock, timesteps)
        : new EventsInFile(list, firstSteps, clock);
    const opened = file;
    return new EventSource({
      name: path,
      identity,
      identify,
      nAxes: 2,
      shape: [1, timesteps, channels],
      summary: check.summary,
      events,
      close: () => opened.close(),
    });
  } catch (error) {
    await file?.close();
    throw fileError('read', path, error);
  }
}

class EventList {
  readonly length: number;
  readonly #file: FileHandle;
  readonly #layout: NpyLayout;

  /** @throws CommandError when the array is no list of events. */
  constructor(
    file: FileHandle,
    readonly name: string,
    layout: NpyLayout,
  ) {
    const { shape, type } = layout;
    requirePairs(shape, name);
    if (type === 'bool') {
      throw new CommandError(
        message`Expected times and channels of events in ${name} but received booleans; \
leave ${option('events')} out if it is a raster.`,
      );
    }
    [this.length = 0] = shape;
    this.#file = file;
    this.#layout = layout;
  }

  /** Whether the times are of a type that holds nothing but whole numbers. */
  get isInteger(): boolean {
    return !this.#layout.code.startsWith('f');
  }

  get slabs(): number {
    return Math.ceil(this.length / EVENTS_PER_SLAB);
  }

  /** The events of a slab. */
  async read(slab: number, clock: EventClock): Promise<Events> {
    const { times, channels } = await this.#columns(slab);
    return { times, channels: toNumbers(channels), steps: clock.stepsOf(times) };
  }

  async readTimes(slab: number): Promise<Elements> {
    if (!this.#layout.isFortranOrder) return (await this.#columns(slab)).times;
    const [first, length] = this.#rangeOf(slab);
    return this.#elements(first, length);
  }

  #rangeOf(slab: number): [first: number, length: number] {
    const first = slab * EVENTS_PER_SLAB;
    return [first, Math.min(EVENTS_PER_SLAB, this.length - first)];
  }

  async #columns(slab: number): Promise<{ times: Elements; channels: Elements }> {
    const [first, length] = this.#rangeOf(slab);
    if (this.#layout.isFortranOrder) {
      const times = await this.#elements(first, length);
      return { times, channels: await this.#elements(this.length + first, length) };
    }
    const rows = await this.#elements(first * 2, length * 2);
    return { times: everySecond(rows, 0), channels: everySecond(rows, 1) };
  }

  async #elements(index: number, length: number): Promise<Elements> {
    const { headerBytes, itemBytes } = this.#layout;
    const position = headerBytes + index * itemBytes;
    const bytes = await readBytes(this.#file, position, length * itemBytes, this.name);
    return decodeBytes(bytes, this.#layout);
  }
}

/** How exact the times are; of floats in double precision, a few of them tell. */
async function surveyTimes(list: EventList, survey: TimeSurvey): Promise<TimePrecision> {
  if (list.isInteger) return { kind: 'exact' };
  for (let slab = 0; slab < list.slabs; slab++) {
    if (!survey.add(await list.readTimes(slab))) break;
  }
  return survey.precision;
}

/** The first step of every slab; none if the events are not in the order of their steps. */
async function checkEvents(
  list: EventList,
  clock: EventClock,
  check: EventCheck,
): Promise<Float64Array | undefined> {
  const firstSteps = new Float64Array(list.slabs);
  let isOrdered = true;
  let last = -Infinity;
  for (let slab = 0; slab < list.slabs; slab++) {
    const events = await list.read(slab, clock);
    const before = slab * EVENTS_PER_SLAB;
    for (let event = 0; event < events.steps.length; event++) {
      const step = check.stepOf(events, event, before);
      if (event === 0) firstSteps[slab] = step;
      if (step < last && isOrdered) {
        isOrdered = false;
        checkSortable(list, before + event);
      }
      last = step;
    }
  }
  return isOrdered ? firstSteps : undefined;
}

function checkSortable({ length, name }: EventList, index: number): void {
  if (length <= MAX_UNSORTED_EVENTS) return;
  throw new CommandError(
    `Expected events in the order of their times in ${name}, as there are more than ` +
      `${MAX_UNSORTED_EVENTS}, but event ${index} is earlier than the one before; sort them by time.`,
  );
}

/** Events in order, of which the file is all that there is. */
class EventsInFile implements EventSet {
  readonly #list: EventList;
  readonly #firstSteps: Float64Array;
  readonly #clock: EventClock;

  constructor(list: EventList, firstSteps: Float64Array, clock: EventClock) {
    this.#list = list;
    this.#firstSteps = firstSteps;
    this.#clock = clock;
  }

  async addTo(receiver: EventReceiver, { steps }: Region): Promise<void> {
    // Events of the first step may stand at the end of the slab before the one that begins with it.
    const begin = Math.max(0, lowerBound(this.#firstSteps, steps.begin) - 1);
    const end = lowerBound(this.#firstSteps, steps.end);
    for (let slab = begin; slab < end; slab++) {
      const { steps: own, channels } = await this.#list.read(slab, this.#clock);
      own.forEach((step, event) => {
        receiver.add(0, step, channels[event] ?? NaN);
      });
    }
  }
}

/** Sorts a list whose events have been checked, without those that lie outside. */
async function sortedEvents(
  list: EventList,
  clock: EventClock,
  timesteps: number,
): Promise<EventsInMemory> {
  const steps = stepsArray(list.length, timesteps);
  const channels = new Uint32Array(list.length);
  let count = 0;
  for (let slab = 0; slab < list.slabs; slab++) {
    const { steps: all, channels: own } = await list.read(slab, clock);
    for (const [event, step] of all.entries()) {
      if (!(step >= 0 && step < timesteps)) continue;
      steps[count] = step;
      channels[count] = own[event] ?? NaN;
      count++;
    }
  }
  return new EventsInMemory(steps.subarray(0, count), channels.subarray(0, count), timesteps);
}
