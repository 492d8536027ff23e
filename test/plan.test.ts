/** How a run is cut into blocks and shards. */
import assert from 'node:assert/strict';

import {
  blockAt,
  countBlocks,
  planBlocks,
  planChunkShape,
  planLocalShards,
  planQueueShards,
} from '../lib/batch/plan';
import type { Region } from '../lib/formats/raster-source';

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

describe('the plan of a run', () => {
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
            const input = { shape, windowLength, isInterleaved, stepsPerBlock };
            const blocks = planBlocks({ ...input, isChunked: true });
            const chunkShape = [blocks.batchesPerBlock, blocks.stepsPerBlock, 16] as const;
            for (const shards of [
              planLocalShards(shape, blocks, undefined),
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
        const input = { shape, windowLength, isInterleaved: false, stepsPerBlock: undefined };
        const blocks = planBlocks({ ...input, isChunked: true });
        const chunkShape = planChunkShape(shape, blocks);
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
        shape,
        windowLength,
        isInterleaved: false,
        isChunked: false,
        stepsPerBlock: undefined,
      });
      for (const shard of planLocalShards(shape, blocks, undefined)) {
        const { region, history } = blockAt(shard, blocks, 0);
        const { batches, steps, channels } = region;
        const nSteps = history + steps.end - steps.begin + (blocks.history ?? 0);
        const samples = (batches.end - batches.begin) * nSteps * (channels.end - channels.begin);
        assert.ok(samples <= 2 ** 24, `${samples} samples of a block of ${shape.join(' ')}`);
        break;
      }
    }
  });
});
