/**
 * The vocabulary of checks. Every error that a caller can cause is one sentence of one form:
 * "Expected WHAT for NAME but received VALUE."
 */
import { inspect, types } from 'node:util';

import { errorWith, type ExpSynError } from './error-codes';
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

function sentence(what: string, name: string, received: string, advice?: string): string {
  return `Expected ${what} for ${name} but received ${received}${advice === undefined ? '' : `; ${advice}`}.`;
}

/** An error about the kind of a value. */
export function wrongType(what: string, name: string, value: unknown, advice?: string): TypeError {
  return wrongKind(what, name, describe(value), advice);
}

/** An error about the kind of a value; `received` is its description in words. */
export function wrongKind(
  what: string,
  name: string,
  received: string,
  advice?: string,
): TypeError {
  const error = new TypeError(sentence(what, name, received, advice));
  return errorWith(error, 'ERR_EXPSYN_ARGUMENT_TYPE', { argument: name });
}

/** An error about a value of the right kind; `received` is its description in words. */
export function outOfRange(
  what: string,
  name: string,
  received: string,
  advice?: string,
): RangeError {
  const error = new RangeError(sentence(what, name, received, advice));
  return errorWith(error, 'ERR_EXPSYN_ARGUMENT_VALUE', { argument: name });
}

/** An error about a NaN or infinity in an array of numbers, at `index`. */
export function notFinite(
  what: string,
  name: string,
  received: string,
  found: { argument: string; index: readonly number[]; value: number },
): RangeError & ExpSynError {
  const advice = "set nonFinite to 'propagate' to let it through";
  const error = new RangeError(sentence(what, name, received, advice));
  return errorWith(error, 'ERR_EXPSYN_NON_FINITE', found);
}

/** An error about a call of `timesteps` from step `step` on, of which there are not so many left. */
export function tooManySteps(
  name: string,
  step: number,
  timesteps: number,
  advice: string,
): RangeError & ExpSynError {
  const what = 'an absolute step below 2^53 after the call';
  const error = new RangeError(sentence(what, name, `${step} + ${timesteps}`, advice));
  return errorWith(error, 'ERR_EXPSYN_STEP_LIMIT', { argument: name, step, timesteps });
}

/** An error about memory that the system does not have. */
export function outOfMemory(name: string, received: string, advice: string): RangeError {
  const error = new RangeError(sentence('a size that fits the memory', name, received, advice));
  return errorWith(error, 'ERR_EXPSYN_OUT_OF_MEMORY', { argument: name });
}

/** An error about calls of evolve() that have not settled: so many on one module or session. */
export function pendingError(owner: 'module' | 'session', name: string, found: string): Error {
  const error = new Error(
    `Expected no pending evolve() on this ${owner} for ${name} but found ${found}; await it first.`,
  );
  return errorWith(error, 'ERR_EXPSYN_PENDING', { argument: name });
}

export function isPositive(value: number): boolean {
  return value > 0 && value < Infinity;
}

/** A finite number above zero. */
export function positive(value: unknown, name: string): number {
  if (typeof value !== 'number') throw wrongType('a positive number', name, value);
  if (!isPositive(value)) {
    throw outOfRange('a positive finite number', name, describe(value));
  }
  return value;
}

/** A number above zero, Infinity included. */
export function positiveOrInfinite(value: unknown, name: string): number {
  if (typeof value !== 'number') throw wrongType('a positive number or Infinity', name, value);
  if (!(value > 0)) throw outOfRange('a positive number or Infinity', name, describe(value));
  return value;
}

/** A finite number of at least zero. */
export function nonNegative(value: unknown, name: string): number {
  if (typeof value !== 'number') throw wrongType('a number of at least 0', name, value);
  if (!(value >= 0 && value < Infinity)) {
    throw outOfRange('a finite number of at least 0', name, describe(value));
  }
  return value;
}

/** A whole number from `least` to `most`. */
export function wholeNumber(
  value: unknown,
  name: string,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const what = `a whole number from ${least} to ${most}`;
  if (typeof value !== 'number') throw wrongType(what, name, value);
  if (!(Number.isInteger(value) && value >= least && value <= most)) {
    throw outOfRange(what, name, describe(value));
  }
  return value === 0 ? 0 : value;
}

/** One of a few words. */
export function oneOf<Word extends string>(
  words: readonly Word[],
): (value: unknown, name: string) => Word {
  const what = words.map((word) => `'${word}'`).join(' or ');
  return (value, name) => {
    if (typeof value !== 'string') throw wrongType(what, name, value);
    const found = words.find((word) => word === value);
    if (found === undefined) throw outOfRange(what, name, describe(value));
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

/** Throws unless the value is an object with named properties. */
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
