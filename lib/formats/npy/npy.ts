/**
 * Reads and writes NumPy's .npy files, versions 1.0 to 3.0.
 *
 * The format is described at https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html:
 * a magic string, a version, a header that is a Python dictionary with the keys `descr`,
 * `fortran_order` and `shape`, then the elements.
 */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { endianness } from 'node:os';

import type { TypedArray } from '../../index';
import { MAX_TRANSFER_BYTES, writeCompleteFile } from '../files/complete-file';
import { CommandError } from '../../errors/command-errors';
import { message } from '../../errors/message';
import { fileError } from '../../errors/system-errors';
import { describeForeign } from '../foreign/formats';

/** What the elements of an array are held in. */
export type NpyData = Exclude<TypedArray, Uint8ClampedArray>;

/** An array of at most three axes in row-major (C) order; no axes at all means one number. */
export interface NpyArray<Data extends NpyData = NpyData> {
  data: Data;
  shape: readonly number[];
}

/** How the elements lie in a file. */
export interface NpyLayout {
  /** NumPy's name of the element type: 'bool', 'uint8', 'float64' ... */
  type: string;
  /** The same as the file has it, without the byte order: 'b1', 'u1', 'f8' ... */
  code: string;
  isBigEndian: boolean;
  isFortranOrder: boolean;
  shape: number[];
  /** Major version of the format, 1 to 3. */
  version: number;
  /** Bytes before the first element. */
  headerBytes: number;
  itemBytes: number;
  /** Bytes of all elements together. */
  dataBytes: number;
}

interface ElementType {
  name: string;
  itemBytes: number;
  /** A view of bytes that are in this machine's order and aligned. */
  view(buffer: ArrayBufferLike, byteOffset: number, length: number): NpyData;
}

type ViewConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => NpyData;

function elementType(name: string, itemBytes: number, View: ViewConstructor): ElementType {
  return { name, itemBytes, view: (buffer, offset, length) => new View(buffer, offset, length) };
}

const ELEMENT_TYPES: Record<string, ElementType> = {
  b1: {
    name: 'bool',
    itemBytes: 1,
    view: (buffer, offset, length) => normalizeBooleans(new Uint8Array(buffer, offset, length)),
  },
  i1: elementType('int8', 1, Int8Array),
  u1: elementType('uint8', 1, Uint8Array),
  i2: elementType('int16', 2, Int16Array),
  u2: elementType('uint16', 2, Uint16Array),
  i4: elementType('int32', 4, Int32Array),
  u4: elementType('uint32', 4, Uint32Array),
  i8: elementType('int64', 8, BigInt64Array),
  u8: elementType('uint64', 8, BigUint64Array),
  f2: {
    name: 'float16',
    itemBytes: 2,
    view: (buffer, offset, length) => widenHalves(new Uint16Array(buffer, offset, length)),
  },
  f4: elementType('float32', 4, Float32Array),
  f8: elementType('float64', 8, Float64Array),
};

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
const MAX_AXES = 3;
/** NumPy refuses longer headers too; what is read here needs about a hundred characters. */
const MAX_HEADER_CHARACTERS = 10_000;
/** Every header that is read here lies in so many bytes. */
export const MAX_HEADER_BYTES = 12 + MAX_HEADER_CHARACTERS;
const IS_HOST_BIG_ENDIAN = endianness() === 'BE';

/**
 * Decodes the bytes of a .npy file.
 *
 * Booleans come as Uint8Array, half floats as Float32Array, 64-bit integers as BigInt64Array or
 * BigUint64Array, and everything else as the typed array of its own kind. Any byte of a boolean but 0
 * becomes 1. Fortran order becomes C order. The elements are a view of `bytes` where they lie aligned
 * and need no change, else a copy.
 *
 * @param bytes The whole file.
 * @param name What to call the file in errors.
 * @throws CommandError in one sentence when the bytes are not such a file, or not all of it.
 */
export function decodeNpy(bytes: Uint8Array, name = 'the .npy data'): NpyArray {
  const layout = parseLayout(bytes, name);
  checkFileSize(layout, bytes.length, name);
  return decodeElements(bytes.subarray(layout.headerBytes), layout);
}

/**
 * Encodes an array as a .npy file of version 1.0, byte for byte as NumPy writes it. Higher versions
 * are for headers that cannot occur here: longer than 65535 characters, or with names in them.
 *
 * @throws RangeError when the shape and the number of elements disagree.
 */
