/** Carries out `expsyn run`: begins or resumes a run, computes what is missing, says how it ended. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';

import type { Job } from '../../runs/job';
import type { Journal } from '../../runs/journal';
import { lockFolder, type FolderLock } from '../../runs/lock';
import { describeDifference } from '../../runs/prepare-job';
import { makeProvenance, readProvenance } from '../../runs/provenance';
import { runLocally } from '../../runs/run-locally';
import { runOnQueue } from '../../runs/queue/run-on-queue';
import type { Checkpoints } from '../../runs/run-shard';
import { dismissWorkers } from '../../runs/queue/submission';
import { isWhole, layoutOf, unfinishedFolderOf, UnfinishedRun } from '../../runs/unfinished-run';
import {
  ChangedInputError,
  CommandError,
  CorruptRunError,
  InterruptedError,
  UsageError,
} from '../../errors/command-errors';
import { message } from '../../errors/message';
import { isThere, removeLeftovers } from '../../formats/files/complete-file';
import type { CurrentsSink } from '../../formats/currents-sink';
import type { StoredOutput, StreamOutput } from '../../formats/format';
import { inputFormatOf, outputFormatOf, storedFormatOf } from '../../formats/registry';
import { isSameInput } from '../../formats/raster-source';
import { describeEvents, measureEvents, requireNearOrigin } from '../notes/event-notes';
import { giveNotes } from '../notes/give-notes';
import { formatBytes } from '../options/numbers';
import { prepare, type Prepared } from './prepare-run';
import { present, type Outcome } from './present-run';
import { ProgressDisplay } from '../progress';
import type { RunRequest } from '../options/run-options';
import type { CommandContext } from '../streams';

/** Carries out a run. */
export async function run(request: RunRequest, context: CommandContext): Promise<void> {
  const format = outputFormatOf(request.output.format);
  await (format.kind === 'stream'
    ? runIntoStream(request, format, context)
    : runOnDisk(request, format, context));
}

/** Runs into a file or folder. Such a run can be resumed. */
async function runOnDisk(
  request: RunRequest,
  format: StoredOutput,
  context: CommandContext,
): Promise<void> {
  const out = await format.resolve(request.out);
  const isRestart = request.begin === 'restart';
  const begun = isRestart ? undefined : await UnfinishedRun.open(out);
  const earlier =
    request.begin === 'resume' ? (begun?.job ?? (await jobOf(out, format))) : undefined;
  const prepared = await prepare(request, out, earlier, context);
  const { source, job } = prepared;
  try {
    const lock = await lockFolder(unfinishedFolderOf(out), request.out, {
      onWait: (text) => context.stderr.write(`${text}\n`),
    });
    try {
      // Only now does nobody else change it.
      await removeLeftovers(format.provenancePathOf(out), 'nobody');
      const run = isRestart ? undefined : await UnfinishedRun.open(out);
      if (request.begin === 'resume' && run === undefined && (await isMade(job, out, format))) {
        context.stdout.write(`${request.out} is complete already.\n`);
        return;
      }
      const outcome = await runToEnd(request, prepared, out, run, lock, context);
      await present(request, prepared, outcome, out, context);
    } finally {
      if (await lock.isHeld()) await UnfinishedRun.sweep(out);
      await lock.release();
    }
  } finally {
    await source.close();
  }
}

/** Runs into the standard output. */
async function runIntoStream(
  request: RunRequest,
  format: StreamOutput,
  context: CommandContext,
): Promise<void> {
  for (const [option, isGiven] of [
    ['--resume', request.begin === 'resume'],
    ['--plot', request.plotPath !== undefined],
  ] as const) {
    if (!isGiven) continue;
    throw new UsageError(`Expected a file for --out with ${option} but received a pipe.`);
  }
  const prepared = await prepare(request, undefined, undefined, context);
  const { source, job } = prepared;
  try {
    const { stdout } = context;
    if (!(stdout instanceof Writable)) throw new TypeError('Expected a stream as standard output.');
    const events = measureEvents(source, { input: job.input, dt: job.settings.dt });
    if (events !== undefined) {
      context.stderr.write(`${prepared.inputPath}: ${describeEvents(events)}\n`);
    }
    const sink = await format.openSink(stdout, layoutOf(job));
    await compute(request, prepared, undefined, sink, context);
    await sink.sync();
  } finally {
    await source.close();
  }
}

/** The job that has made an output; undefined where that is not known. */
async function jobOf(out: string, format: StoredOutput): Promise<Job | undefined> {
  if (!(await isThere(out))) return undefined;
  const provenance = await readProvenance(out, format);
  return provenance && { ...provenance.job, shards: [] };
}

/** Whether the output is there already, whole, and made from the same in the same way. */
async function isMade(job: Job, out: string, format: StoredOutput): Promise<boolean> {
  const made = await jobOf(out, format);
  if (made === undefined || describeDifference(job, made) !== undefined) return false;
  return isWhole(made, out);
}

