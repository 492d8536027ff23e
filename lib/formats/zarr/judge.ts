/** What is wrong with a document that describes an array: reads its members, one after the other. */
import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors';
import { decodeBytes } from '../npy';

export type Json = Record<string, unknown>;

export type CodecMetadata = Zarrita.CodecMetadata;

/** The bits of half floats and of booleans are read as integers. */
export type RawType = Exclude<Zarrita.NumberDataType | Zarrita.BigintDataType, 'float16'>;

const MAX_AXES = 3;

/** The element types by NumPy's names: as .npy files call them, and as zarrita is to read them. */
export const TYPES: Record<string, { code: string; raw: RawType; itemBytes: number }> = {
  bool: { code: 'b1', raw: 'uint8', itemBytes: 1 },
  int8: { code: 'i1', raw: 'int8', itemBytes: 1 },
  uint8: { code: 'u1', raw: 'uint8', itemBytes: 1 },
  int16: { code: 'i2', raw: 'int16', itemBytes: 2 },
  uint16: { code: 'u2', raw: 'uint16', itemBytes: 2 },
  int32: { code: 'i4', raw: 'int32', itemBytes: 4 },
  uint32: { code: 'u4', raw: 'uint32', itemBytes: 4 },
  int64: { code: 'i8', raw: 'int64', itemBytes: 8 },
  uint64: { code: 'u8', raw: 'uint64', itemBytes: 8 },
  float16: { code: 'f2', raw: 'uint16', itemBytes: 2 },
  float32: { code: 'f4', raw: 'float32', itemBytes: 4 },
  float64: { code: 'f8', raw: 'float64', itemBytes: 8 },
};

/** What the codecs, in their 32 bits, and Node's reading of files can hold, with room to spare. */
export const MAX_CHUNK_BYTES = 2 ** 31 - 2 ** 16;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Any value in a few characters. */
function shortly(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** Reads the members of a document and says what is wrong with them. */
export class Judge {
  constructor(
    readonly name: string,
    readonly location: string,
  ) {}

  refuse(expected: string, value: unknown, advice = ''): CommandError {
    return new CommandError(
      `Expected ${expected} in ${this.name} of ${this.location} but received ` +
        `${shortly(value)}${advice}.`,
    );
  }

  numbers(value: unknown, least: number, what: string): number[] {
    const isRight =
      Array.isArray(value) &&
      value.every((axis) => Number.isSafeInteger(axis) && (axis as number) >= least);
    if (!isRight) throw this.refuse(what, value);
    return value as number[];
  }

  shape(value: unknown): number[] {
    const shape = this.numbers(value, 0, 'a shape of whole numbers');
    if (shape.length < 1 || shape.length > MAX_AXES) {
      throw this.refuse('a shape of 1 to 3 axes', value);
    }
    return shape;
  }

  /** Of chunks, for which the codecs need to know the size in bytes. */
  chunkShape(value: unknown, shape: readonly number[], itemBytes: number): number[] {
    const chunkShape = this.numbers(value, 1, 'a shape of the chunks, whole numbers above 0,');
    if (chunkShape.length !== shape.length) {
      throw this.refuse(`a shape of the chunks of ${shape.length} axes`, value);
    }
    const bytes = sizeOf(chunkShape) * itemBytes;
    if (bytes > MAX_CHUNK_BYTES) {
      throw this.refuse('chunks of less than 2 GiB', value, '; store it in smaller chunks');
    }
    return chunkShape;
  }

  /** Sizes beyond 2 to the power of 53 cannot be counted. */
  size(shape: readonly number[], itemBytes: number): void {
    if (!Number.isSafeInteger(sizeOf(shape) * itemBytes)) {
      throw this.refuse('a shape that can be', shape);
    }
  }

  type(name: unknown, received = name): (typeof TYPES)[string] {
    const type = typeof name === 'string' && Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
    if (type === undefined) {
      throw this.refuse('booleans, integers or floats of at most 64 bits', received);
    }
    return type;
  }

  fill(value: unknown, type: string): number | bigint {
    // Other writers leave the fill value out where no chunk is missing.
    if (value === null || value === undefined) return isLong(type) ? 0n : 0;
    if (type === 'bool' && typeof value === 'boolean') return value ? 1 : 0;
    const fill = type.startsWith('float') ? floatOf(value, type) : integerOf(value, type);
    if (fill === undefined) throw this.refuse(`a fill value of type ${type}`, value);
    return fill;
  }

  separator(value: unknown, standard: '.' | '/'): '.' | '/' {
    if (value === undefined) return standard;
    if (value !== '.' && value !== '/') throw this.refuse("'.' or '/' between indices", value);
    return value;
  }

  attributes(value: unknown): Json {
    if (value === undefined) return {};
    if (!isObject(value)) throw this.refuse('an object of attributes', value);
    return value;
  }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

function isLong(type: string): boolean {
  return type === 'int64' || type === 'uint64';
}

function integerOf(value: unknown, type: string): number | bigint | undefined {
  if (!Number.isSafeInteger(value)) return undefined;
  const integer = BigInt(value as number);
  const bits = type === 'bool' ? 1 : Number(/[0-9]+$/.exec(type)?.[0]);
  const isSigned = type.startsWith('int');
  const isWithin = isSigned
    ? BigInt.asIntN(bits, integer) === integer
    : BigInt.asUintN(bits, integer) === integer;
  if (!isWithin) return undefined;
  return isLong(type) ? integer : (value as number);
}

function floatOf(value: unknown, type: string): number | undefined {
  const digits = Number(type.slice('float'.length)) / 4;
  const hexadecimal = new RegExp(`^0x[0-9a-fA-F]{${digits}}$`);
  if (typeof value === 'string' && hexadecimal.test(value)) {
    if (type === 'float16') return Number(value);
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value) << BigInt(64 - 4 * digits));
    return type === 'float32' ? view.getFloat32(0) : view.getFloat64(0);
  }
  const isNamed = value === 'NaN' || value === 'Infinity' || value === '-Infinity';
  if (!isNamed && typeof value !== 'number') return undefined;
  const float = Number(value);
  return type === 'float16' ? bitsOfHalf(float) : float;
}

/** The bits of a half float; undefined for a number that is none. */
function bitsOfHalf(float: number): number | undefined {
  const halves = decodeBytes(
    new Uint8Array(Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).buffer),
    { code: 'f2', isBigEndian: false },
  ) as Float32Array;
  const bits = Number.isNaN(float)
    ? 0x7e00
    : halves.findIndex((half) => Object.is(half, Math.fround(float)));
  return bits < 0 ? undefined : bits;
}

/** What format 3 gives as a name, or as an object with a name and a configuration. */
export function extension(
  value: unknown,
  what: string,
  judge: Judge,
): { name: string; configuration: Json } {
  if (typeof value === 'string') return { name: value, configuration: {} };
  if (isObject(value) && typeof value['name'] === 'string') {
    const { name, configuration = {} } = value;
    if (isObject(configuration)) return { name, configuration };
  }
  throw judge.refuse(what, value);
}

export function codecsOf(value: unknown, judge: Judge): CodecMetadata[] {
  if (!Array.isArray(value)) throw judge.refuse('a list of codecs', value);
  return value.map((codec: unknown) => extension(codec, 'a codec', judge));
}
