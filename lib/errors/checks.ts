/**
 * The vocabulary of checks. Every error that a caller can cause is one sentence of one form:
 * "Expected WHAT for NAME but received VALUE."
 */
import { inspect, types } from 'node:util';

import { errorWith, type ErrorCode, type ErrorDetails, type ExpSynError } from './error-codes';
import { describeArray, isRevoked } from '../arrays/typed-arrays';

/** A value as it appears in an error message; safe for any value. */
export function describe(value: unknown): string {
  try {
    if (value === null) return 'null';
    switch (typeof value) {
      case 'object':
        return describeArray(value) ?? (isRevoked(value) ? 'a revoked Proxy' : 'an object');
      case 'function':
        return 'a function';
      case 'string':
        return inspect(value.length > 40 ? `${value.slice(0, 40)}...` : value);
      case 'bigint':
        return `the bigint ${value.toString().slice(0, 40)}n`;
      default:
        return inspect(value);
    }
  } catch {
    return 'an object';
  }
}

/** A shape as NumPy writes it: (), (3,), (2, 3). */
export function formatShape(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
}

/** What an error says: "Expected WHAT for NAME but received VALUE; ADVICE." */
interface Refusal {
  /** What is permitted. */
  expected: string;
  /** What was refused, by the name that the caller knows. */
  argument: string;
  /** The value in words. */
  received: string;
  /** What to do about it. */
  advice?: string | undefined;
}

/** Makes the error for a refusal, with everything that its message says as data. */
function refuse<Kind extends Error>(
  ErrorClass: new (message: string) => Kind,
  code: ErrorCode,
  { expected, argument, received, advice }: Refusal,
  details?: ErrorDetails,
): Kind & ExpSynError {
  const end = advice === undefined ? '' : `; ${advice}`;
  const message = `Expected ${expected} for ${argument} but received ${received}${end}.`;
  return errorWith(new ErrorClass(message), code, {
    argument,
    expected: expected.replace(/,$/, ''),
    received,
    ...(advice !== undefined && { advice }),
    ...details,
  });
}

/** An error about the kind of a value. */
export function wrongType(
  expected: string,
  argument: string,
  value: unknown,
  advice?: string,
): TypeError {
  return wrongKind(expected, argument, describe(value), advice);
}

/** An error about the kind of a value; `received` is its description in words. */
export function wrongKind(
  expected: string,
  argument: string,
  received: string,
  advice?: string,
): TypeError {
  const refusal = { expected, argument, received, advice };
  return refuse(TypeError, 'ERR_EXPSYN_ARGUMENT_TYPE', refusal);
}

/** An error about a value of the right kind; `received` is its description in words. */
export function outOfRange(
  expected: string,
  argument: string,
  received: string,
  advice?: string,
): RangeError {
  const refusal = { expected, argument, received, advice };
  return refuse(RangeError, 'ERR_EXPSYN_ARGUMENT_VALUE', refusal);
}

/** An error about a NaN or infinity in an array of numbers, at `index`. */
export function notFinite(
  expected: string,
  place: string,
  received: string,
  found: { argument: string; index: readonly number[]; value: number },
  advice = "set nonFinite to 'propagate' to let it through",
): RangeError & ExpSynError {
  const refusal = { expected, argument: place, received, advice };
  return refuse(RangeError, 'ERR_EXPSYN_NON_FINITE', refusal, found);
}

/** An error about a call of `timesteps` from step `step`, which would end beyond the last one. */
export function tooManySteps(
  argument: string,
  step: number,
  timesteps: number,
  advice: string,
): RangeError & ExpSynError {
  const expected = 'an absolute step below 2^53 after the call';
  const refusal = { expected, argument, received: `${step} + ${timesteps}`, advice };
  return refuse(RangeError, 'ERR_EXPSYN_STEP_LIMIT', refusal, { step, timesteps });
}

/** An error about memory that the system does not have. */
export function outOfMemory(argument: string, received: string, advice: string): RangeError {
  const refusal = { expected: 'a size that fits the memory', argument, received, advice };
  return refuse(RangeError, 'ERR_EXPSYN_OUT_OF_MEMORY', refusal);
}

