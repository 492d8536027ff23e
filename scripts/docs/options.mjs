/** Checks that the options that pages name are options of the command line. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { root } from './pages.mjs';

const COMMANDS = ['run', 'info', 'plot', 'bench', 'worker'];
const OPTION = /(?<![\w-])--[a-z][a-z-]*/g;

/** Options in lines that run the command line, and everywhere in its manual. */
function optionsNamedBy({ name, text }) {
  const isManual = name === join('docs', 'command-line.md');
  // Other programs have options of their own.
  const others = /\b(npm run|node|redis-server|cmake|npx (?!expsyn)|git) /;
  return text
    .split('\n')
    .filter(
      (line) =>
        (isManual || /\bexpsyn (run|info|plot|bench|worker)\b/.test(line)) && !others.test(line),
    )
    .flatMap((line) => line.match(OPTION) ?? []);
}

export function checkOptions(pages) {
  const known = new Set(['--help', '--version']);
  for (const command of COMMANDS) {
    const help = execFileSync(
      process.execPath,
      [join(root, 'dist/cli/main.js'), command, '--help'],
      {
        encoding: 'utf8',
      },
    );
    for (const option of help.match(OPTION) ?? []) known.add(option);
  }
  for (const page of pages) {
    const unknown = optionsNamedBy(page).filter((option) => !known.has(option));
    if (unknown.length > 0) {
      throw new Error(
        `Expected options of the command line in ${page.name} but found ${unknown.join(', ')}.`,
      );
    }
  }
  console.log('The options that the pages name: all exist');
}
