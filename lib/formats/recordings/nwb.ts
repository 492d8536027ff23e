/** NWB files: the spikes of sorted units, in the table `units`. */
import type { EventTable } from '../events/event-table';
import { readingTables } from '../events/reading';
import type { Format } from '../format';
import { ArraysReader } from '../hdf5/arrays-reader';
import { contentsOf, NWB } from './hdf5-contents';
import { readRagged } from './ragged';

async function readUnits(path: string): Promise<EventTable> {
  const reader = await ArraysReader.open(path);
  try {
    const [id] = await reader.look(NWB.id);
    const ids = id.kind === 'dataset' ? NWB.id : undefined;
    const table = await readRagged({ ...NWB, ids }, path, (name) => reader.readNumbers(name));
    return { ...table, timeUnit: 1 };
  } finally {
    await reader.close();
  }
}

export const nwb: Format = {
  name: 'nwb',
  title: 'units of an NWB file',
  endings: ['.nwb'],
  input: {
    usage: ['session.nwb', 'NWB with units/spike_times, a channel for each unit'],
    // Whoever names datasets means others.
    recognise: async (path, { member }) =>
      member === undefined && (await contentsOf(path)).hasUnits,
    hasTimeUnit: true,
    ...readingTables('nwb', readUnits),
  },
};
