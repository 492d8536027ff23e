/** Tables of events as text: CSV, TSV, and columns separated by blanks. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

import { CommandError } from '../../errors/command-errors';
import { fileError } from '../../errors/system-errors';
import type { EventTable } from '../events/event-table';
import { readingTables } from '../events/reading';
import { isRegularFile, requireFile } from '../files/read-bytes';
import { decodeText } from '../foreign/text';
import type { Format, Given, ReadingOptions } from '../format';
import { isAddress } from '../http/address';
import { chooseColumns, namesIn, tableOf, type Columns } from './columns';
import { choosePart } from './populations';
import { HeaderSearch, TableRows, type Header } from './text-rows';

/** The header lies in so many bytes. */
const HEAD_BYTES = 2 ** 16;
const MOST_EVENTS = 2 ** 26;
const MOST_LINE_CHARACTERS = 2 ** 24;
/** Columns that make a table one of SONATA, whose times are in milliseconds. */
const SONATA = ['timestamps', 'population', 'node_ids'];
/** Texts of other kinds, which may have lines of two words. */
const OTHER_TEXT = /^\s*[<{[]|^version https:/;

/** The text at the beginning of a file and its encoding; undefined if it is none. */
async function readHead(path: string): Promise<{ text: string; label: string } | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return bytesRead === 0 ? undefined : decodeText(buffer.subarray(0, bytesRead), 'txt');
  } finally {
    await file.close();
  }
}

/** Whether a text names a column of times and one of channels, or the user says that it lists events. */
async function isTable(path: string, { isEventList }: Given): Promise<boolean> {
  if (isAddress(path) || !(await isRegularFile(path))) return false;
  const head = await readHead(path).catch(() => undefined);
  if (head === undefined || OTHER_TEXT.test(head.text)) return false;
  if (isEventList) return true;
  const search = new HeaderSearch();
  for (const line of head.text.split(/\r\n|\n|\r/)) {
    const header = search.take(line);
    if (header !== undefined) return header.hasEventNames;
  }
  return false;
}

/** The lines of a file, some at a time. */
async function* linesOf(path: string, label: string): AsyncGenerator<string[]> {
  const decoder = new TextDecoder(label);
  let rest = '';
  for await (const chunk of createReadStream(path, { highWaterMark: HEAD_BYTES })) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    // The other half of the end of a line may be in the next chunk.
    const cut = rest.endsWith('\r') ? rest.length - 1 : rest.length;
    const lines = rest.slice(0, cut).split(/\r\n|\n|\r/);
    rest = (lines.pop() ?? '') + rest.slice(cut);
    if (rest.length > MOST_LINE_CHARACTERS) {
      throw new CommandError(
        `Expected lines of at most ${MOST_LINE_CHARACTERS} characters in ${path} but received a longer one.`,
      );
    }
    yield lines;
  }
  yield [rest];
}

async function readTable(path: string, options: ReadingOptions): Promise<EventTable> {
  try {
    await requireFile(path);
    const search = new HeaderSearch();
    let rows: TableRows | undefined;
    let columns: Columns | undefined;
    let number = 0;
    const { label = 'utf-8' } = (await readHead(path)) ?? {};
    for await (const lines of linesOf(path, label)) {
      for (const line of lines) {
        number++;
        if (rows !== undefined) {
          rows.add(line, number);
          continue;
        }
        const header = search.take(line);
        if (header === undefined) continue;
        columns = columnsOf(header, path, options.member);
        rows = new TableRows(header, columns, path, MOST_EVENTS);
        if (header.isData) rows.add(line, number);
      }
    }
    if (rows === undefined || columns === undefined) {
      throw new CommandError(`Expected a table of events in ${path} but it is empty.`);
    }
    rows.end(number);
    const { part } = columns;
    const table = tableOf(columns, (name) => rows.numbers(name), path, options.sensor);
    const isSonata = SONATA.every((name) => namesIn(columns).includes(name));
    if (isSonata) table.timeUnit ??= 1e-3;
    return part === undefined ? table : choosePart(table, rows.texts, options.population, path);
  } catch (error) {
    throw fileError('read', path, error);
  }
}

function columnsOf(header: Header, path: string, member: string | undefined): Columns {
  const { names, hasNames } = header;
  if (hasNames) return chooseColumns({ names, place: path, member });
  if (names.length === 2 || member !== undefined) {
    return chooseColumns({ names, place: path, member: member ?? '1,2' });
  }
  throw new CommandError(
    `Expected two columns, or names of the columns such as t x y p in the first line, in ${path} but received ` +
      `${names.length} columns without names.`,
  );
}

export const textEvents: Format = {
  name: 'text',
  title: 'a table of events as text',
  endings: ['.csv', '.tsv', '.txt'],
  input: {
    usage: ['spikes.csv', 'a table with columns named time and channel'],
    recognise: isTable,
    hasTimeUnit: true,
    ...readingTables('text', readTable),
  },
};
