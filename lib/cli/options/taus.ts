/** The time constants that `expsyn run` is given: times with commas, or a file of them. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { CommandError, UsageError } from '../../errors/command-errors';
import { fileError } from '../../errors/system-errors';
import { requireFile } from '../../formats/files/read-bytes';
import { hasEnding, type Format } from '../../formats/format';
import { arrayFormats } from '../../formats/registry';
import { alternatives } from '../words';
import { parseTime, parseTimes } from './times';

const TEXT_ENDINGS = ['.txt', '.csv', '.tsv'];

/** Whitespace between a number and its unit, which is a part of the time. */
const BEFORE_UNIT = /\s+(?=(?:s|ms|us|\u00b5s|\u03bcs)(?:[\s,;]|$))/g;

function fileEndings(): string[] {
  return [...arrayFormats().flatMap(({ endings }) => endings), ...TEXT_ENDINGS];
}

/** Whether the value of --tau names a file. */
export function isTauFile(text: string): boolean {
  return hasEnding(text, fileEndings());
}

/** Reads the value of --tau, or the file that it names. */
export async function readTaus(text: string): Promise<number[]> {
  if (!isTauFile(text)) return parseList(text);
  const format = arrayFormats().find(({ endings }) => hasEnding(text, endings));
  const taus = await (format === undefined
    ? readTextTaus(text)
    : readTauArray(text, format.readArray));
  if (taus.length > 0) return taus;
  throw new CommandError(`Expected at least one time in ${text} for --tau but received none.`);
}

function parseList(text: string): number[] {
  try {
    return Array.from(parseTimes(text, '--tau'));
  } catch (error) {
    if (!existsSync(text)) throw error;
    throw new UsageError(
      `Expected times, or a file of times whose name ends in ${alternatives(fileEndings())}, for --tau but ` +
        `received '${text}'.`,
      { cause: error },
    );
  }
}

/** Times in seconds, of shape (N,) or (). */
async function readTauArray(
  path: string,
  readArray: NonNullable<Format['readArray']>,
): Promise<number[]> {
  const { data, shape } = await readArray(path);
  if (shape.length > 1) {
    throw new CommandError(
      `Expected shape (N,) or () in ${path} for --tau but received (${shape.join(', ')}).`,
    );
  }
  return Array.from<number | bigint, number>(data, (value, index) => {
    const tau = Number(value);
    if (tau > 0 && tau < Infinity) return tau;
    throw new CommandError(
      `Expected seconds above zero in ${path} for --tau but received ${tau} at [${index}].`,
    );
  });
}

/**
 * Times with line ends, commas, semicolons or spaces between them, as NumPy's savetxt and
 * spreadsheets write them. What follows a '#' in a line is a comment.
 */
async function readTextTaus(path: string): Promise<number[]> {
  const text = await readText(path);
  return text.split(/\r\n|\n|\r/).flatMap((line, index) => {
    const [times = ''] = line.split('#');
    return times
      .trim()
      .replace(BEFORE_UNIT, '')
      .split(/[\s,;]+/)
      .filter((time) => time !== '')
      .map((time) => parseTime(time, `--tau in line ${index + 1} of ${path}`));
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
