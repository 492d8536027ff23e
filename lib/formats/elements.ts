/** The elements of arrays: their types, and how the bytes of files become typed arrays. */
import { endianness } from 'node:os';

import { CommandError } from '../errors/command-errors';
import { ELEMENT_TYPES as ARRAYS, type TypedArray } from '../arrays/element-types';

/** The arrays that hold the elements of files. */
export type Elements = Exclude<TypedArray, Uint8ClampedArray>;

interface ElementType {
  /** NumPy's name. */
  name: string;
  itemBytes: number;
  /** A view of bytes that are in this machine's order and aligned. */
  view(buffer: ArrayBufferLike, byteOffset: number, length: number): Elements;
}

type ViewConstructor = new (
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
) => Elements;

/** The types of typed arrays, by NumPy's codes without the byte order, such as 'u1' and 'f8'. */
const PLAIN_TYPES = Object.entries(ARRAYS).map(([name, View]): [string, ElementType] => {
  const itemBytes = View.BYTES_PER_ELEMENT;
  const Elements = View as ViewConstructor;
  const view: ElementType['view'] = (...part) => new Elements(...part);
  return [`${name.charAt(0)}${itemBytes}`, { name, itemBytes, view }];
});

/** All element types of files, by NumPy's codes without the byte order. */
export const ELEMENT_TYPES: Record<string, ElementType> = {
  b1: {
    name: 'bool',
    itemBytes: 1,
    view: (...part) => normalizeBooleans(new Uint8Array(...part)),
  },
  f2: { name: 'float16', itemBytes: 2, view: (...part) => widenHalves(new Uint16Array(...part)) },
  ...Object.fromEntries(PLAIN_TYPES),
};

export const IS_HOST_BIG_ENDIAN = endianness() === 'BE';

/**
 * Elements that lie one after the other in a file, as an array in this machine's byte order: a view of
 * `bytes`, whose byte order may be changed in place, or a copy if they are not aligned. Half floats
 * become Float32Array, and any byte of a boolean but 0 becomes 1, in a copy.
 */
export function decodeBytes(
  bytes: Uint8Array,
  { code, isBigEndian }: { code: string; isBigEndian: boolean },
): Elements {
  const type = typeOf(code);
  const { itemBytes } = type;
  const isSwapped = itemBytes > 1 && isBigEndian !== IS_HOST_BIG_ENDIAN;
  const isAligned = bytes.byteOffset % itemBytes === 0;
  const elements = isAligned ? bytes : new Uint8Array(bytes);
  if (isSwapped) swapBytes(elements, itemBytes);
  return type.view(elements.buffer, elements.byteOffset, elements.length / itemBytes);
}

/** The numbers of an array with one axis that is longer than 1, or none. */
export function asList(
  { data, shape }: { data: Elements; shape: readonly number[] },
  place: string,
): Elements {
  if (shape.filter((size) => size !== 1).length <= 1) return data;
  throw new CommandError(`Expected shape (E,) for ${place} but received (${shape.join(', ')}).`);
}

/** Bytes of an element in the array that decodeBytes() makes of it: half floats are widened. */
export function decodedItemBytes({ code, itemBytes }: { code: string; itemBytes: number }): number {
  return code === 'f2' ? Float32Array.BYTES_PER_ELEMENT : itemBytes;
}

export function typeOf(code: string): ElementType {
  const type = ELEMENT_TYPES[code];
  if (type === undefined) throw new RangeError(`Expected a code of a type but received '${code}'.`);
  return type;
}

function swapBytes(bytes: Uint8Array, itemBytes: number): void {
  const swapped = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (itemBytes === 2) swapped.swap16();
  else if (itemBytes === 4) swapped.swap32();
  else swapped.swap64();
}

/** IEEE 754 half floats: a sign, 5 bits of exponent, 10 bits of fraction. */
function widenHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The value of each half float. */
let widened: Float32Array | undefined;

function widenHalves(halves: Uint16Array): Float32Array {
  widened ??= new Float32Array(2 ** 16).map((_, half) => widenHalf(half));
  const floats = new Float32Array(halves.length);
  for (let index = 0; index < floats.length; index++) {
    floats[index] = widened[halves[index] ?? 0] ?? NaN;
  }
  return floats;
}

/** Booleans as 0 and 1: any byte but 0 is true. The array itself where it holds nothing else. */
function normalizeBooleans(booleans: Uint8Array): Uint8Array {
  if (!hasOtherBytes(booleans)) return booleans;
  const normalized = new Uint8Array(booleans);
  for (let index = 0; index < normalized.length; index++) {
    normalized[index] = Math.min(normalized[index] ?? 0, 1);
  }
  return normalized;
}

/** Whether some byte is neither 0 nor 1. Four bytes are compared at a time where they lie aligned. */
function hasOtherBytes(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, length } = bytes;
  const isOther = (byte: number): boolean => byte > 1;
  const begin = Math.min(length, (4 - (byteOffset % 4)) % 4);
  const nWords = Math.floor((length - begin) / 4);
  const words = nWords === 0 ? [] : new Int32Array(buffer, byteOffset + begin, nWords);
  for (let index = 0; index < nWords; index++) {
    if (((words[index] ?? 0) & 0xfe_fe_fe_fe) !== 0) return true;
  }
  const end = begin + 4 * nWords;
  return bytes.subarray(0, begin).some(isOther) || bytes.subarray(end).some(isOther);
}
