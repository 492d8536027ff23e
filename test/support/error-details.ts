/** What an error tells programs: its name, code and data. */
import assert from 'node:assert/strict';

import type { ExpSynError } from '../../lib/index';

/** The name, code and data of an error, without the parts of its message, which must match them. */
export function detailsOf(error: unknown): Record<string, unknown> {
  assert.ok(error instanceof Error, String(error));
  assert.match(error.message, /^Expected .*\.$/);
  const { expected, received, advice, ...rest } = Object.assign({}, error) as Partial<ExpSynError>;
  const end = ` but received ${received}${advice === undefined ? '' : `; ${advice}`}.`;
  if (rest.code === 'ERR_EXPSYN_ARGUMENT_TYPE' || received !== undefined) {
    assert.ok(error.message.startsWith(`Expected ${expected}`), error.message);
    assert.ok(error.message.endsWith(end), error.message);
  }
  return { ...rest, name: error.name };
}

/** The details of what a call throws. */
export function thrown(call: () => unknown): Record<string, unknown> {
  try {
    call();
  } catch (error) {
    return detailsOf(error);
  }
  return assert.fail('nothing was thrown');
}

/** The details of what a promise rejects with. */
export async function rejected(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return detailsOf(error);
  }
  return assert.fail('nothing was rejected');
}

/** The details of the error for an argument of a wrong type. */
export const typeError = (argument: string) => ({
  name: 'TypeError',
  code: 'ERR_EXPSYN_ARGUMENT_TYPE',
  argument,
});

/** The details of the error for an argument of a wrong value. */
export const valueError = (argument: string) => ({
  name: 'RangeError',
  code: 'ERR_EXPSYN_ARGUMENT_VALUE',
  argument,
});