/** Begins or goes on with the run, computes what is missing, and gives the output its name. */
async function runToEnd(
  request: RunRequest,
  prepared: Prepared,
  out: string,
  begun: UnfinishedRun | undefined,
  lock: FolderLock,
  context: CommandContext,
): Promise<Outcome> {
  const { job } = prepared;
  if (begun !== undefined) await requireConsent(request, job, begun);
  let run = request.begin === 'resume' ? begun : undefined;
  const isResumed = run !== undefined;
  if (run === undefined) {
    await requireSpace(prepared, out, request.out);
    run = await UnfinishedRun.begin(out, job);
  }
  if (isResumed) run = await run.adapt(job);
  if (isResumed && (await run.isPublished(out))) {
    await run.remove();
    return { seconds: 0, samples: 0, isNoted: true };
  }
  try {
    const outcome = await computeRun(request, prepared, run, lock, context);
    await requireSameInput(prepared, context);
    const fingerprint = await run.fingerprint();
    await lock.requireHeld();
    await run.publish(out, makeProvenance(run.job, context.args, fingerprint));
    return outcome;
  } catch (error) {
    // What fails in a run that was taken over fails for that reason.
    await lock.requireHeld();
    throw await withAdvice(error, request, run);
  }
}

/** Refuses to publish what was computed from an input that has changed meanwhile. */
async function requireSameInput(
  { source, inputPath }: Prepared,
  context: CommandContext,
): Promise<void> {
  await context.interruptibly(async (signal) => {
    signal.addEventListener('abort', () => source.interrupt?.(), { once: true });
    const found = await source.identify().catch((error: unknown) => {
      throw signal.aborted ? whyStopped(signal) : error;
    });
    if (!isSameInput(source.identity, found)) throw new ChangedInputError(inputPath);
  });
}

async function computeRun(
  request: RunRequest,
  prepared: Prepared,
  run: UnfinishedRun,
  lock: FolderLock,
  context: CommandContext,
): Promise<Outcome> {
  if (request.queue !== undefined)
    return computeOnQueue(request.queue, request, prepared, run, lock.lost, context);
  // Of a submitting process that was killed.
  await dismissWorkers(run.workFolder);
  const sink = await run.openSink();
  try {
    return await compute(request, { ...prepared, job: run.job }, { run, lock }, sink, context);
  } finally {
    await sink.close();
  }
}

/** Lets the workers of a queue compute. */
async function computeOnQueue(
  address: string,
  request: RunRequest,
  prepared: Prepared,
  run: UnfinishedRun,
  lost: AbortSignal,
  context: CommandContext,
): Promise<Outcome> {
  const display = makeDisplay(request, run.job, context);
  let begin = performance.now();
  let isNoted = false;
  const samples: { inherited?: number; written: number } = { written: 0 };
  try {
    await context.interruptibly(async (signal) => {
      const onProgress = (written: number): void => {
        display.advance(written - samples.written, samples.inherited === undefined);
        samples.inherited ??= written;
        samples.written = written;
      };
      const stop = AbortSignal.any([signal, lost]);
      isNoted = await lookAtInput(prepared, display, stop);
      begin = performance.now();
      const onStandstill = (reason: string): void => {
        display.say(`Nothing of ${request.out} is computed at the moment, since ${reason}.`);
      };
      const options = { signal: stop, onProgress, onStandstill };
      const isComplete = await runOnQueue(address, run, options);
      if (!isComplete) throw whyStopped(stop);
    });
  } finally {
    display.stop();
  }
  const own = samples.written - (samples.inherited ?? 0);
  return { seconds: (performance.now() - begin) / 1000, samples: own, isNoted };
}

/** Computes in this process. */
async function compute(
  request: RunRequest,
  prepared: Prepared,
  held: { run: UnfinishedRun; lock: FolderLock } | undefined,
  sink: CurrentsSink,
  context: CommandContext,
): Promise<Outcome> {
  const { source, job } = prepared;
  const display = makeDisplay(request, job, context);
  const { say } = prepared.waiting;
  prepared.waiting.say = (text) => display.say(text);
  let begin = performance.now();
  let samples = 0;
  let isNoted = false;
  try {
    await context.interruptibly(async (signal) => {
      const stop = held === undefined ? signal : AbortSignal.any([signal, held.lock.lost]);
      isNoted = await lookAtInput(prepared, display, stop);
      begin = performance.now();
      const isComplete = await runLocally(job, source, sink, {
        signal: stop,
        checkpointsOf: (shard) =>
          held === undefined || inputFormatOf(job.input.format).isReadOnce === true
            ? undefined
            : checkpointsOf(held.run.journal(shard), held.lock),
        threads: request.threads,
        onProgress: (count, isInherited) => {
          display.advance(count, isInherited);
          if (!isInherited) samples += count;
        },
      });
      if (!isComplete) throw whyStopped(stop);
    });
  } finally {
    display.stop();
    prepared.waiting.say = say;
  }
  return { seconds: (performance.now() - begin) / 1000, samples, isNoted };
}

