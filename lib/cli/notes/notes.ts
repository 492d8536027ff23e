/**
 * Notes on what is allowed but likely to be a mistake: a unit that is missing, axes that are swapped, a
 * list of events that is read as a raster. Each is a sentence, or undefined where there is nothing to say.
 */
import type { TypedArray } from '../../index';
import type { TimeConstants } from '../../runs/settings';
import { formatShape } from '../../errors/checks';
import type { InputSummary } from '../../figure/input-summary';
import { formatTime } from '../../figure/words';
import { flagOf } from '../options/wording';

/** What is known of an input from its header. */
export interface InputHeader {
  /** What the user calls it. */
  name: string;
  shape: readonly [batches: number, timesteps: number, columns: number];
  /** How many axes its own array has. */
  nAxes: number;
  /** NumPy's name of the element type. */
  type: string;
  /** Whether it is a raster that was made from a list of events. */
  isEvents: boolean;
  /** Whether --events would read its file as a list of events. */
  mayBeEventList: boolean;
}

/** With a shorter tau, less than 1/20,000 of an input is left at the end of its step. */
const SHORTEST_TAU = 0.1;

/** Fewer samples of a larger input tell nothing about the whole. */
const ENOUGH_SAMPLES = 10_000;
/** Rows of two columns that tell a list of events. */
const ENOUGH_EVENTS = 1000;
/** Fewer numbers may be in order by chance. */
const MIN_TIMES = 8;

/** Whether the longest time constant is longer than the input lasts. */
export function noteOnLongTau(
  { shape }: InputHeader,
  taus: TimeConstants,
  dt: number,
): string | undefined {
  const [, timesteps] = shape;
  const longest = taus.values.reduce((most, value) => Math.max(most, value), 0);
  if (timesteps === 0 || longest <= timesteps * dt) return undefined;
  return (
    `The ${nameOf(taus, 'longest')} of ${formatTime(longest)} is longer than the input, which lasts ` +
    `${formatTime(timesteps * dt)}; a time without a unit is in seconds.`
  );
}

/** Whether the shortest time constant is so short that an input decays within its step. */
export function noteOnShortTau(taus: TimeConstants, dt: number): string | undefined {
  const { name, values } = taus;
  const shortest = values.reduce((least, value) => Math.min(least, value), Infinity);
  if (values.length === 0 || shortest >= SHORTEST_TAU * dt) return undefined;
  return (
    `The ${nameOf(taus, 'shortest')} of ${formatTime(shortest)} is shorter than a tenth of the time ` +
    `step of ${formatTime(dt)}, so that next to nothing is left of a spike at the end of its step; ` +
    `check the units of ${flagOf(name)} and --dt.`
  );
}

function nameOf({ name, values }: TimeConstants, which: string): string {
  return values.length === 1 ? name : `${which} ${name}`;
}

/** Whether there are fewer steps than channels, as in an array whose axes are swapped. */
export function noteOnAxes({ name, shape, nAxes, isEvents }: InputHeader): string | undefined {
  const [, timesteps, columns] = shape;
  if (isEvents || nAxes < 2 || timesteps === 0 || timesteps >= columns) return undefined;
  const [form, swap] = nAxes === 2 ? ['(T, N)', 'array.T'] : ['(B, T, N)', 'array.swapaxes(1, 2)'];
  return (
    `${name}, of shape ${formatShape(shape.slice(3 - nAxes))}, has fewer time steps than channels; if ` +
    `its axes are swapped, save it with shape ${form}, as ${swap} has.`
  );
}

/**
 * Whether an array of shape (E, 2) looks like a list of events: whole numbers of at least 0 for the
 * channels in one column, and times in the other, which are in order or have fractions; or an array of
 * shape (E,) like the times of one: increasing numbers of at least 0 with fractions.
 *
 * @param rows The first rows, one after the other.
 */
export function noteOnEventList(header: InputHeader, rows: TypedArray): string | undefined {
  const { name, shape, nAxes, type, isEvents, mayBeEventList } = header;
  if (!isEvents && nAxes === 1 && shape[2] === 1) return noteOnTimes(header, rows);
  const isCandidate = !isEvents && nAxes === 2 && shape[2] === 2 && rows.length >= 2;
  if (!isCandidate) return undefined;
  const [first, second] = [columnOf(rows, 0), columnOf(rows, 1)];
  const start = `${name}, of shape ${formatShape(shape.slice(1))} ${type}, looks like a list of events`;
  const advice = `${mayBeEventList ? '' : 'save it as a .npy file, and '}give --events`;
  if (areTimes(first, second)) return `${start}; if it is one, ${advice}.`;
  if (!isOrdered(second) || !areTimes(second, first)) return undefined;
  return (
    `${start} with the channel before the time; if it is one, save it with the time first, as ` +
    'array[:, ::-1] has it, and give --events.'
  );
}

function noteOnTimes({ name, shape, type }: InputHeader, values: TypedArray): string | undefined {
  const times = Array.from({ length: Math.min(values.length, ENOUGH_EVENTS) }, (_, index) =>
    Number(values[index]),
  );
  const areValid = times.length >= MIN_TIMES && times.every((time) => time >= 0 && time < Infinity);
  const isRising = isOrdered(times) && (times.at(-1) ?? 0) > (times[0] ?? 0);
  if (!areValid || !isRising || times.every(Number.isInteger)) return undefined;
  return (
    `${name}, of shape ${formatShape([shape[1]])} ${type}, looks like times of events without their channels; if ` +
    'it is, save a .npy file of shape (E, 2), as numpy.c_[times, channels] has it, and give --events.'
  );
}

function columnOf(rows: TypedArray, column: number): number[] {
  const length = Math.min(Math.floor(rows.length / 2), ENOUGH_EVENTS);
  return Array.from({ length }, (_, row) => Number(rows[2 * row + column]));
}

function isOrdered(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));
}

/**
 * Whether numbers may be times beside those of their channels. Times have fractions, or are in order
 * and grow faster than spike counts would.
 */
function areTimes(times: readonly number[], channels: readonly number[]): boolean {
  const areChannels = channels.every((value) => value >= 0 && Number.isInteger(value));
  if (!areChannels || !times.every((value) => value >= 0 && value < Infinity)) return false;
  if (times.every(Number.isInteger)) {
    return isOrdered(times) && (times.at(-1) ?? 0) - (times[0] ?? 0) > times.length;
  }
  // Beside a silent channel they may as well be currents.
  return isOrdered(times) || channels.some((channel) => channel !== channels[0]);
}

/**
 * Whether spike counts come to more than one for each channel and step on average.
 *
 * @param samples How many elements the summary is of.
 */
export function noteOnRate(
  { name, shape: [batches, timesteps, columns], isEvents }: InputHeader,
  { isSpikes, total }: InputSummary,
  samples: number,
  dt: number,
): string | undefined {
  const all = batches * timesteps * columns;
  if (samples < Math.min(all, ENOUGH_SAMPLES) || !isSpikes || !(total > samples)) return undefined;
  const mean = Number((total / samples).toPrecision(3));
  const where = samples < all ? `The beginning of ${name}` : name;
  const rate = total / samples / dt;
  const inSeconds = Number.isFinite(rate) ? `, or ${Number(rate.toPrecision(3))} spikes/s` : '';
  const advice = isEvents
    ? 'check --time-unit and --dt'
    : 'check that its elements are spike counts';
  return `${where} has ${mean} spikes per channel and time step on average${inSeconds}; ${advice}.`;
}
