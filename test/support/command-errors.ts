import assert from 'node:assert/strict';

import { inWords } from '../../lib/cli/options/wording';
import { CommandError } from '../../lib/errors/command-errors';

/** Whether an error is one that users are told, in one sentence that fits a pattern. */
export function isCommandError(pattern: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof CommandError, String(error));
    const sentence = inWords(error.parts);
    assert.match(sentence, pattern);
    assert.match(sentence, /^[A-Z][^\n]*\.$/, 'one sentence');
    return true;
  };
}