export function encodeNpy(array: NpyArray): Uint8Array {
  const [header, elements] = encodeParts(array);
  const bytes = new Uint8Array(header.length + elements.length);
  bytes.set(header);
  bytes.set(elements, header.length);
  return bytes;
}

/** Reads a whole .npy file; see decodeNpy. */
export async function readNpyFile(path: string): Promise<NpyArray> {
  try {
    if ((await stat(path)).isFIFO()) {
      throw new CommandError(`Expected a file but ${path} is a pipe.`);
    }
    const file = await open(path, 'r');
    try {
      return await readArray(file, path);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** Writes a .npy file that appears under its name only when it is complete; see encodeNpy. */
export async function writeNpyFile(path: string, array: NpyArray): Promise<void> {
  await writeCompleteFile(path, encodeParts(array));
}

async function readArray(file: FileHandle, path: string): Promise<NpyArray> {
  const layout = await readNpyLayout(file, path);
  const elements = await readBytes(file, layout.headerBytes, layout.dataBytes, path);
  return decodeElements(elements, layout);
}

/**
 * Reads the header of an open .npy file, and judges it against the file's size, so that a lying one
 * never costs any memory.
 */
export async function readNpyLayout(file: FileHandle, path: string): Promise<NpyLayout> {
  const stat = await file.stat();
  if (!stat.isFile()) {
    throw new CommandError(`Expected a file but ${path} is a folder or a device.`);
  }
  const start = await readBytes(file, 0, Math.min(stat.size, MAX_HEADER_BYTES), path);
  const layout = parseLayout(start, path);
  checkFileSize(layout, stat.size, path);
  return layout;
}

/** Reads `length` bytes from `position` on, into `memory` if it has room for them. */
export async function readBytes(
  file: FileHandle,
  position: number,
  length: number,
  path: string,
  memory?: Uint8Array,
): Promise<Uint8Array> {
  const hasRoom = memory !== undefined && memory.length >= length;
  const bytes = hasRoom ? memory.subarray(0, length) : allocate(length, path);
  let done = 0;
  while (done < length) {
    const wanted = Math.min(length - done, MAX_TRANSFER_BYTES);
    const { bytesRead } = await file.read(bytes, done, wanted, position + done);
    if (bytesRead === 0) throw new CommandError(`Could not read ${path}: it became shorter.`);
    done += bytesRead;
  }
  return bytes;
}

function allocate(size: number, path: string): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new CommandError(`Expected ${path} to fit the memory but it holds ${size} bytes.`, {
      cause,
    });
  }
}

/**
 * Elements that lie one after the other in a file, as an array in this machine's byte order; a view
 * of `bytes`, which may be changed, where they lie as they must. Half floats become Float32Array, and
 * any byte of a boolean but 0 becomes 1, in a copy.
 */
export function decodeBytes(
  bytes: Uint8Array,
  { code, isBigEndian }: Pick<NpyLayout, 'code' | 'isBigEndian'>,
): NpyData {
  const type = typeOf(code);
  const { itemBytes } = type;
  const isSwapped = itemBytes > 1 && isBigEndian !== IS_HOST_BIG_ENDIAN;
  const isAligned = bytes.byteOffset % itemBytes === 0;
  const elements = isAligned ? bytes : new Uint8Array(bytes);
  if (isSwapped) swapBytes(elements, itemBytes);
  return type.view(elements.buffer, elements.byteOffset, elements.length / itemBytes);
}

function typeOf(code: string): ElementType {
  const type = ELEMENT_TYPES[code];
  if (type === undefined) throw new RangeError(`Expected a code of a type but received '${code}'.`);
  return type;
}

/** Reads the header at the beginning of `bytes`. */
export function parseLayout(bytes: Uint8Array, name: string): NpyLayout {
  const { text, headerBytes } = readHeaderText(bytes, name);
  const header = new HeaderParser(text, name).parse();
  const { code, isBigEndian } = readDescr(header.descr, name);
  const { shape, isFortranOrder } = header;
  const { itemBytes, name: type } = typeOf(code);
  const dataBytes = shape.reduce((size, axis) => size * axis, itemBytes);
  return {
    type,
    code,
    isBigEndian,
    isFortranOrder,
    shape,
    version: bytes[6] ?? 0,
    headerBytes,
    itemBytes,
    dataBytes,
  };
}

function checkFileSize(layout: NpyLayout, fileBytes: number, name: string): void {
  const { dataBytes, headerBytes, shape, type } = layout;
  if (fileBytes - headerBytes === dataBytes) return;
  throw new CommandError(
    `Expected ${dataBytes} bytes of elements in ${name}, as shape (${shape.join(', ')}) of ` +
      `${type} says, but received ${fileBytes - headerBytes}; ` +
      (fileBytes - headerBytes < dataBytes
        ? 'the file is not complete.'
        : 'the file holds more than one array, or its header is wrong.'),
  );
}

/** Whether bytes begin as a .npy file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

function readHeaderText(bytes: Uint8Array, name: string): { text: string; headerBytes: number } {
  if (!isNpy(bytes)) {
    throw new CommandError(
      message`Expected a .npy file, as NumPy's save writes it, but ${name} \
${describeForeign(bytes, name) ?? 'does not begin like one'}.`,
    );
  }
  const version = bytes[6] ?? 0;
  if (bytes.length >= 8 && (version < 1 || version > 3 || bytes[7] !== 0)) {
    throw new CommandError(
      `Expected version 1.0, 2.0 or 3.0 of the .npy format in ${name} ` +
        `but received ${version}.${bytes[7]}.`,
    );
  }
  const begin = version === 1 ? 10 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length =
    bytes.length < begin ? 0 : version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_CHARACTERS) {
    throw new CommandError(
      `Expected a header of at most ${MAX_HEADER_CHARACTERS} characters in ${name} ` +
        `but received ${length}.`,
    );
  }
  if (bytes.length < begin || begin + length > bytes.length) {
    throw new CommandError(`Expected a whole header in ${name} but the file ends within it.`);
  }
  const encoding = version === 3 ? 'utf-8' : 'latin1';
  const text = new TextDecoder(encoding).decode(bytes.subarray(begin, begin + length));
  return { text, headerBytes: begin + length };
}

function readDescr(descr: string, name: string): { code: string; isBigEndian: boolean } {
  const [, order, code] = /^([<>|=]?)([a-z][0-9]*)$/.exec(descr) ?? [];
  if (code === undefined || !Object.hasOwn(ELEMENT_TYPES, code)) {
    const advice = descr.includes('O') ? "; NumPy's astype makes numbers of Python objects" : '';
    throw new CommandError(
      `Expected booleans, integers or floats of at most 64 bits in ${name} ` +
        `but received elements of type '${descr.slice(0, 40)}'${advice}.`,
    );
  }
  const isMarked = order === '<' || order === '>';
  return { code, isBigEndian: isMarked ? order === '>' : IS_HOST_BIG_ENDIAN };
}

/** Parses exactly the Python literals that the format allows; each character is looked at once. */
class HeaderParser {
  readonly #text: string;
  readonly #name: string;
  #at = 0;

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
  }

  parse(): { descr: string; isFortranOrder: boolean; shape: number[] } {
    let descr: string | undefined;
    let isFortranOrder: boolean | undefined;
    let shape: number[] | undefined;
    this.#expect('{');
    while (!this.#accept('}')) {
      const key = this.#string();
      this.#expect(':');
      if (key === 'descr' && descr === undefined) descr = this.#descr();
      else if (key === 'fortran_order' && isFortranOrder === undefined) {
        isFortranOrder = this.#boolean();
      } else if (key === 'shape' && shape === undefined) shape = this.#shape();
      else throw this.#malformed();
      if (!this.#accept(',')) {
        this.#expect('}');
        break;
      }
    }
    this.#skipSpace();
    const isAtEnd = this.#at === this.#text.length;
    if (!isAtEnd || descr === undefined || isFortranOrder === undefined || shape === undefined) {
      throw this.#malformed();
    }
    return { descr, isFortranOrder, shape };
  }

  #descr(): string {
    if (this.#peek() === '[') {
      throw new CommandError(
        `Expected plain numbers in ${this.#name} but received a structured array; ` +
          'save the field that holds the raster by itself.',
      );
    }
    return this.#string();
  }

  #string(): string {
    const quote = this.#peek();
    const end = quote === "'" || quote === '"' ? this.#text.indexOf(quote, this.#at + 1) : -1;
    const content = this.#text.slice(this.#at + 1, end);
    if (end < 0 || content.includes('\\')) throw this.#malformed();
    this.#at = end + 1;
    return content;
  }

  #boolean(): boolean {
    this.#skipSpace();
    for (const [word, value] of [
      ['True', true],
      ['False', false],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    throw this.#malformed();
  }

  #shape(): number[] {
    const shape: number[] = [];
    let isTuple = false;
    this.#expect('(');
    while (!this.#accept(')')) {
      shape.push(this.#wholeNumber());
      if (this.#accept(',')) isTuple = true;
      else {
        this.#expect(')');
        break;
      }
    }
    if (shape.length === 1 && !isTuple) throw this.#malformed();
    if (shape.length > MAX_AXES) {
      throw new CommandError(
        `Expected at most ${MAX_AXES} axes in ${this.#name} but received shape ` +
          `(${shape.slice(0, 8).join(', ')}${shape.length > 8 ? ', ...' : ''}).`,
      );
    }
    return shape;
  }

  #wholeNumber(): number {
    this.#skipSpace();
    const begin = this.#at;
    while (/[0-9]/.test(this.#text.charAt(this.#at))) this.#at++;
    const value = Number(this.#text.slice(begin, this.#at));
    if (this.#at === begin || !Number.isSafeInteger(value)) throw this.#malformed();
    // Python 2 wrote long integers as 10L.
    if (this.#text[this.#at] === 'L') this.#at++;
    return value;
  }

  #skipSpace(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'end')) this.#at++;
  }

  #peek(): string | undefined {
    this.#skipSpace();
    return this.#text[this.#at];
  }

  #accept(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #expect(character: string): void {
    if (!this.#accept(character)) throw this.#malformed();
  }

  #malformed(): CommandError {
    return new CommandError(
      `Expected a .npy header with descr, fortran_order and shape in ${this.#name} ` +
        `but received one that is corrupt at its character ${this.#at}.`,
    );
  }
}

/** `bytes` holds at least the elements, from its first byte on, and is left as it is. */
function decodeElements(bytes: Uint8Array, layout: NpyLayout): NpyArray {
  const { shape, dataBytes, isFortranOrder, isBigEndian, itemBytes } = layout;
  const isSwapped = itemBytes > 1 && isBigEndian !== IS_HOST_BIG_ENDIAN;
  const elements = bytes.subarray(0, dataBytes);
  const data = decodeBytes(isSwapped ? new Uint8Array(elements) : elements, layout);
  return { data: isFortranOrder ? toRowMajor(data, shape) : data, shape };
}

function swapBytes(bytes: Uint8Array, itemBytes: number): void {
  const swapped = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (itemBytes === 2) swapped.swap16();
  else if (itemBytes === 4) swapped.swap32();
  else swapped.swap64();
}

function toRowMajor(data: NpyData, shape: readonly number[]): NpyData {
  const [first = 1, second = 1, third = 1] = shape;
  const source = data as Float64Array;
  const target = new (data.constructor as Float64ArrayConstructor)(data.length);
  let next = 0;
  for (let i = 0; i < first; i++) {
    for (let j = 0; j < second; j++) {
      for (let k = 0; k < third; k++) {
        target[next++] = source[i + first * (j + second * k)] ?? 0;
      }
    }
  }
  return target;
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

/** What each half float is. */
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

function encodeParts({ data, shape }: NpyArray): [header: Uint8Array, elements: Uint8Array] {
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (size !== data.length) {
    throw new RangeError(
      `Expected ${size} elements for shape (${shape.join(', ')}) but received ${data.length}.`,
    );
  }
  const elements = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [encodeHeader(descrOf(data), shape), elements];
}

/** The element type as a header has it. */
export function descrOf(data: NpyData): string {
  const tag = data[Symbol.toStringTag];
  const kind = tag.startsWith('Float') ? 'f' : tag.includes('Uint') ? 'u' : 'i';
  const order = data.BYTES_PER_ELEMENT === 1 ? '|' : IS_HOST_BIG_ENDIAN ? '>' : '<';
  return `${order}${kind}${data.BYTES_PER_ELEMENT}`;
}

/** The bytes before the elements of an array in C order, as NumPy writes them. */
export function encodeHeader(descr: string, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // NumPy leaves room for the first axis to grow to 21 digits, and aligns the elements to 64 bytes.
  const room = shape.length === 0 ? 0 : Math.max(0, 21 - String(shape[0]).length);
  const text = dictionary + ' '.repeat(room);
  const begin = 10;
  const headerBytes = Math.ceil((begin + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(headerBytes).fill(0x20);
  bytes.set(MAGIC);
  bytes.set([1, 0], MAGIC.length);
  new DataView(bytes.buffer).setUint16(8, headerBytes - begin, true);
  bytes.set(Buffer.from(text, 'latin1'), begin);
  bytes[headerBytes - 1] = 0x0a;
  return bytes;
}
