/**
 * Filters of numcodecs (https://numcodecs.readthedocs.io), undone. They see a chunk as a list of elements in
 * the order in which it is stored, whatever its axes.
 */
import type { TypedArray } from '../../index';
import { decodeBytes } from '../elements';
import { CorruptChunkError, UnfitElementError } from './corruption';
import { bitsOfHalf, roundToHalf } from './half-floats';
import { type Json, type Validator, TYPES } from './validator';
import { unshuffle } from './shuffles';

/** A filter with its configuration. */
export interface Filter {
  /** How many bytes it makes of so many. */
  readonly encodedBytes: (bytes: number) => number;
  readonly decode: (encoded: Uint8Array) => Uint8Array;
}

/** What elements are, and how they lie. */
interface ElementType {
  name: string;
  code: string;
  itemBytes: number;
  isBigEndian: boolean;
}

type Elements = Exclude<TypedArray, Uint8ClampedArray>;

/** What there is to know of a filter's place. */
interface Place {
  validator: Validator;
  /** The order of bytes, where it is not the filter's configuration that gives it. */
  isBigEndian?: boolean;
}

type Maker = (configuration: Json, place: Place) => Filter;

/** The filters by name. */
export const FILTERS: Record<string, Maker> = {
  bitround: (configuration, { validator }) => {
    const { keepbits } = configuration;
    if (!Number.isInteger(keepbits) || Number(keepbits) < 0) {
      throw validator.refuse("a number of bits that the filter 'bitround' keeps", keepbits);
    }
    return { encodedBytes: (bytes) => bytes, decode: (encoded) => encoded };
  },

  delta: (configuration, place) => {
    const [type, stored] = typesOf('delta', configuration, place);
    return {
      encodedBytes: (bytes) => (bytes / type.itemBytes) * stored.itemBytes,
      decode: (encoded) => bytesOf(sumUp(elementsOf(encoded, stored), stored, type), type),
    };
  },

  fixedscaleoffset: (configuration, place) => {
    const [type, stored] = typesOf('fixedscaleoffset', configuration, place);
    const { validator } = place;
    const [scale, offset] = ['scale', 'offset'].map((name) => {
      const value = configuration[name];
      const isRight = typeof value === 'number' && Number.isFinite(value);
      if (!isRight || (name === 'scale' && value === 0)) {
        throw validator.refuse(`a finite ${name} of the filter 'fixedscaleoffset'`, value);
      }
      return value;
    });
    if (stored.code === 'f2') {
      throw validator.refuse(
        "integers, float32 or float64 for the filter 'fixedscaleoffset'",
        'float16',
      );
    }
    const round = stored.code === 'f4' ? Math.fround : Number;
    const [divisor, addend] = [round(scale ?? NaN), round(offset ?? NaN)];
    return {
      encodedBytes: (bytes) => (bytes / type.itemBytes) * stored.itemBytes,
      decode: (encoded) => {
        const elements = elementsOf(encoded, stored);
        const decoded = newElements(elements.length, type);
        for (let i = 0; i < elements.length; i++) {
          put(decoded, i, round(round(Number(elements[i]) / divisor) + addend), type);
        }
        return bytesOf(decoded, type);
      },
    };
  },

  packbits: () => ({
    encodedBytes: (bytes) => 1 + Math.ceil(bytes / 8),
    decode: unpackBits,
  }),

  shuffle: ({ elementsize = 4 }, { validator }) => {
    if (!Number.isInteger(elementsize) || Number(elementsize) < 1) {
      throw validator.refuse("a size of the elements of the filter 'shuffle'", elementsize);
    }
    return {
      encodedBytes: (bytes) => bytes,
      decode: (encoded) => {
        if (encoded.length % Number(elementsize) !== 0) {
          throw new CorruptChunkError(
            `its ${encoded.length} bytes are no whole elements of ${Number(elementsize)} bytes`,
          );
        }
        const decoded = new Uint8Array(encoded.length);
        unshuffle(encoded, decoded, Number(elementsize));
        return decoded;
      },
    };
  },
};

/** The members `dtype` and `astype`: what a filter takes, and what it makes of that. */
function typesOf(
  filter: string,
  { dtype, astype = dtype }: Json,
  { validator, isBigEndian }: Place,
): [type: ElementType, stored: ElementType] {
  const parse = (name: unknown): ElementType => {
    const text = typeof name === 'string' ? name : '';
    const [, order, given = ''] = /^([<>|=]?)([a-z][0-9]+)$/.exec(text) ?? [];
    const known = Object.keys(TYPES).find((key) => key === text || TYPES[key]?.code === given);
    const type = TYPES[known ?? ''];
    if (known === undefined || type === undefined || known === 'bool') {
      throw validator.refuse(
        `integers or floats of at most 64 bits for the filter '${filter}'`,
        name,
      );
    }
    const { code, itemBytes } = type;
    return { name: known, code, itemBytes, isBigEndian: isBigEndian ?? order === '>' };
  };
  const [type, stored] = [parse(dtype), parse(astype)];
  if (filter === 'delta' && isFloat(stored) && !isFloat(type)) {
    throw validator.refuse(
      `'astype' to be a type of integers, as 'dtype' is, for the filter '${filter}'`,
      astype,
    );
  }
  return [type, stored];
}

