/** Events in HDF5, MATLAB 7.3 among it: datasets side by side, records, or cells with the times of a unit each. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { toNumbers } from '../events/event-files';
import { openEventTable, type EventTable } from '../events/event-table';
import { readingEvents } from '../events/reading';
import type { Elements } from '../elements';
import type { Format, Given, ReadingOptions } from '../format';
import { ArraysReader } from '../hdf5/arrays-reader';
import { chooseColumns, namesIn, pairIn, secondsIn, tableOf } from './columns';
import { contentsOf, type Hdf5Contents, type Hdf5Table } from './hdf5-contents';
import { readRecords } from './records';

async function isTable(path: string, { member }: Given): Promise<boolean> {
  const { isHdf5, tables, variables, nodes } = await contentsOf(path);
  if (!isHdf5 || nodes.size === 0) return false;
  return member === undefined ? tables.length > 0 : !variables.includes(member);
}

/** The table of a path, or the only one; any two datasets are one. */
function chooseTable(
  { tables, nodes }: Hdf5Contents,
  member: string | undefined,
  path: string,
): Hdf5Table {
  if (pairIn(member) !== undefined) {
    const names = [...nodes].flatMap(([name, { content }]) =>
      content === 'numbers' ? [name] : [],
    );
    return { path: '', content: 'group', names };
  }
  const wanted = member?.replace(/^\/|\/$/g, '');
  const named = tables.find((table) => table.path === wanted);
  const cells = nodes.get(wanted ?? '')?.content === 'cells';
  if (wanted !== undefined && cells) return { path: wanted, content: 'cells', names: [] };
  const found = wanted === undefined && tables.length === 1 ? tables[0] : named;
  if (found !== undefined) return found;
  const received = member === undefined ? 'none' : `'${member}'`;
  const lists = tables.map((table) => `'${table.path || '/'}'`).join(', ');
  throw new CommandError(
    tables.length > 0
      ? message`Expected one of the lists of events ${lists} of ${path} for ${option('member')}, or TIMES,CHANNELS with \
the paths of two datasets, but received ${received}.`
      : message`Expected TIMES,CHANNELS with the paths of two datasets of ${path} for ${option('member')} but received \
${received}.`,
  );
}

async function readTable(path: string, options: ReadingOptions): Promise<EventTable> {
  const contents = await contentsOf(path);
  const table = chooseTable(contents, options.member, path);
  const { names, content } = table;
  const place = table.path === '' ? path : `${table.path} of ${path}`;
  const reader = await ArraysReader.open(path);
  try {
    if (content === 'cells') return cellsTable(await reader.readCells(table.path));
    if (content === 'records') {
      const { fields = [], itemBytes = 1, shape = [] } = contents.nodes.get(table.path) ?? {};
      const read = async (position: number, length: number): Promise<Uint8Array> => {
        const [begin, count] = [position / itemBytes, length / itemBytes];
        return reader.readPart({ path: table.path, begin, count });
      };
      const records = { fields, itemBytes, length: shape[0] ?? 0, read };
      return await readRecords(records, place, options.population);
    }
    const pathOf = (name: string): string => (table.path === '' ? name : `${table.path}/${name}`);
    const columns = chooseColumns({ names, place, member: options.member, kind: 'datasets' });
    const arrays = new Map<string, Elements>();
    for (const name of namesIn({ ...columns, part: undefined })) {
      arrays.set(name, await reader.readNumbers(pathOf(name)));
    }
    const events = tableOf(columns, (name) => arrays.get(name) ?? new Float64Array(0));
    const unit = contents.nodes.get(pathOf(columns.times))?.texts['units'];
    return { ...events, timeUnit: events.timeUnit ?? secondsIn(unit ?? '') };
  } finally {
    await reader.close();
  }
}

/** Each cell is a unit. */
function cellsTable(cells: readonly Elements[]): EventTable {
  const lists = cells.map(toNumbers);
  const length = lists.reduce((sum, list) => sum + list.length, 0);
  const [times, ids] = [new Float64Array(length), new Float64Array(length)];
  let begin = 0;
  lists.forEach((list, unit) => {
    times.set(list, begin);
    ids.fill(unit, begin, (begin += list.length));
  });
  return { times, ids, units: lists.map((_, unit) => unit) };
}

export const hdf5Table: Format = {
  name: 'hdf5-table',
  title: 'a table of events in HDF5',
  endings: [],
  input: {
    usage: [
      'events.h5, .mat',
      'HDF5 or MATLAB 7.3: datasets named times and channels, or t, x, y, p',
    ],
    hasTimeUnit: true,
    recognise: isTable,
    ...readingEvents((path, options) =>
      openEventTable(path, options, {
        format: 'hdf5-table',
        files: [path],
        read: async () => readTable(path, options),
      }),
    ),
  },
};
