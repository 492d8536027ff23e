/** Events in HDF5, MATLAB 7.3 among it: datasets side by side, records, or lists of times of units. */
import type { EventTable } from '../events/event-table';
import { readingTables } from '../events/reading';
import type { Format, Given, ReadingOptions } from '../format';
import { ArraysReader } from '../hdf5/arrays-reader';
import { contentsOf } from './hdf5-contents';
import { isListing, type Listing } from './lists';
import { isFull, type NamedArrays } from './named-arrays';
import { readList } from './read-lists';
import { readRecords } from './records';

async function isTable(path: string, { member }: Given): Promise<boolean> {
  const contents = await contentsOf(path, member);
  const { isHdf5, lists, variables, nodes } = contents;
  if (!isHdf5 || nodes.size === 0) return false;
  if (member === undefined) return lists.length > 0;
  return isListing(contents, member) || !variables.includes(member);
}

/** Opens an HDF5 file for some reading. */
export async function withHdf5<Result>(
  path: string,
  member: string | undefined,
  use: (arrays: NamedArrays, lists: readonly Listing[]) => Promise<Result>,
): Promise<Result> {
  const { nodes, lists } = await contentsOf(path, member);
  const reader = await ArraysReader.open(path);
  const arrays: NamedArrays = {
    path,
    kind: 'datasets',
    nodes,
    readArray: async (name) => {
      const node = nodes.get(name);
      const isEmpty = node !== undefined && !isFull(node);
      return isEmpty ? { data: new Float64Array(0), shape: [0] } : reader.readArray(name);
    },
    // What the user has named is the dataset, not its fields.
    readRecords: async (name, options) => {
      const { fields = [], itemBytes = 1, shape = [] } = nodes.get(name) ?? {};
      const read = async (position: number, length: number): Promise<Uint8Array> => {
        const [begin, count] = [position / itemBytes, length / itemBytes];
        return reader.readPart({ path: name, begin, count });
      };
      const records = { fields, itemBytes, length: shape[0] ?? 0, read };
      return readRecords(records, `${name} of ${path}`, { ...options, member: undefined });
    },
    readCells: async (name) => reader.readCells(name),
  };
  try {
    return await use(arrays, lists);
  } finally {
    await reader.close();
  }
}

async function readTable(path: string, options: ReadingOptions): Promise<EventTable> {
  return withHdf5(path, options.member, async (arrays, lists) => readList(arrays, lists, options));
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
    ...readingTables('hdf5-table', readTable),
  },
};
