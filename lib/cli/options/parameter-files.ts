/** The values of a kernel's parameter: numbers or times with commas, or a file of them. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { CommandError, UsageError } from '../../errors/command-errors';
import type { ExpSynError } from '../../errors/error-codes';
import { fileError } from '../../errors/system-errors';
import { requireFile } from '../../formats/files/read-bytes';
import { hasEnding, type Format } from '../../formats/format';
import { arrayFormats } from '../../formats/registry';
import type { KernelParameter } from '../../modules/kernel-definition';
import { alternatives, flagOf } from './wording';
import { parseTime } from './times';
import { formatShape } from '../../errors/checks';

const TEXT_ENDINGS = ['.txt', '.csv', '.tsv'];

/** Whitespace between a number and its unit, which is a part of the time. */
const BEFORE_UNIT = /\s+(?=(?:s|ms|us|\u00b5s|\u03bcs)(?:[\s,;]|$))/g;

export function parameterFileEndings(): string[] {
  return [...arrayFormats().flatMap(({ endings }) => endings), ...TEXT_ENDINGS];
}

/** Whether the value of a flag names a file. */
export function isFile(text: string): boolean {
  return hasEnding(text, parameterFileEndings());
}

/** The flag of a parameter, and how its numbers are written. */
interface Reading {
  flag: string;
  what: 'time' | 'number';
  /** @param place The flag, and where it stands if that is in a file. */
  parse: (text: string, place: string) => number;
}

/** Reads the value of a parameter's flag, or the file that it names. */
export async function readParameter(
  text: string,
  { name, unit, check }: Pick<KernelParameter, 'name' | 'unit' | 'check'>,
): Promise<number[]> {
  const flag = flagOf(name);
  const isTime = unit === 's';
  const reading: Reading = {
    flag,
    what: isTime ? 'time' : 'number',
    parse: (value, place) => {
      const number = isTime ? parseTime(value, place) : Number(value);
      return checked(number, check, (expected) => `${expected} for ${place}`);
    },
  };
  if (!isFile(text)) return parseList(text, reading);
  const format = arrayFormats().find(({ endings }) => hasEnding(text, endings));
  const values = await (format === undefined
    ? readTextFile(text, reading)
    : readArrayFile(text, format.readArray, flag, check));
  if (values.length > 0) return values;
  throw new CommandError(
    `Expected at least one ${reading.what} in ${text} for ${flag} but received none.`,
  );
}

/** A number that its parameter permits. */
function checked(
  value: number,
  check: KernelParameter['check'],
  describe: (expected: string) => string,
): number {
  try {
    return check(value, '');
  } catch (error) {
    const { expected = 'another number', received = value } = error as Partial<ExpSynError>;
    throw new CommandError(`Expected ${describe(expected)} but received ${received}.`);
  }
}

function parseList(text: string, { flag, what, parse }: Reading): number[] {
  try {
    return text.split(',').map((part) => parse(part, flag));
  } catch (error) {
    if (!existsSync(text)) throw error;
    throw new UsageError(
      `Expected ${what}s, or a file of ${what}s whose name ends in ${alternatives(parameterFileEndings())}, for ` +
        `${flag} but received '${text}'.`,
      { cause: error },
    );
  }
}

/** Numbers in the unit of the parameter, of shape (N,) or (). */
async function readArrayFile(
  path: string,
  readArray: NonNullable<Format['readArray']>,
  flag: string,
  check: KernelParameter['check'],
): Promise<number[]> {
  const { data, shape } = await readArray(path);
  if (shape.length > 1) {
    throw new CommandError(
      `Expected shape (N,) or () in ${path} for ${flag} but received ${formatShape(shape)}.`,
    );
  }
  return Array.from<number | bigint, number>(data, (value, index) =>
    checked(Number(value), check, (expected) => `${expected} at [${index}] of ${path} for ${flag}`),
  );
}

/**
 * Numbers between line ends, commas, semicolons or spaces, as NumPy's savetxt and spreadsheets write
 * them. What follows a '#' in a line is a comment.
 */
async function readTextFile(path: string, { flag, parse }: Reading): Promise<number[]> {
  const text = await readText(path);
  return text.split(/\r\n|\n|\r/).flatMap((line, index) => {
    const [values = ''] = line.split('#');
    return values
      .trim()
      .replace(BEFORE_UNIT, '')
      .split(/[\s,;]+/)
      .filter((value) => value !== '')
      .map((value) => parse(value, `${flag} in line ${index + 1} of ${path}`));
  });
}

/** UTF-8, or UTF-16 where a mark says so, as some programs on Windows write it. */
async function readText(path: string): Promise<string> {
  try {
    await requireFile(path);
    const bytes = await readFile(path);
    const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
    // The decoder leaves out the mark at the beginning.
    return new TextDecoder(encoding).decode(bytes);
  } catch (error) {
    throw fileError('read', path, error);
  }
}
