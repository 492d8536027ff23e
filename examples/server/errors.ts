/** Errors that name whose fault they are. */

/** What a client has sent is wrong: answered with 400 and the message. */
export class InputError extends RangeError {
  readonly statusCode = 400;
}

/** The codes of the package's errors begin with this. */
const PACKAGE_CODE = 'ERR_EXPSYN_';
/** The package's error for a call that its limits leave no room for. */
const OVERLOAD_CODE = 'ERR_EXPSYN_OVERLOAD';

/** Whether the package has refused a call because too much is pending. */
export function isOverload(error: unknown): boolean {
  return codeOf(error) === OVERLOAD_CODE;
}

/**
 * Whether a client's input has caused an error. Errors of the server's own checks, and those with a
 * code of the package, say so. A RangeError without a code is the package's as well.
 */
export function isBadInput(error: unknown): boolean {
  if (error instanceof InputError) return true;
  const code = codeOf(error);
  if (code === undefined) return error instanceof RangeError;
  const isPackage = code.startsWith(PACKAGE_CODE) && code !== OVERLOAD_CODE;
  return isPackage && (error instanceof RangeError || error instanceof TypeError);
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
