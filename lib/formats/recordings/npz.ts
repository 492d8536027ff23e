/** NumPy's .npz archives: a raster, or times and channels of events, among their arrays. */
import { open } from 'node:fs/promises';

import { fileError } from '../../errors/system-errors';
import { openEventTable, type EventTable } from '../events/event-table';
import { readingEvents } from '../events/reading';
import { asList, type Elements } from '../elements';
import { isRegularFile } from '../files/read-bytes';
import { hasEnding, type Format, type ReadingOptions } from '../format';
import { isAddress } from '../http/address';
import { decodeNpy } from '../npy/npy';
import type { RasterSource } from '../raster-source';
import { chooseColumns, nameEvents, namesIn, pairIn, tableOf } from './columns';
import { chooseMember, describeRaster, onlyOf, rasterInMemory } from './members';
import { isStructured, readStructured } from './structured';
import { withZip, type Zip, type ZipEntry } from './zip';

const ENDINGS = ['.npz'];
const SIGNATURE = 'PK\x03\x04';

async function isNpz(path: string): Promise<boolean> {
  if (isAddress(path) || !hasEnding(path, ENDINGS) || !(await isRegularFile(path))) return false;
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === SIGNATURE;
  } finally {
    await file.close();
  }
}

/** The arrays of an archive by their names. */
function membersOf(zip: Zip): Map<string, ZipEntry> {
  const arrays = zip.entries.filter(({ name }) => name.endsWith('.npy'));
  return new Map(arrays.map((entry) => [entry.name.slice(0, -'.npy'.length), entry]));
}

/** Whether an archive holds events: in arrays of times and channels, or in a structured array. */
async function holdsEvents(path: string, member: string | undefined): Promise<boolean> {
  return withZip(path, async (zip) => {
    const members = membersOf(zip);
    if (pairIn(member) !== undefined) return true;
    if (member === undefined && nameEvents([...members.keys()])) return true;
    const entry = member === undefined ? onlyOf(members) : members.get(member);
    return entry !== undefined && isStructured(await zip.read(entry));
  });
}

async function readEvents(path: string, options: ReadingOptions): Promise<EventTable> {
  const { member } = options;
  try {
    return await withZip(path, async (zip) => {
      const members = membersOf(zip);
      const names = [...members.keys()];
      if (pairIn(member) === undefined && (member !== undefined || !nameEvents(names))) {
        const entry = chooseMember(members, member, path);
        const bytes = await zip.read(entry);
        const read = async (from: number, length: number) =>
          Promise.resolve(bytes.subarray(from, from + length));
        return readStructured({ size: bytes.length, read }, `${entry.name} of ${path}`, options);
      }
      const columns = chooseColumns({ names, place: path, member, kind: 'arrays' });
      const arrays = new Map<string, Elements>();
      for (const name of namesIn({ ...columns, part: undefined })) {
        const place = `${name} of ${path}`;
        const array = decodeNpy(await zip.read(chooseMember(members, name, path)), place);
        arrays.set(name, asList(array, place));
      }
      return tableOf(columns, (name) => arrays.get(name) ?? new Float64Array(0));
    });
  } catch (error) {
    throw fileError('read', path, error);
  }
}

export const npzEvents: Format = {
  name: 'npz-events',
  title: 'events in .npz',
  endings: ENDINGS,
  input: {
    usage: ['events.npz', 'arrays named times and channels, or a structured array'],
    hasTimeUnit: true,
    recognise: async (path, { member }) =>
      (await isNpz(path)) && (await holdsEvents(path, member).catch(() => false)),
    ...readingEvents((path, options) =>
      openEventTable(path, options, {
        format: 'npz-events',
        files: [path],
        read: async () => readEvents(path, options),
      }),
    ),
  },
};

async function openRaster(path: string, { member }: ReadingOptions): Promise<RasterSource> {
  try {
    const { data, shape, name } = await withZip(path, async (zip) => {
      const entry = chooseMember(membersOf(zip), member, path);
      return { ...decodeNpy(await zip.read(entry), `${entry.name} of ${path}`), name: entry.name };
    });
    return await rasterInMemory({ data, shape, path, format: 'npz', member: name });
  } catch (error) {
    throw fileError('read', path, error);
  }
}

export const npz: Format = {
  name: 'npz',
  title: '.npz',
  endings: ENDINGS,
  input: {
    usage: ['arrays.npz', 'an array of such an archive'],
    recognise: async (path) => isNpz(path),
    open: openRaster,
    describe: async (path, options) => describeRaster(await openRaster(path, options)),
  },
};
