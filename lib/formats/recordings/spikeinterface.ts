/** Archives of SpikeInterface's NpzSortingExtractor: numbers of samples and units, for each segment. */
import type { EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingTables } from '../events/reading';
import type { Format, ReadingOptions } from '../format';
import { readNumbers, type ArrayNodes, type NamedArrays } from './named-arrays';
import { holdsArrays, NPZ_ENDINGS, withNpz } from './npz-arrays';
import { choosePopulation } from './populations';
import { withUnit } from './time-unit';

const UNITS = 'unit_ids';
/** Old files have one segment, and no number of it. */
const TIMES = /^spike_indexes(?:_seg(\d+))?$/;

/** The arrays of each segment. */
function segmentsIn(nodes: ArrayNodes): { name: string; times: string; ids: string }[] {
  return [...nodes.keys()].flatMap((times) => {
    const [, name = '0'] = TIMES.exec(times) ?? [];
    const ids = times.replace('indexes', 'labels');
    return TIMES.test(times) && nodes.has(ids) ? [{ name, times, ids }] : [];
  });
}

async function readSpikes(arrays: NamedArrays, { population, timeUnit }: ReadingOptions) {
  const { times, ids } = choosePopulation(segmentsIn(arrays.nodes), population, arrays.path);
  const table: EventTable = {
    times: await readNumbers(arrays, times),
    timeName: times,
    isSamples: true,
    ids: toNumbers(await readNumbers(arrays, ids)),
    units: Array.from(toNumbers(await readNumbers(arrays, UNITS)), Number),
  };
  return timeUnit === undefined ? withUnit(table, arrays, [times], []) : table;
}

export const spikeinterface: Format = {
  name: 'spikeinterface',
  title: 'a sorting of SpikeInterface',
  endings: NPZ_ENDINGS,
  input: {
    usage: ['sorting.npz', 'SpikeInterface: spike_indexes_seg0, spike_labels_seg0 and unit_ids'],
    hasTimeUnit: true,
    recognise: async (path, given) =>
      holdsArrays(path, given, (nodes) => nodes.has(UNITS) && segmentsIn(nodes).length > 0),
    ...readingTables('spikeinterface', async (path, options) =>
      withNpz(path, async (arrays) => readSpikes(arrays, options)),
    ),
  },
};
