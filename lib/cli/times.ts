import { UsageError } from '../errors';

/** Powers of ten of the units, in seconds. Two characters look like the Greek letter mu. */
const EXPONENTS: Record<string, number> = { s: 0, ms: -3, us: -6, '\u00b5s': -6, '\u03bcs': -6 };

const DURATION = /^(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?\s*([a-z\u00b5\u03bc]*)$/;

/**
 * Parses a duration such as `20ms`, `0.02 s`, `500us` or `5e-3`; without a unit it is in seconds.
 *
 * The result is the number nearest to what was written: `29ms` gives exactly the number 0.029.
 *
 * @param text What the user wrote.
 * @param name The option, for the error's sentence.
 * @returns A positive, finite duration in seconds.
 * @throws UsageError for anything else.
 */
export function parseTime(text: string, name: string): number {
  const seconds = secondsIn(text);
  if (seconds > 0 && seconds < Infinity) return seconds;
  throw new UsageError(
    `Expected a time above zero, such as 20ms, 0.5s or 100us, for ${name} but received '${text}'.`,
  );
}

/** Parses a moment, counted from the beginning: as a duration, but 0 is one. */
export function parseMoment(text: string, name: string): number {
  const seconds = secondsIn(text);
  if (seconds >= 0 && seconds < Infinity) return seconds;
  throw new UsageError(
    `Expected a time such as 0s, 20ms or 0.5s for ${name} but received '${text}'.`,
  );
}

/** NaN for what is no duration. */
function secondsIn(text: string): number {
  const [, digits, exponent, unit] = DURATION.exec(text.trim()) ?? [];
  const power = unit === '' ? 0 : EXPONENTS[unit ?? ''];
  if (digits === undefined || power === undefined) return NaN;
  return Number(`${digits}e${Number(exponent ?? 0) + power}`);
}

/** Parses durations with commas between them, such as `5ms,20ms,0.1s`. */
export function parseTimes(text: string, name: string): Float64Array {
  return Float64Array.from(text.split(','), (part) => parseTime(part, name));
}

/** A duration in the unit that suits its size: `20 ms`. */
export function formatTime(seconds: number, digits = 4): string {
  const size = Math.abs(seconds);
  if (size === Infinity) return 'more than 1e308 s';
  const [unit, perSecond] =
    size === 0 || size >= 1 ? ['s', 1] : size >= 1e-3 ? ['ms', 1e3] : ['\u00b5s', 1e6];
  return `${Number((seconds * perSecond).toPrecision(digits))} ${unit}`;
}

/** The range of some durations: `20 ms` when they are equal, else `5 ms to 100 ms`. */
export function formatTimeRange(seconds: Float64Array): string {
  const shortest = seconds.reduce((least, value) => Math.min(least, value), Infinity);
  const longest = seconds.reduce((most, value) => Math.max(most, value), 0);
  const [from, to] = [formatTime(shortest), formatTime(longest)];
  return from === to ? from : `${from} to ${to}`;
}
