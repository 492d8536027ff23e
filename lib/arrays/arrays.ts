/** Arrays with a shape: how a caller's arrays are read, and memory for outputs and states. */
import { formatShape, outOfMemory, outOfRange, wrongType } from '../errors/checks';
import type { TypedArray } from './element-types';
import {
  copyOf,
  isList,
  isRevoked,
  isShared,
  isTypedArray,
  lengthOf,
  ofFixedLength,
  typeOfArray,
} from './typed-arrays';

/** A row-major array: `data` has as many elements as the product of `shape`; `[]` is one number. */
export interface NdArray<Data extends TypedArray = Float64Array | Float32Array> {
  /** The elements, in row-major order. */
  readonly data: Data;
  /** The size of each axis. */
  readonly shape: readonly number[];
}

/** Plain arrays of numbers, of one to three axes. */
export type NestedArray =
  readonly number[] | readonly (readonly number[])[] | readonly (readonly (readonly number[])[])[];

/** Whatever is accepted where an array of numbers is assigned. */
export type ArrayInput = number | NestedArray | Float64Array | Float32Array | NdArray<TypedArray>;

/** The most axes that an array may have. */
const MAX_AXES = 3;

/** An array filled with zeros. Throws a RangeError where there is no memory for it. */
export function allocate<Data extends TypedArray>(
  Type: new (length: number) => Data,
  shape: readonly number[],
  name: string,
): Data {
  try {
    return new Type(sizeOf(shape));
  } catch {
    const received = `shape ${formatShape(shape)}`;
    throw outOfMemory(name, received, 'split the input into shorter calls');
  }
}

/** A copy in memory of its own. Throws a RangeError where there is no memory for it. */
export function duplicate<Data extends TypedArray>(data: Data, name: string): Data {
  try {
    return copyOf(data);
  } catch {
    throw outOfMemory(name, `${lengthOf(data)} elements`, 'share or transfer the memory');
  }
}

/** The array, if it is in shared memory, or a copy: nobody can detach it while another thread reads it. */
export function duplicateOrShare<Data extends TypedArray>(data: Data, name: string): Data {
  return isShared(data) ? ofFixedLength(data) : duplicate(data, name);
}

/** Memory for states: a small array of its own costs more than a short call computes. */
let slab = new ArrayBuffer(0);
let slabUsed = 0;
/** A slab is freed only when no state in it is in use, so it holds only a few states. */
const STATES_PER_SLAB = 16;
const MOST_SLAB_BYTES = 1 << 16;
const SMALL_BYTES = 1 << 13;

/**
 * An array for `length` numbers of state, which never leaves the package: small ones share their buffer
 * with others. What is in it at first is not defined.
 */
export function allocateState(length: number): Float64Array {
  const bytes = length * 8;
  if (bytes > SMALL_BYTES) return allocate(Float64Array, [length], 'the state');
  if (slabUsed + bytes > slab.byteLength) {
    slab = new ArrayBuffer(Math.min(STATES_PER_SLAB * bytes, MOST_SLAB_BYTES));
    slabUsed = 0;
  }
  const offset = slabUsed;
  slabUsed += bytes;
  return new Float64Array(slab, offset, length);
}

/** The index of the element at flat index `flat`, one number an axis. */
export function indexIn(shape: readonly number[], flat: number): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}

/** The number of elements of a shape; beyond 2^53 only roughly. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const axis of shape) size *= axis;
  return size;
}

/**
 * Copies a shape out of what a caller gave: an array of at most three whole numbers. Runs the
 * caller's getters, if there are any.
 */
export function readShape(value: unknown, name: string): number[] {
  if (!isList(value)) throw wrongType('an array of whole numbers', name, value);
  const nAxes = value.length;
  if (nAxes > MAX_AXES) {
    throw outOfRange(`at most ${MAX_AXES} axes`, name, `${nAxes} axes`);
  }
  const shape: number[] = [];
  for (let axis = 0; axis < nAxes; axis++) {
    const size = value[axis];
    const what = 'a whole number of at least 0';
    if (typeof size !== 'number') throw wrongType(what, `${name}[${axis}]`, size);
    if (!(Number.isSafeInteger(size) && size >= 0)) {
      throw outOfRange(what, `${name}[${axis}]`, String(size));
    }
    shape.push(size === 0 ? 0 : size);
  }
  return shape;
}

