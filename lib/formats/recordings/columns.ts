/** How columns of tables, fields of arrays, and arrays side by side become events, by their names. */
import { CommandError } from '../../errors/command-errors';
import { listNames, message, option } from '../../errors/message';
import type { Elements } from '../elements';
import type { EventOptions } from '../event-options';
import { toNumbers } from '../events/event-files';
import type { EventTable } from '../events/event-table';
import { pixelsOf } from './pixels';

/** Of a second, as people name units of time. */
const UNITS: readonly [name: string, seconds: number][] = [
  ['s|secs?|seconds?', 1],
  ['ms|msecs?|milliseconds?', 1e-3],
  // The micro sign and the Greek letter look the same.
  ['us|µs|μs|usecs?|microseconds?', 1e-6],
  ['ns|nsecs?|nanoseconds?', 1e-9],
];
const UNIT = UNITS.map(([name]) => name).join('|');

// Names as readable() makes them.
const TIME = new RegExp(
  `^(?:(?:spike|event|peak|firing)_?)?(?:t|ts|times?|time_?stamps?)(?:_(?:in_)?(${UNIT}))?$`,
);
/** Times as numbers of samples, which programs write beside times or in place of them. */
const SAMPLES = /^(?:spike_)?samples?(?:_(?:ind|index|indices|idx|number))?$/;
const RATE = /^(?:sampling_?(?:frequency|rate)|sample_?rate|fs)(?:_hz)?$/;
/** What lists of times of units are called besides times. */
const TRAINS = /^(?:spikes?|(?:spike_?)?trains?)$/;
const EVENTS = /^(?:spikes?|events?|spike_?(?:events|list|times)|event_?list)$/;
/** Names that mean the ids of units, whatever else has a name of channels. */
const UNIT_ID = /^(?:ids?|(?:unit|cluster|neuron|cell)s?_ids?)$/;
const ID =
  /^(?:spike_)?(?:units?|clusters?|neurons?|nodes?|cells?|channels?|ch|electrodes?|senders?|gids?|templates?)(?:_?(?:ids?|ind|index|indices|idx|number))?$/;
/** Names that mean what events are of only where no other name does. */
const WEAK_ID = /^(?:spike_)?(?:i|ids?|labels?|addr|addresses|address)$/;
const [X, Y, P] = [/^xs?$/, /^ys?$/, /^(?:ps?|pol|polarity|polarities)$/];
/** A third axis is one of space, which a camera does not have. */
const Z = /^zs?$/;
/** Times of other populations and segments are apart from each other. */
const PART = /^(?:population|segment_(?:ind|index))$/;

/** A name in lower case, with one line between its words: spikeTimes and 'Spike times' are spike_times. */
function readable(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[\s._\-/:,()[\]]+/g, '_')
    .replace(/^_|_$/g, '');
}

function matching(names: readonly string[], ...patterns: readonly RegExp[]): string[] {
  for (const pattern of patterns) {
    const found = names.filter((name) => pattern.test(readable(name)));
    if (found.length > 0) return found;
  }
  return [];
}

/** Seconds per unit, by its name; undefined if it is another one. */
export function secondsIn(unit: string): number | undefined {
  return UNITS.find(([name]) => new RegExp(`^(?:${name})$`, 'i').test(unit))?.[1];
}

/** Whether a name is that of times of units. */
export function isListName(name: string): boolean {
  return matching([name], TIME, SAMPLES, TRAINS).length > 0;
}

/** Whether a name is that of a list of events as a whole. */
export function isEventsName(name: string): boolean {
  return matching([name], EVENTS).length > 0;
}

/** Whether a name is that of times as numbers of samples. */
export function isSampleName(name: string): boolean {
  return matching([name.slice(name.lastIndexOf('/') + 1)], SAMPLES).length > 0;
}

/** Whether a name is that of a sampling rate. */
export function isRateName(name: string): boolean {
  return matching([name], RATE).length > 0;
}

/** Whether a name is that of what spikes are of. */
export function isUnitName(name: string): boolean {
  return matching([name], ID).length > 0;
}

/** The names that may be those of the ids of units; more than one if they do not tell. */
export function idNamesIn(names: readonly string[]): string[] {
  return matching(names, UNIT_ID, ID, WEAK_ID);
}

/** Whether names say that what they name are events. */
export function nameEvents(names: readonly string[]): boolean {
  const has = (...patterns: RegExp[]): boolean => matching(names, ...patterns).length > 0;
  return has(TIME, SAMPLES) && (has(ID, WEAK_ID) || (has(X) && has(P)));
}

