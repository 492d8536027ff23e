/** Parts of inputs of every layout hold what the whole inputs hold there, and nothing is read twice. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';

import { writeNpyFile } from '../../lib/formats/npy/npy';
import {
  lengthOf,
  sizeOfRegion,
  wholeRegion,
  type Range,
  type RasterSource,
} from '../../lib/formats/raster-source';
import { recognise } from '../../lib/formats/registry';
import { SelectedSource } from '../../lib/formats/selected-source';
import { emptyFolders } from '../support/folders';
import { ZarrServer } from '../support/http-server';
import { randomNumbers } from '../support/oracle';

type Shape = readonly [batches: number, timesteps: number, channels: number];

const SHAPE: Shape = [2, 50, 23];
const CHUNK = [1, 16, 5] as const;

describe('parts of inputs', () => {
  const work = emptyFolders();
  const server = new ZarrServer();
  before(async () => server.start());
  after(() => {
    server.stop();
  });
  const random = randomNumbers(3);
  const below = (end: number) => Math.floor(random() * end);

  /** Different numbers, so that no two elements may be taken for each other. */
  function numbered(shape: Shape): Float64Array {
    return Float64Array.from(
      { length: shape[0] * shape[1] * shape[2] },
      (_, index) => index * 1.5 + 1,
    );
  }

  async function open(path: string, isEventList = false): Promise<RasterSource> {
    const { input } = await recognise(path, { isEventList });
    return input.open(path, { dt: 1e-3 });
  }

  async function openNpy(shape: Shape): Promise<RasterSource> {
    await writeNpyFile('raster.npy', { data: numbered(shape), shape });
    return open('raster.npy');
  }

  /** The same elements, the first axis fastest. */
  async function openColumns(): Promise<RasterSource> {
    const [batches, timesteps, channels] = SHAPE;
    await writeNpyFile('raster.npy', { data: numbered(SHAPE), shape: SHAPE });
    const bytes = await readFile('raster.npy');
    const start = bytes.length - numbered(SHAPE).byteLength;
    const header = bytes.subarray(0, start).toString('latin1').replace('False', 'True ');
    const columns = new Float64Array(batches * timesteps * channels);
    numbered(SHAPE).forEach((value, index) => {
      const [b, t] = [
        Math.floor(index / (timesteps * channels)),
        Math.floor(index / channels) % timesteps,
      ];
      columns[b + batches * (t + timesteps * (index % channels))] = value;
    });
    await writeFile(
      'raster.npy',
      Buffer.concat([Buffer.from(header, 'latin1'), Buffer.from(columns.buffer)]),
    );
    return open('raster.npy');
  }

  /** The files of a Zarr array whose chunks are not compressed. */
  function zarrFiles(): Map<string, Buffer> {
    const [batches, timesteps, channels] = SHAPE;
    const data = numbered(SHAPE);
    const files = new Map<string, Buffer>();
    const metadata = {
      ...{ zarr_format: 2, shape: SHAPE, chunks: CHUNK, dtype: '<f8', order: 'C' },
      ...{ compressor: null, filters: null, fill_value: 0 },
    };
    files.set('.zarray', Buffer.from(JSON.stringify(metadata)));
    for (let b = 0; b < batches; b++) {
      for (let t = 0; t * CHUNK[1] < timesteps; t++) {
        for (let n = 0; n * CHUNK[2] < channels; n++) {
          const chunk = Float64Array.from({ length: CHUNK[1] * CHUNK[2] }, (_, index) => {
            const step = t * CHUNK[1] + Math.floor(index / CHUNK[2]);
            const channel = n * CHUNK[2] + (index % CHUNK[2]);
            if (step >= timesteps || channel >= channels) return 0;
            return data[(b * timesteps + step) * channels + channel] ?? NaN;
          });
          files.set(`${b}.${t}.${n}`, Buffer.from(chunk.buffer));
        }
      }
    }
    return files;
  }

  async function openZarr(): Promise<RasterSource> {
    await mkdir('raster.zarr');
    for (const [name, bytes] of zarrFiles()) await writeFile(`raster.zarr/${name}`, bytes);
    return open('raster.zarr');
  }

  async function openEvents(): Promise<RasterSource> {
    const rows = Float64Array.from({ length: 2 * 400 }, (_, index) =>
      index % 2 === 0 ? (below(50) + 0.5) / 1000 : below(23),
    );
    rows.set([0.0495, 22]);
    await writeNpyFile('events.npy', { data: rows, shape: [400, 2] });
    return open('events.npy', true);
  }

  /** Some of the channels, in ranges that are apart. */
  function someOf(channels: number): Range[] {
    const ranges: Range[] = [];
    for (let begin = below(4); begin < channels; begin += 1 + below(channels / 4)) {
      const end = Math.min(channels, begin + 1 + below(channels / 4));
      ranges.push({ begin, end });
      begin = end;
    }
    return ranges.length > 0 ? ranges : [{ begin: 0, end: channels }];
  }

  function within(length: number): Range {
    const begin = below(length);
    return { begin, end: begin + 1 + below(length - begin) };
  }

  const layouts: [name: string, opened: () => Promise<RasterSource>][] = [
    ['rows', () => openNpy(SHAPE)],
    ['rows that are longer than what is read at a time', () => openNpy([1, 3, 600_001])],
    ['columns', openColumns],
    ['chunks', openZarr],
    ['a list of events', openEvents],
  ];
  for (const [name, opened] of layouts) {
    it(`hold what the whole holds there: ${name}`, async () => {
      const whole = await opened();
      const [, timesteps, columns] = whole.shape;
      const all = await whole.read(wholeRegion(whole.shape));
      for (let attempt = 0; attempt < (columns > 1000 ? 4 : 60); attempt++) {
        const selection = { steps: within(timesteps), channels: someOf(columns) };
        const part = new SelectedSource(whole, selection);
        const ids = selection.channels.flatMap(({ begin, end }) =>
          Array.from({ length: end - begin }, (_, n) => begin + n),
        );
        assert.deepEqual(part.shape, [whole.shape[0], lengthOf(selection.steps), ids.length]);
        const [batches, steps, channels] = part.shape.map(within) as [Range, Range, Range];
        const region = { batches, steps, channels };
        const expected = new Float64Array(sizeOfRegion(region));
        let next = 0;
        for (let b = batches.begin; b < batches.end; b++) {
          for (let t = steps.begin; t < steps.end; t++) {
            const row = (b * timesteps + t + selection.steps.begin) * columns;
            for (let n = channels.begin; n < channels.end; n++) {
              expected[next++] = Number(all[row + (ids[n] ?? NaN)]);
            }
          }
        }
        const found = Float64Array.from(await part.read(region), Number);
        assert.ok(Buffer.from(found.buffer).equals(Buffer.from(expected.buffer)));
        const events = await part.readEvents?.(region, 1e-3);
        if (name.includes('events')) {
          const counts = new Float64Array(expected.length);
          const width = lengthOf(channels);
          for (const [index, time] of [...(events?.times ?? [])].entries()) {
            const place = Math.floor(Number(time) / 1e-3) * width + Number(events?.channels[index]);
            counts[place] = (counts[place] ?? NaN) + 1;
          }
          assert.deepEqual(counts, expected);
        }
      }
      await whole.close();
    });
  }

  it('ask for every chunk once, and for no other', async () => {
    assert.notEqual(work.path, '');
    for (const [key, bytes] of zarrFiles()) server.files.set(key, bytes);
    const whole = await open(server.address);
    // Of the chunks that begin with channels 0, 5, 10, 15 and 20, the third and the fourth have none.
    const channels = [
      { begin: 0, end: 1 },
      { begin: 2, end: 3 },
      { begin: 4, end: 6 },
      { begin: 8, end: 9 },
      { begin: 21, end: 23 },
    ];
    const part = new SelectedSource(whole, { steps: { begin: 20, end: 45 }, channels });
    server.counts.clear();
    for (let batch = 0; batch < 2; batch++) {
      for (let step = 0; step < 25; step++) {
        await part.read({
          batches: { begin: batch, end: batch + 1 },
          steps: { begin: step, end: step + 1 },
          channels: { begin: 0, end: 7 },
        });
      }
    }
    const names = [0, 1].flatMap((b) =>
      [1, 2].flatMap((t) => [0, 1, 4].map((n) => `${b}.${t}.${n}`)),
    );
    assert.deepEqual(
      [...server.counts].sort(),
      names.map((name) => [name, 1]),
    );
    await whole.close();
  });
});
