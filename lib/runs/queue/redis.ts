/** The queue that submitting processes and workers share. */
import { setTimeout as sleep } from 'node:timers/promises';

import type * as bullmq from 'bullmq';
import type { Redis } from 'ioredis';

import { CommandError, UsageError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';

/** Name of the queue in Redis. */
export const QUEUE = 'expsyn';

/** What a worker is given: where the run lies, for whom, and which shard. */
export interface ShardJob {
  /** Of the unfinished run, on a file system that all machines see under this name. */
  folder: string;
  submission: string;
  shard: number;
}

/** A shard whose reading or writing failed is tried again, since disks and networks recover. */
export const JOB_OPTIONS: bullmq.JobsOptions = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 1000 },
  removeOnComplete: true,
  removeOnFail: { age: 24 * 3600 },
};

const CONNECT_TIMEOUT = 5000;
/** Milliseconds for the last commands to Redis. It may be away, and nothing depends on them. */
const LONGEST_WAIT = 2000;
const LONGEST_RETRY = 2000;

type QueuePackages = Pick<
  typeof bullmq,
  'Queue' | 'Worker' | 'WaitingError' | 'UnrecoverableError'
> & { Redis: typeof Redis };

/** Both packages are only needed here, so they are loaded when a queue is used. */
export async function loadQueuePackages(): Promise<QueuePackages> {
  try {
    const [queue, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { ...queue, Redis: ioredis.Redis };
  } catch (cause) {
    throw new CommandError(
      "Expected the packages of the queue but they could not be loaded; run 'npm install bullmq " +
        "ioredis'.",
      { cause },
    );
  }
}

/** A way to Redis. */
export interface Connection {
  redis: Redis;
  /** From now on a connection that is lost, of the queue's own ones too, is not made again. */
  stopRetrying: () => void;
}

/**
 * Connects to Redis. A lost connection is made again until stopRetrying() is called.
 *
 * @throws UsageError when the address is none, CommandError when nobody answers there.
 */
export async function connect(address: string): Promise<Connection> {
  if (!/^rediss?:\/\//.test(address) || !URL.canParse(address)) {
    throw new UsageError(
      message`Expected an address such as redis://localhost:6379 for ${option('queue')} but received \
'${withoutPassword(address)}'.`,
    );
  }
  const { Redis } = await loadQueuePackages();
  let isRetrying = true;
  const redis = new Redis(address, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    retryStrategy: (attempt) => (isRetrying ? Math.min(100 * attempt, LONGEST_RETRY) : null),
  });
  let reason = 'nobody answered';
  redis.on('error', (error: Error & { code?: string }) => {
    reason = error.code ?? error.message;
  });
  const timeout = new Promise<never>((_, reject) => {
    setTimeout(() => {
      reject(new Error('timeout'));
    }, CONNECT_TIMEOUT).unref();
  });
  try {
    await Promise.race([redis.connect().then(async () => redis.ping()), timeout]);
  } catch (cause) {
    redis.disconnect();
    throw new CommandError(`Could not reach Redis at ${withoutPassword(address)}: ${reason}.`, {
      cause,
    });
  }
  return {
    redis,
    stopRetrying: () => {
      isRetrying = false;
    },
  };
}

/** Waits for the last commands, but not for long: Redis may be unreachable. */
export async function waitBriefly(commands: Promise<unknown>): Promise<void> {
  await Promise.race([commands.catch(() => undefined), sleep(LONGEST_WAIT)]);
}

function withoutPassword(address: string): string {
  if (!URL.canParse(address)) return address.replace(/:[^:@/]*@/, ':***@');
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  return url.href;
}