/** Whether names may be those of the events of a camera without polarities, but also those of positions. */
export function namePixels(names: readonly string[]): boolean {
  const has = (pattern: RegExp): boolean => matching(names, pattern).length > 0;
  return [TIME, X, Y].every(has) && !has(Z);
}

/** The two names that a user has given as TIMES,CHANNELS; undefined if it is one name, or none. */
export function pairIn(member: string | undefined): [times: string, ids: string] | undefined {
  const [times, ids, ...others] = member?.split(',').map((name) => name.trim()) ?? [];
  return times === undefined || ids === undefined || others.length > 0 ? undefined : [times, ids];
}

/** What is read of what has names. */
export interface NamedEvents {
  names: readonly string[];
  /** What to call the whole. */
  place: string;
  /** What the user has given as `member`. */
  member: string | undefined;
  /** What to call one of them; 'fields' if they are those of a structured array. */
  kind?: 'arrays' | 'columns' | 'datasets' | 'fields';
}

/** Which names hold what. */
export interface Columns {
  times: string;
  /** Of what events are of: one of channels, or two or three of pixels. */
  ids: readonly string[];
  /** Seconds per unit of the times. */
  timeUnit: number | undefined;
  /** What tells populations apart. */
  part: string | undefined;
}

/** @throws CommandError when the names do not tell, or more than one tells the same. */
export function chooseColumns({ names, place, member, kind = 'columns' }: NamedEvents): Columns {
  const quoted = (list: readonly string[]): string =>
    listNames(list.map((name) => `'${name.slice(0, 40)}'`));
  const pair = pairIn(member);
  if (pair !== undefined) {
    const missing = pair.find((name) => !names.includes(name));
    if (missing === undefined) return { ...columnsAt(pair[0], [pair[1]]), part: undefined };
    throw new CommandError(
      message`Expected two of the ${kind} ${quoted(names)} of ${place} for ${option('member')} but received '${missing}'.`,
    );
  }
  const single = (found: readonly string[], what: string): string | undefined => {
    if (found.length < 2) return found[0];
    throw new CommandError(
      message`Expected one of the ${kind} of ${what} in ${place} but received ${quoted(found)}; give \
${option('member', 'TIMES,CHANNELS')} with the names of two.`,
    );
  };
  const times = single(matching(names, TIME, SAMPLES), 'times');
  const id = single(matching(names, ID, WEAK_ID), 'channels');
  const pixels = id === undefined ? [X, Y, P] : [];
  const [x, y, p] = pixels.map((pattern) => single(matching(names, pattern), 'pixels'));
  if (times === undefined || (id === undefined && x === undefined)) {
    throw new CommandError(
      message`Expected ${kind} named time and channel, or t, x, y and p, in ${place} but received ${quoted(names)}; \
give ${option('member', 'TIMES,CHANNELS')} with the names of two.`,
    );
  }
  const ids = id === undefined ? [x, y, p].map((name) => name ?? '') : [id];
  return { ...columnsAt(times, ids), part: single(matching(names, PART), 'populations') };
}

function columnsAt(times: string, ids: readonly string[]): Omit<Columns, 'part'> {
  return { times, ids, timeUnit: unitInName(times) };
}

/** Seconds per unit of times, if their name tells, with or without that of their group. */
export function unitInName(times: string): number | undefined {
  const own = times.slice(times.lastIndexOf('/') + 1);
  const [, unit] = TIME.exec(readable(times)) ?? TIME.exec(readable(own)) ?? [];
  return unit === undefined ? undefined : secondsIn(unit);
}

/** The names that have to be read. */
export function namesIn({ times, ids, part }: Columns): string[] {
  return [times, ...ids, part ?? ''].filter((name) => name !== '');
}

/**
 * The events of columns that have been read.
 *
 * @param place What to call the list.
 */
export function tableOf(
  columns: Columns,
  read: (name: string) => Elements,
  place: string,
  sensor?: EventOptions['sensor'],
): EventTable {
  const { times, ids, timeUnit } = columns;
  const [first = '', y, p] = ids;
  const isSamples = isSampleName(times);
  const table = { times: read(times), timeUnit, timeName: times, isSamples };
  if (ids.length === 1) return { ...table, ids: toNumbers(read(first)) };
  const optional = (name = ''): Elements | undefined => (name === '' ? undefined : read(name));
  const pixels = { x: read(first), y: optional(y), p: optional(p) };
  return { ...table, ...pixelsOf(pixels, place, sensor) };
}
