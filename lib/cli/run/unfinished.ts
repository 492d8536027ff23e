/** Asks the user what to do with an unfinished run, and says how to resume one. */
import {
  ChangedInputError,
  CommandError,
  CorruptRunError,
  InterruptedError,
  UsageError,
} from '../../errors/command-errors';
import { message } from '../../errors/message';
import type { Job } from '../../runs/job';
import { describeDifference } from '../../runs/prepare-job';
import type { UnfinishedRun } from '../../runs/unfinished-run';
import type { RunRequest } from '../options/run-options';

/** Refuses to discard what an unfinished run has done, or to resume it as another run. */
export async function requireConsent(
  request: RunRequest,
  job: Job,
  begun: UnfinishedRun,
): Promise<void> {
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

/** Adds to an error how to resume the run. A run that has done nothing is removed. */
export async function withAdvice(
  error: unknown,
  out: string,
  run: UnfinishedRun,
): Promise<unknown> {
  const hasAdvice = error instanceof CorruptRunError || error instanceof ChangedInputError;
  if (!(error instanceof CommandError) || hasAdvice) return error;
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
