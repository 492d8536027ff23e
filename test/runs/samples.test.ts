/** Runs on files with a kernel that is given by its samples. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';

import { readNpyFile, writeNpyFile } from '../../lib/formats/npy/npy';
import { storedFormatOf } from '../../lib/formats/registry';
import type { Region } from '../../lib/formats/raster-source';
import { FirSyn } from '../../lib/index';
import { encodeNumbers, type EncodedArray } from '../../lib/modules/json';
import type { Job } from '../../lib/runs/job';
import { openSource } from '../../lib/runs/open-source';
import { planQueueShards } from '../../lib/runs/plan';
import { describeDifference, prepareJob, type JobRequest } from '../../lib/runs/prepare-job';
import { makeProvenance, readProvenance } from '../../lib/runs/provenance';
import { runLocally } from '../../lib/runs/run-locally';
import { areSettings, defaultSettings } from '../../lib/runs/settings';
import { UnfinishedRun } from '../../lib/runs/unfinished-run';
import { softwareVersion } from '../../lib/cli/context/version';
import { assertSameBits } from '../support/bits';
import { succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { randomNumbers, relativeError, TOLERANCE } from '../support/oracle';

const SIZE = 40;

function samplesOf(length: number, columns?: number): { data: Float64Array; shape: number[] } {
  const random = randomNumbers(length);
  const shape = columns === undefined ? [length] : [length, columns];
  const data = Float64Array.from({ length: length * (columns ?? 1) }, () => random() - 0.3);
  // JSON itself has no -0.
  if (length > 1) data[0] = -0;
  return { data, shape };
}

async function writeRaster(timesteps: number): Promise<Float64Array> {
  const random = randomNumbers(timesteps);
  const data = Float64Array.from({ length: timesteps * SIZE }, () => random() - 0.5);
  await writeNpyFile('raster.npy', { data, shape: [timesteps, SIZE] });
  return data;
}

async function jobOf(
  samples: { data: Float64Array; shape: number[] } | undefined,
  more: Partial<Omit<JobRequest, 'settings'>> & { settings?: object; path?: string } = {},
): Promise<Job> {
  const path = resolve(more.path ?? 'raster.npy');
  const source = await openSource({ path, format: 'npy' }, 1e-3);
  try {
    return await prepareJob(
      {
        software: softwareVersion(),
        name: 'raster.npy',
        input: { path, format: 'npy' },
        output: { format: 'npy' },
        stepsPerBlock: undefined,
        isQueued: false,
        ...more,
        settings: {
          ...defaultSettings('fir'),
          ...(samples && { samples: encodeNumbers(samples) as EncodedArray }),
          ...more.settings,
        },
      },
      source,
    );
  } finally {
    await source.close();
  }
}

/** Computes what is missing of a run, of `most` blocks at most, and publishes it if it is complete. */
async function goOn(run: UnfinishedRun, out: string, most = Infinity): Promise<boolean> {
  const { job } = run;
  const source = await openSource(job.input, job.settings.dt);
  const sink = await run.openSink();
  const stop = new AbortController();
  let blocks = 0;
  try {
    const isComplete = await runLocally(job, source, sink, {
      signal: stop.signal,
      checkpointsOf: (shard) => run.journal(shard),
      threads: 2,
      onProgress: (_, isInherited) => {
        if (!isInherited && ++blocks >= most) stop.abort();
      },
    });
    if (!isComplete) return false;
  } finally {
    await sink.close();
    await source.close();
  }
  await run.publish(resolve(out), makeProvenance(job, ['run'], await run.fingerprint()));
  return true;
}

async function make(job: Job, out: string): Promise<Float64Array | Float32Array> {
  assert.ok(await goOn(await UnfinishedRun.begin(resolve(out), job), out));
  return (await readNpyFile(out)).data as Float64Array;
}