/** `data` and `shape` as a caller gave them. checkSize() tells whether they agree. */
export interface GivenArray {
  data: TypedArray;
  shape: number[];
}

/**
 * Interprets nested plain arrays or `{ data, shape }`. Runs the caller's getters, each once; when
 * they are done, checkSize must be called before the data are used.
 */
export function readArray(value: unknown, name: string): GivenArray {
  if (isList(value)) return flatten(value, name);
  const what = 'nested arrays or { data, shape }';
  const isObject = typeof value === 'object' && value !== null && !isRevoked(value);
  if (!isObject || isTypedArray(value)) {
    const advice = isTypedArray(value) ? 'give its shape as well' : undefined;
    throw wrongType(what, name, value, advice);
  }
  if (!Object.hasOwn(value, 'data') || !Object.hasOwn(value, 'shape')) {
    throw wrongType(what, name, value);
  }
  const { data, shape } = value as { data: unknown; shape: unknown };
  if (!isTypedArray(data)) throw wrongType('a typed array of numbers', `${name}.data`, data);
  return { data, shape: readShape(shape, `${name}.shape`) };
}

/** Throws unless the array has as many elements as its shape says. Runs no caller's code. */
export function checkSize(
  array: { data: TypedArray; shape: readonly number[] },
  name: string,
): void {
  const size = sizeOf(array.shape);
  const length = lengthOf(array.data);
  if (size !== length) {
    throw outOfRange(
      `${size} elements, as shape ${formatShape(array.shape)} says,`,
      `${name}.data`,
      `${length}`,
      length === 0 ? 'the buffer may be detached' : undefined,
    );
  }
}

/** Float64 data of nested plain arrays, which must not be ragged. */
function flatten(nested: readonly unknown[], name: string): GivenArray {
  const shape: number[] = [];
  let inner: unknown = nested;
  while (isList(inner)) {
    if (shape.length === MAX_AXES) {
      throw outOfRange(`at most ${MAX_AXES} axes`, name, 'arrays nested more deeply');
    }
    shape.push(inner.length);
    inner = inner[0];
  }
  const data = allocate(Float64Array, shape, name);
  let next = 0;
  const fill = (level: unknown, axis: number, place: string): void => {
    if (axis === shape.length) {
      if (typeof level !== 'number') throw wrongType('a number', place, level);
      data[next++] = level;
      return;
    }
    const size = shape[axis] ?? 0;
    if (!isList(level)) throw wrongType(`an array of length ${size}`, place, level);
    if (level.length !== size) {
      throw outOfRange(
        `an array of length ${size}, as its neighbours have,`,
        place,
        `one of length ${level.length}`,
      );
    }
    for (let index = 0; index < size; index++) fill(level[index], axis + 1, `${place}[${index}]`);
  };
  fill(nested, 0, name);
  return { data, shape };
}

/** Reads a number, nested arrays, a float typed array (one axis) or `{ data, shape }` as floats. */
export function readFloats(value: unknown, name: string): { data: Float64Array; shape: number[] } {
  if (typeof value === 'number') return { data: Float64Array.of(value), shape: [] };
  const type = typeOfArray(value);
  if (type === 'Float64Array' || type === 'Float32Array') {
    const data = floatsOf(value as Float64Array | Float32Array, name);
    return { data, shape: [data.length] };
  }
  const array = readArray(value, name);
  checkSize(array, name);
  const arrayType = typeOfArray(array.data);
  if (arrayType === 'BigInt64Array' || arrayType === 'BigUint64Array') {
    throw wrongType('an array of numbers', `${name}.data`, array.data);
  }
  const data = array.data as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
  return { data: floatsOf(data, name), shape: array.shape };
}

/** The elements of an array in a Float64Array of their own; empty if the array's buffer is detached. */
function floatsOf(
  array: Exclude<TypedArray, BigInt64Array | BigUint64Array>,
  name: string,
): Float64Array {
  const data = allocate(Float64Array, [lengthOf(array)], name);
  if (data.length > 0) data.set(array);
  return data;
}
