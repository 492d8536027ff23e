/** What programs can tell errors apart by. Messages are for people and may change. */

/**
 * The `code` of an error of this package:
 *
 * - `ERR_EXPSYN_ARGUMENT_TYPE` (TypeError): a value of the wrong kind, or an unknown name.
 * - `ERR_EXPSYN_ARGUMENT_VALUE` (RangeError): a value of the right kind that is not permitted.
 * - `ERR_EXPSYN_NON_FINITE` (RangeError): a NaN or infinity in an input, or a NaN in a state.
 * - `ERR_EXPSYN_STEP_LIMIT` (RangeError): the call would go beyond step 2^53 - 1.
 * - `ERR_EXPSYN_OUT_OF_MEMORY` (RangeError): the system has too little memory.
 * - `ERR_EXPSYN_OVERLOAD` (OverloadError): setLimits() leaves no room for the call.
 * - `ERR_EXPSYN_PENDING` (Error): it cannot be done while a call of evolve() is pending.
 * - `ERR_EXPSYN_CLOSED` (Error): the session has been closed.
 * - `ERR_EXPSYN_ADDON` (Error): the native addon could not be loaded, as the package is.
 * - `ERR_EXPSYN_FFTW_MISSING` (Error): method 'fft' needs FFTW, which this system does not have.
 * - `ERR_EXPSYN_FILE` (Error): a file could not be read or written, or does not hold what it should.
 * - `ERR_EXPSYN_FIGURE` (Error): what draws figures (a package, or a font) is not installed.
 * - `ERR_EXPSYN_INTERNAL` (any): a mistake in the package, or in a class derived from one of its own.
 */
export type ErrorCode =
  | 'ERR_EXPSYN_ARGUMENT_TYPE'
  | 'ERR_EXPSYN_ARGUMENT_VALUE'
  | 'ERR_EXPSYN_NON_FINITE'
  | 'ERR_EXPSYN_STEP_LIMIT'
  | 'ERR_EXPSYN_OUT_OF_MEMORY'
  | 'ERR_EXPSYN_OVERLOAD'
  | 'ERR_EXPSYN_PENDING'
  | 'ERR_EXPSYN_CLOSED'
  | 'ERR_EXPSYN_ADDON'
  | 'ERR_EXPSYN_FFTW_MISSING'
  | 'ERR_EXPSYN_FILE'
  | 'ERR_EXPSYN_FIGURE'
  | 'ERR_EXPSYN_INTERNAL';

/** An error of this package, and what it says to programs. All are own, enumerable properties. */
export interface ExpSynError extends Error {
  /** What has happened. */
  readonly code: ErrorCode;
  /** What was refused, as the message names it: 'input', 'options.out', 'sessions[3]'. */
  readonly argument?: string;
  /** What is permitted there, in the words of the message. */
  readonly expected?: string;
  /** The value that was refused, in the words of the message. */
  readonly received?: string;
  /** What to do about it, in the words of the message. */
  readonly advice?: string;
  /** Of ERR_EXPSYN_NON_FINITE: where the value stands in the array, one number an axis. */
  readonly index?: readonly number[];
  /** Of ERR_EXPSYN_NON_FINITE: NaN, Infinity or -Infinity. */
  readonly value?: number;
  /** Of ERR_EXPSYN_STEP_LIMIT: the absolute step from which the call would have gone on. */
  readonly step?: number;
  /** Of ERR_EXPSYN_STEP_LIMIT: the steps of the call. */
  readonly timesteps?: number;
  /** Of ERR_EXPSYN_FILE: the file. If the operating system refused it, `cause` is its error. */
  readonly path?: string;
}

/** What an error says to programs beside its code. */
export type ErrorDetails = Omit<ExpSynError, 'code' | keyof Error>;

/** Gives an error its code and details. */
export function errorWith<Kind extends Error>(
  error: Kind,
  code: ErrorCode,
  details?: ErrorDetails,
): Kind & ExpSynError {
  return Object.assign(error, { code, ...details });
}
