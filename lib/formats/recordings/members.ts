/** Files of several arrays, of which one is a raster that is in memory as a whole. */
import { resolve } from 'node:path';

import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import type { Elements } from '../elements';
import { identifyPath } from '../files/fingerprint';
import type { ArrayDescription } from '../format';
import { interpretShape } from '../npy/npy-file';
import { lengthOf, type RasterSource, type Region } from '../raster-source';

/** The only one of some arrays. */
export function onlyOf<Entry>(members: ReadonlyMap<string, Entry>): Entry | undefined {
  const [only] = members.size === 1 ? members.values() : [];
  return only;
}

/** The array of a name, or the only one. */
export function chooseMember<Entry>(
  members: ReadonlyMap<string, Entry>,
  wanted: string | undefined,
  path: string,
): Entry {
  const found = wanted === undefined ? onlyOf(members) : members.get(wanted);
  if (found !== undefined) return found;
  const names = [...members.keys()].map((name) => `'${name}'`).join(', ');
  throw new CommandError(
    message`Expected one of the arrays ${names} of ${path} for ${option('member')} but received \
${wanted === undefined ? 'none' : `'${wanted}'`}; of a list of events, give TIMES,CHANNELS, the names of two, or a \
pattern with * for the number of each unit.`,
  );
}

/** An array as a raster. `member` is its name in the file. */
export async function rasterInMemory(array: {
  data: Elements;
  shape: readonly number[];
  path: string;
  format: string;
  member: string;
}): Promise<RasterSource> {
  const { data, shape, path, format, member } = array;
  const whole = interpretShape(shape, `${member} of ${path}`);
  const absolute = resolve(path);
  const reading = JSON.stringify([member]);
  const identify = async () => identifyPath(absolute, format, reading);
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
}

/** What there is to say about such a raster. */
export function describeRaster({ shape, nAxes, type, identity }: RasterSource): ArrayDescription {
  const own = nAxes === 1 ? shape.slice(1, 2) : shape.slice(3 - nAxes);
  return { shape: own, type, bytes: identity.bytes, storage: {} };
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
