/** Numbers in JSON that come back exactly: JSON itself loses NaN, infinities and the sign of 0. */
import { readShape, sizeOf } from '../arrays/arrays';
import { formatShape, outOfRange, wrongType } from '../errors/checks';
import type { SynapticCurrent } from './state';
import { isList, isRevoked } from '../arrays/typed-arrays';

type EncodedNumber = number | 'NaN' | 'Infinity' | '-Infinity' | '-0';

/** A number, or an array with its shape. */
export type EncodedNumbers = EncodedNumber | EncodedArray;

/** With the corrections of a state, where it has any. */
interface EncodedArray {
  shape: readonly number[];
  data: EncodedNumber[];
  correction?: EncodedNumber[];
}

export function encodeNumbers(value: number | SynapticCurrent): EncodedNumbers {
  if (typeof value === 'number') return encodeNumber(value);
  const { shape, data, correction } = value;
  return {
    shape: [...shape],
    data: Array.from(data, encodeNumber),
    ...(correction && { correction: Array.from(correction, encodeNumber) }),
  };
}

/** Reads what encodeNumbers() wrote; throws a TypeError or RangeError for anything else. */
export function decodeNumbers(
  value: unknown,
  name: string,
): number | SynapticCurrent<Float64Array> {
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

/** A JSON object, given as it is or as its text. */
export function parseJson(json: unknown): unknown {
  if (typeof json !== 'string') return json;
  try {
    return JSON.parse(json);
  } catch {
    throw wrongType('the text of a JSON object', 'json', json);
  }
}
