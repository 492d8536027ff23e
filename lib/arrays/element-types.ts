/** The element types of arrays, named as NumPy names them. Everything that lists them begins here. */

/** The typed array of each element type. */
export const ELEMENT_TYPES = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** The name of an element type, e.g. 'uint8'. */
export type ElementType = keyof typeof ELEMENT_TYPES;

/** The typed array that holds elements of a type. */
export type ArrayOf<Type extends ElementType> = (typeof ELEMENT_TYPES)[Type]['prototype'];

/** The typed arrays that may hold an input. */
export type TypedArray = ArrayOf<ElementType> | Uint8ClampedArray;

/** The name of such an array's class, e.g. 'Uint8Array'. */
export type ArrayName = TypedArray[typeof Symbol.toStringTag];

/** The element types that an output may have; the first is the default. */
export const DTYPES = ['float64', 'float32'] as const satisfies readonly ElementType[];

/** Element type of the output and of the state. */
export type Dtype = (typeof DTYPES)[number];

/** The typed array that holds elements of a dtype. */
export type FloatsOf<D extends Dtype> = D extends 'float32' ? Float32Array : Float64Array;

/** An array of a module's dtype. */
export type FloatArray = FloatsOf<Dtype>;

/** The class of the arrays that hold elements of a dtype. */
export function arrayClassOf(dtype: Dtype): new (content: number | FloatArray) => FloatArray {
  return ELEMENT_TYPES[dtype];
}

/** The bytes of an element. */
export function bytesPerElement(type: ElementType): number {
  return ELEMENT_TYPES[type].BYTES_PER_ELEMENT;
}
