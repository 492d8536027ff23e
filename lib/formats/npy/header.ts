/** The header of .npy files. */
import { CommandError } from '../../errors/command-errors';
import { message } from '../../errors/message';
import { ELEMENT_TYPES, IS_HOST_BIG_ENDIAN, typeOf } from '../elements';
import { adviseObjects, describeForeign } from '../foreign/formats';
import { formatShape } from '../../errors/checks';
import { sizeOf } from '../../arrays/arrays';
import type { TypedArray } from '../../arrays/element-types';

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

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
const MAX_AXES = 3;
/** NumPy refuses longer headers too; what is read here needs about a hundred characters. */
const MAX_HEADER_CHARACTERS = 10_000;
/** Every header that is read here lies in so many bytes. */
export const MAX_HEADER_BYTES = 12 + MAX_HEADER_CHARACTERS;
/** Reads the header at the beginning of `bytes`. */
export function parseLayout(bytes: Uint8Array, name: string): NpyLayout {
  const { text, headerBytes } = readHeaderText(bytes, name);
  const header = new HeaderParser(text, name).parse();
  const { shape, isFortranOrder } = header;
  if (header.descr.includes('O')) throw pickled(shape, name);
  const { code, isBigEndian } = readDescr(header.descr, name);
  const { itemBytes, name: type } = typeOf(code);
  const dataBytes = sizeOf(shape) * itemBytes;
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

/** Whether bytes begin as a .npy file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

/** The header of a file as a text, whatever it says. */
export function readHeaderText(
  bytes: Uint8Array,
  name: string,
): { text: string; headerBytes: number } {
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

/** What Python has pickled: a dictionary of arrays, a list of times for each unit, or anything. */
function pickled(shape: readonly number[], name: string): CommandError {
  const advice = adviseObjects(shape, name);
  return new CommandError(
    `Expected booleans, integers or floats of at most 64 bits in ${name} but received Python objects of shape ` +
      `${formatShape(shape)}; ${advice}, but runs what is in it, so do that only if you trust its origin.`,
  );
}

function readDescr(descr: string, name: string): { code: string; isBigEndian: boolean } {
  const [, order, code] = /^([<>|=]?)([a-z][0-9]*)$/.exec(descr) ?? [];
  if (code === undefined || !Object.hasOwn(ELEMENT_TYPES, code)) {
    throw new CommandError(
      `Expected booleans, integers or floats of at most 64 bits in ${name} ` +
        `but received elements of type '${descr.slice(0, 40)}'.`,
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

/** The element type as a header has it. */
export function descrOf(data: TypedArray): string {
  const tag = data[Symbol.toStringTag];
  const kind = tag.startsWith('Float') ? 'f' : tag.includes('Uint') ? 'u' : 'i';
  const order = data.BYTES_PER_ELEMENT === 1 ? '|' : IS_HOST_BIG_ENDIAN ? '>' : '<';
  return `${order}${kind}${data.BYTES_PER_ELEMENT}`;
}

/** The bytes before the elements of an array in C order, as NumPy writes them. */
export function encodeHeader(descr: string, shape: readonly number[]): Uint8Array {
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${formatShape(shape)}, }`;
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
