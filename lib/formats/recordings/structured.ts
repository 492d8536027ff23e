/** Structured arrays of events in .npy files, with fields such as t, x, y and p, or time and channel. */
import { open } from 'node:fs/promises';

import { CommandError } from '../../errors/command-errors';
import { fileError } from '../../errors/system-errors';
import { ELEMENT_TYPES, IS_HOST_BIG_ENDIAN } from '../elements';
import type { EventTable } from '../events/event-table';
import { readingTables } from '../events/reading';
import { isRegularFile, readBytes, requireFile } from '../files/read-bytes';
import type { Format, ReadingOptions } from '../format';
import { isAddress } from '../http/address';
import { isNpy, MAX_HEADER_BYTES, readHeaderText } from '../npy/header';
import { readRecords, TYPE, type Field, type Records } from './records';

/** Such a field in a header: a name, perhaps after a title; a type; and the shape of an array of its own. */
type Description = [
  name: string | [string, string],
  type: string | Description[],
  shape?: number[],
];

const TOKEN = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|[()]|\bTrue\b|\bFalse\b|(\d+)L\b/g;

/** Whether bytes begin as the file of a structured array does. */
export function isStructured(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.subarray(0, 256)).toString('latin1');
  return isNpy(bytes) && /'descr'\s*:\s*\[/.test(text);
}

/** A literal of Python as the same in JSON. */
function jsonOf(literal: string): string {
  const tokens = literal.replace(
    TOKEN,
    (token, single?: string, double?: string, long?: string) => {
      const text = single ?? double;
      if (text !== undefined) return JSON.stringify(text.replace(/\\(.)/g, '$1'));
      return long ?? { '(': '[', ')': ']', True: 'true', False: 'false' }[token] ?? token;
    },
  );
  return tokens.replace(/,\s*(?=[\]}])/g, '');
}

function parseLayout(bytes: Uint8Array, name: string): Omit<Records, 'read'> & { begin: number } {
  const { text, headerBytes: begin } = readHeaderText(bytes, name);
  try {
    const header = JSON.parse(jsonOf(text)) as { descr: Description[]; shape: number[] };
    const { fields, bytes: itemBytes } = fieldsOf(header.descr, 0);
    const length = header.shape.reduce((product, size) => product * size, 1);
    const nAxes = header.shape.filter((size) => size !== 1).length;
    if (itemBytes > 0 && Number.isSafeInteger(length * itemBytes) && nAxes <= 1) {
      return { fields, itemBytes, length, begin };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  const advice = /'\|?O\d?'/.test(text)
    ? '; numpy.load with allow_pickle=True reads its Python objects, of which fields of numbers can be saved'
    : '';
  throw new CommandError(
    `Expected a structured array of shape (E,) with fields of numbers in ${name} but received another${advice}.`,
  );
}

/** The fields that are no arrays, those within others among them. */
function fieldsOf(descriptions: readonly Description[], begin: number) {
  const fields: Field[] = [];
  let offset = begin;
  for (const [title, type, shape = []] of descriptions) {
    const name = typeof title === 'string' ? title : title[1];
    const count = shape.reduce((product, size) => product * size, 1);
    const inner = typeof type === 'string' ? fieldOf(name, type, offset) : fieldsOf(type, offset);
    // NumPy calls padding ''.
    if (count === 1 && name !== '') fields.push(...('fields' in inner ? inner.fields : [inner]));
    offset += inner.bytes * count;
  }
  return { fields, bytes: offset - begin };
}

function fieldOf(name: string, type: string, offset: number): Field {
  const [, order, code = '', kind, digits] = TYPE.exec(type) ?? [];
  const bytes = Number(digits === '' ? NaN : digits) * (kind === 'U' ? 4 : 1);
  // Differences of times count units that the type tells.
  const plain = kind === 'm' ? 'i8' : code;
  return {
    name,
    type,
    code: plain in ELEMENT_TYPES ? plain : undefined,
    isBigEndian: order === '>' || (order !== '<' && IS_HOST_BIG_ENDIAN),
    offset,
    bytes,
  };
}

/** The events of a structured array in a file, of which `source` reads some bytes. */
export async function readStructured(
  source: { size: number; read: Records['read'] },
  name: string,
  options: ReadingOptions,
): Promise<EventTable> {
  const head = await source.read(0, Math.min(source.size, MAX_HEADER_BYTES));
  const layout = parseLayout(head, name);
  const needed = layout.begin + layout.length * layout.itemBytes;
  if (source.size !== needed) {
    throw new CommandError(
      `Expected ${needed} bytes in ${name}, as its header says, but received ${source.size}; the file is not complete.`,
    );
  }
  const read: Records['read'] = (position, length) => source.read(layout.begin + position, length);
  return readRecords({ ...layout, read }, name, options);
}

async function isStructuredFile(path: string): Promise<boolean> {
  if (isAddress(path) || !(await isRegularFile(path))) return false;
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(MAX_HEADER_BYTES),
        0,
        MAX_HEADER_BYTES,
        0,
      );
      return isStructured(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

async function readFile(path: string, options: ReadingOptions): Promise<EventTable> {
  await requireFile(path);
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const read: Records['read'] = (position, length) => readBytes(file, position, length, path);
    return await readStructured({ size, read }, path, options);
  } finally {
    await file.close();
  }
}

export const structured: Format = {
  name: 'structured',
  title: 'events in a structured array',
  endings: ['.npy'],
  input: {
    usage: ['camera.npy', 'a structured array: fields t, x, y and p, or time and channel'],
    hasTimeUnit: true,
    recognise: isStructuredFile,
    ...readingTables('structured', async (path, options) => {
      try {
        return await readFile(path, options);
      } catch (error) {
        throw fileError('read', path, error);
      }
    }),
  },
};
