/** What is saved as JSON: numbers come back exactly, though JSON itself has no NaN, infinity or -0. */
import { readShape, sizeOf } from '../arrays/arrays';
import { formatShape, outOfRange, readOptions, wrongType } from '../errors/checks';
import type { StateArray } from './state';
import { isList, isRevoked } from '../arrays/typed-arrays';

type EncodedNumber = number | 'NaN' | 'Infinity' | '-Infinity' | '-0';

/** A number, or an array with its shape. */
export type EncodedNumbers = EncodedNumber | EncodedArray;

/** With the corrections of a state variable, if it has any. */
export interface EncodedArray {
  shape: readonly number[];
  data: EncodedNumber[];
  correction?: EncodedNumber[];
}

export function encodeNumbers(value: number | StateArray): EncodedNumbers {
  return typeof value === 'number' ? encodeNumber(value) : encodeArray(value);
}

export function encodeArray({ shape, data, correction }: StateArray): EncodedArray {
  return {
    shape: [...shape],
    data: Array.from(data, encodeNumber),
    ...(correction && { correction: Array.from(correction, encodeNumber) }),
  };
}

/** Reads what encodeNumbers() wrote; throws a TypeError or RangeError for anything else. */
export function decodeNumbers(value: unknown, name: string): number | StateArray<Float64Array> {
  if (typeof value !== 'object' || value === null || isRevoked(value)) {
    return decodeNumber(value, name);
  }
  const { shape, data, correction } = value as { [Name in keyof EncodedArray]?: unknown };
  const axes = readShape(shape, `${name}.shape`);
  return {
    data: decodeArray(data, axes, `${name}.data`),
    shape: axes,
    ...(correction !== undefined && {
      correction: decodeArray(correction, axes, `${name}.correction`),
    }),
  };
}

function decodeArray(value: unknown, shape: readonly number[], name: string): Float64Array {
  if (!isList(value)) throw wrongType('an array of numbers', name, value);
  if (value.length !== sizeOf(shape)) {
    throw outOfRange(
      `${sizeOf(shape)} elements, as shape ${formatShape(shape)} says,`,
      name,
      `${value.length}`,
    );
  }
  return Float64Array.from(value, (element: unknown, index) =>
    decodeNumber(element, `${name}[${index}]`),
  );
}

function encodeNumber(value: number): EncodedNumber {
  if (Number.isNaN(value)) return 'NaN';
  if (Object.is(value, -0)) return '-0';
  if (value === Infinity) return 'Infinity';
  if (value === -Infinity) return '-Infinity';
  return value;
}

function decodeNumber(value: unknown, name: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === '-0' || value === 'Infinity' || value === '-Infinity') {
    return Number(value);
  }
  throw wrongType('a number', name, value);
}

/** The version of what toJSON() returns. */
export const VERSION = 1;

/**
 * What toJSON() of a class has returned, or the text of it. Throws unless it has all of the properties,
 * and perhaps a group, and no others.
 */
export function readJson<Name extends string>(
  json: unknown,
  className: string,
  names: readonly Name[],
): Record<Name | 'group', unknown> {
  const saved = readOptions(parse(json), 'json', ['class', 'version', ...names, 'group']);
  if (saved.class !== className) throw wrongType(`'${className}'`, 'json.class', saved.class);
  if (saved.version !== VERSION) throw wrongType('version 1', 'json.version', saved.version);
  for (const name of names) {
    if (saved[name] === undefined) throw wrongType('a value', `json.${name}`, undefined);
  }
  return saved as Record<Name | 'group', unknown>;
}

function parse(json: unknown): unknown {
  if (typeof json !== 'string') return json;
  try {
    return JSON.parse(json);
  } catch {
    throw wrongType('the text of a JSON object', 'json', json);
  }
}
