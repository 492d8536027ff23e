/** Lists of events, written with any type, order and byte order, and the steps in which they lie. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventOptions } from '../../lib/formats/event-options';
import { ROOT } from './processes';
import { openEventsNpy } from '../../lib/formats/events/events-npy';
import { encodeHeader } from '../../lib/formats/npy/header';
import type { Elements } from '../../lib/formats/elements';
import type { RasterSource } from '../../lib/formats/raster-source';
import { isCommandError } from './command-errors';
import { temporaryFolder } from './folders';

export const CASES = join(ROOT, 'test', 'cases');
export const CHANNELS = 7;

export type Floats = Float32Array | Float64Array;

/** How a list is written. */
export interface Layout {
  isFortranOrder?: boolean;
  isBigEndian?: boolean;
}

/** The folder of the suite that runs; mocha loads the files of all suites before it runs one. */
let work: { readonly path: string } | undefined;
let files = 0;

export function newPath(ending: string): string {
  assert.ok(work, 'The suite calls withEventTimes().');
  return join(work.path, `${files++}${ending}`);
}

/** Event k is of channel k % 7. */
export async function npyOf(times: Elements, layout: Layout = {}): Promise<string> {
  const { isFortranOrder = false, isBigEndian = false } = layout;
  const { length, BYTES_PER_ELEMENT: itemBytes } = times;
  const isBigInt = times instanceof BigInt64Array || times instanceof BigUint64Array;
  const rows = times.slice().constructor as new (length: number) => Record<number, unknown> & {
    buffer: ArrayBuffer;
  };
  const data = new rows(2 * length);
  for (let k = 0; k < length; k++) {
    const [time, channel] = isFortranOrder ? [k, length + k] : [2 * k, 2 * k + 1];
    data[time] = times[k];
    data[channel] = isBigInt ? BigInt(k % CHANNELS) : k % CHANNELS;
  }
  const bytes = Buffer.from(data.buffer);
  if (isBigEndian && itemBytes > 1) {
    if (itemBytes === 2) bytes.swap16();
    else if (itemBytes === 4) bytes.swap32();
    else bytes.swap64();
  }
  const tag = times[Symbol.toStringTag];
  const kind = tag.startsWith('Float') ? 'f' : tag.includes('Uint') ? 'u' : 'i';
  const descr = `${isBigEndian ? '>' : '<'}${kind}${itemBytes}`;
  const header = Buffer.from(encodeHeader(descr, [length, 2]));
  if (isFortranOrder) header.write('True ', header.indexOf('False'));
  const path = newPath('.npy');
  await writeFile(path, Buffer.concat([header, bytes]));
  return path;
}

/** Checks that event k lies in the step that is said, in reads of a whole raster and of parts. */
export async function assertSteps(
  source: RasterSource,
  stepOf: (k: number) => number,
  length: number,
  what: string,
): Promise<void> {
  try {
    const [batches, timesteps, channels] = source.shape;
    const expected = new Uint16Array(timesteps * channels);
    for (let k = 0; k < length; k++) {
      const index = stepOf(k) * channels + (k % CHANNELS);
      expected[index] = (expected[index] ?? 0) + 1;
    }
    const whole = await readSteps(source, 0, timesteps);
    const wrong = whole.findIndex((count, index) => count !== expected[index]);
    assert.equal(wrong, -1, `${what}: step ${Math.floor(wrong / channels)}`);
    assert.equal(batches, 1);
    const third = Math.ceil(timesteps / 3);
    for (let begin = 0; begin < timesteps; begin += third) {
      const end = Math.min(timesteps, begin + third);
      const part = await readSteps(source, begin, end);
      assert.ok(
        Buffer.from(part.buffer, part.byteOffset, part.byteLength).equals(
          Buffer.from(whole.subarray(begin * channels, end * channels).slice().buffer),
        ),
        what,
      );
    }
  } finally {
    await source.close();
  }
}

export async function readSteps(
  source: RasterSource,
  begin: number,
  end: number,
): Promise<Uint16Array> {
  const [, , channels] = source.shape;
  return (await source.read({
    batches: { begin: 0, end: 1 },
    steps: { begin, end },
    channels: { begin: 0, end: channels },
  })) as Uint16Array;
}

export async function refuses(path: string, options: EventOptions, pattern: RegExp): Promise<void> {
  await assert.rejects(openEventsNpy(path, options), isCommandError(pattern));
}

/** Gives the lists of a suite a folder. */
export function withEventTimes(): { readonly path: string } {
  const folder = temporaryFolder();
  before(() => {
    work = folder;
  });
  after(() => {
    work = undefined;
  });
  return folder;
}
