/** What recordings of spikes an HDF5 file holds. */
import { LastFile } from '../files/last-file';
import type { Hdf5Node } from '../hdf5/arrays-file';
import { ArraysReader } from '../hdf5/arrays-reader';
import { isHdf5At } from '../hdf5/signature';
import { isAddress } from '../http/address';
import { listsIn, type Listing } from './lists';
import { isFull } from './named-arrays';
import { pairsIn } from './pairs';

/** The datasets of NWB with the spikes of sorted units. */
export const NWB = {
  times: 'units/spike_times',
  index: 'units/spike_times_index',
  id: 'units/id',
} as const;
/** The group of SONATA with a group for each population; in old files, it is that of the only one. */
const SPIKES = 'spikes';

/** Where the spikes of a population are in SONATA. */
export interface Population {
  name: string;
  times: string;
  ids: string;
  /** Of the times. */
  unit: string | undefined;
}

export interface Hdf5Contents {
  isHdf5: boolean;
  /** Whether it holds the units of NWB. */
  hasUnits: boolean;
  populations: readonly Population[];
  /** The names of the variables of MATLAB that hold numbers. */
  variables: readonly string[];
  lists: readonly Listing[];
  /** The datasets. */
  nodes: ReadonlyMap<string, Hdf5Node>;
}

const NOTHING: Hdf5Contents = {
  isHdf5: false,
  hasUnits: false,
  populations: [],
  variables: [],
  lists: [],
  nodes: new Map(),
};

/** Opening a file takes a tenth of a second. */
const last = new LastFile<Hdf5Contents>();

/**
 * What there is at a path; nothing if it is no HDF5 file that can be read.
 *
 * @param member What the user has named; the datasets of NWB and SONATA are listed only then.
 */
export async function contentsOf(path: string, member?: string): Promise<Hdf5Contents> {
  if (isAddress(path) || !(await isHdf5At(path))) return NOTHING;
  const isNamed = member !== undefined;
  return last.ask(path, String(isNamed), async () => lookInto(path, isNamed).catch(() => NOTHING));
}

async function lookInto(path: string, isNamed: boolean): Promise<Hdf5Contents> {
  const reader = await ArraysReader.open(path);
  try {
    const [times, ids] = await reader.look(NWB.times, NWB.id);
    const isFile = path.toLowerCase().endsWith('.nwb') || ids.kind === 'dataset';
    const [index] = await reader.look(NWB.index);
    const hasUnits = times.kind === 'dataset' && (isFile || index.kind === 'dataset');
    const populations = await populationsOf(reader);
    const known = { ...NOTHING, isHdf5: true, hasUnits, populations };
    if (!isNamed && (hasUnits || populations.length > 0)) return known;
    const nodes = new Map(await reader.walk());
    const fieldsOf = (name: string) => nodes.get(name)?.fields.map((field) => field.name) ?? [];
    const lists = [...listsIn(nodes, fieldsOf), ...pairsIn(nodes)];
    return { ...known, nodes, variables: variablesIn(nodes), lists };
  } finally {
    await reader.close();
  }
}

async function populationsOf(reader: ArraysReader): Promise<Population[]> {
  const [spikes] = await reader.look(SPIKES);
  if (spikes.kind !== 'group') return [];
  const found: Population[] = [];
  for (const group of [SPIKES, ...spikes.names.map((name) => `${SPIKES}/${name}`)]) {
    const paths = [`${group}/timestamps`, `${group}/node_ids`, `${group}/gids`] as const;
    const [times, nodes, gids] = await reader.look(...paths);
    const ids = [nodes, gids].findIndex(({ kind }) => kind === 'dataset');
    if (times.kind !== 'dataset' || ids < 0) continue;
    const name = group.slice(SPIKES.length + 1);
    found.push({ name, times: paths[0], ids: paths[ids + 1] ?? '', unit: times.texts['units'] });
  }
  return found;
}

/** The classes of MATLAB that are numbers. */
const NUMBERS = /^(double|single|logical|u?int(8|16|32|64))$/;

function variablesIn(nodes: ReadonlyMap<string, Hdf5Node>): string[] {
  const isVariable = ([path, node]: [string, Hdf5Node]): boolean =>
    node.kind === 'dataset' &&
    !path.includes('/') &&
    isFull(node) &&
    NUMBERS.test(node.texts['MATLAB_class'] ?? '');
  return [...nodes].filter(isVariable).map(([path]) => path);
}
