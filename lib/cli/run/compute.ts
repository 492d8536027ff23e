/** Computes what is missing of a run, in this process or on a queue, and shows the progress. */
import { InterruptedError, orInterrupted } from '../../errors/command-errors';
import type { CurrentsSink } from '../../formats/currents-sink';
import { inputFormatOf } from '../../formats/registry';
import type { Journal } from '../../runs/journal';
import type { FolderLock } from '../../runs/lock';
import { runOnQueue } from '../../runs/queue/run-on-queue';
import { runLocally } from '../../runs/run-locally';
import type { Checkpoints } from '../../runs/run-shard';
import type { UnfinishedRun } from '../../runs/unfinished-run';
import { giveNotes } from '../notes/give-notes';
import type { RunRequest } from '../options/run-options';
import type { CommandContext } from '../context/command-context';
import type { Prepared } from './prepare';
import { ProgressDisplay } from './progress';
import { sizeOf } from '../../arrays/arrays';

/** What a run has come to. */
export interface Outcome {
  /** Seconds in this process, and samples that were computed in it. */
  seconds: number;
  samples: number;
  /** Whether a note said that the input does not look like spikes. */
  isNoted: boolean;
}

/** What computes, until the signal ends it. Returns whether the run is complete. */
type Work = (
  signal: AbortSignal,
  display: ProgressDisplay,
  onProgress: (samples: number, isInherited: boolean) => void,
) => Promise<boolean>;

/**
 * Computes in this process.
 *
 * @param held The unfinished run and its lock; undefined if nothing is kept for a resumption.
 */
export async function computeLocally(
  { threads, progress }: RunRequest,
  prepared: Prepared,
  sink: CurrentsSink,
  held: { run: UnfinishedRun; lock: FolderLock } | undefined,
  context: CommandContext,
): Promise<Outcome> {
  const { source, job } = prepared;
  const isResumable = held !== undefined && inputFormatOf(job.input.format).isReadOnce !== true;
  const work: Work = async (signal, _, onProgress) =>
    runLocally(job, source, sink, {
      signal,
      checkpointsOf: (shard) =>
        isResumable ? checkpointsOf(held.run.journal(shard), held.lock) : undefined,
      threads,
      onProgress,
    });
  return compute(work, progress, prepared, held?.lock.lost, context);
}

/** Lets the workers of a queue compute. */
export async function computeOnQueue(
  { out, progress }: RunRequest,
  prepared: Prepared,
  address: string,
  run: UnfinishedRun,
  lost: AbortSignal,
  context: CommandContext,
): Promise<Outcome> {
  const work: Work = async (signal, display, onProgress) => {
    const onStandstill = (reason: string): void => {
      display.say(`Nothing of ${out} is computed at the moment, since ${reason}.`);
    };
    return runOnQueue(address, run, { signal, onProgress, onStandstill });
  };
  return compute(work, progress, { ...prepared, job: run.job }, lost, context);
}

/** @param lost Aborted when another process has taken the run over. */
async function compute(
  work: Work,
  mode: RunRequest['progress'],
  prepared: Prepared,
  lost: AbortSignal | undefined,
  context: CommandContext,
): Promise<Outcome> {
  const { job, waiting } = prepared;
  const size = sizeOf(job.shape);
  const display = new ProgressDisplay(context.stderr, mode, size);
  const { say } = waiting;
  waiting.say = (text) => display.say(text);
  const outcome = { seconds: 0, samples: 0, isNoted: false };
  try {
    await context.interruptibly(async (interrupted) => {
      const signal = lost === undefined ? interrupted : AbortSignal.any([interrupted, lost]);
      outcome.isNoted = await lookAtInput(prepared, display, signal);
      const begin = performance.now();
      const isComplete = await work(signal, display, (samples, isInherited) => {
        display.advance(samples, isInherited);
        if (!isInherited) outcome.samples += samples;
      });
      outcome.seconds = (performance.now() - begin) / 1000;
      if (!isComplete) throw InterruptedError.from(signal);
    });
  } finally {
    display.stop();
    waiting.say = say;
  }
  return outcome;
}

/** Gives the notes on a run; see giveNotes(). Reading a pipe may have to be interrupted. */
async function lookAtInput(
  { source, inputPath, job }: Prepared,
  display: ProgressDisplay,
  signal: AbortSignal,
): Promise<boolean> {
  const interrupt = (): void => source.interrupt?.();
  if (signal.aborted) interrupt();
  signal.addEventListener('abort', interrupt);
  try {
    const notes = giveNotes(source, inputPath, job, (text) => {
      display.say(text);
    });
    return await orInterrupted(notes, signal);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/** A journal that is left alone once another process has taken the run over. */
function checkpointsOf(journal: Journal, lock: FolderLock): Checkpoints {
  return {
    read: async () => journal.read(),
    write: async (progress) => {
      await lock.requireHeld();
      await journal.write(progress);
    },
  };
}
