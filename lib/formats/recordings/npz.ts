/** NumPy's .npz archives: a raster, or times and channels of events, among their arrays. */
import { open } from 'node:fs/promises';

import { fileError } from '../../errors/system-errors';
import { openEventTable, type EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingEvents } from '../events/reading';
import { isRegularFile } from '../files/read-bytes';
import { hasEnding, type Format, type ReadingOptions } from '../format';
import { isAddress } from '../http/address';
import { decodeNpy } from '../npy/npy';
import type { RasterSource } from '../raster-source';
import { findName, ID, TIME, unitIn } from './columns';
import { chooseMember, describeRaster, rasterInMemory } from './members';
import { decodeStructured, isStructured } from './structured';
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
async function holdsEvents(path: string, wanted: string | undefined): Promise<boolean> {
  return withZip(path, async (zip) => {
    const members = membersOf(zip);
    const names = [...members.keys()];
    if (wanted === undefined && findName(names, TIME) !== undefined) {
      return findName(names, ID) !== undefined;
    }
    if (wanted === undefined && members.size !== 1) return false;
    return isStructured(await zip.read(chooseMember(members, wanted, path)));
  });
}

async function readEvents(path: string, { member, timeUnit }: ReadingOptions): Promise<EventTable> {
  try {
    return await withZip(path, async (zip) => {
      const members = membersOf(zip);
      const names = [...members.keys()];
      const [timeName, idName] = [findName(names, TIME), findName(names, ID)];
      if (member !== undefined || timeName === undefined || idName === undefined) {
        const entry = chooseMember(members, member, path);
        const bytes = await zip.read(entry);
        return decodeStructured(bytes, `${entry.name} of ${path}`, timeUnit !== undefined);
      }
      const [times, ids] = await Promise.all(
        [timeName, idName].map(async (name) => {
          const bytes = await zip.read(chooseMember(members, name, path));
          return decodeNpy(bytes, `${name} of ${path}`).data;
        }),
      );
      const none = new Float64Array(0);
      const unit = unitIn(timeName);
      return { times: times ?? none, ids: toNumbers(ids ?? none), timeUnit: unit };
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
    recognise: async (path) =>
      (await isNpz(path)) && (await holdsEvents(path, undefined).catch(() => false)),
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
    recognise: isNpz,
    open: openRaster,
    describe: async (path, options) => describeRaster(await openRaster(path, options)),
  },
};
