/** A Zarr array behind a server of the test's own: spikes, in chunks or as a test changes them. */
import assert from 'node:assert/strict';

import type { AddressOptions } from '../../lib/formats/http/reader';
import { openZarrSource } from '../../lib/formats/zarr/zarr';
import { isCommandError } from './command-errors';
import { arrayFiles, ZarrServer } from './http-server';
import { spikes } from './oracle';

export const SHAPE = [4000, 4] as const;
export const [STEPS, CHANNELS] = SHAPE;
export const STEPS_PER_CHUNK = 1000;
export const WHOLE = {
  batches: { begin: 0, end: 1 },
  steps: { begin: 0, end: STEPS },
  channels: { begin: 0, end: CHANNELS },
};
export const QUICK = { timeout: 300, tries: 3, firstPause: 5 };

/** The server of a suite, which has the whole array before each test; and how to read from it. */
export function serveArray() {
  const server = new ZarrServer();
  const data = spikes(STEPS * CHANNELS, 0.1, 5);

  before(async () => server.start());

  after(() => {
    server.stop();
  });

  beforeEach(() => {
    server.reset();
    for (const [key, bytes] of arrayFiles(data, SHAPE, STEPS_PER_CHUNK))
      server.files.set(key, bytes);
  });

  /** All values, and what was said meanwhile. */
  async function readAll(
    options: AddressOptions = QUICK,
    address = server.address,
  ): Promise<{ values: number[]; said: string[] }> {
    const said: string[] = [];
    const source = await openZarrSource(address, { onWait: (text) => said.push(text), ...options });
    try {
      const values = Array.from<number | bigint, number>(await source.read(WHOLE), Number);
      return { values, said };
    } finally {
      await source.close();
    }
  }

  async function refuses(
    pattern: RegExp,
    options: AddressOptions = QUICK,
    address?: string,
  ): Promise<void> {
    await assert.rejects(readAll(options, address), isCommandError(pattern));
  }

  return { server, data, readAll, refuses };
}
