/** Numbers in JSON that come back exactly: JSON itself loses NaN, infinities and the sign of 0. */
import type { NdArray } from './arrays';
import { readShape, sizeOf } from './arrays';
import { formatShape, outOfRange, wrongType } from './checks';

type EncodedNumber = number | 'NaN' | 'Infinity' | '-Infinity' | '-0';

/** A number, or an array with its shape. */
export type EncodedNumbers = EncodedNumber | { shape: readonly number[]; data: EncodedNumber[] };

export function encodeNumbers(value: number | NdArray): EncodedNumbers {
  if (typeof value === 'number') return encodeNumber(value);
  return { shape: [...value.shape], data: Array.from(value.data, encodeNumber) };
}

/** Reads what encodeNumbers() wrote; throws a TypeError or RangeError for anything else. */
export function decodeNumbers(value: unknown, name: string): number | NdArray<Float64Array> {
  if (typeof value !== 'object' || value === null) return decodeNumber(value, name);
  const { shape, data } = value as { shape?: unknown; data?: unknown };
  const axes = readShape(shape, `${name}.shape`);
  if (!Array.isArray(data)) throw wrongType('an array of numbers', `${name}.data`, data);
  if (data.length !== sizeOf(axes)) {
    throw outOfRange(
      `${sizeOf(axes)} elements, as shape ${formatShape(axes)} says,`,
      `${name}.data`,
      `${data.length}`,
    );
  }
  const numbers = data.map((element: unknown, index) =>
    decodeNumber(element, `${name}.data[${index}]`),
  );
  return { data: Float64Array.from(numbers), shape: axes };
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
