/** MATLAB files of version 7.3, which are HDF5: a matrix as a raster. */
import type { Elements } from '../elements';
import { hasEnding, type Format, type ReadingOptions } from '../format';
import { ArraysReader } from '../hdf5/arrays-reader';
import type { RasterSource } from '../raster-source';
import { contentsOf } from './hdf5-contents';
import { chooseMember, describeRaster, rasterInMemory } from './members';

const ENDINGS = ['.mat'];

/** The names of the variables of numbers. */
async function variablesOf(path: string): Promise<readonly string[]> {
  return hasEnding(path, ENDINGS) ? (await contentsOf(path)).variables : [];
}

async function openRaster(path: string, { member }: ReadingOptions): Promise<RasterSource> {
  const names = await variablesOf(path);
  const name = chooseMember(new Map(names.map((each) => [each, each])), member, path);
  const reader = await ArraysReader.open(path);
  try {
    const { data, shape } = await reader.readArray(name);
    const own = shape.toReversed();
    return await rasterInMemory({
      data: fromColumns(data, own),
      shape: own,
      path,
      format: 'matlab',
      member: name,
    });
  } finally {
    await reader.close();
  }
}

/** An array in row-major (C) order, of one whose first axis varies fastest, as MATLAB stores it. */
function fromColumns(data: Elements, shape: readonly number[]): Elements {
  const rows = data.slice();
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  const index = shape.map(() => 0);
  for (let at = 0; at < rows.length; at++) {
    const from = index.reduce((sum, step, axis) => sum + step * (strides[axis] ?? 0), 0);
    rows[at] = data[from] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next < (shape[axis] ?? 0) ? next : 0;
      if (next < (shape[axis] ?? 0)) break;
    }
  }
  return rows;
}

export const matlab: Format = {
  name: 'matlab',
  title: 'a MATLAB file',
  endings: ENDINGS,
  input: {
    usage: ['raster.mat', 'MATLAB 7.3 with a matrix, (T, N)'],
    recognise: async (path) => (await variablesOf(path)).length > 0,
    open: openRaster,
    describe: async (path, options) => describeRaster(await openRaster(path, options)),
  },
};
