/** Reads and writes whole .npy files. */
import {
  allocate,
  checkSize,
  indexIn,
  readArray,
  type NdArray,
  type NestedArray,
} from '../arrays/arrays';
import {
  arrayClassOf,
  DTYPES,
  type Dtype,
  type FloatsOf,
  type TypedArray,
} from '../arrays/element-types';
import { bytesIn, bytesOf, ofFixedLength } from '../arrays/typed-arrays';
import { formatShape, oneOf, outOfRange, readOptions } from '../errors/checks';
import { CommandError } from '../errors/command-errors';
import { writeCompleteFile } from '../formats/files/complete-file';
import { descrOf, encodeHeader } from '../formats/npy/header';
import { readNpyFile, type NpyArray } from '../formats/npy/npy';
import { asPublic } from './failure';
import { readPath, type FilePath } from './paths';

/** The typed arrays that hold the elements of .npy files. */
export type NpyElements = Exclude<TypedArray, Uint8ClampedArray>;

/** The options of readNpy(). */
export interface ReadNpyOptions<D extends Dtype = Dtype> {
  /**
   * Converts the elements to this type. Floats are rounded to the nearest number of the type. An integer that
   * the type cannot hold exactly is an error.
   */
  dtype?: D;
}

/** Elements are written by so many bytes at a time. */
const SLAB_BYTES = 2 ** 20;

/**
 * Reads a .npy file into an array that calls, options and `writeNpy()` take as it is: a raster, time
 * constants, a kernel, currents.
 *
 * The shape is that of the file: `[]` for a single number, and at most three axes. The elements are in
 * row-major order, also if those of the file are in Fortran order, and in the byte order of this machine.
 * Without `dtype`, they have the file's type: booleans are 0 and 1 in a Uint8Array, half floats are exact in
 * a Float32Array, and 64-bit integers are bigints in a BigInt64Array or BigUint64Array. Rasters may hold
 * bigints; parameters may not, so they need `dtype`.
 *
 * The array belongs to the caller. The file is read into memory; `expsyn run` and streams read files that
 * are larger than memory.
 *
 * Rejects with code `ERR_EXPSYN_FILE` if the file cannot be read, is not complete, or is no .npy file of
 * booleans, integers or floats.
 *
 * @param path The file.
 * @param options The element type, if it is not to be that of the file.
 */
export async function readNpy<D extends Dtype>(
  path: FilePath,
  options: ReadNpyOptions<D> & { dtype: D },
): Promise<NdArray<FloatsOf<D>>>;
export async function readNpy(
  path: FilePath,
  options?: ReadNpyOptions,
): Promise<NdArray<NpyElements>>;
export async function readNpy(
  path: FilePath,
  options: ReadNpyOptions = {},
): Promise<NdArray<NpyElements>> {
  const file = readPath(path, 'path');
  const { dtype } = readOptions(options, 'options', ['dtype']);
  const requested = dtype === undefined ? undefined : oneOf(DTYPES)(dtype, 'options.dtype');
  const convert = async (): Promise<NpyArray> => {
    const array = await readNpyFile(file);
    return requested === undefined ? array : converted(array, requested, file);
  };
  return asPublic(convert(), 'ERR_EXPSYN_FILE', { path: file });
}

/**
 * Writes an array as a .npy file of version 1.0, byte for byte as NumPy does: a `Float64Array` as float64, a
 * `Uint8Array` as uint8 and so on. Nested plain arrays are written as float64.
 *
 * A file that has the name is replaced. The new one appears under its name when it is complete and on the
 * disk; if that fails, the old one stays as it was, and no part of the new one is left. The folder must be
 * there. The elements must not be changed until the promise is settled.
 *
 * Rejects with a TypeError or RangeError for an array whose data and shape do not agree, and with code
 * `ERR_EXPSYN_FILE` if the file cannot be written.
 *
 * @param path The file.
 * @param array The array, of at most three axes: an output or state of `evolve()`, a raster, `{ data, shape }`.
 */
export async function writeNpy(
  path: FilePath,
  array: NdArray<TypedArray> | NestedArray,
): Promise<void> {
  const file = readPath(path, 'path');
  const given = readArray(array, 'array');
  checkSize(given, 'array');
  const data = ofFixedLength(given.data);
  const parts = partsOf(encodeHeader(descrOf(data), given.shape), data, bytesOf(data));
  const writing = writeCompleteFile(file, parts, { folders: 'require' });
  await asPublic(writing, 'ERR_EXPSYN_FILE', { path: file });
}

/** The header, and the elements in slabs: copies, so that none is written while its memory is transferred. */
function* partsOf(header: Uint8Array, data: TypedArray, nBytes: number): Generator<Uint8Array> {
  yield header;
  const slab = new Uint8Array(Math.min(nBytes, SLAB_BYTES));
  for (let begin = 0; begin < nBytes; begin += SLAB_BYTES) {
    if (bytesOf(data) !== nBytes) {
      const expected = 'an array that keeps its memory until it is written';
      throw outOfRange(expected, 'array.data', 'one that has lost it');
    }
    const bytes = bytesIn(data).subarray(begin, begin + SLAB_BYTES);
    slab.set(bytes);
    yield slab.subarray(0, bytes.length);
  }
}

/** An array with its elements in another type. */
function converted({ data, shape }: NpyArray, dtype: Dtype, path: string): NpyArray {
  const Floats = arrayClassOf(dtype);
  if (data instanceof Floats) return { data, shape };
  const floats = allocate<InstanceType<typeof Floats>>(Floats, shape, 'the array');
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  for (let index = 0; index < floats.length; index++) {
    const value = data[index] ?? NaN;
    const float = Number(value);
    floats[index] = float;
    if (isFloat || BigInt(floats[index] ?? NaN) === BigInt(value)) continue;
    throw new CommandError(
      `Expected whole numbers that ${dtype} holds exactly in ${path} but received ${value} at index ` +
        `${formatShape(indexIn(shape, index))}.`,
    );
  }
  return { data: floats, shape };
}
