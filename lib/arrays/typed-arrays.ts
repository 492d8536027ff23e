/**
 * Safe access to typed arrays. An instance's own getters, or those of its subclass, could run the
 * caller's code or return wrong values, so everything is read through the prototypes' getters, captured
 * when this file loads. These also work for arrays of another realm.
 */

import { types } from 'node:util';

import { ELEMENT_TYPES, type ArrayName, type TypedArray } from './element-types';

const CONSTRUCTORS: ReadonlyMap<unknown, new (...args: never[]) => TypedArray> = new Map(
  [...Object.values(ELEMENT_TYPES), Uint8ClampedArray].map((Class) => [Class.name, Class]),
);

const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
function getterOf(holder: object, key: string | symbol): (value: unknown) => unknown {
  const descriptor = Object.getOwnPropertyDescriptor(holder, key) as {
    get: (this: unknown) => unknown;
  };
  const { get } = descriptor;
  return (value) => Reflect.apply(get, value, []);
}
const tagOf = getterOf(prototype, Symbol.toStringTag) as (array: unknown) => string | undefined;
const elementsOf = getterOf(prototype, 'length') as (array: unknown) => number;
const bufferOf = getterOf(prototype, 'buffer') as (array: unknown) => ArrayBufferLike;
const sizeInBytesOf = getterOf(prototype, 'byteLength') as (array: unknown) => number;
const offsetOf = getterOf(prototype, 'byteOffset') as (array: unknown) => number;
const isResizable = getterOf(ArrayBuffer.prototype, 'resizable');
// Browsers have shared memory only on pages that are isolated from other origins.
const isGrowable =
  typeof SharedArrayBuffer === 'undefined'
    ? () => undefined
    : getterOf(SharedArrayBuffer.prototype, 'growable');
const { isSharedArrayBuffer } = types;

const setElements = Reflect.get(prototype, 'set') as (source: TypedArray) => void;

/** The constructor's name of a typed array that is known here, else undefined. */
export function typeOfArray(value: unknown): ArrayName | undefined {
  const tag = tagOf(value);
  return CONSTRUCTORS.has(tag) ? (tag as ArrayName) : undefined;
}

export function isTypedArray(value: unknown): value is TypedArray {
  return typeOfArray(value) !== undefined;
}

function constructorOf(array: TypedArray): new (...args: never[]) => TypedArray {
  const Class = CONSTRUCTORS.get(tagOf(array));
  if (Class === undefined) throw new TypeError('Expected a typed array of numbers.');
  return Class;
}

/** The number of elements at this moment; 0 when the buffer is detached or shrank. */
export function lengthOf(array: TypedArray): number {
  return elementsOf(array);
}

/** Whether the memory of an array has gone elsewhere, so that it has no elements. */
export function isDetached(array: TypedArray): boolean {
  if (elementsOf(array) > 0 || isShared(array)) return false;
  try {
    // Only a buffer that is not detached can be viewed. Node 20 has no question for it.
    return new Uint8Array(bufferOf(array)).length < 0;
  } catch {
    return true;
  }
}

/** The number of bytes at this moment. */
export function bytesOf(array: TypedArray): number {
  return sizeInBytesOf(array);
}

/** Whether the elements are in memory that other threads may share. */
export function isShared(array: TypedArray): boolean {
  return isSharedArrayBuffer(bufferOf(array));
}

export function haveSameBuffer(a: TypedArray, b: TypedArray): boolean {
  return bufferOf(a) === bufferOf(b);
}

/** A copy in memory of its own. */
export function copyOf<Data extends TypedArray>(array: Data): Data {
  const Constructor = constructorOf(array) as unknown as new (source: TypedArray) => Data;
  return new Constructor(array);
}

/** The array, or the same elements as one that does not become longer when shared memory grows. */
export function ofFixedLength<Data extends TypedArray>(array: Data): Data {
  const buffer = bufferOf(array);
  if (!isSharedArrayBuffer(buffer) || isGrowable(buffer) !== true) return array;
  return viewOf(array, buffer, offsetOf(array), elementsOf(array));
}

/** Copies the elements of an array into another of the same type, from index `first` on. */
export function copyInto<Data extends TypedArray>(target: Data, source: Data, first: number): void {
  Reflect.apply(setElements, target, [source, first]);
}

/**
 * Transfers an array's memory: returns the same elements without a copy, and detaches the array. Returns
 * undefined, and changes nothing, if the memory cannot be transferred, such as that of a pooled Buffer or
 * of WebAssembly.
 */
export function transferMemory<Data extends TypedArray>(array: Data): Data | undefined {
  const buffer = bufferOf(array);
  const offset = offsetOf(array);
  const length = elementsOf(array);
  let moved: ArrayBufferLike;
  try {
    moved = structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  } catch {
    return undefined;
  }
  // Some versions of Node copy memory that they cannot transfer.
  if (length > 0 && elementsOf(array) === length) return undefined;
  return viewOf(array, moved, offset, length);
}

/** Elements of a buffer as an array of the type of another one. */
function viewOf<Data extends TypedArray>(
  like: Data,
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
): Data {
  const Constructor = constructorOf(like) as unknown as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => Data;
  return new Constructor(buffer, offset, length);
}

/** An array's bytes, in its own memory. */
export function bytesIn(array: TypedArray): Uint8Array {
  return new Uint8Array(bufferOf(array), offsetOf(array), bytesOf(array));
}

/** The same memory as elements of another type. Its offset must be a multiple of their size. */
export function viewOfBytes(
  bytes: Uint8Array,
  Type: new (buffer: ArrayBufferLike, offset: number, length: number) => TypedArray,
  elementBytes: number,
): TypedArray {
  return new Type(bufferOf(bytes), offsetOf(bytes), elementsOf(bytes) / elementBytes);
}

/** Whether the array's memory can be transferred: it is neither shared nor resizable. */
export function isTransferable(array: TypedArray): boolean {
  return !isShared(array) && isResizable(bufferOf(array)) !== true;
}

/** Whether it is a plain array, or a proxy of one. Safe for any value. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** Whether it is a revoked proxy, from which nothing can be read. */
export function isRevoked(value: unknown): boolean {
  try {
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
}

/** The type and length of an array, for messages; undefined for any other value. Safe for any value. */
export function describeArray(value: unknown): string | undefined {
  const tag = tagOf(value);
  if (tag !== undefined) return `a ${tag} of length ${elementsOf(value)}`;
  if (isList(value)) return `an array of length ${value.length}`;
  return undefined;
}
