/** How a run is cut into blocks and shards. */
import assert from 'node:assert/strict';
import { mkdir, truncate, writeFile } from 'node:fs/promises';

import {
  blockAt,
  countBlocks,
  planBlocks,
  planChunkShape,
  planLocalShards,
  planQueueShards,
} from '../../lib/runs/plan';
import { openSource } from '../../lib/runs/open-source';
import { prepareJob } from '../../lib/runs/prepare-job';
import { lengthOf, sizeOfRegion, type Region } from '../../lib/formats/raster-source';
import { emptyFolders } from '../support/folders';
import { headerOf, npyOf } from '../support/npy-bytes';

/** Every element of an array is in exactly one region. */
function checkCover(regions: readonly Region[], shape: readonly [number, number, number]): void {
  const [, timesteps, synapses] = shape;
  const covered = new Uint8Array(shape[0] * timesteps * synapses);
  for (const { batches, steps, channels } of regions) {
    for (let b = batches.begin; b < batches.end; b++) {
      for (let t = steps.begin; t < steps.end; t++) {
        for (let n = channels.begin; n < channels.end; n++) {
          const index = (b * timesteps + t) * synapses + n;
          covered[index] = (covered[index] ?? 0) + 1;
        }
      }
    }
  }
  assert.ok(covered.every((count) => count === 1));
}

/** An input that can be read in any pieces. */
const ANYHOW = { stepsAtOnce: 1, channelsAtOnce: Infinity };

const SETTINGS = {
  kernel: 'exp',
  parameters: { tau: [0.01] as number[] },
  dt: 1e-3,
  dtype: 'float64',
  method: 'auto',
  maxWindowLength: 1e6,
  normalise: 'peak',
  noiseStd: 0,
  noise: 'output',
  seed: undefined,
  nonFinite: 'throw',
} as const;

describe('the plan of a run', () => {
  emptyFolders();

  const shapes = [
    [1, 1, 1],
    [3, 100, 7],
    [1, 1000, 33],
    [5, 64, 128],
    [2, 97, 20],
  ] as const;

  it('covers the array once, in blocks and in shards of any kind', () => {
    for (const shape of shapes) {
      for (const windowLength of [1, 10, 90, Infinity]) {
        for (const stepsPerBlock of [undefined, 1, 7, 64, 1000]) {
          for (const isInterleaved of [false, true]) {
            const input = { ...ANYHOW, shape, windowLength, isInterleaved, stepsPerBlock };
            const blocks = planBlocks({ ...input, hasLargeBlocks: true });
            const chunkShape = [blocks.batchesPerBlock, blocks.stepsPerBlock, 16] as const;
            for (const shards of [
              planLocalShards(shape, blocks, undefined, Infinity),
              planQueueShards(shape, blocks, chunkShape),
            ]) {
              const regions = shards.flatMap((shard) =>
                Array.from({ length: countBlocks(shard, blocks) }, (_, index) => {
                  const block = blockAt(shard, blocks, index);
                  assert.ok(block.history <= block.region.steps.begin);
                  assert.ok(!block.isContinued || index > 0, 'a shard depends on no other');
                  return block.region;
                }),
              );
              checkCover(regions, shape);
            }
          }
        }
      }
    }
  });

  it('makes no more shards for a queue than can be watched', () => {
    for (const shape of [
      [8000, 400_000, 100],
      [1, 3e9, 100],
      [1e6, 1000, 700],
      [1, 1e9, 1],
      [3, 1e8, 1e5],
      [1e9, 1, 1],
      [0, 10, 10],
    ] as const) {
      for (const windowLength of [1, 200, 1e6, Infinity]) {
        const input = { ...ANYHOW, shape, windowLength, isInterleaved: false };
        const blocks = planBlocks({ ...input, hasLargeBlocks: true });
        const chunkShape = planChunkShape(shape, blocks, Infinity);
        const shards = planQueueShards(shape, blocks, chunkShape);
        assert.ok(shards.length <= 4096, `${shards.length} of (${shape.join(', ')})`);
      }
    }
  });

  it('cuts where chunks of the output end, and keeps the memory bounded', () => {
    for (const [shape, windowLength] of [
      [[1, 1e9, 1000], 1000],
      [[1, 1e9, 1000], Infinity],
      [[1, 1e8, 1e5], 5000],
      [[1e6, 1000, 700], 100],
      [[1, 1e10, 1], 1e6],
      [[1, 1e7, 4000], 1e5],
    ] as const) {
      const blocks = planBlocks({
        ...ANYHOW,
        shape,
        windowLength,
        isInterleaved: false,
        hasLargeBlocks: false,
      });
      for (const shard of planLocalShards(shape, blocks, undefined, Infinity)) {
        const { region, history } = blockAt(shard, blocks, 0);
        const { batches, steps, channels } = region;
        const nSteps = history + steps.end - steps.begin + (blocks.history ?? 0);
        const samples = (batches.end - batches.begin) * nSteps * (channels.end - channels.begin);
        assert.ok(samples <= 2 ** 24, `${samples} samples of a block of ${shape.join(' ')}`);
        break;
      }
    }
  });

  it('takes an input in pieces that are cheap to read, of channels that fit the memory', async () => {
    const header = npyOf(headerOf('|u1', '(100000, 50000)', true), new Uint8Array(0));
    await writeFile('columns.npy', header);
    await truncate('columns.npy', header.length + 5e9);
    await mkdir('columns.zarr');
    const document = {
      zarr_format: 3,
      node_type: 'array',
      shape: [8e6, 64],
      data_type: 'uint8',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: [8e6, 1] } },
      chunk_key_encoding: { name: 'default' },
      codecs: [{ name: 'bytes' }],
      fill_value: 0,
    };
    await writeFile('columns.zarr/zarr.json', JSON.stringify(document));
    for (const [path, format, most] of [
      ['columns.npy', 'npy', 1024],
      ['columns.zarr', 'zarr', 8],
    ] as const) {
      for (const windowTaus of [10, 'Infinity'] as const) {
        for (const output of ['npy', 'zarr'] as const) {
          const source = await openSource({ path, format }, 1e-3);
          const settings = { ...SETTINGS, windowTaus };
          const request = { software: 'test', name: path, input: { path, format }, settings };
          const job = await prepareJob(
            { ...request, output: { format: output }, stepsPerBlock: undefined, isQueued: false },
            source,
          );
          await source.close();
          for (const shard of job.shards) {
            const { region } = blockAt(shard, job.blocks, 0);
            assert.ok(lengthOf(region.steps) >= 4096);
            assert.ok(lengthOf(region.channels) <= most);
            assert.ok(sizeOfRegion(region) <= 2 ** 23);
          }
        }
      }
    }
  });
});
