import { UsageError } from '../../errors/command-errors';
import { decimalFraction, divide, toNumber, type Fraction } from '../../formats/events/fraction';

/** Powers of ten of the units, in seconds. Two characters look like the Greek letter mu. */
const EXPONENTS: Record<string, number> = {
  s: 0,
  ms: -3,
  us: -6,
  '\u00b5s': -6,
  '\u03bcs': -6,
  ns: -9,
};

/** Powers of ten of the units of rates, in hertz. */
const RATE_EXPONENTS: Record<string, number> = {
  Hz: 0,
  hz: 0,
  kHz: 3,
  khz: 3,
  KHz: 3,
  MHz: 6,
};

const NUMBER = String.raw`(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?`;
const DURATION = new RegExp(String.raw`^${NUMBER}(?:\s*/\s*${NUMBER})?\s*([a-z\u00b5\u03bc]*)$`);
const RATE = new RegExp(String.raw`^${NUMBER}\s*([kKM]?[hH]z)$`);
/** Doubles have no greater powers of ten. */
const MAX_EXPONENT = 400;

/**
 * Parses a duration such as `20ms`, `0.02 s`, `500us`, `5e-3` or `1/30000`; without a unit it is in
 * seconds.
 *
 * The result is the number nearest to what was written: `29ms` gives exactly the number 0.029.
 *
 * @param text What the user wrote.
 * @param name The option, for the error's sentence.
 * @returns A positive, finite duration in seconds.
 * @throws UsageError for anything else.
 */
export function parseTime(text: string, name: string): number {
  const seconds = toSeconds(durationIn(text));
  if (seconds > 0 && seconds < Infinity) return seconds;
  throw new UsageError(
    `Expected a time above zero, such as 20ms, 0.5s or 100us, for ${name} but received '${text}'.`,
  );
}

/** Parses a period: a duration, or a rate such as `30kHz`, of which it is the inverse. */
export function parsePeriod(text: string, name: string): number {
  const seconds = toSeconds(durationIn(text) ?? periodIn(text));
  if (seconds > 0 && seconds < Infinity) return seconds;
  throw new UsageError(
    `Expected a time above zero or a rate, such as 1ms, 1/30000 or 30kHz, for ${name} but ` +
      `received '${text}'.`,
  );
}

/** Parses a moment, counted from the beginning: as a duration, but 0 is one. */
export function parseMoment(text: string, name: string): number {
  const seconds = toSeconds(durationIn(text));
  if (seconds >= 0 && seconds < Infinity) return seconds;
  throw new UsageError(
    `Expected a time such as 0s, 20ms or 0.5s for ${name} but received '${text}'.`,
  );
}

/** Parses a point on a clock whose origin is anywhere, which may be negative, without any rounding. */
export function parseClockTime(text: string, name: string): Fraction {
  const [, sign, rest = ''] = /^\s*([-+]?)(.*)$/.exec(text) ?? [];
  const time = durationIn(rest);
  if (time !== undefined && Math.abs(toNumber(time)) < Infinity) {
    return sign === '-' ? { ...time, numerator: -time.numerator } : time;
  }
  throw new UsageError(
    `Expected a time such as 0s, -500ms or 1700000000s for ${name} but received '${text}'.`,
  );
}

/** NaN if there is no duration. */
function toSeconds(time: Fraction | undefined): number {
  return time === undefined ? NaN : toNumber(time);
}

/** A duration in seconds; undefined if the text is none. */
function durationIn(text: string): Fraction | undefined {
  const match = DURATION.exec(text.trim());
  if (match === null) return undefined;
  const [, digits, exponent, divisorDigits, divisorExponent, unit = ''] = match;
  const power = unit === '' ? 0 : EXPONENTS[unit];
  if (power === undefined) return undefined;
  const dividend = decimalIn(digits, exponent, power);
  if (divisorDigits === undefined) return dividend;
  return quotientOf(dividend, decimalIn(divisorDigits, divisorExponent));
}

/** The period of a rate, in seconds; undefined if the text is no rate. */
function periodIn(text: string): Fraction | undefined {
  const [, digits, exponent, unit = ''] = RATE.exec(text.trim()) ?? [];
  const rate = decimalIn(digits, exponent, RATE_EXPONENTS[unit]);
  return quotientOf(decimalFraction('1'), rate);
}

function decimalIn(
  digits: string | undefined,
  exponent: string | undefined,
  power = 0,
): Fraction | undefined {
  const exponents = Number(exponent ?? 0) + power;
  const isNumber = digits !== undefined && Math.abs(exponents) <= MAX_EXPONENT;
  return isNumber ? decimalFraction(digits, exponents) : undefined;
}

function quotientOf(one: Fraction | undefined, other: Fraction | undefined): Fraction | undefined {
  if (one === undefined || other === undefined || other.numerator === 0n) return undefined;
  return divide(one, other);
}

/** Parses durations with commas between them, such as `5ms,20ms,0.1s`. */
export function parseTimes(text: string, name: string): Float64Array {
  return Float64Array.from(text.split(','), (part) => parseTime(part, name));
}
