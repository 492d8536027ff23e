/** Arrays of shape (E, 2) that only the user calls lists of events. */
import type { EventTable } from '../events/event-table';
import { readingTables } from '../events/reading';
import type { Format, Given, ReadingOptions } from '../format';
import { withHdf5 } from './hdf5-table';
import { contentsOf } from './hdf5-contents';
import { onlyOf } from './members';
import type { ArrayNodes, NamedArrays } from './named-arrays';
import { isNpz, withNpz } from './npz-arrays';
import { mayBePairs, readPairs } from './pairs';
import { withUnit } from './time-unit';

/** The name of the array that a user means. */
function nameIn(nodes: ArrayNodes, member: string | undefined): string {
  const names = new Map([...nodes.keys()].map((name) => [name, name]));
  return member?.replace(/^\/|\/$/g, '') ?? onlyOf(names) ?? '';
}

async function isChosen(path: string, { isEventList, member }: Given): Promise<boolean> {
  if (!isEventList) return false;
  const may = (nodes: ArrayNodes) => mayBePairs(nodes.get(nameIn(nodes, member)));
  if (await isNpz(path)) {
    return withNpz(path, async ({ nodes }) => Promise.resolve(may(nodes))).catch(() => false);
  }
  return member !== undefined && may((await contentsOf(path, member)).nodes);
}

async function readTable(path: string, options: ReadingOptions): Promise<EventTable> {
  const read = async (arrays: NamedArrays): Promise<EventTable> => {
    const name = nameIn(arrays.nodes, options.member);
    const table = await readPairs(arrays, name, false);
    return options.timeUnit === undefined ? withUnit(table, arrays, [name], []) : table;
  };
  return (await isNpz(path)) ? withNpz(path, read) : withHdf5(path, options.member, read);
}

export const pairs: Format = {
  name: 'pairs',
  title: 'a list of events in an array of a file',
  endings: [],
  input: {
    usage: ['events.h5, .npz', 'an array of shape (E, 2) that is named, as events.npy has it'],
    isChosen: true,
    hasTimeUnit: true,
    recognise: isChosen,
    ...readingTables('pairs', readTable),
  },
};
