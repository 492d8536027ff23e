/** The errors that wrong arguments get: one sentence that names the argument. */
import assert from 'node:assert/strict';

import type { ExpSynError } from '../../lib/index';

export type Expectation = [kind: 'TypeError' | 'RangeError', message: RegExp | string];

/** The form of every error message: what was expected, for which argument, and what was received. */
const SENTENCE = /^Expected [^\n]+ for [^\n]+ but received [^\n]+\.$/;

const VALUE_CODES = [
  'ERR_EXPSYN_ARGUMENT_VALUE',
  'ERR_EXPSYN_NON_FINITE',
  'ERR_EXPSYN_STEP_LIMIT',
  'ERR_EXPSYN_OUT_OF_MEMORY',
];

/** Fails unless the error has the kind and message expected, and a code and argument that match. */
export function check(error: unknown, [kind, message]: Expectation): true {
  assert.ok(error instanceof Error, String(error));
  assert.equal(error.name, kind, error.message);
  assert.match(error.message, SENTENCE);
  if (typeof message === 'string') assert.equal(error.message, message);
  else assert.match(error.message, message);
  const { code, argument } = error as ExpSynError;
  const codes = kind === 'TypeError' ? ['ERR_EXPSYN_ARGUMENT_TYPE'] : VALUE_CODES;
  assert.ok(codes.includes(code), `${code}: ${error.message}`);
  assert.ok(error.message.includes(` for ${argument}`), `${argument}: ${error.message}`);
  return true;
}
