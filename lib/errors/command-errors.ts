/** Errors that the user of a command can understand and correct. */
import { addAdvice, message, option, wordMessage, type Message } from './message';

/** A failure that is reported as one sentence, with exit code 1. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  readonly exitCode: number = 1;
  /** The sentence, in which options are data. `message` has them by their names in programs. */
  readonly parts: Message;

  constructor(sentence: Message | string, options?: ErrorOptions) {
    super(wordMessage(sentence), options);
    this.parts = typeof sentence === 'string' ? [sentence] : sentence;
  }

  /** The same failure with further advice. */
  withAdvice(advice: Message): CommandError {
    return new CommandError(addAdvice(this.parts, advice), { cause: this });
  }
}

/** A command line that cannot be understood: exit code 2. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';
  override readonly exitCode = 2;
}

/** The files of an unfinished run are corrupt, so it cannot be resumed. */
export class CorruptRunError extends CommandError {
  override readonly name = 'CorruptRunError';

  constructor(what: string, cause?: unknown) {
    super(
      message`Expected ${what} as the run left it but it is corrupt; start over with ${option('restart')}.`,
      { cause },
    );
  }
}

/** Another process has taken the run over: nothing of it belongs to this process any more. */
export class LeaseLostError extends CommandError {
  override readonly name = 'LeaseLostError';
}

/** An input was changed while a run read it, so the output would mix two versions. */
export class ChangedInputError extends CommandError {
  override readonly name = 'ChangedInputError';

  constructor(input: string) {
    super(
      message`Expected ${input} to stay as it is while the run reads it but it has changed; what is done is \
kept, so give it as it was with ${option('resume')}, or start over with ${option('restart')}.`,
    );
  }
}

/**
 * The signals that ask a process to end, by their numbers. Windows has the last two: Ctrl+Break, and a
 * window that is being closed.
 */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGBREAK: 21, SIGHUP: 1 } as const;
export type Interrupt = keyof typeof SIGNALS;

/** The signals that ask a process to end on a system. */
export function interrupts(platform: NodeJS.Platform = process.platform): Interrupt[] {
  return platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];
}

/** As shells say that a process was ended by a signal; SIGINT's for any other reason. */
export function exitCodeOf(signal: unknown): number {
  const numbers: Partial<Record<string, number>> = SIGNALS;
  return 128 + (numbers[String(signal)] ?? SIGNALS.SIGINT);
}

/** A run that was asked to end; see exitCodeOf(). */
export class InterruptedError extends CommandError {
  override readonly name = 'InterruptedError';
  override readonly exitCode: number;

  constructor(
    sentence: Message | string,
    readonly signal: unknown,
  ) {
    super(sentence);
    this.exitCode = exitCodeOf(signal);
  }

  /** Why a signal was aborted: for a reason that is an error, or by the operating system's signal. */
  static from({ reason }: AbortSignal): Error {
    if (reason instanceof Error) return reason;
    return new InterruptedError('The run was interrupted.', reason);
  }
}

/** Waits for work. If it fails after its signal was aborted, the error says why that was. */
export async function orInterrupted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  return work.catch((error: unknown) => {
    throw signal.aborted ? InterruptedError.from(signal) : error;
  });
}
