/** The header and the rows of a table as text. */
import { CommandError } from '../../errors/command-errors';
import { nameEvents, namePixels, namesIn, type Columns } from './columns';

/** In the order in which they are tried; a blank stands for any blanks. */
const SEPARATORS = ['\t', ';', ',', '|', ' '] as const;
type Separator = (typeof SEPARATORS)[number];

/** RFC 4180: a field in quotes, in which two quotes stand for one, or another one, up to the separator. */
const FIELDS = Object.fromEntries(
  SEPARATORS.map((separator) => {
    const end = separator === ' ' ? String.raw`\s` : separator === '|' ? String.raw`\|` : separator;
    const blanks = separator === '\t' ? ' *' : String.raw`\s*`;
    const field = `${blanks}(?:"([^"]*(?:""[^"]*)*)"${blanks}|([^${end}]*))(${end}|$)`;
    return [separator, new RegExp(field, 'gy')];
  }),
);
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const INTEGER = /^[-+]?\d{1,19}$/;
const COMMA_NUMBER = /^[-+]?(?:\d+,\d*|,\d+)(?:e[-+]?\d+)?$/i;
const COMMENT = /^\s*[#%]/;
/** How spreadsheets are told the separator. */
const EXCEL = /^"?sep=.?"?$/i;
/** A quote that is never closed must not take up the file. */
const MOST_FIELD_CHARACTERS = 2 ** 16;

/** The fields of a row; undefined if it ends within a quoted one. */
function fieldsOf(line: string, separator: Separator): string[] | undefined {
  const row = separator === ' ' ? line.trim() : line;
  if (!row.includes('"')) {
    const fields = separator === ' ' ? row.split(/\s+/) : row.split(separator);
    return fields.map((field) => field.trim());
  }
  const fields: string[] = [];
  for (const [, quoted, plain = '', end] of row.matchAll(FIELDS[separator] ?? /^$/g)) {
    if (quoted === undefined && plain.startsWith('"') && plain.split('"').length % 2 === 0) {
      return undefined;
    }
    fields.push(quoted?.replaceAll('""', '"') ?? plain.trim());
    if (end === '') break;
  }
  return fields;
}

function numberIn(field: string): number {
  if (NUMBER.test(field)) return Number(field);
  return COMMA_NUMBER.test(field) ? Number(field.replace(',', '.')) : NaN;
}

/** A whole number of 64 bits; undefined for anything else. */
function integerIn(field: string): bigint | undefined {
  if (!INTEGER.test(field)) return undefined;
  const integer = BigInt(field);
  return BigInt.asIntN(64, integer) === integer ? integer : undefined;
}

function nameList(names: readonly string[]): boolean {
  return nameEvents(names) || namePixels(names);
}

/** How a table begins. */
export interface Header {
  separator: Separator;
  /** Of the columns; without names, they are numbered from 1. */
  names: readonly string[];
  hasNames: boolean;
  /** Whether the names are those of events. */
  hasEventNames: boolean;
  /** Whether the line itself is the first row. */
  isData: boolean;
}

/** Finds the names of the columns: in the first line, or in the comment above it as NumPy's savetxt writes it. */
export class HeaderSearch {
  #comment = '';
  #open = '';

  /** @returns The header when it is known. */
  take(next: string): Header | undefined {
    const line = this.#open + next;
    if (COMMENT.test(line)) this.#comment = line.replace(/^[\s#%]+/, '');
    if (line.trim() === '' || COMMENT.test(line) || EXCEL.test(line.trim())) return undefined;
    const rows = SEPARATORS.flatMap((separator) => {
      if (separator !== ' ' && !line.includes(separator)) return [];
      const fields = fieldsOf(line, separator);
      return fields === undefined ? [] : [{ separator, fields }];
    });
    if (rows.length === 0 && line.length < MOST_FIELD_CHARACTERS) {
      this.#open = `${line}\n`;
      return undefined;
    }
    const isRow = ({ fields }: { fields: string[] }): boolean =>
      fields.length > 1 && fields.every((field) => !Number.isNaN(numberIn(field)));
    const isHeader = ({ fields }: { fields: string[] }): boolean => nameList(namesOf(fields));
    const { separator, fields } = rows.find((row) => isRow(row) || isHeader(row)) ??
      rows[0] ?? { separator: ' ' as const, fields: [line] };
    const isData = fields.every((field) => !Number.isNaN(numberIn(field)));
    const names = isData ? this.#namesInComment(separator, fields.length) : namesOf(fields);
    return {
      separator,
      names: names ?? fields.map((_, column) => String(column + 1)),
      hasNames: names !== undefined,
      hasEventNames: names !== undefined && nameList(names),
      isData,
    };
  }

  #namesInComment(separator: Separator, width: number): string[] | undefined {
    // A unit belongs to the word before it.
    const comment = this.#comment.replace(/\s+(?=[[(])/g, '');
    const splits = [fieldsOf(comment, separator) ?? [], comment.trim().split(/[\s,;|]+/)];
    return splits.map(namesOf).find((names) => names.length === width && nameList(names));
  }
}

