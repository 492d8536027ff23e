/** `expsyn worker`: computes parts of runs that were submitted to a queue. */
import type { Command } from 'commander';

import { work } from '../../runs/queue/worker';
import { addAddressOptions, readAddressFlags, type AddressFlags } from '../options/address-options';
import { readCount } from '../options/numbers';
import type { CommandContext } from '../context/command-context';
import { parseTime } from '../options/times';
import { wordError } from '../options/wording';
import { softwareVersion } from '../context/version';

/** Milliseconds in which a worker that has ended its work ends by itself, if it does. */
const LINGERING = 500;

interface WorkerFlags extends AddressFlags {
  queue: string;
  concurrency?: string;
  threads?: string;
  leaseTimeout?: string;
}

const DESCRIPTION = `Computes shards of runs that 'expsyn run --queue' has submitted, until stopped.

Any number of workers may run, on any machine on which input and output have the
same paths as on the submitting one. If a worker dies, another one continues its
shard.`;

const EXAMPLES = `
Redis must not lose data: redis-server --appendonly yes --maxmemory-policy noeviction.
Anyone who can write to this Redis can make workers read and write files. Keep it in a private network.

Examples:
  expsyn worker --queue redis://localhost:6379
  expsyn worker --queue rediss://:secret@redis.lab.example:6380 --threads 8`;

/** Adds the command to a program. */
export function addWorkerCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('worker')
    .summary('compute shards of runs from a queue')
    .description(DESCRIPTION)
    .requiredOption(
      '--queue <address>',
      'address of the Redis that holds the queue, such as redis://host:6379',
    )
    .option('--concurrency <n>', 'number of shards to compute at a time (default: 1)')
    .option(
      '--threads <n>',
      'maximum number of threads for a shard (default: as many as the machine offers)',
    )
    .option(
      '--lease-timeout <time>',
      'time without a sign of life after which a shard is given to another worker (default: 30s)',
    );
  addAddressOptions(command)
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: WorkerFlags) => {
      const address = readAddressFlags(flags);
      const concurrency = readCount(flags.concurrency, '--concurrency') ?? 1;
      const threads = readCount(flags.threads, '--threads') ?? Infinity;
      const seconds =
        flags.leaseTimeout === undefined ? 30 : parseTime(flags.leaseTimeout, '--lease-timeout');
      await context.interruptibly(async (signal) =>
        work(flags.queue, {
          signal,
          software: softwareVersion(),
          concurrency,
          threads,
          address,
          leaseTimeout: Math.max(1, Math.round(seconds * 1000)),
          wordError: (error) => wordError(error) ?? String(error),
          onEvent: (text) => {
            context.stderr.write(`${new Date().toISOString()} ${text}\n`);
          },
        }),
      );
      // The library of the queue goes on looking for a Redis that is away.
      setTimeout(() => process.exit(), LINGERING).unref();
    });
}
