/** Events in HDF5, MATLAB 7.3 among it: datasets side by side, records, or lists of times of units. */
import { openEventTable, type EventTable } from '../events/event-table';
import { readingEvents } from '../events/reading';
import type { Format, Given, ReadingOptions } from '../format';
import { ArraysReader } from '../hdf5/arrays-reader';
import { contentsOf } from './hdf5-contents';
import { isListing } from './lists';
import { isFull } from './named-arrays';
import { readList } from './read-lists';
import { readRecords } from './records';

async function isTable(path: string, { member }: Given): Promise<boolean> {
  const contents = await contentsOf(path, member);
  const { isHdf5, lists, variables, nodes } = contents;
  if (!isHdf5 || nodes.size === 0) return false;
  if (member === undefined) return lists.length > 0;
  return isListing(contents, member) || !variables.includes(member);
}

async function readTable(path: string, options: ReadingOptions): Promise<EventTable> {
  const { nodes, lists } = await contentsOf(path, options.member);
  const reader = await ArraysReader.open(path);
  const readArray = async (name: string) => {
    const node = nodes.get(name);
    const isEmpty = node !== undefined && !isFull(node);
    return isEmpty ? { data: new Float64Array(0), shape: [0] } : reader.readArray(name);
  };
  const readTableOf = async (name: string, given: ReadingOptions): Promise<EventTable> => {
    const { fields = [], itemBytes = 1, shape = [] } = nodes.get(name) ?? {};
    const read = async (position: number, length: number): Promise<Uint8Array> => {
      const [begin, count] = [position / itemBytes, length / itemBytes];
      return reader.readPart({ path: name, begin, count });
    };
    const records = { fields, itemBytes, length: shape[0] ?? 0, read };
    return readRecords(records, `${name} of ${path}`, given.population);
  };
  try {
    const arrays = {
      path,
      kind: 'datasets' as const,
      nodes,
      readArray,
      readRecords: readTableOf,
      readCells: async (name: string) => reader.readCells(name),
    };
    return await readList(arrays, lists, options);
  } finally {
    await reader.close();
  }
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
