/** SONATA files of spikes: /spikes/<population> with timestamps and node_ids, or /spikes in old files. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import type { EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingTables } from '../events/reading';
import type { Format, ReadingOptions } from '../format';
import { ArraysReader } from '../hdf5/arrays-reader';
import { secondsIn } from './columns';
import { contentsOf } from './hdf5-contents';
import { choosePopulation } from './populations';

async function readSpikes(
  path: string,
  { population: wanted, timeUnit: given }: ReadingOptions,
): Promise<EventTable> {
  const { populations } = await contentsOf(path);
  const chosen = choosePopulation(populations, wanted, path);
  const reader = await ArraysReader.open(path);
  try {
    const unit = chosen.unit ?? 'ms';
    const timeUnit = given ?? secondsIn(unit);
    if (timeUnit === undefined) {
      throw new CommandError(
        message`Expected timestamps in s, ms, us or ns in ${path} but received '${unit}'; give \
${option('timeUnit')}.`,
      );
    }
    return {
      times: await reader.readNumbers(chosen.times),
      ids: toNumbers(await reader.readNumbers(chosen.ids)),
      timeUnit,
    };
  } finally {
    await reader.close();
  }
}

export const sonata: Format = {
  name: 'sonata',
  title: 'spikes in SONATA',
  endings: ['.h5'],
  input: {
    usage: ['spikes.h5', 'SONATA with spikes/<population>/timestamps and node_ids'],
    recognise: async (path, { member }) =>
      member === undefined && (await contentsOf(path)).populations.length > 0,
    hasTimeUnit: true,
    ...readingTables('sonata', readSpikes),
  },
};
