/** SONATA files of spikes: /spikes/<population> with timestamps and node_ids, or /spikes in old files. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { openEventTable, type EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingEvents } from '../events/reading';
import type { Format } from '../format';
import { ArraysReader, isHdf5 } from '../hdf5/arrays-reader';
import { isAddress } from '../http/address';

const SPIKES = 'spikes';
/** Of a second, as SONATA names units of time. */
const UNITS: Readonly<Partial<Record<string, number>>> = {
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  ns: 1e-9,
  milliseconds: 1e-3,
  seconds: 1,
};

/** Where the spikes of a population are. */
interface Population {
  name: string;
  times: string;
  ids: string;
  unit: string | undefined;
}

async function populationsOf(reader: ArraysReader): Promise<Population[]> {
  const [spikes] = await reader.look(SPIKES);
  if (spikes.kind !== 'group') return [];
  const groups = [SPIKES, ...spikes.names.map((name) => `${SPIKES}/${name}`)];
  const found: Population[] = [];
  for (const group of groups) {
    const [times, nodes, gids] = await reader.look(
      `${group}/timestamps`,
      `${group}/node_ids`,
      `${group}/gids`,
    );
    if (times.kind !== 'dataset' || (nodes.kind !== 'dataset' && gids.kind !== 'dataset')) continue;
    found.push({
      name: group.slice(SPIKES.length + 1),
      times: `${group}/timestamps`,
      ids: nodes.kind === 'dataset' ? `${group}/node_ids` : `${group}/gids`,
      unit: times.texts['units'],
    });
  }
  return found;
}

async function isSonata(path: string): Promise<boolean> {
  if (isAddress(path) || !(await isHdf5(path))) return false;
  const reader = await ArraysReader.open(path).catch(() => undefined);
  if (reader === undefined) return false;
  try {
    return (await populationsOf(reader)).length > 0;
  } catch {
    return false;
  } finally {
    await reader.close();
  }
}

async function readSpikes(path: string, wanted: string | undefined): Promise<EventTable> {
  const reader = await ArraysReader.open(path);
  try {
    const populations = await populationsOf(reader);
    const chosen = choosePopulation(populations, wanted, path);
    const unit = chosen.unit ?? 'ms';
    const timeUnit = UNITS[unit];
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

/** The population of a name, or the only one. */
export function choosePopulation<One extends { name: string }>(
  populations: readonly One[],
  wanted: string | undefined,
  path: string,
): One {
  const [first] = populations;
  const isOne = populations.length === 1 && wanted === undefined;
  const found = isOne ? first : populations.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const names = populations.map(({ name }) => `'${name}'`).join(', ');
  throw new CommandError(
    message`Expected one of the populations ${names} of ${path} for ${option('population')} but received \
${wanted === undefined ? 'none' : `'${wanted}'`}.`,
  );
}

export const sonata: Format = {
  name: 'sonata',
  title: 'spikes in SONATA',
  endings: ['.h5'],
  input: {
    usage: ['spikes.h5', 'SONATA with spikes/<population>/timestamps and node_ids'],
    recognise: isSonata,
    hasTimeUnit: true,
    ...readingEvents((path, options) =>
      openEventTable(path, options, {
        format: 'sonata',
        files: [path],
        read: async () => readSpikes(path, options.population),
      }),
    ),
  },
};
