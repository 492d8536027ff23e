/** Lists of events that are in memory as a whole: times, and the unit that each event is of. */
import { resolve } from 'node:path';

import type { EventList } from '../../arrays/event-list';
import type { EventOptions } from '../event-options';
import { CommandError } from '../../errors/command-errors';
import { EventClock, TimeSurvey } from './event-clock';
import {
  COUNT_TYPE,
  describeOptions,
  EventCheck,
  EventCounts,
  EventPlaces,
  toNumbers,
  type EventReceiver,
} from './event-files';
import { identifyPath } from '../files/fingerprint';
import type { Elements } from '../elements';
import type { EventSummary, InputIdentity, RasterSource, Region } from '../raster-source';

/** What a file of events holds. */
export interface EventTable {
  /** When each event happened. */
  times: Elements;
  /** Seconds per unit of the times, if the file tells. */
  timeUnit?: number | undefined;
  /** What each event is of: a channel, a unit, a cluster, a node. */
  ids: ArrayLike<number>;
  /** The ids of the channels in their order, if the file lists them; else those that occur, in order. */
  units?: readonly number[] | undefined;
  /** How many channels there are, if the ids are those of channels themselves. */
  nChannels?: number;
}

/** A format of such files. */
export interface EventTableFormat {
  /** What identities call it. */
  format: string;
  /** The files that the table is read from; the first one is identified first. */
  files: readonly string[];
  readonly read: () => Promise<EventTable>;
}

/** Ids are kept in 32 bits, as channels are. */
const MAX_ID = 0xffff_ffff;

/**
 * Opens a table of events as a raster of shape (1, T, N); see event-clock.ts for the step of an event.
 *
 * Unit ids become channels: those that the file lists in its order, else those that occur in ascending
 * order, unless the user gives the number of channels, which the ids then are themselves.
 *
 * @throws CommandError when an event has no bin.
 */
export async function openEventTable(
  path: string,
  options: Partial<EventOptions> & { dt: number },
  { format, files, read }: EventTableFormat,
): Promise<RasterSource> {
  const table = await read();
  const { times, ids } = table;
  if (times.length !== ids.length) {
    throw new CommandError(
      `Expected as many ids of units as times in ${path} but received ${ids.length} and ${times.length}.`,
    );
  }
  const own: EventOptions = { ...options, timeUnit: options.timeUnit ?? table.timeUnit ?? 1 };
  const { channels, unitIds, nChannels } = numberUnits(
    table,
    own.channels ?? table.nChannels,
    path,
  );
  const reading = describeOptions(own);
  const identify = async (): Promise<InputIdentity> => {
    const [first, ...others] = await Promise.all(
      files.map((file) => identifyPath(resolve(file), format, reading)),
    );
    if (first === undefined) throw new CommandError(`Expected the files of ${path}.`);
    const fingerprint = [first, ...others].map((each) => each.fingerprint).join('');
    const bytes = others.reduce((sum, each) => sum + each.bytes, first.bytes);
    const modified = [first, ...others].map((each) => each.modified).join(' ');
    return { ...first, bytes, modified, fingerprint: fingerprint.slice(0, 256) };
  };
  const identity = await identify();
  const survey = new TimeSurvey();
  const isInteger = !(times instanceof Float64Array || times instanceof Float32Array);
  if (!isInteger) survey.add(toNumbers(times));
  const clock = new EventClock(own, isInteger ? { kind: 'exact' } : survey.precision);
  const known = nChannels === undefined ? own : { ...own, channels: nChannels };
  const check = new EventCheck(known, clock, path);
  const offsets = clock.offsetsOf(times);
  const steps = new Float64Array(times.length);
  for (let event = 0; event < steps.length; event++) {
    steps[event] = check.stepOf({ times, offsets, channels }, event, 0);
  }
  return new EventTableSource(path, identity, identify, {
    shape: [1, ...check.shape],
    summary: check.summary,
    unitIds,
    ...sorted(steps, channels),
  });
}

interface Numbering {
  /** Of each event. */
  channels: ArrayLike<number>;
  /** The unit of each channel, where these are not the same numbers. */
  unitIds?: readonly number[];
  /** Undefined if the events have to tell. */
  nChannels?: number | undefined;
}

