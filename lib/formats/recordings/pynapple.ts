/** Archives of pynapple: a TsGroup, with the unit of each time, or a Ts, the times of one. */
import type { EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingTables } from '../events/reading';
import type { Format } from '../format';
import { readNumbers, type ArrayNodes, type NamedArrays } from './named-arrays';
import { holdsArrays, NPZ_ENDINGS, withNpz } from './npz-arrays';

/** Of every object; one with other arrays but without an index is a signal. */
const ALL = ['type', 't', 'start', 'end'];
const [INDEX, UNITS] = ['index', 'keys'];

function isSpikes(nodes: ArrayNodes): boolean {
  return ALL.every((name) => nodes.has(name)) && (nodes.has(INDEX) || nodes.size === ALL.length);
}

async function readSpikes(arrays: NamedArrays): Promise<EventTable> {
  const numbersOf = async (name: string) => toNumbers(await readNumbers(arrays, name));
  const times = await numbersOf('t');
  const isGroup = arrays.nodes.has(INDEX);
  const ids = isGroup ? await numbersOf(INDEX) : new Float64Array(times.length);
  // Files of early versions do not list the units.
  const hasUnits = arrays.nodes.has(UNITS);
  const units = hasUnits ? Array.from(await numbersOf(UNITS), Number) : isGroup ? undefined : [0];
  return { times, ids, units, timeUnit: 1 };
}

export const pynapple: Format = {
  name: 'pynapple',
  title: 'spikes of pynapple',
  endings: NPZ_ENDINGS,
  input: {
    usage: ['group.npz', 'pynapple: a TsGroup, or a Ts'],
    hasTimeUnit: true,
    recognise: async (path, given) => holdsArrays(path, given, isSpikes),
    ...readingTables('pynapple', async (path) => withNpz(path, readSpikes)),
  },
};
