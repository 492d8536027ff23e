/**
 * Typed arrays as they are, not as they present themselves: a getter or a subclass on an instance
 * could run code or lie, so everything is read through the prototypes' own getters, captured when
 * this file loads. They also work for arrays of another realm.
 */

/** The typed arrays that may hold an input. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

const CONSTRUCTORS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
} as const;

const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
function getterOf(key: string | symbol): (array: unknown) => unknown {
  const getter = Object.getOwnPropertyDescriptor(prototype, key)?.get;
  if (getter === undefined) throw new Error('Expected a JavaScript engine with typed arrays.');
  return (array) => Reflect.apply(getter, array, []);
}
const tagOf = getterOf(Symbol.toStringTag) as (array: unknown) => string | undefined;
const elementsOf = getterOf('length') as (array: unknown) => number;
const bufferOf = getterOf('buffer') as (array: unknown) => ArrayBufferLike;
const offsetOf = getterOf('byteOffset') as (array: unknown) => number;

const setElements = Reflect.get(prototype, 'set') as (source: TypedArray) => void;

/** The constructor's name of a typed array that is known here, else undefined. */
export function typeOfArray(value: unknown): keyof typeof CONSTRUCTORS | undefined {
  const tag = tagOf(value);
  return tag !== undefined && Object.hasOwn(CONSTRUCTORS, tag)
    ? (tag as keyof typeof CONSTRUCTORS)
    : undefined;
}

export function isTypedArray(value: unknown): value is TypedArray {
  return typeOfArray(value) !== undefined;
}

function constructorOf(array: TypedArray): (typeof CONSTRUCTORS)[keyof typeof CONSTRUCTORS] {
  const type = typeOfArray(array);
  if (type === undefined) throw new TypeError('Expected a typed array of numbers.');
  return CONSTRUCTORS[type];
}

/** The number of elements at this moment; 0 when the buffer is detached or shrank. */
export function lengthOf(array: TypedArray): number {
  return elementsOf(array);
}

/** Whether the elements are in memory that other threads may share. */
export function isShared(array: TypedArray): boolean {
  return bufferOf(array) instanceof SharedArrayBuffer;
}

export function haveSameBuffer(a: TypedArray, b: TypedArray): boolean {
  return bufferOf(a) === bufferOf(b);
}

/** A copy in memory of its own. */
export function copyOf<Data extends TypedArray>(array: Data): Data {
  const Constructor = constructorOf(array) as unknown as new (source: TypedArray) => Data;
  return new Constructor(array);
}

/** Copies the elements of an array into another of the same type and length. */
export function copyInto<Data extends TypedArray>(target: Data, source: Data): void {
  Reflect.apply(setElements, target, [source]);
}

/** The same elements without a copy, out of the reach of whoever held the array: it is detached. */
export function takeOver<Data extends TypedArray>(array: Data): Data {
  const buffer = bufferOf(array);
  const offset = offsetOf(array);
  const length = elementsOf(array);
  const moved = structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  const Constructor = constructorOf(array) as unknown as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => Data;
  return new Constructor(moved, offset, length);
}

/** Whether the array's memory can be handed over: neither shared nor resizable. */
export function isTransferable(array: TypedArray): boolean {
  const buffer = bufferOf(array) as ArrayBufferLike & { resizable?: boolean };
  return !isShared(array) && buffer.resizable !== true;
}

/** Array types in words, for messages; undefined for what is no array. Safe for any value. */
export function describeArray(value: unknown): string | undefined {
  const tag = tagOf(value);
  if (tag !== undefined) return `a ${tag} of length ${elementsOf(value)}`;
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  return undefined;
}

