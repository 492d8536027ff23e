/**
 * Lets workers compute the shards of a run, and waits for them. The journals on the disk tell what is
 * done.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Queue } from 'bullmq';

import { CommandError } from '../../errors/command-errors';
import { sizeOfRegion } from '../../formats/raster-source';
import { blockAt } from '../plan';
import {
  connect,
  JOB_OPTIONS,
  loadQueuePackages,
  QUEUE,
  waitBriefly,
  type ShardJob,
} from './redis';
import { markSubmission, withdraw } from '../submission';
import type { UnfinishedRun } from '../unfinished-run';

/** Milliseconds from one reading of the journals to the next. */
const POLL_INTERVAL = 500;
/** Polls from one check for jobs that Redis has lost to the next. */
const POLLS_PER_CHECK = 10;

export interface QueueOptions {
  signal: AbortSignal;
  /** Called with the number of samples that were written, first with those of an earlier process. */
  onProgress: (samples: number, isInherited: boolean) => void;
  /** Called once with the reason why nothing happens, if it is known. */
  onStandstill: (reason: string) => void;
}

/**
 * Computes what is missing of a run on the workers of a queue. Returns whether it is complete; it is not
 * when the signal has ended it. Jobs that no worker has taken are withdrawn then, and the others stop.
 *
 * @throws CommandError when Redis does not answer at the beginning, or a shard cannot be computed.
 */
export async function runOnQueue(
  address: string,
  run: UnfinishedRun,
  options: QueueOptions,
): Promise<boolean> {
  const { redis: connection, stopRetrying } = await connect(address);
  const { Queue } = await loadQueuePackages();
  const queue = new Queue<ShardJob>(QUEUE, { connection });
  // Redis may be away for a while; commands wait until it is back.
  queue.on('error', () => undefined);
  try {
    const submission = new Submission(queue, run, options);
    return await submission.run();
  } finally {
    stopRetrying();
    await waitBriefly(queue.close());
    connection.disconnect();
  }
}

class Submission {
  readonly #id = randomUUID();
  readonly #queue: Queue<ShardJob>;
  readonly #run: UnfinishedRun;
  /** Shards that are not complete. */
  readonly #open = new Set<number>();
  /** Samples that are written of each shard. */
  readonly #samples: number[];
  readonly #options: QueueOptions;
  #isSending = false;
  #hasExplained = false;
  #failure: { error: unknown } | undefined;

  constructor(queue: Queue<ShardJob>, run: UnfinishedRun, options: QueueOptions) {
    this.#queue = queue;
    this.#run = run;
    this.#options = options;
    this.#samples = run.job.shards.map(() => 0);
  }

  async run(): Promise<boolean> {
    const { signal, onProgress } = this.#options;
    let reported = 0;
    const report = (isInherited: boolean): void => {
      onProgress(this.#written() - reported, isInherited);
      reported = this.#written();
    };
    const { workFolder, job } = this.#run;
    for (const shard of job.shards.keys()) this.#open.add(shard);
    await this.#readJournals();
    report(true);
    await markSubmission(workFolder, this.#id);
    this.#send(async () => this.#submit([...this.#open]));
    let checked = this.#written();
    try {
      for (let poll = 1; this.#open.size > 0 && !signal.aborted; poll++) {
        await sleep(POLL_INTERVAL, undefined, { signal }).catch(() => undefined);
        await this.#readJournals();
        report(false);
        if (this.#open.size > 0 && this.#failure !== undefined) throw this.#failure.error;
        if (poll % POLLS_PER_CHECK > 0) continue;
        const isStandstill = this.#written() === checked;
        checked = this.#written();
        // Since the check before.
        if (isStandstill && this.#isSending) this.#explain('Redis does not answer');
        this.#send(async () => {
          await this.#check();
          const hasWorkers = !isStandstill || (await this.#queue.getWorkersCount()) > 0;
          if (!hasWorkers) this.#explain("there is no worker; start one with 'expsyn worker'");
        });
      }
    } catch (error) {
      await this.#withdraw();
      throw error;
    }
    if (this.#open.size > 0) await this.#withdraw();
    return this.#open.size === 0;
  }

  /**
   * Sends commands to Redis, unless earlier ones are still unanswered: Redis may be unreachable for long.
   */
  #send(commands: () => Promise<void>): void {
    if (this.#isSending) return;
    this.#isSending = true;
    void commands()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#isSending = false;
      });
  }

  #explain(reason: string): void {
    if (!this.#hasExplained) this.#options.onStandstill(reason);
    this.#hasExplained = true;
  }

  #written(): number {
    return this.#samples.reduce((sum, samples) => sum + samples, 0);
  }

  /** Reads from the journals what is done. */
  async #readJournals(): Promise<void> {
    for (const shard of this.#open) {
      const { blocksDone } = await this.#run.journal(shard).read();
      this.#samples[shard] = this.#samplesOf(shard, blocksDone);
      if (blocksDone === this.#run.countBlocks(shard)) this.#open.delete(shard);
    }
  }

  #samplesOf(shard: number, blocksDone: number): number {
    const { shards, blocks } = this.#run.job;
    const region = shards[shard];
    if (region === undefined) return 0;
    if (blocksDone === this.#run.countBlocks(shard)) return sizeOfRegion(region);
    let samples = 0;
    for (let index = 0; index < blocksDone; index++) {
      samples += sizeOfRegion(blockAt(region, blocks, index).region);
    }
    return samples;
  }

  async #submit(shards: readonly number[]): Promise<void> {
    const { folder } = this.#run;
    await this.#queue.addBulk(
      shards.map((shard) => ({
        name: 'shard',
        data: { folder, submission: this.#id, shard },
        opts: { ...JOB_OPTIONS, jobId: this.#jobId(shard) },
      })),
    );
  }

  #jobId(shard: number): string {
    return `${this.#id}-${shard}`;
  }

  /** Looks for jobs that have failed for good, and submits again what Redis has lost. */
  async #check(): Promise<void> {
    const lost: number[] = [];
    for (const shard of this.#open) {
      const job = await this.#queue.getJob(this.#jobId(shard));
      if (job === undefined) lost.push(shard);
      else if (await job.isFailed()) {
        throw new CommandError(`Shard ${shard} failed: ${job.failedReason}`);
      }
    }
    if (lost.length === 0) return;
    // A shard may have become complete, and its job been removed, since the last look.
    await this.#readJournals();
    await this.#submit(lost.filter((shard) => this.#open.has(shard)));
  }

  /** Makes workers stop, and withdraws the jobs that no worker has taken. */
  async #withdraw(): Promise<void> {
    await withdraw(this.#run.workFolder, this.#id).catch(() => undefined);
    const removals = Array.from(this.#open, async (shard) =>
      this.#queue.remove(this.#jobId(shard)).catch(() => undefined),
    );
    await waitBriefly(Promise.all(removals));
  }
}
