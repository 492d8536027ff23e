/** What recordings of spikes an HDF5 file holds. */
import { stat } from 'node:fs/promises';

import { ArraysReader } from '../hdf5/arrays-reader';
import { isHdf5At } from '../hdf5/signature';
import { isAddress } from '../http/address';

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
  /** Whether it holds the units of NWB. */
  hasUnits: boolean;
  populations: readonly Population[];
  /** The names of the variables of MATLAB that hold numbers. */
  variables: readonly string[];
}

const NOTHING: Hdf5Contents = { hasUnits: false, populations: [], variables: [] };

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
    const [times, index] = await reader.look(NWB.times, NWB.index);
    const hasUnits = times.kind === 'dataset' && index.kind === 'dataset';
    const populations = await populationsOf(reader);
    return { hasUnits, populations, variables: await variablesOf(reader) };
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

async function variablesOf(reader: ArraysReader): Promise<string[]> {
  const [root] = await reader.look('');
  const nodes = await reader.look(...root.names);
  return root.names.filter((_, index) => {
    const { kind, texts, numbers } = nodes[index] ?? {};
    // Of an array without elements, the dataset holds the shape.
    const isEmpty = numbers?.['MATLAB_empty'] === 1;
    return kind === 'dataset' && !isEmpty && NUMBERS.test(texts?.['MATLAB_class'] ?? '');
  });
}
