/** Runs the commands of the studies, one after the other. */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { codeBlocks, requireSame, root } from './pages.mjs';

const END_OF_COMMAND = '-- the end of a command --';

/** The pages whose commands run, and what each of them makes: its folder in output, and the picture in there. */
const STUDIES = [
  { file: 'study.md', folder: 'study', picture: 'study.svg' },
  { file: 'calcium.md', folder: 'calcium', picture: 'calcium.svg' },
  { file: 'recipes.md', folder: 'recipes', picture: 'recipes.svg' },
];

export function checkStudies(pages) {
  for (const { file, folder, picture } of STUDIES) {
    const page = pages.find(({ name }) => name === join('docs', file));
    checkStudy(page, join('output', folder), picture);
  }
}

function checkStudy(page, folder, picture) {
  const commands = codeBlocks(page.text, ['sh']);
  if (commands.length === 0) throw new Error(`Expected commands in ${page.name} but found none.`);
  const output = join(root, folder);
  rmSync(output, { recursive: true, force: true });
  // All commands share one shell, so that `cd` lasts.
  const script = commands.map(({ code }) => `${code}echo '${END_OF_COMMAND}'\n`).join('');
  const printed = execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: root,
    encoding: 'utf8',
  }).split(`${END_OF_COMMAND}\n`);
  for (const [index, { expected }] of commands.entries()) {
    const place = `command ${index + 1} of ${page.name}`;
    requireSame(printed[index], expected, place);
    console.log(`${place}: as documented`);
  }
  if (!existsSync(join(output, picture))) {
    throw new Error(`Expected ${page.name} to draw ${join(folder, picture)} but it did not.`);
  }
}
