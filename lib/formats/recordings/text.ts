/** Tables of events as text: CSV, TSV, and columns separated by blanks. */
import { open, readFile, stat } from 'node:fs/promises';

import { CommandError } from '../../errors/command-errors';
import { fileError } from '../../errors/system-errors';
import { openEventTable, type EventTable } from '../events/event-table';
import { readingEvents } from '../events/reading';
import { isRegularFile } from '../files/read-bytes';
import { hasEnding, type Format } from '../format';
import { isAddress } from '../http/address';
import { findName, ID, TIME, unitIn } from './columns';
import { choosePopulation } from './sonata';

const ENDINGS = ['.csv', '.tsv', '.txt'];
/** A table is in memory as a whole. */
const MOST_BYTES = 2 ** 29;
/** The first line lies in so many bytes. */
const HEAD_BYTES = 4096;
/** The header of a table that SONATA describes; its times are in milliseconds. */
const SONATA = ['timestamps', 'population', 'node_ids'];

function separatorOf(line: string): RegExp {
  for (const separator of [',', '\t', ';'])
    if (line.includes(separator)) return new RegExp(separator);
  return /\s+/;
}

/** Whether the user says so, or the first line names a column of times and one of channels. */
async function isTable(path: string, isEventList: boolean): Promise<boolean> {
  if (isAddress(path) || !hasEnding(path, ENDINGS)) return false;
  if (isEventList) return true;
  if (!(await isRegularFile(path))) return false;
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      const line = linesOf(buffer.toString('utf8', 0, bytesRead)).find(isData) ?? '';
      const names = fieldsOf(line, separatorOf(line));
      return findName(names, TIME) !== undefined && findName(names, ID) !== undefined;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

function isData(line: string): boolean {
  return line.trim() !== '' && !line.trimStart().startsWith('#');
}

function linesOf(text: string): string[] {
  return text.replace(/^\uFEFF/, '').split(/\r?\n/);
}

function fieldsOf(line: string, separator: RegExp): string[] {
  return line
    .trim()
    .split(separator)
    .map((field) => field.trim().replace(/^"(.*)"$/, '$1'));
}

async function readTable(path: string, wanted: string | undefined): Promise<EventTable> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new CommandError(`Expected a file but ${path} is none.`);
    const { size } = found;
    if (size > MOST_BYTES) {
      throw new CommandError(
        `Expected a table of at most ${MOST_BYTES} bytes in ${path} but received ${size}; save it as .npy.`,
      );
    }
    return parseTable(await readFile(path, 'utf8'), path, wanted);
  } catch (error) {
    throw fileError('read', path, error);
  }
}

function parseTable(text: string, path: string, wanted: string | undefined): EventTable {
  const lines = linesOf(text);
  const first = lines.findIndex(isData);
  if (first < 0) throw new CommandError(`Expected a table of events in ${path} but it is empty.`);
  const separator = separatorOf(lines[first] ?? '');
  const head = fieldsOf(lines[first] ?? '', separator);
  const hasHeader = head.some((field) => Number.isNaN(Number(field)));
  const names = head.map((field) => field.toLowerCase());
  const timeAt = hasHeader ? names.findIndex((name) => TIME.test(name)) : 0;
  const idAt = hasHeader ? names.findIndex((name) => ID.test(name)) : 1;
  if (timeAt < 0 || idAt < 0 || head.length < 2) {
    throw new CommandError(
      `Expected columns named time and channel (or timestamps, units, cluster_id, node_ids) in ${path} but ` +
        `received ${head.map((name) => `'${name.slice(0, 20)}'`).join(', ')}.`,
    );
  }
  const isSonata = SONATA.every((name) => names.includes(name));
  const populationAt = names.indexOf('population');
  const times: number[] = [];
  const ids: number[] = [];
  const populations: string[] = [];
  lines.forEach((line, index) => {
    if (index < first + (hasHeader ? 1 : 0) || !isData(line)) return;
    const fields = fieldsOf(line, separator);
    const numbers = [fields[timeAt], fields[idAt]].map((field) =>
      field === undefined || field === '' ? NaN : Number(field),
    );
    const [time = NaN, id = NaN] = numbers;
    if (Number.isNaN(time) || Number.isNaN(id)) {
      throw new CommandError(
        `Expected a time and a channel in line ${index + 1} of ${path} but received '${line.slice(0, 60)}'.`,
      );
    }
    times.push(time);
    ids.push(id);
    if (populationAt >= 0) populations.push(fields[populationAt] ?? '');
  });
  const timeUnit = unitIn(names[timeAt] ?? '') ?? (isSonata ? 1e-3 : undefined);
  if (populationAt < 0) return { times: Float64Array.from(times), ids, timeUnit };
  const each = [...new Set(populations)].map((name) => ({ name }));
  const { name } = choosePopulation(each, wanted, path);
  const isChosen = (_: number, event: number): boolean => populations[event] === name;
  return { times: Float64Array.from(times.filter(isChosen)), ids: ids.filter(isChosen), timeUnit };
}

export const textEvents: Format = {
  name: 'text',
  title: 'a table of events as text',
  endings: ENDINGS,
  input: {
    usage: ['spikes.csv', 'a table with columns named time and channel'],
    recognise: isTable,
    hasTimeUnit: true,
    ...readingEvents((path, options) =>
      openEventTable(path, options, {
        format: 'text',
        files: [path],
        read: async () => readTable(path, options.population),
      }),
    ),
  },
};
