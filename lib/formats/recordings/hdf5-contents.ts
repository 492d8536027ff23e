/** What recordings of spikes an HDF5 file holds. */
import { stat } from 'node:fs/promises';

import type { Hdf5Node } from '../hdf5/arrays-file';
import { ArraysReader } from '../hdf5/arrays-reader';
import { isHdf5At } from '../hdf5/signature';
import { isAddress } from '../http/address';
import { isTimeName, nameEvents } from './columns';

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

/** Events beside each other: datasets of a group, fields of records, or cells with the times of a unit each. */
export interface Hdf5Table {
  /** The group or the dataset. */
  path: string;
  content: 'group' | 'records' | 'cells';
  /** Of the datasets or the fields. */
  names: readonly string[];
}

export interface Hdf5Contents {
  isHdf5: boolean;
  /** Whether it holds the units of NWB. */
  hasUnits: boolean;
  populations: readonly Population[];
  /** The names of the variables of MATLAB that hold numbers. */
  variables: readonly string[];
  tables: readonly Hdf5Table[];
  /** The datasets. */
  nodes: ReadonlyMap<string, Hdf5Node>;
}

const NOTHING: Hdf5Contents = {
  isHdf5: false,
  hasUnits: false,
  populations: [],
  variables: [],
  tables: [],
  nodes: new Map(),
};

/** The answer about the last file, since every format asks, and opening a file takes a tenth of a second. */
let last: { key: string; contents: Promise<Hdf5Contents> } | undefined;

/** What there is at a path; nothing if it is no HDF5 file that can be read. */
export async function contentsOf(path: string): Promise<Hdf5Contents> {
  if (isAddress(path) || !(await isHdf5At(path))) return NOTHING;
  const { ino, size, mtimeMs } = await stat(path);
  const key = JSON.stringify([path, ino, size, mtimeMs]);
  if (last?.key !== key) last = { key, contents: lookInto(path).catch(() => NOTHING) };
  return last.contents;
}

async function lookInto(path: string): Promise<Hdf5Contents> {
  const reader = await ArraysReader.open(path);
  try {
    const [times, ids] = await reader.look(NWB.times, NWB.id);
    const isFile = path.toLowerCase().endsWith('.nwb') || ids.kind === 'dataset';
    const [index] = await reader.look(NWB.index);
    const hasUnits = times.kind === 'dataset' && (isFile || index.kind === 'dataset');
    const populations = await populationsOf(reader);
    const known = { ...NOTHING, isHdf5: true, hasUnits, populations };
    if (hasUnits || populations.length > 0) return known;
    const nodes = new Map(await reader.walk());
    return { ...known, nodes, variables: variablesIn(nodes), tables: tablesIn(nodes) };
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

/** What lists of times are called besides times. */
const TRAINS = /^spikes?_?(?:trains?)?$/i;
/** What Prophesee calls the places of some events among all, by their times. */
const INDEX = /(?:^|\/)index(?:es)?$/;
/** The classes of MATLAB that are numbers. */
const NUMBERS = /^(double|single|logical|u?int(8|16|32|64))$/;

/** Of an array of MATLAB without elements, the dataset holds the shape. */
function isFull({ numbers }: Hdf5Node): boolean {
  return numbers['MATLAB_empty'] !== 1;
}

function variablesIn(nodes: ReadonlyMap<string, Hdf5Node>): string[] {
  const isVariable = ([path, node]: [string, Hdf5Node]): boolean =>
    node.kind === 'dataset' &&
    !path.includes('/') &&
    isFull(node) &&
    NUMBERS.test(node.texts['MATLAB_class'] ?? '');
  return [...nodes].filter(isVariable).map(([path]) => path);
}

function tablesIn(nodes: ReadonlyMap<string, Hdf5Node>): Hdf5Table[] {
  return [...nodes].flatMap(([path, { kind, names, content, fields }]): Hdf5Table[] => {
    if (kind === 'group') {
      const own = names.filter((name) => {
        const node = nodes.get(path === '' ? name : `${path}/${name}`);
        return node?.content === 'numbers' && isFull(node);
      });
      // Of lists of lists, another dataset tells where each one ends.
      const isRagged = own.some((name) => names.includes(`${name}_index`) && isTimeName(name));
      return nameEvents(own) && !isRagged ? [{ path, content: 'group', names: own }] : [];
    }
    const fieldNames = fields.map(({ name }) => name);
    if (content === 'records' && nameEvents(fieldNames) && !INDEX.test(path)) {
      return [{ path, content, names: fieldNames }];
    }
    const name = path.slice(path.lastIndexOf('/') + 1);
    return content === 'cells' && (isTimeName(name) || TRAINS.test(name))
      ? [{ path, content, names: [] }]
      : [];
  });
}
