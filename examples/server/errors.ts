/** Errors, by who has to act on them: the client, or whoever runs the server. */

/** A client has sent something wrong. It is answered with 400 and the message. */
export class InputError extends RangeError {
  readonly statusCode = 400;
}

/** The package's codes of errors that are caused by an input. */
const INPUT_CODES: ReadonlySet<string> = new Set([
  'ERR_EXPSYN_ARGUMENT_TYPE',
  'ERR_EXPSYN_ARGUMENT_VALUE',
  'ERR_EXPSYN_NON_FINITE',
  'ERR_EXPSYN_STEP_LIMIT',
]);
/** The package's codes of errors that are caused by too much work at the moment. */
const OVERLOAD_CODES: ReadonlySet<string> = new Set([
  'ERR_EXPSYN_OVERLOAD',
  'ERR_EXPSYN_OUT_OF_MEMORY',
]);

/** Whether the package might accept the same call later. It is answered with 503. */
export function isOverload(error: unknown): boolean {
  return OVERLOAD_CODES.has(codeOf(error) ?? '');
}

/**
 * Whether an error was caused by a client's input: it comes from one of the server's own checks, or from one of
 * the package's. A RangeError without a code counts as one of these.
 */
export function isBadInput(error: unknown): boolean {
  if (error instanceof InputError) return true;
  const code = codeOf(error);
  return code === undefined ? error instanceof RangeError : INPUT_CODES.has(code);
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
