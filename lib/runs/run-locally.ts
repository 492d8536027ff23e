/** Computes all shards of a run in this process, one after the other. */
import type { CurrentsSink } from '../formats/currents-sink';
import type { RasterSource } from '../formats/raster-source';
import type { Job } from './job';
import { runShard, type Checkpoints } from './run-shard';

export interface LocalOptions {
  signal: AbortSignal;
  /** Where the progress of a shard is kept; undefined if the run cannot be resumed. */
  checkpointsOf: (shard: number) => Checkpoints | undefined;
  threads: number;
  /** Called with the number of samples that were written, and whether by an earlier process. */
  onProgress: (samples: number, isInherited: boolean) => void;
}

/** Returns whether the run is complete; it is not when the signal has ended it. See runShard(). */
export async function runLocally(
  job: Job,
  source: RasterSource,
  sink: CurrentsSink,
  options: LocalOptions,
): Promise<boolean> {
  const { signal, checkpointsOf, threads, onProgress } = options;
  const spare: SharedArrayBuffer[] = [];
  for (const [index, shard] of job.shards.entries()) {
    const checkpoints = checkpointsOf(index);
    const isComplete = await runShard(job, shard, source, sink, {
      signal,
      checkpoints,
      threads,
      spare,
      onProgress,
    });
    if (!isComplete) return false;
  }
  return true;
}