/** Gives the notes on a run; see giveNotes(). A pipe may keep it waiting until it is stopped. */
async function lookAtInput(
  { source, inputPath, job }: Prepared,
  display: ProgressDisplay,
  stop: AbortSignal,
): Promise<boolean> {
  const interrupt = (): void => source.interrupt?.();
  const isStopped = (): boolean => stop.aborted;
  if (isStopped()) interrupt();
  stop.addEventListener('abort', interrupt);
  try {
    return await giveNotes(source, inputPath, job, (text) => {
      display.say(text);
    });
  } catch (error) {
    throw isStopped() ? whyStopped(stop) : error;
  } finally {
    stop.removeEventListener('abort', interrupt);
  }
}

/** A journal that is left to whoever has taken the run over. */
function checkpointsOf(journal: Journal, lock: FolderLock): Checkpoints {
  return {
    read: async () => journal.read(),
    write: async (progress) => {
      await lock.requireHeld();
      await journal.write(progress);
    },
  };
}

/** The error for a run that was stopped: asked by the operating system, or for a reason of its own. */
function whyStopped({ reason }: AbortSignal): Error {
  return reason instanceof Error
    ? reason
    : new InterruptedError('The run was interrupted.', reason);
}

function makeDisplay(request: RunRequest, job: Job, { stderr }: CommandContext): ProgressDisplay {
  const [batches, timesteps, synapses] = job.shape;
  return new ProgressDisplay(stderr, request.progress, batches * timesteps * synapses);
}

/** Refuses to throw away what an unfinished run has done, or to go on with another one. */
async function requireConsent(request: RunRequest, job: Job, begun: UnfinishedRun): Promise<void> {
  if (request.begin === 'resume') {
    const difference = describeDifference(job, begun.job, request.isInputRepaired);
    if (difference === undefined) return;
    const isInputAll = describeDifference(job, begun.job, true) === undefined;
    throw new CommandError(
      message`Expected the input and the options of the unfinished run of ${request.out} but ${difference}; ${
        isInputAll
          ? 'give it as it was, or --input-repaired too if it differs only in what is not computed yet, '
          : 'give the same, '
      }or start over with --restart.`,
    );
  }
  const { done, total } = await begun.progress();
  if (done === 0) return;
  throw new UsageError(
    `Expected --resume or --restart, since an unfinished run of ${request.out} has done ` +
      `${formatShare(done, total)}.`,
  );
}

function formatShare(done: number, total: number): string {
  return `${Math.floor((100 * done) / Math.max(1, total))} %`;
}

/** Refuses what the disk has no room for, before days of work. Compressed sizes nobody knows. */
async function requireSpace(prepared: Prepared, out: string, name: string): Promise<void> {
  const { source, job, inputPath } = prepared;
  const { format, compression } = job.output;
  const needed = storedFormatOf(format).sizeOf(layoutOf(job), compression);
  if (needed === undefined) return;
  let folder = dirname(out);
  let space = await statfs(folder).catch(() => undefined);
  while (space === undefined && dirname(folder) !== folder) {
    folder = dirname(folder);
    space = await statfs(folder).catch(() => undefined);
  }
  if (space === undefined) return;
  // What it takes the place of is removed first.
  const available = space.bavail * space.bsize + (await UnfinishedRun.bytesOnDisk(out));
  if (available >= needed) return;
  requireNearOrigin(source, { input: job.input, dt: job.settings.dt, name: inputPath });
  throw new CommandError(
    `Expected ${formatBytes(needed)} of free space for ${name} but its disk has ` +
      `${formatBytes(available)}; free some, or give another --out.`,
  );
}

/** Says how to go on; removes a run that has done nothing. */
async function withAdvice(
  error: unknown,
  request: RunRequest,
  run: UnfinishedRun,
): Promise<unknown> {
  const hasAdvice = error instanceof CorruptRunError || error instanceof ChangedInputError;
  if (!(error instanceof CommandError) || hasAdvice) return error;
  const { out } = request;
  const progress = await run.progress().catch(() => undefined);
  if (progress === undefined) {
    // The disk itself has failed.
    return error.withAdvice(
      message`what was recorded of ${out} is kept there, and the same command with --resume goes on from it when \
the disk works again`,
    );
  }
  const { done, total } = progress;
  if (done === 0) {
    await run.remove().catch(() => undefined);
    return error;
  }
  const share = formatShare(done, total);
  if (error instanceof InterruptedError) {
    return new InterruptedError(
      `Interrupted when ${share} of ${out} were done; the same command with --resume goes on.`,
      error.signal,
    );
  }
  return error.withAdvice(
    message`${share} of ${out} are done and kept, and the same command with --resume goes on from there`,
  );
}
