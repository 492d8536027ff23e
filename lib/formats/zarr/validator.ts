/** What is wrong with a document that describes an array: reads its members, one after the other. */
import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import { sizeOf } from '../../arrays/arrays';
import { ELEMENT_TYPES } from '../elements';

export type Json = Record<string, unknown>;

export type CodecMetadata = Zarrita.CodecMetadata;

/** The bits of half floats and of booleans are read as integers. */
export type RawType = Exclude<Zarrita.NumberDataType | Zarrita.BigintDataType, 'float16'>;

const MAX_AXES = 3;

/** Types that zarrita reads as another one. */
const READ_AS: Record<string, RawType> = { bool: 'uint8', float16: 'uint16' };

/** The element types by NumPy's names, with the type as which zarrita reads them. */
export const TYPES: Record<string, { code: string; raw: RawType; itemBytes: number }> =
  Object.fromEntries(
    Object.entries(ELEMENT_TYPES).map(([code, { name, itemBytes }]) => {
      return [name, { code, raw: READ_AS[name] ?? (name as RawType), itemBytes }];
    }),
  );

/** What the codecs, in their 32 bits, and Node's reading of files can hold, with room to spare. */
export const MAX_CHUNK_BYTES = 2 ** 31 - 2 ** 16;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Any text in a few characters. */
function shortly(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** Reads the members of a document and says what is wrong with them. */
export class Validator {
  constructor(
    readonly name: string,
    readonly location: string,
  ) {}

  refuse(expected: string, value: unknown, advice = ''): CommandError {
    return this.refuseText(expected, JSON.stringify(value), advice);
  }

  /** The same of a value that is known by its text. */
  refuseText(expected: string, text: string | undefined, advice = ''): CommandError {
    return new CommandError(
      `Expected ${expected} in ${this.name} of ${this.location} but received ` +
        `${shortly(text)}${advice}.`,
    );
  }

  /** Of format 3: no members but those that are known, and those that say that they may be ignored. */
  members(object: Json, known: readonly string[], place: string): void {
    for (const [name, value] of Object.entries(object)) {
      if (known.includes(name)) continue;
      if (isObject(value) && value['must_understand'] === false) continue;
      throw this.refuse(
        `only known members of ${place}`,
        name,
        ", which is not marked with 'must_understand: false'",
      );
    }
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

/** What format 3 calls an extension: a name, or an object with a name and a configuration. */
export interface Extension {
  name: string;
  configuration: Json;
  /** Whether an array cannot be read by a program that does not know it. */
  mustUnderstand: boolean;
}

export type Codec = Extension;

export function extension(value: unknown, what: string, validator: Validator): Extension {
  if (typeof value === 'string') return { name: value, configuration: {}, mustUnderstand: true };
  if (isObject(value) && typeof value['name'] === 'string') {
    const { name, configuration = {}, must_understand: mustUnderstand = true } = value;
    if (isObject(configuration) && typeof mustUnderstand === 'boolean') {
      validator.members(value, ['name', 'configuration', 'must_understand'], `'${name}'`);
      return { name, configuration, mustUnderstand };
    }
  }
  throw validator.refuse(what, value);
}

export function codecsOf(value: unknown, validator: Validator): Codec[] {
  if (!Array.isArray(value)) throw validator.refuse('a list of codecs', value);
  return value.map((codec: unknown) => extension(codec, 'a codec', validator));
}
