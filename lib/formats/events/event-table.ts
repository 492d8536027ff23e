/** Lists of events that are in memory as a whole: times, and the unit that each event is of. */
import { resolve } from 'node:path';

import type { EventOptions } from '../event-options';
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { describeOptions, EventCheck, type Events } from './event-files';
import { EventSource } from './event-source';
import { EventsInMemory, stepsArray } from './events-in-memory';
import { identifyPath } from '../files/fingerprint';
import type { Elements } from '../elements';
import type { InputIdentity, RasterSource } from '../raster-source';

/** What a file of events holds. */
export interface EventTable {
  /** When each event happened. */
  times: Elements;
  /** Seconds per unit of the times, if the file tells. */
  timeUnit?: number | undefined;
  /** What the file calls the times. */
  timeName?: string;
  /** Whether the times are numbers of samples. */
  isSamples?: boolean;
  /** What each event is of: a channel, a unit, a cluster, a node. */
  ids: ArrayLike<number>;
  /** The ids of the channels in their order, if the file lists them; else those that occur, in order. */
  units?: readonly number[] | undefined;
  /** How many channels there are, if the ids are those of channels themselves. */
  nChannels?: number;
  /** Whether the channels are those of the pixels of a camera with rows and columns. */
  isOfPixels?: boolean;
}

/** A format of such files. */
export interface EventTableFormat {
  /** What identities call it. */
  format: string;
  /** The files that the table is read from; the first one is identified first. */
  files: readonly string[];
  readonly read: () => Promise<EventTable>;
}

/** Channels are kept in 32 bits. */
const MAX_CHANNEL = 0xffff_ffff;
/** Ids that are numbered may be larger. */
const MAX_ID = Number.MAX_SAFE_INTEGER;

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
  const isInteger = !(times instanceof Float64Array || times instanceof Float32Array);
  const isUnknown = (options.timeUnit ?? table.timeUnit) === undefined;
  if (isUnknown && table.isSamples === true) {
    throw new CommandError(
      message`Expected the rate of the numbers of samples in '${table.timeName ?? 'times'}' of ${path} but nothing tells; give ${option('timeUnit')}, such as 30kHz.`,
    );
  }
  if (isUnknown && (isInteger || isCounted(times))) {
    throw new CommandError(
      message`Expected the unit of the whole numbers in '${table.timeName ?? 'times'}' of ${path} but nothing tells; \
give ${option('timeUnit')}, such as 1us, or 30kHz for numbers of samples.`,
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
  // The addon, which has the clock, is not loaded before there is a list.
  const { EventClock, TimeSurvey } = await import('./event-clock.js');
  const survey = new TimeSurvey();
  if (!isInteger) survey.add(times);
  const clock = new EventClock(own, isInteger ? { kind: 'exact' } : survey.precision);
  const { sensor, ...others } = own;
  const known = {
    ...others,
    ...(sensor && table.isOfPixels !== true && { sensor }),
    ...(nChannels !== undefined && { channels: nChannels }),
  };
  const check = new EventCheck(known, clock, path);
  const events = sortEvents({ times, steps: clock.stepsOf(times), channels }, check);
  const shape = [1, ...check.shape] as const;
  const { summary } = check;
  return new EventSource({
    name: path,
    identity,
    identify,
    nAxes: 2,
    shape,
    summary,
    unitIds,
    events,
  });
}

/** Whether floats are all whole numbers, and so may count samples or any unit. */
function isCounted(times: Float32Array | Float64Array): boolean {
  return times.every(Number.isInteger) && times.some((time) => time !== 0);
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
  const isNumbered = nChannels === undefined || units !== undefined;
  const most = isNumbered ? MAX_ID : MAX_CHANNEL;
  for (let event = 0; event < ids.length; event++) {
    const id = ids[event] ?? NaN;
    if (Number.isInteger(id) && id >= 0 && id <= most) continue;
    throw new CommandError(
      `Expected ids of units that are whole numbers from 0 to ${most} in ${path} but that of event ` +
        `${event} is ${id}.`,
    );
  }
  if (!isNumbered) return { channels: ids, nChannels };
  const all = units ?? [...new Set(Array.from(ids))].sort((a, b) => a - b);
  if (nChannels !== undefined && nChannels !== all.length) {
    throw new CommandError(
      `Expected ${all.length} channels, as ${path} has units, but received ${nChannels}; leave the number out.`,
    );
  }
  const isInOrder = all.every((id, channel) => id === channel);
  if (isInOrder) return { channels: ids, nChannels: all.length > 0 ? all.length : undefined };
  const channelOf = new Map(all.map((id, channel) => [id, channel]));
  const channels = Uint32Array.from(ids, (id) => channelOf.get(id) ?? MAX_CHANNEL);
  const unknown = channels.indexOf(MAX_CHANNEL);
  if (unknown >= 0) {
    throw new CommandError(
      `Expected units that ${path} lists but event ${unknown} is of unit ${ids[unknown] ?? NaN}.`,
    );
  }
  return { channels, unitIds: all, nChannels: all.length };
}

/** Checks and sorts the events, without those that lie outside. */
function sortEvents(events: Events, check: EventCheck): EventsInMemory {
  const { length } = events.times;
  const all = new Float64Array(length);
  for (let event = 0; event < length; event++) all[event] = check.stepOf(events, event, 0);
  const [timesteps] = check.shape;
  const steps = stepsArray(length, timesteps);
  const channels = new Uint32Array(length);
  let count = 0;
  all.forEach((step, event) => {
    if (!(step >= 0 && step < timesteps)) return;
    steps[count] = step;
    channels[count++] = events.channels[event] ?? NaN;
  });
  return new EventsInMemory(steps.subarray(0, count), channels.subarray(0, count), timesteps);
}
