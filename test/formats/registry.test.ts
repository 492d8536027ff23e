/** A format that is added to the registry is read, written, described and drawn like the others. */
import assert from 'node:assert/strict';
import { open, readFile, stat, writeFile } from 'node:fs/promises';

import type { CurrentsLayout, CurrentsSink } from '../../lib/formats/currents-sink';
import { identifyPath } from '../../lib/formats/files/fingerprint';
import { readBytes } from '../../lib/formats/files/read-bytes';
import { SINGLE_FILE } from '../../lib/formats/files/single-file';
import { hasEnding, type Format } from '../../lib/formats/format';
import { readNpyFile, writeNpyFile } from '../../lib/formats/npy/npy';
import { sizeOfRegion, type RasterSource, type Region } from '../../lib/formats/raster-source';
import { recognise, registerFormat } from '../../lib/formats/registry';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';

/** A column of float64 numbers after their count. */
const HEADER_BYTES = 8;
const ITEM_BYTES = 8;

async function openColumn(path: string): Promise<RasterSource> {
  const file = await open(path, 'r');
  const header = await readBytes(file, 0, HEADER_BYTES, path);
  const timesteps = new DataView(header.buffer).getFloat64(0, true);
  const identify = () => identifyPath(path, 'column');
  return {
    identity: await identify(),
    identify,
    shape: [1, timesteps, 1],
    nAxes: 1,
    type: 'float64',
    itemBytes: ITEM_BYTES,
    isInterleaved: false,
    read: async (region) => {
      const position = HEADER_BYTES + region.steps.begin * ITEM_BYTES;
      const bytes = await readBytes(file, position, sizeOfRegion(region) * ITEM_BYTES, path);
      return new Float64Array(bytes.buffer);
    },
    close: async () => file.close(),
  };
}

async function createColumn(path: string, { shape }: CurrentsLayout): Promise<void> {
  const bytes = new Float64Array(1 + shape[1]);
  bytes[0] = shape[1];
  await writeFile(path, bytes);
}

async function openColumnSink(path: string): Promise<CurrentsSink> {
  const file = await open(path, 'r+');
  return {
    write: async ({ steps }: Region, data) => {
      await file.write(
        new Uint8Array(data.slice().buffer),
        0,
        undefined,
        HEADER_BYTES + steps.begin * ITEM_BYTES,
      );
    },
    sync: async () => file.datasync(),
    close: async () => file.close(),
  };
}

async function readLayout(path: string) {
  return { shape: [1, (await stat(path)).size / ITEM_BYTES - 1, 1], type: 'float64' };
}

const ENDINGS = ['.column'];

const column: Format = {
  name: 'column',
  title: 'a column of numbers',
  endings: ENDINGS,
  input: {
    usage: ['raster.column', 'one column of numbers'],
    recognise: (path) => hasEnding(path, ENDINGS),
    open: openColumn,
    describe: async (path) => ({
      ...(await readLayout(path)),
      bytes: (await stat(path)).size,
      storage: { order: 'time' },
    }),
  },
  output: {
    ...SINGLE_FILE,
    sizeOf: ({ shape }) => HEADER_BYTES + shape[1] * ITEM_BYTES,
    create: createColumn,
    openSink: openColumnSink,
    readLayout,
  },
};

describe('a format that is registered', () => {
  emptyFolders();

  let remove = (): void => undefined;
  before(() => {
    remove = registerFormat(column);
  });
  after(() => {
    remove();
  });

  const TIMESTEPS = 4000;
  const raster = Float64Array.from({ length: TIMESTEPS }, (_, step) => (step % 37 === 0 ? 1 : 0));

  it('is recognised by what it says, and the others as before', async () => {
    assert.equal((await recognise('raster.column')).name, 'column');
    assert.equal((await recognise('raster.npy')).name, 'npy');
    assert.equal((await recognise('raster.zarr')).name, 'zarr');
    assert.equal((await recognise('raster.npy', { isEventList: true })).name, 'events');
  });

  it('is read, written, resumed, described and drawn', async () => {
    await writeFile('raster.column', Float64Array.of(TIMESTEPS, ...raster));
    await writeNpyFile('raster.npy', { data: raster, shape: [TIMESTEPS] });
    const out = await succeed('run', 'raster.column', '--out', 'isyn.column', '--steps', '100');
    assert.match(out, /isyn\.column +the currents, \(1, 4000, 1\) float64/);
    await succeed('run', 'raster.npy', '--out', 'isyn.npy', '--steps', '100', '--no-plot');
    const expected = (await readNpyFile('isyn.npy')).data;
    const found = new Float64Array(new Uint8Array(await readFile('isyn.column')).buffer);
    assert.deepEqual(found.subarray(1), expected);
    const again = ['run', 'raster.column', '--out', 'isyn.column', '--steps', '100', '--resume'];
    assert.match(await succeed(...again), /^isyn\.column is complete already\.\n$/);
    const info = await succeed('info', 'isyn.column');
    assert.match(info, /stored +a column of numbers, order time, 32 kB\nmade by +expsyn/);
    assert.match(await succeed('plot', 'isyn.column'), /^isyn\.svg {2}all of it\n$/);
  });

  it('stands in the help and in the messages', async () => {
    assert.match(await succeed('run', '--help'), /\n {2}raster\.column {2}one column of numbers\n/);
    const { err } = await expsyn('run', 'raster.npy', '--out', 'isyn.csv');
    assert.match(err, /^Expected a name that ends in \.column, \.npy or \.zarr for --out but/);
  });

  it('has no compression and takes no workers unless it says so', async () => {
    const compressed = await expsyn('run', '--out', 'isyn.column', '--compression', 'zstd');
    assert.match(
      compressed.err,
      /^Expected a name that ends in \.zarr for --out with --compression/,
    );
    const queued = await expsyn('run', '--out', 'isyn.column', '--queue', 'redis://localhost');
    assert.match(queued.err, /^Expected a name that ends in \.zarr for --out with --queue/);
  });
});
