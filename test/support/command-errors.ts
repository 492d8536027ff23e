import assert from 'node:assert/strict';

import { CommandError } from '../../lib/errors/errors';

/** Whether an error is one that users are told, in one sentence that fits a pattern. */
export function isCommandError(pattern: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof CommandError, String(error));
    assert.match(error.message, pattern);
    assert.match(error.message, /^[A-Z][^\n]*\.$/, 'one sentence');
    return true;
  };
}