/** Numbers the units. */
function numberUnits(
  { ids, units }: EventTable,
  nChannels: number | undefined,
  path: string,
): Numbering {
  for (let event = 0; event < ids.length; event++) {
    const id = ids[event] ?? NaN;
    if (Number.isInteger(id) && id >= 0 && id <= MAX_ID) continue;
    throw new CommandError(
      `Expected ids of units that are whole numbers from 0 to ${MAX_ID} in ${path} but that of event ` +
        `${event} is ${id}.`,
    );
  }
  if (nChannels !== undefined && units === undefined) return { channels: ids, nChannels };
  const all = units ?? [...new Set(Array.from(ids))].sort((a, b) => a - b);
  if (nChannels !== undefined && nChannels !== all.length) {
    throw new CommandError(
      `Expected ${all.length} channels, as ${path} has units, but received ${nChannels}; leave the number out.`,
    );
  }
  const isInOrder = all.every((id, channel) => id === channel);
  if (isInOrder) return { channels: ids, nChannels: all.length > 0 ? all.length : undefined };
  const channelOf = new Map(all.map((id, channel) => [id, channel]));
  const channels = Uint32Array.from(ids, (id) => channelOf.get(id) ?? MAX_ID);
  const unknown = channels.indexOf(MAX_ID);
  if (unknown >= 0) {
    throw new CommandError(
      `Expected units that ${path} lists but event ${unknown} is of unit ${ids[unknown] ?? NaN}.`,
    );
  }
  return { channels, unitIds: all, nChannels: all.length };
}

/** The events in the order of their steps. */
function sorted(
  steps: Float64Array,
  channels: ArrayLike<number>,
): { steps: Float64Array; channels: Uint32Array } {
  const own = Uint32Array.from(channels);
  let isOrdered = true;
  for (let event = 1; event < steps.length && isOrdered; event++) {
    isOrdered = (steps[event] ?? 0) >= (steps[event - 1] ?? 0);
  }
  if (isOrdered) return { steps, channels: own };
  const order = new Uint32Array(steps.length).map((_, event) => event);
  order.sort((a, b) => (steps[a] ?? 0) - (steps[b] ?? 0));
  return {
    steps: Float64Array.from(order, (event) => steps[event] ?? 0),
    channels: Uint32Array.from(order, (event) => own[event] ?? 0),
  };
}

class EventTableSource implements RasterSource {
  readonly nAxes = 2;
  readonly type = COUNT_TYPE.type;
  readonly itemBytes = COUNT_TYPE.itemBytes;
  readonly isInterleaved = false;
  readonly shape: readonly [number, number, number];
  readonly events: EventSummary;
  readonly unitIds: readonly number[] | undefined;
  readonly #name: string;
  readonly #steps: Float64Array;
  readonly #channels: Uint32Array;

  constructor(
    name: string,
    readonly identity: InputIdentity,
    readonly identify: () => Promise<InputIdentity>,
    content: {
      shape: readonly [number, number, number];
      summary: EventSummary;
      unitIds: readonly number[] | undefined;
      steps: Float64Array;
      channels: Uint32Array;
    },
  ) {
    this.shape = content.shape;
    this.events = content.summary;
    this.unitIds = content.unitIds;
    this.#name = name;
    this.#steps = content.steps;
    this.#channels = content.channels;
  }

  async read(region: Region, memory?: Uint8Array): Promise<Uint16Array> {
    const counts = new EventCounts(region, this.#name, memory);
    this.#addTo(counts, region);
    return Promise.resolve(counts.counts);
  }

  async readEvents(region: Region, dt: number): Promise<EventList> {
    const places = new EventPlaces(region, dt);
    this.#addTo(places, region);
    return Promise.resolve(places.list);
  }

  #addTo(receiver: EventReceiver, { steps }: Region): void {
    const end = lowerBound(this.#steps, steps.end);
    for (let event = lowerBound(this.#steps, steps.begin); event < end; event++) {
      receiver.add(0, this.#steps[event] ?? 0, this.#channels[event] ?? 0);
    }
  }

  async close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The first index whose value is not less than `value`, of values in order. */
function lowerBound(values: ArrayLike<number>, value: number): number {
  let begin = 0;
  let end = values.length;
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if ((values[middle] ?? Infinity) < value) begin = middle + 1;
    else end = middle;
  }
  return begin;
}
