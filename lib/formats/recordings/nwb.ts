/** NWB files: the spikes of sorted units, in the table `units`. */
import { CommandError } from '../../errors/command-errors';
import { openEventTable, type EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingEvents } from '../events/reading';
import type { Format } from '../format';
import { ArraysReader } from '../hdf5/arrays-reader';
import { contentsOf, NWB } from './hdf5-contents';

/** The spikes of unit u are those before element u of the index, and not before the element before it. */
async function readUnits(path: string): Promise<EventTable> {
  const reader = await ArraysReader.open(path);
  try {
    const times = await reader.readNumbers(NWB.times);
    const ends = toNumbers(await reader.readNumbers(NWB.index));
    const [id] = await reader.look(NWB.id);
    const units =
      id.kind === 'dataset'
        ? Array.from(toNumbers(await reader.readNumbers(NWB.id)), Number)
        : Array.from(ends, (_, unit) => unit);
    if (units.length !== ends.length || new Set(units).size !== units.length) {
      throw new CommandError(
        `Expected a different id for each of the ${ends.length} units in ${NWB.id} of ${path} but received ` +
          `${units.length} ids, ${new Set(units).size} of them different.`,
      );
    }
    const ids = new Float64Array(times.length);
    let begin = 0;
    ends.forEach((end, unit) => {
      const isLast = unit === ends.length - 1;
      if (end < begin || end > times.length || (isLast && end !== times.length)) {
        throw new CommandError(
          `Expected numbers that ascend to ${times.length}, as there are spikes, in ${NWB.index} of ${path} but ` +
            `received ${end} at [${unit}].`,
        );
      }
      ids.fill(units[unit] ?? NaN, begin, end);
      begin = end;
    });
    return { times, ids, units, timeUnit: 1 };
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
    recognise: async (path) => (await contentsOf(path)).hasUnits,
    hasTimeUnit: true,
    ...readingEvents((path, options) =>
      openEventTable(path, options, {
        format: 'nwb',
        files: [path],
        read: async () => readUnits(path),
      }),
    ),
  },
};
