/** Records of numbers, one after the other: structured arrays of NumPy and compound datasets of HDF5. */
import { CommandError } from '../../errors/command-errors';
import { decodeBytes, type Elements } from '../elements';
import type { ReadingOptions } from '../format';
import type { EventTable } from '../events/event-table';
import { chooseColumns, namesIn, secondsIn, tableOf } from './columns';
import { choosePart } from './populations';

/** A field of each element. */
export interface Field {
  name: string;
  /** As NumPy writes it, and its code and byte order if it is one of numbers. */
  type: string;
  code: string | undefined;
  isBigEndian: boolean;
  /** Of the field in an element. */
  offset: number;
  bytes: number;
}

/** Bytes of a structured array, of which some may be read at a time. */
export interface Records {
  fields: readonly Field[];
  itemBytes: number;
  length: number;
  read: (position: number, length: number) => Promise<Uint8Array>;
}

/** So many bytes are read at a time. */
const SLAB_BYTES = 2 ** 22;
/** A type as NumPy writes it: the byte order, the kind, the size, and of times their unit. */
export const TYPE = /^([<>|=]?)(([a-zA-Z])(\d*))(?:\[(\d*)(\w+)\])?$/;

/** The events of records, however they are kept. */
export async function readRecords(
  records: Records,
  place: string,
  { population, member, sensor }: Omit<ReadingOptions, 'member'> & { member?: string | undefined },
): Promise<EventTable> {
  const names = records.fields.map((field) => field.name);
  const columns = chooseColumns({ names, place, member, kind: 'fields' });
  const chosen = namesIn(columns).map((name) => fieldNamed(records, name, place));
  const numbers = await readFields(records, chosen);
  const table = tableOf(columns, (name) => numbers.get(name) ?? new Float64Array(0), place, sensor);
  table.timeUnit ??= periodOf(chosen[0]?.type ?? '');
  if (columns.part === undefined) return table;
  const parts = Array.from(numbers.get(columns.part) ?? [], String);
  return choosePart(table, parts, population, place);
}

/** Seconds per unit of differences of times. */
function periodOf(type: string): number | undefined {
  const [, , , kind, , count = '', unit = ''] = TYPE.exec(type) ?? [];
  const seconds = kind === 'm' ? secondsIn(unit) : undefined;
  return seconds && seconds * Number(count === '' ? 1 : count);
}

function fieldNamed({ fields }: Records, name: string, place: string): Field & { code: string } {
  const field = fields.find((each) => each.name === name);
  if (field?.code !== undefined) return { ...field, code: field.code };
  const type = field?.type ?? '';
  const advice = type.includes('M8') ? '; subtract the first date from all, which gives times' : '';
  throw new CommandError(
    `Expected numbers in '${name}' of ${place} but received elements of type '${type}'${advice}.`,
  );
}

/** Some fields of all elements. */
async function readFields(
  { itemBytes, length, read }: Records,
  fields: readonly (Field & { code: string })[],
): Promise<Map<string, Elements>> {
  const columns = fields.map(({ bytes }) => new Uint8Array(length * bytes));
  const step = Math.max(1, Math.floor(SLAB_BYTES / itemBytes));
  for (let begin = 0; begin < length; begin += step) {
    const count = Math.min(step, length - begin);
    const slab = await read(begin * itemBytes, count * itemBytes);
    fields.forEach(({ offset, bytes }, index) => {
      const column = columns[index];
      let to = begin * bytes;
      for (let from = offset; from < count * itemBytes; from += itemBytes) {
        for (let byte = 0; byte < bytes; byte++) if (column) column[to++] = slab[from + byte] ?? 0;
      }
    });
  }
  return new Map(
    fields.map((field, index) => [
      field.name,
      decodeBytes(columns[index] ?? new Uint8Array(0), field),
    ]),
  );
}
