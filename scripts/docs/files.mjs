/** Checks that the files that pages show are as shown. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { root } from './pages.mjs';

/** A line that is a link to a file and a colon, and the code block after it, which shows this file. */
const SHOWN = /^\[`[^`]+`\]\(([^)]+)\):\n\n```\w+\n([^]*?)^```$/gm;

export function checkFiles(pages) {
  let count = 0;
  for (const { name, text } of pages) {
    for (const [, target, shown] of text.matchAll(SHOWN)) {
      const file = join(dirname(name), target);
      if (readFileSync(join(root, file), 'utf8') !== shown) {
        throw new Error(`Expected ${name} to show ${file} as it is but found another text.`);
      }
      count++;
    }
    // Blocks in this language are not run, so they must be files, which have been.
    if (/^```mjs$/m.test(text.replaceAll(SHOWN, ''))) {
      throw new Error(
        `Expected a link to its file above each mjs block of ${name} but found one without.`,
      );
    }
  }
  console.log(`The ${count} files that the pages show: as shown`);
}
