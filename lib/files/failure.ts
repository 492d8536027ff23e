/** What is worded for the command line, as the errors of the package. */
import { CommandError } from '../errors/command-errors';
import { errorWith, type ErrorDetails, type ExpSynError } from '../errors/error-codes';
import { wordMessage, type Message } from '../errors/message';

/** Waits for work. A failure that a command would report becomes an error of the package. */
export async function asPublic<Result>(
  work: Promise<Result>,
  code: 'ERR_EXPSYN_FILE' | 'ERR_EXPSYN_FIGURE',
  details?: ErrorDetails,
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw publicError(error, code, details);
  }
}

function publicError(
  { parts, cause }: CommandError,
  code: 'ERR_EXPSYN_FILE' | 'ERR_EXPSYN_FIGURE',
  details?: ErrorDetails,
): Error & ExpSynError {
  const sentence = withoutOptions(parts);
  const error = cause === undefined ? new Error(sentence) : new Error(sentence, { cause });
  return errorWith(error, code, details);
}

/** A sentence without the clause that mentions options, which only commands have, and what follows it. */
function withoutOptions(parts: Message): string {
  const first = parts.findIndex((part) => typeof part !== 'string');
  if (first < 0) return wordMessage(parts);
  const before = wordMessage(parts.slice(0, first));
  return `${before.slice(0, Math.max(before.lastIndexOf(','), before.lastIndexOf(';')))}.`;
}
