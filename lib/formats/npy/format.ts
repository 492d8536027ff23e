/** Rasters and currents in .npy files. */
import type { Format } from '../format';
import { SINGLE_FILE } from '../files/single-file';
import { readNpyFile } from './npy';
import { createNpy, openNpyLayout, openNpySink, openNpySource, sizeOfNpy } from './npy-file';

export const npy: Format = {
  name: 'npy',
  title: '.npy',
  endings: ['.npy'],
  readArray: readNpyFile,
  input: {
    usage: [
      'raster.npy',
      `whole numbers, floats or booleans, as NumPy writes them, of shape (T, N),
(B, T, N), or (T,) for one channel that all synapses receive; T time steps,
N channels, B batch items`,
    ],
    mayBeEventList: true,
    // Any other file is refused with a description of what it looks like.
    recognise: () => true,
    open: openNpySource,
    describe: async (path) => {
      const { layout, bytes } = await openNpyLayout(path);
      const { shape, type, version, itemBytes, isBigEndian, isFortranOrder } = layout;
      const storage = {
        version: `${version}.0`,
        order: isFortranOrder ? 'Fortran' : 'C',
        byteOrder: itemBytes === 1 ? 'none' : isBigEndian ? 'big' : 'little',
      };
      return { shape, type, bytes, storage };
    },
  },
  output: {
    ...SINGLE_FILE,
    sizeOf: sizeOfNpy,
    create: createNpy,
    openSink: openNpySink,
    readLayout: async (path) => (await openNpyLayout(path)).layout,
  },
};