/** An error about calls of evolve() that have not settled: so many on one module or session. */
export function pendingError(owner: 'module' | 'session', argument: string, found: string): Error {
  const error = new Error(
    `Expected no pending evolve() on this ${owner} for ${argument} but found ${found}; ` +
      'await it first.',
  );
  return errorWith(error, 'ERR_EXPSYN_PENDING', { argument });
}

/**
 * Returns a value if it is permitted, as it is to be kept, and throws an error that names it by
 * `argument` if not.
 */
export type Check<Value> = (value: unknown, argument: string) => Value;

/** Checks numbers; `expected` describes those that are allowed. */
function numbers(expected: string, isAllowed: (value: number) => boolean): Check<number> {
  return (value, argument) => {
    if (typeof value !== 'number') throw wrongType(expected, argument, value);
    if (!isAllowed(value)) throw outOfRange(expected, argument, describe(value));
    return value === 0 ? 0 : value;
  };
}

/** A finite number above zero. */
export const positive = numbers(
  'a positive finite number',
  (value) => value > 0 && value < Infinity,
);

/** A number above zero, Infinity included. */
export const positiveOrInfinite = numbers('a positive number or Infinity', (value) => value > 0);

/** Infinity alone, where a number would mean nothing; `why` says why, as the end of a sentence. */
export function onlyInfinite(why: string): Check<number> {
  return numbers(`Infinity, because ${why},`, (value) => value === Infinity);
}

/** A finite number of at least zero. */
export const nonNegative = numbers(
  'a finite number of at least 0',
  (value) => value >= 0 && value < Infinity,
);

/** A whole number of at least `least`, Infinity included. */
export function wholeNumberOrInfinite(least: number): Check<number> {
  return numbers(
    `a whole number of at least ${least}, or Infinity,`,
    (value) => value >= least && (value === Infinity || Number.isSafeInteger(value)),
  );
}

/** A whole number from `least` to `most`. */
export function wholeNumber(
  value: unknown,
  argument: string,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
    return value === 0 ? 0 : value;
  }
  const expected = `a whole number from ${least} to ${most}`;
  if (typeof value !== 'number') throw wrongType(expected, argument, value);
  throw outOfRange(expected, argument, describe(value));
}

/** One of a few words. `advice` is about words that only others take. */
export function oneOf<Word extends string>(
  words: readonly Word[],
  advice: Readonly<Partial<Record<string, string>>> = {},
): Check<Word> {
  const expected = words.map((word) => `'${word}'`).join(' or ');
  return (value, argument) => {
    if (typeof value !== 'string') throw wrongType(expected, argument, value);
    const found = words.find((word) => word === value);
    if (found === undefined) {
      const own = Object.hasOwn(advice, value) ? advice[value] : undefined;
      throw outOfRange(expected, argument, describe(value), own);
    }
    return found;
  };
}

export function text(value: unknown, name: string): string {
  if (typeof value !== 'string') throw wrongType('a string', name, value);
  return value;
}

export function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw wrongType('true or false', name, value);
  return value;
}

/** Throws unless the value is an object with named properties: no array, Map or Set. */
export function requireObject(
  value: unknown,
  name: string,
  what = 'an object',
): asserts value is object {
  const isNamed =
    value !== null &&
    typeof value === 'object' &&
    !isRevoked(value) &&
    describeArray(value) === undefined &&
    !types.isMap(value) &&
    !types.isSet(value);
  if (!isNamed) throw wrongType(what, name, value);
}

/** The error for an option that does not exist. */
export function unknownOption(key: string, name: string, known: readonly string[]): TypeError {
  const received = `an option ${describe(key)}`;
  return wrongKind(`only ${known.join(', ')}`, name, received, 'check its name');
}

/**
 * Reads the own properties of an options object, each once; undefined ones count as absent.
 * A name that is not among `known` is an error, since a misspelt option would be ignored.
 */
export function readOptions<Name extends string>(
  options: unknown,
  name: string,
  known: readonly Name[],
): Partial<Record<Name, unknown>> {
  if (options === undefined) return {};
  requireObject(options, name);
  const read: Partial<Record<Name, unknown>> = Object.create(null) as object;
  for (const key of Object.keys(options)) {
    const found = known.find((candidate) => candidate === key);
    if (found === undefined) throw unknownOption(key, name, known);
    const value: unknown = Reflect.get(options, key);
    if (value !== undefined) read[found] = value;
  }
  return read;
}
