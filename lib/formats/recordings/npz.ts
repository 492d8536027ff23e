/** NumPy's .npz archives: a raster, or times and channels of events, among their arrays. */
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';

import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { fileError } from '../../errors/system-errors';
import type { Elements } from '../elements';
import { openEventTable, type EventTable } from '../events/event-table';
import { toNumbers } from '../events/event-files';
import { readingEvents } from '../events/reading';
import { isRegularFile } from '../files/read-bytes';
import { identifyPath } from '../files/fingerprint';
import { hasEnding, type ArrayDescription, type Format, type ReadingOptions } from '../format';
import { isAddress } from '../http/address';
import { decodeNpy } from '../npy/npy';
import { interpretShape } from '../npy/npy-file';
import { lengthOf, type RasterSource, type Region } from '../raster-source';
import { findName, ID, TIME, unitIn } from './columns';
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

/** The array of a name, or the only one. */
function chooseMember(
  members: ReadonlyMap<string, ZipEntry>,
  wanted: string | undefined,
  path: string,
): ZipEntry {
  const [only] = members.size === 1 ? members.values() : [];
  const found = wanted === undefined ? only : members.get(wanted);
  if (found !== undefined) return found;
  const names = [...members.keys()].map((name) => `'${name}'`).join(', ');
  throw new CommandError(
    message`Expected one of the arrays ${names} of ${path} for ${option('member')} but received \
${wanted === undefined ? 'none' : `'${wanted}'`}.`,
  );
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
    const whole = interpretShape(shape, `${name} of ${path}`);
    const absolute = resolve(path);
    const reading = JSON.stringify([name]);
    const identify = async () => identifyPath(absolute, 'npz', reading);
    return {
      identity: await identify(),
      identify,
      shape: whole,
      nAxes: shape.length,
      type: typeNameOf(data),
      itemBytes: data.BYTES_PER_ELEMENT,
      isInterleaved: false,
      read: async (region) => Promise.resolve(partOf(data, whole, region)),
      close: async () => Promise.resolve(),
    };
  } catch (error) {
    throw fileError('read', path, error);
  }
}

function typeNameOf(data: Elements): string {
  const tag = data[Symbol.toStringTag];
  return tag.replace('Array', '').replace('Big', '').toLowerCase();
}

/** A copy of a region. */
function partOf(data: Elements, shape: RasterSource['shape'], region: Region): Elements {
  const { batches, steps, channels } = region;
  const [nSteps, width] = [lengthOf(steps), lengthOf(channels)];
  const length = lengthOf(batches) * nSteps * width;
  const part = new (data.constructor as Float64ArrayConstructor)(length);
  for (let item = 0; item < lengthOf(batches); item++) {
    for (let step = 0; step < nSteps; step++) {
      const row = (batches.begin + item) * shape[1] + steps.begin + step;
      const begin = row * shape[2] + channels.begin;
      part.set(
        (data as Float64Array).subarray(begin, begin + width),
        (item * nSteps + step) * width,
      );
    }
  }
  return part;
}

export const npz: Format = {
  name: 'npz',
  title: '.npz',
  endings: ENDINGS,
  input: {
    usage: ['arrays.npz', 'an array of such an archive'],
    recognise: isNpz,
    open: openRaster,
    describe: async (path, options): Promise<ArrayDescription> => {
      const source = await openRaster(path, options);
      const { shape, nAxes, type, identity } = source;
      const own = nAxes === 1 ? shape.slice(1, 2) : shape.slice(3 - nAxes);
      return { shape: own, type, bytes: identity.bytes, storage: {} };
    },
  },
};
