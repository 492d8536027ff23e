/** Rasters and currents in Zarr arrays, which are folders or lie behind addresses. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isAddress } from '../http/address';
import { hasEnding, type Format } from '../format';
import { output } from './output';
import { describeZarr, openZarrSource, remarkOnZarr } from './source';

const ENDINGS = ['.zarr'];

async function isZarr(path: string): Promise<boolean> {
  if (isAddress(path) || hasEnding(path, ENDINGS)) return true;
  const found = await Promise.all(
    ['zarr.json', '.zarray'].map((name) => stat(join(path, name)).catch(() => undefined)),
  );
  return found.some((entry) => entry?.isFile());
}

async function sizeOfFolder(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

export const zarr: Format = {
  name: 'zarr',
  title: 'Zarr',
  endings: ENDINGS,
  input: {
    usage: ['raster.zarr', 'a Zarr array of such a shape, or its http(s) address'],
    isFolder: true,
    recognise: isZarr,
    open: async (path, { address }) => openZarrSource(path, address),
    remark: async (path, { address }) => remarkOnZarr(path, address),
    describe: async (path, { address }) => {
      const { shape, type, ...storage } = await describeZarr(path, address);
      const bytes = isAddress(path) ? NaN : await sizeOfFolder(path);
      const { zarrFormat, chunkShape, codecs } = storage;
      return { shape, type, bytes, storage: { zarrFormat, chunkShape, codecs } };
    },
  },
  output,
};
