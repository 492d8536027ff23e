/** Errors that name whose fault they are. */

/** What a client has sent is wrong: answered with 400 and the message. */
export class InputError extends RangeError {
  readonly statusCode = 400;
}

/** The package's codes of errors that an input has caused. */
const INPUT_CODES: ReadonlySet<string> = new Set([
  'ERR_EXPSYN_ARGUMENT_TYPE',
  'ERR_EXPSYN_ARGUMENT_VALUE',
  'ERR_EXPSYN_NON_FINITE',
  'ERR_EXPSYN_STEP_LIMIT',
]);
/** Its codes where there is no room at the moment. */
const ROOM_CODES: ReadonlySet<string> = new Set([
  'ERR_EXPSYN_OVERLOAD',
  'ERR_EXPSYN_OUT_OF_MEMORY',
]);

/** Whether the package has refused a call that it might take later: answered with 503. */
export function isOverload(error: unknown): boolean {
  return ROOM_CODES.has(codeOf(error) ?? '');
}

/**
 * Whether a client's input has caused an error: one of the server's own checks, or one of the package's.
 * A RangeError without a code counts as one of these.
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