describe('a run with a kernel of samples', () => {
  emptyFolders();

  const kernels = [
    ['shared samples', 70, undefined],
    ['samples of each channel', 33, SIZE],
    ['one sample', 1, undefined],
    ['a kernel longer than the run', 3000, SIZE],
  ] as const;
  const TIMESTEPS = 1000;

  for (const [name, length, columns] of kernels) {
    for (const dtype of ['float64', 'float32'] as const) {
      it(`is what one call computes, in blocks of any steps: ${name}, ${dtype}`, async () => {
        const data = await writeRaster(TIMESTEPS);
        const samples = samplesOf(length, columns);
        const synapses = new FirSyn(SIZE, { kernel: samples, dtype, method: 'direct' });
        const expected = synapses.evolveSync({ data, shape: [TIMESTEPS, SIZE] }).output.data;
        for (const stepsPerBlock of [undefined, 1000, 300, 64]) {
          for (const method of ['auto', 'fft', 'direct'] as const) {
            const job = await jobOf(samples, { stepsPerBlock, settings: { dtype, method } });
            assert.equal(job.windowLength, length);
            const actual = await make(job, 'out.npy');
            assert.ok(relativeError(actual, expected) < TOLERANCE[dtype]);
          }
        }
      });
    }

    it(`goes on to the same bits, wherever it was stopped: ${name}`, async () => {
      await writeRaster(TIMESTEPS);
      const settings = { noiseStd: 0.5, noise: 'input', seed: 3, normalise: 'area' } as const;
      const job = await jobOf(samplesOf(length, columns), { stepsPerBlock: 37, settings });
      const expected = await make(job, 'whole.npy');
      let run = await UnfinishedRun.begin(resolve('parts.npy'), job);
      let attempts = 0;
      while (!(await goOn(run, 'parts.npy', 3))) {
        attempts++;
        const found = await UnfinishedRun.open(resolve('parts.npy'));
        assert.ok(found !== undefined);
        assert.equal(describeDifference(job, found.job), undefined);
        // Inputs would fill the journal.
        assert.equal((await found.journal(0).read()).state, undefined);
        run = found;
      }
      assert.ok(attempts > 3);
      assertSameBits((await readNpyFile('parts.npy')).data, expected);
    });
  }

  it('gives each shard of channels its own columns', async () => {
    await writeRaster(TIMESTEPS);
    for (const samples of [samplesOf(33, SIZE), samplesOf(33)]) {
      const job = await jobOf(samples, { stepsPerBlock: 100 });
      const expected = await make(job, 'whole.npy');
      const shards = planQueueShards(job.shape, job.blocks, [1, 100, 16]).flatMap((shard) =>
        [0, 16, 32].map((begin): Region => ({
          ...shard,
          channels: { begin, end: Math.min(begin + 16, SIZE) },
        })),
      );
      assertSameBits(await make({ ...job, shards }, 'shards.npy'), expected);
    }
  });

  it('gives one column of input to as many channels as the kernel has columns', async () => {
    const data = Float64Array.from({ length: 50 }, (_, t) => Math.sin(t));
    await writeNpyFile('column.npy', { data, shape: [50] });
    const samples = samplesOf(9, 5);
    const job = await jobOf(samples, { path: 'column.npy' });
    assert.deepEqual(job.shape, [1, 50, 5]);
    const { output } = new FirSyn(5, { kernel: samples }).evolveSync({ data, shape: [50] });
    assert.ok(relativeError(await make(job, 'out.npy'), output.data) < TOLERANCE.float64);
  });

  it('says how it was made, and is made again from that', async () => {
    await writeRaster(TIMESTEPS);
    const samples = samplesOf(70, SIZE);
    const settings = { noiseStd: 0.5, seed: 3 };
    const made = await make(await jobOf(samples, { stepsPerBlock: 128, settings }), 'made.npy');
    const provenance = await readProvenance(resolve('made.npy'), storedFormatOf('npy'));
    assert.deepEqual(provenance?.job.settings.samples, encodeNumbers(samples));
    assert.match(
      await succeed('info', 'made.npy'),
      /kernel of shape \(70, 40\), dt 1 ms, window 70 steps/,
    );
    const report = await succeed('run', '--like', 'made.npy', '--out', 'again.npy');
    assert.match(report, /kernel of shape \(70, 40\), dt 1 ms/);
    assertSameBits((await readNpyFile('again.npy')).data, made);
  });

  it('is not resumed with other samples, and says so', async () => {
    await writeRaster(10);
    const [one, other] = [await jobOf(samplesOf(7)), await jobOf(samplesOf(8))];
    const difference = describeDifference(one, other);
    assert.match(JSON.stringify(difference), /"its ".*kernel.*" is another"/);
    assert.equal(describeDifference(one, await jobOf(samplesOf(7))), undefined);
  });

  it('is refused without samples, or with samples of another shape', async () => {
    await writeRaster(10);
    await assert.rejects(
      jobOf(undefined),
      /Expected samples of shape \(W,\) or \(W, 40\) for kernel/,
    );
    await assert.rejects(jobOf(samplesOf(7, 3)), (error: Error) => {
      const parts = JSON.stringify(error);
      assert.match(
        parts,
        /Expected one ","column of samples"," for ",{"option":"kernel"},", or ","40"/,
      );
      return true;
    });
    const sumsTo0 = { data: Float64Array.of(1, -1), shape: [2] };
    await assert.rejects(
      jobOf(sumsTo0, { settings: { normalise: 'area' } }),
      /Expected samples that can be scaled to an area of 1 s for kernel/,
    );
  });

  it('knows settings that cannot be', async () => {
    await writeRaster(10);
    const { settings } = await jobOf(samplesOf(7, SIZE));
    assert.ok(areSettings(JSON.parse(JSON.stringify(settings))));
    for (const samples of [
      undefined,
      null,
      [1],
      { shape: [2], data: [1] },
      { shape: [1], data: ['NaN'] },
      { shape: [0], data: [] },
      { shape: [], data: [1] },
      { shape: [1, 1, 1], data: [1] },
    ]) {
      assert.ok(!areSettings({ ...settings, samples }), JSON.stringify(samples));
    }
  });
});
