/** A process that computes shards which others have submitted to a queue. */
import type { Job as QueuedJob, Worker } from 'bullmq';

import { CommandError } from '../../errors/command-errors';
import type { AddressOptions } from '../../formats/http/reader';
import { isSameInput, type RasterSource } from '../../formats/raster-source';
import { IdleSources } from '../open-source';
import { connect, loadQueuePackages, QUEUE, waitBriefly, type ShardJob } from './redis';
import { runShard } from '../run-shard';
import { isCurrent } from '../submission';
import { fftwOf } from '../synapses';
import { UnfinishedRun } from '../unfinished-run';

/** Milliseconds between checks whether a shard is still requested. */
const POLL_INTERVAL = 1000;
/** A shard whose workers have died this often fails for good: it seems to kill them. */
const MAX_LOST_LEASES = 5;

export interface WorkerOptions {
  signal: AbortSignal;
  /** What this program is, since results of others might differ. */
  software: string;
  /** Shards that are computed at a time. */
  concurrency: number;
  /** Most threads that compute a shard. */
  threads: number;
  /** A job goes to another worker if its own gives no sign of life for so many milliseconds. */
  leaseTimeout: number;
  /** How inputs are read that are addresses. */
  address: AddressOptions;
  /** Called with a sentence about what happens. */
  onEvent: (text: string) => void;
  /** Words an error for whoever has submitted the run. */
  wordError: (error: unknown) => string;
}

/** Works until the signal is aborted: then shards under way stop, and are left to other workers. */
export async function work(address: string, options: WorkerOptions): Promise<void> {
  const { signal, concurrency, leaseTimeout, onEvent, wordError } = options;
  const { redis: connection, stopRetrying } = await connect(address);
  const { Worker, WaitingError, UnrecoverableError } = await loadQueuePackages();
  const computing = new Set<Promise<string>>();
  const sources = new IdleSources({ ...options.address, signal, onWait: onEvent });
  const process = async (job: QueuedJob<ShardJob>, token?: string): Promise<string> => {
    const result = compute(job.data, sources, options);
    computing.add(result);
    try {
      const outcome = await result;
      if (!signal.aborted) return outcome;
    } catch (error) {
      // Other workers compute what was interrupted.
      if (!signal.aborted) {
        const sentence = wordError(error);
        onEvent(`shard ${job.data.shard} of ${job.data.folder}: ${sentence}`);
        throw error instanceof RefusedError
          ? new UnrecoverableError(sentence)
          : new Error(sentence, { cause: error });
      }
    } finally {
      computing.delete(result);
    }
    // The job returns to the queue at once, for other workers. No time is given, since others would
    // compare it with their own clocks.
    await job.moveToWait(token);
    throw new WaitingError();
  };
  const worker: Worker<ShardJob> = new Worker<ShardJob>(QUEUE, process, {
    connection,
    concurrency,
    lockDuration: leaseTimeout,
    stalledInterval: leaseTimeout / 2,
    maxStalledCount: MAX_LOST_LEASES,
  });
  // Redis may be away for a while; the worker goes on when it is back.
  worker.on('error', (error) => {
    onEvent(wordError(error));
  });
  worker.on('drained', () => {
    void sources.close();
  });
  onEvent('ready');
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  stopRetrying();
  const closing = worker.close();
  await Promise.allSettled(computing);
  await sources.close();
  await waitBriefly(closing);
  connection.disconnect();
}

/** Thrown where trying again would not help. */
class RefusedError extends CommandError {}

/** Returns what became of the shard, in words. */
async function compute(
  { folder, submission, shard }: ShardJob,
  sources: IdleSources,
  options: WorkerOptions,
): Promise<string> {
  const run = await UnfinishedRun.openFolder(folder);
  const region = run?.job.shards[shard];
  if (run === undefined || region === undefined) return 'withdrawn';
  if (!(await isCurrent(run.workFolder, submission))) return 'withdrawn';
  if (run.job.software !== options.software) {
    throw new RefusedError(
      `Expected a worker of ${run.job.software} but one is ${options.software}; let all machines run ` +
        'the same version.',
    );
  }
  const fftw = await fftwOf(run.job);
  if (fftw !== run.job.fftw) {
    throw new RefusedError(
      `Expected a worker with ${run.job.fftw ?? 'no FFTW'}, as the run was submitted with, but one has ` +
        `${fftw ?? 'no FFTW'}; let all machines have the same FFTW.`,
    );
  }
  const begin = performance.now();
  const source = await sources.take(run.job);
  try {
    requireSameInput(source, run);
    const isComplete = await computeRegion(run, shard, source, submission, options);
    if (!isComplete) {
      // The source was interrupted too, so it cannot be read again.
      await source.close();
      return 'interrupted';
    }
    await sources.giveBack(run.job, source);
  } catch (error) {
    await source.close();
    // If the run has ended, its files are missing.
    if (!(await isCurrent(run.workFolder, submission))) return 'withdrawn';
    throw error;
  }
  const seconds = ((performance.now() - begin) / 1000).toPrecision(3);
  options.onEvent(`shard ${shard} of ${folder}: done in ${seconds} s`);
  return 'done';
}

async function computeRegion(
  run: UnfinishedRun,
  shard: number,
  source: RasterSource,
  submission: string,
  { signal, threads }: WorkerOptions,
): Promise<boolean> {
  const region = run.job.shards[shard];
  if (region === undefined) return true;
  const withdrawn = new AbortController();
  const timer = setInterval(() => {
    void isCurrent(run.workFolder, submission).then((isStillCurrent) => {
      if (!isStillCurrent) withdrawn.abort();
    });
  }, POLL_INTERVAL);
  const sink = await run.openSink();
  try {
    return await runShard(run.job, region, source, sink, {
      signal: AbortSignal.any([signal, withdrawn.signal]),
      checkpoints: run.journal(shard),
      threads,
      spare: [],
      onProgress: () => undefined,
    });
  } finally {
    clearInterval(timer);
    await sink.close();
  }
}

function requireSameInput(source: RasterSource, { job }: UnfinishedRun): void {
  if (isSameInput(source.identity, job.identity)) return;
  throw new RefusedError(
    `Expected the input that the run was submitted with in ${job.input.path} but it is another one on ` +
      'this machine.',
  );
}