/** Names without a delimiter at the end. */
function namesOf(fields: readonly string[]): string[] {
  const names = fields.map((field) => field.replace(/^'(.*)'$/, '$1').trim());
  while (names.length > 1 && names.at(-1) === '') names.pop();
  return names;
}

/** Reads rows, and keeps the numbers of some columns. */
export class TableRows {
  /** What tells populations apart, for each row. */
  readonly texts: string[] = [];
  readonly #header: Header;
  readonly #path: string;
  readonly #most: number;
  /** Where the columns of numbers are, and what they hold. */
  readonly #columns: readonly { name: string; at: number; numbers: number[]; exact?: bigint[] }[];
  readonly #partAt: number;
  /** Programs write numbers of rows before the columns without a name for them. */
  #shift: number | undefined;
  #open = '';
  /** Numbers with decimal points, and with commas. */
  #hasPoints = false;
  #hasCommas = false;

  constructor(header: Header, columns: Columns, path: string, most: number) {
    const { names } = header;
    this.#header = header;
    this.#path = path;
    this.#most = most;
    this.#partAt = columns.part === undefined ? -1 : names.indexOf(columns.part);
    this.#columns = namesIn({ ...columns, part: undefined }).map((name) => ({
      name,
      at: names.indexOf(name),
      numbers: [],
    }));
  }

  /** @throws CommandError when a number is missing. */
  add(next: string, number: number): void {
    const line = this.#open + next;
    this.#open = '';
    if (line.trim() === '' || COMMENT.test(line)) return;
    const { separator, names } = this.#header;
    const fields = fieldsOf(line, separator);
    if (fields === undefined) {
      if (line.length > MOST_FIELD_CHARACTERS) throw this.#wrong(line, number);
      this.#open = `${line}\n`;
      return;
    }
    if (fields.every((field) => field === '')) return;
    while (fields.length > names.length && fields.at(-1) === '') fields.pop();
    // Between commas, one field more may also be a number with a decimal comma.
    this.#shift ??= separator !== ',' && fields.length === names.length + 1 ? 1 : 0;
    if (fields.length > names.length + this.#shift) throw this.#wrong(line, number);
    for (const [index, column] of this.#columns.entries()) {
      const { at, numbers } = column;
      const field = fields[at + this.#shift] ?? '';
      const value = numberIn(field);
      if (Number.isNaN(value)) throw this.#wrong(line, number, index > 0 ? field : '');
      this.#hasPoints ||= field.includes('.');
      this.#hasCommas ||= field.includes(',');
      // Nanoseconds since 1970, say.
      if (!Number.isSafeInteger(value) && column.exact === undefined && INTEGER.test(field)) {
        column.exact = numbers.every(Number.isInteger) ? numbers.map(BigInt) : [];
      }
      numbers.push(value);
      const integer = column.exact && integerIn(field);
      if (integer !== undefined) column.exact?.push(integer);
    }
    if (this.#hasPoints && this.#hasCommas) throw this.#wrong(line, number);
    if (this.#partAt >= 0) this.texts.push(fields[this.#partAt + this.#shift] ?? '');
    if ((this.#columns[0]?.numbers.length ?? 0) > this.#most) {
      throw new CommandError(
        `Expected at most ${this.#most} events as text in ${this.#path} but received more; save them as .npy.`,
      );
    }
  }

  /** @param number How many lines there are. */
  end(number: number): void {
    if (this.#open !== '') throw this.#wrong(this.#open, number);
  }

  /** As integers if all are whole numbers and some are too large for doubles. */
  numbers(name: string): Float64Array | BigInt64Array {
    const { numbers = [], exact } = this.#columns.find((column) => column.name === name) ?? {};
    const isExact = exact?.length === numbers.length;
    return isExact ? BigInt64Array.from(exact) : Float64Array.from(numbers);
  }

  #wrong(line: string, number: number, word = ''): CommandError {
    const expected = `Expected a time and a channel in line ${number} of ${this.#path} but received '${line.slice(0, 60).replaceAll('\n', ' ')}'`;
    const isName = /^[a-z]/i.test(word) && !/^(nan|inf|infinity|n\/?a|null|none)$/i.test(word);
    const advice = isName ? '; give each name a number, as factorize of pandas does' : '';
    return new CommandError(`${expected}${advice}.`);
  }
}
