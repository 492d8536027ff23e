/** Carries out `expsyn run`: opens the input, plans the run, computes, publishes the output, and reports. */
import { Writable } from 'node:stream';

import { ChangedInputError, orInterrupted, UsageError } from '../../errors/command-errors';
import { isThere, removeLeftovers } from '../../formats/files/complete-file';
import type { StoredOutput, StreamOutput } from '../../formats/format';
import { isSameInput } from '../../formats/raster-source';
import { outputFormatOf } from '../../formats/registry';
import type { Job } from '../../runs/job';
import { lockFolder, type FolderLock } from '../../runs/lock';
import { describeDifference } from '../../runs/prepare-job';
import { makeProvenance, readProvenance } from '../../runs/provenance';
import { isWhole, layoutOf, unfinishedFolderOf, UnfinishedRun } from '../../runs/unfinished-run';
import { describeEvents, measureEvents } from '../notes/event-notes';
import type { RunRequest } from '../options/run-options';
import type { CommandContext } from '../context/command-context';
import { computeLocally, computeOnQueue, type Outcome } from './compute';
import { prepare, type Prepared } from './prepare';
import { report } from './report';
import { requireSpace } from './space';
import { requireConsent, withAdvice } from './unfinished';

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
  const earlier = request.begin === 'resume' ? await earlierJob(out, format) : undefined;
  const prepared = await prepare(request, out, earlier, context);
  try {
    const lock = await lockFolder(unfinishedFolderOf(out), request.out, {
      onWait: (text) => context.stderr.write(`${text}\n`),
    });
    try {
      // From here on, no other process changes the output.
      await removeLeftovers(format.provenancePathOf(out), 'nobody');
      const begun = request.begin === 'restart' ? undefined : await UnfinishedRun.open(out);
      const mayBeMade = request.begin === 'resume' && begun === undefined;
      if (mayBeMade && (await isMade(prepared.job, out, format))) {
        context.stdout.write(`${request.out} is complete already.\n`);
        return;
      }
      const outcome = await runToEnd(request, prepared, out, begun, lock, context);
      await report(request, prepared, outcome, out, context);
    } finally {
      if (await lock.isHeld()) await UnfinishedRun.sweep(out);
      await lock.release();
    }
  } finally {
    await prepared.source.close();
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
  const { stdout, stderr } = context;
  const prepared = await prepare(request, undefined, undefined, context);
  const { source, job, inputPath } = prepared;
  try {
    if (!(stdout instanceof Writable)) throw new TypeError('Expected a stream as standard output.');
    const events = measureEvents(source, { input: job.input, dt: job.settings.dt });
    if (events !== undefined) stderr.write(`${inputPath}: ${describeEvents(events)}\n`);
    const sink = await format.openSink(stdout, layoutOf(job));
    await computeLocally(request, prepared, sink, undefined, context);
    await sink.sync();
  } finally {
    await source.close();
  }
}

/**
 * The job of an unfinished run, or else the job that has made an output; undefined if there is neither.
 */
async function earlierJob(out: string, format: StoredOutput): Promise<Job | undefined> {
  return (await UnfinishedRun.open(out))?.job ?? (await jobOf(out, format));
}

/** The job that has made an output; undefined if that is not known. */
async function jobOf(out: string, format: StoredOutput): Promise<Job | undefined> {
  if (!(await isThere(out))) return undefined;
  const provenance = await readProvenance(out, format);
  return provenance && { ...provenance.job, shards: [] };
}

/** Whether the output is there already, whole, and made from the same input in the same way. */
async function isMade(job: Job, out: string, format: StoredOutput): Promise<boolean> {
  const made = await jobOf(out, format);
  if (made === undefined || describeDifference(job, made) !== undefined) return false;
  return isWhole(made, out);
}

/** Begins or resumes the run, computes what is missing, and gives the output its name. */
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
  let run: UnfinishedRun;
  if (begun !== undefined && request.begin === 'resume') {
    run = await begun.adapt(job);
    if (await run.isPublished(out)) {
      await run.remove();
      return { seconds: 0, samples: 0, isNoted: true };
    }
  } else {
    await requireSpace(prepared, out, request.out);
    run = await UnfinishedRun.begin(out, job);
  }
  try {
    const outcome = await (request.queue === undefined
      ? computeOnDisk(request, prepared, run, lock, context)
      : computeOnQueue(request, prepared, request.queue, run, lock.lost, context));
    await requireSameInput(prepared, context);
    const fingerprint = await run.fingerprint();
    await lock.requireHeld();
    await run.publish(out, makeProvenance(run.job, context.args, fingerprint));
    return outcome;
  } catch (error) {
    // If another process has taken the run over, that is why this one failed.
    await lock.requireHeld();
    throw await withAdvice(error, request.out, run);
  }
}

/** Computes in this process what is missing of a run. */
async function computeOnDisk(
  request: RunRequest,
  prepared: Prepared,
  run: UnfinishedRun,
  lock: FolderLock,
  context: CommandContext,
): Promise<Outcome> {
  // Workers may still serve a submitting process that was killed.
  await run.dismissWorkers();
  const sink = await run.openSink();
  try {
    const held = { run, lock };
    return await computeLocally(request, { ...prepared, job: run.job }, sink, held, context);
  } finally {
    await sink.close();
  }
}

/** Refuses to publish currents of an input that has changed since. */
async function requireSameInput(
  { source, inputPath }: Prepared,
  context: CommandContext,
): Promise<void> {
  await context.interruptibly(async (signal) => {
    signal.addEventListener('abort', () => source.interrupt?.(), { once: true });
    const found = await orInterrupted(source.identify(), signal);
    if (!isSameInput(source.identity, found)) throw new ChangedInputError(inputPath);
  });
}