function isFloat({ code }: ElementType): boolean {
  return code.startsWith('f');
}

function isLong({ code }: ElementType): boolean {
  return code === 'i8' || code === 'u8';
}

/** The elements that bytes are; the bytes stay as they are. */
function elementsOf(bytes: Uint8Array, { code, itemBytes, isBigEndian }: ElementType): Elements {
  if (bytes.length % itemBytes !== 0) {
    throw new CorruptChunkError(
      `its ${bytes.length} bytes are no whole elements of ${itemBytes} bytes`,
    );
  }
  return decodeBytes(new Uint8Array(bytes), { code, isBigEndian });
}

/** Zeros of a type; half floats are held in float32. */
function newElements(length: number, { code, itemBytes }: ElementType): Elements {
  if (code === 'f2') return new Float32Array(length);
  return decodeBytes(new Uint8Array(length * itemBytes), { code, isBigEndian: false });
}

/** Stores an element as a cast in C does, where that is defined. */
function put(elements: Elements, index: number, value: number, type: ElementType): void {
  if (isFloat(type)) {
    elements[index] = type.code === 'f2' ? roundToHalf(value) : value;
    return;
  }
  const whole = Math.trunc(value);
  const bits = 8 * type.itemBytes;
  const isSigned = type.code.startsWith('i');
  const [least, end] = isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1)] : [0, 2 ** bits];
  if (!(whole >= least && whole < end)) {
    throw new UnfitElementError(`it holds ${value}, which ${type.name} cannot hold`);
  }
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    elements[index] = BigInt(whole);
  } else elements[index] = whole;
}

/** Bytes of elements, as a type has them. */
function bytesOf(elements: Elements, { code, itemBytes, isBigEndian }: ElementType): Uint8Array {
  const native = code === 'f2' ? Uint16Array.from(elements as Float32Array, bitsOfHalf) : elements;
  const bytes = new Uint8Array(native.buffer, native.byteOffset, native.byteLength);
  if (isBigEndian) {
    for (let begin = 0; begin < bytes.length; begin += itemBytes) {
      bytes.subarray(begin, begin + itemBytes).reverse();
    }
  }
  return bytes;
}

/** The elements whose differences are stored, summed up in the type that holds both types. */
function sumUp(differences: Elements, stored: ElementType, type: ElementType): Elements {
  const sums = newElements(differences.length, type);
  if (sums instanceof BigInt64Array || sums instanceof BigUint64Array) {
    let sum = 0n;
    for (let i = 0; i < differences.length; i++) {
      sum = BigInt.asIntN(64, sum + BigInt(differences[i] ?? 0));
      sums[i] = sum;
    }
    return sums;
  }
  if (!isFloat(type)) {
    let sum = 0;
    for (let i = 0; i < differences.length; i++) {
      const difference = differences[i] ?? 0;
      // The lower bits of the sum, which are all that is stored.
      sum =
        (sum +
          (isLong(stored) ? Number(BigInt.asIntN(32, BigInt(difference))) : Number(difference))) |
        0;
      sums[i] = sum;
    }
    return sums;
  }
  const round = rounderOf(stored, type);
  let sum = 0;
  for (let i = 0; i < differences.length; i++) {
    sum = i === 0 ? round(Number(differences[i])) : round(sum + Number(differences[i]));
    put(sums, i, sum, type);
  }
  return sums;
}

/** What rounds to the narrowest float type that holds both types. */
function rounderOf(one: ElementType, other: ElementType): (value: number) => number {
  const bytes = Math.max(
    ...[one, other].map((type) => (isFloat(type) ? type.itemBytes : 2 * type.itemBytes)),
  );
  if (bytes <= 2) return roundToHalf;
  return bytes <= 4 ? Math.fround : Number;
}

/** Booleans, eight a byte from the highest bit on, after the number of bits that are none. */
function unpackBits(encoded: Uint8Array): Uint8Array {
  const [padding] = encoded;
  const bits = 8 * (encoded.length - 1);
  if (padding === undefined || padding > 7 || padding > bits) {
    throw new CorruptChunkError('its packed bits are corrupt');
  }
  const decoded = new Uint8Array(bits - padding);
  for (let i = 0; i < decoded.length; i++) {
    decoded[i] = ((encoded[1 + (i >> 3)] ?? 0) >> (7 - (i & 7))) & 1;
  }
  return decoded;
}
