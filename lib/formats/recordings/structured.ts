/** Structured arrays of events in .npy files, with fields such as t, x, y and p, or time and channel. */
import { open, readFile } from 'node:fs/promises';

import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { fileError } from '../../errors/system-errors';
import { decodeBytes, ELEMENT_TYPES, type Elements } from '../elements';
import { openEventTable, type EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingEvents } from '../events/reading';
import { isRegularFile } from '../files/read-bytes';
import type { Format } from '../format';
import { isAddress } from '../http/address';
import { isNpy, MAX_HEADER_BYTES, readHeaderText } from '../npy/header';
import { findName, ID, TIME, unitIn } from './columns';

/** A field of each element. */
interface Field {
  name: string;
  code: string;
  isBigEndian: boolean;
  /** Of the field in an element. */
  offset: number;
  bytes: number;
}

/** What the header says. */
interface Layout {
  fields: Field[];
  itemBytes: number;
  length: number;
  headerBytes: number;
}

/** A name, a type, and the shape of a field that is an array of its own. */
const FIELD =
  /\(\s*['"]([^'"]*)['"]\s*,\s*['"]([<>|=]?)([a-zA-Z]\d*(?:\[\w+\])?)['"]\s*(?:,\s*\(([\d\s,]*)\)\s*)?\)/g;
/** Types that are no numbers: texts, bytes, complex numbers, dates. */
const OTHER_TYPE = /^[VSUcMm](\d+)/;

/** Whether bytes begin as the file of a structured array does. */
export function isStructured(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.subarray(0, 256)).toString('latin1');
  return isNpy(bytes) && /'descr'\s*:\s*\[/.test(text);
}

function parseLayout(bytes: Uint8Array, name: string): Layout {
  const { text, headerBytes } = readHeaderText(bytes, name);
  const [, list] = /'descr'\s*:\s*\[(.*?)\]\s*,\s*'fortran_order'/s.exec(text) ?? [];
  const [, length] = /'shape'\s*:\s*\(\s*(\d+)\s*,\s*\)/.exec(text) ?? [];
  const fields: Field[] = [];
  let itemBytes = 0;
  for (const [, field = '', order, code = '', axes] of (list ?? '').matchAll(FIELD)) {
    const other = OTHER_TYPE.exec(code);
    const size =
      other === null
        ? (ELEMENT_TYPES[code]?.itemBytes ?? NaN)
        : Number(other[1]) * (code.startsWith('U') ? 4 : 1);
    if (other === null && axes === undefined) {
      const isBigEndian = order === '>';
      fields.push({ name: field, code, isBigEndian, offset: itemBytes, bytes: size });
    }
    const sizes = axes?.split(',').filter((axis) => axis.trim() !== '') ?? [];
    itemBytes += sizes.reduce((product, axis) => product * Number(axis), size);
  }
  const rest = (list ?? '(').replaceAll(FIELD, '').replace(/[\s,]/g, '');
  if (rest !== '' || length === undefined || !(itemBytes > 0)) {
    throw new CommandError(
      `Expected a structured array of shape (E,) with fields of numbers in ${name} but received another.`,
    );
  }
  return { fields, itemBytes, length: Number(length), headerBytes };
}

/** A field of all elements. */
function readField(
  bytes: Uint8Array,
  layout: Layout,
  { offset, bytes: size, ...type }: Field,
): Elements {
  const column = new Uint8Array(layout.length * size);
  for (let index = 0; index < layout.length; index++) {
    const from = layout.headerBytes + index * layout.itemBytes + offset;
    column.set(bytes.subarray(from, from + size), index * size);
  }
  return decodeBytes(column, type);
}

/** The events of a structured array, given the whole file. */
export function decodeStructured(
  bytes: Uint8Array,
  name: string,
  hasTimeUnit: boolean,
): EventTable {
  const layout = parseLayout(bytes, name);
  const needed = layout.headerBytes + layout.length * layout.itemBytes;
  if (bytes.length !== needed) {
    throw new CommandError(
      `Expected ${needed} bytes in ${name}, as its header says, but received ${bytes.length}; the file is not complete.`,
    );
  }
  const names = layout.fields.map((field) => field.name);
  const numbers = (wanted: string | undefined): Elements | undefined => {
    const field = layout.fields.find((each) => each.name === wanted);
    return field && readField(bytes, layout, field);
  };
  const timeName = findName(names, TIME);
  const times = numbers(timeName);
  const [x, y, p] = [/^x$/, /^y$/, /^(?:p|pol|polarity)$/].map((pattern) =>
    numbers(findName(names, pattern)),
  );
  const ids = numbers(findName(names, ID));
  if (times === undefined || timeName === undefined || (ids === undefined && x === undefined)) {
    throw new CommandError(
      `Expected fields named time and channel, or t, x, y and p, in ${name} but received ` +
        `${names.map((each) => `'${each}'`).join(', ')}.`,
    );
  }
  const isInteger = !(times instanceof Float64Array || times instanceof Float32Array);
  const timeUnit = unitIn(timeName);
  if (isInteger && timeUnit === undefined && !hasTimeUnit) {
    throw new CommandError(
      message`Expected the unit of the whole numbers in '${timeName}' of ${name} but nothing tells; give \
${option('timeUnit')}, such as 1us.`,
    );
  }
  if (ids !== undefined) return { times, ids: toNumbers(ids), timeUnit };
  return { times, ...addressesOf(x, y, p), timeUnit };
}

/** The channel of a pixel: (p H + y) W + x, for W columns and H rows of pixels. */
function addressesOf(
  x: Elements | undefined,
  y: Elements | undefined,
  p: Elements | undefined,
): Pick<EventTable, 'ids' | 'nChannels'> {
  const [columns, rows, polarities] = [x, y, p].map((list) => list && toNumbers(list));
  const sizeOf = (list: ArrayLike<number> | undefined): number => {
    let most = 0;
    for (let event = 0; event < (list?.length ?? 0); event++) {
      most = Math.max(most, list?.[event] ?? 0);
    }
    return most + 1;
  };
  const [width, height] = [sizeOf(columns), sizeOf(rows)];
  const ids = Float64Array.from({ length: columns?.length ?? 0 }, (_, event) => {
    const row = rows?.[event] ?? 0;
    // Some cameras tell -1 and 1.
    const polarity = (polarities?.[event] ?? 0) > 0 ? 1 : 0;
    return (polarity * height + row) * width + (columns?.[event] ?? NaN);
  });
  return { ids, nChannels: width * height * (polarities === undefined ? 1 : 2) };
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

export const structured: Format = {
  name: 'structured',
  title: 'events in a structured array',
  endings: ['.npy'],
  input: {
    usage: ['camera.npy', 'a structured array: fields t, x, y and p, or time and channel'],
    hasTimeUnit: true,
    recognise: isStructuredFile,
    ...readingEvents((path, options) =>
      openEventTable(path, options, {
        format: 'structured',
        files: [path],
        read: async () => {
          try {
            return decodeStructured(await readFile(path), path, options.timeUnit !== undefined);
          } catch (error) {
            throw fileError('read', path, error);
          }
        },
      }),
    ),
  },
};
