/**
 * Runs what the documentation shows, as it stands: every JavaScript snippet of README.md in a folder
 * where the package is installed, and every command of docs/study.md in the clone, one after the other.
 * What they print is compared with the block that 'prints' introduces behind them.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const snippets = [
  ...readme.matchAll(/```(js|ts)\n([^]*?)```(?:\s*prints\s*```text\n([^]*?)```)?/g),
];
if (snippets.length === 0) throw new Error('Expected snippets in README.md but found none.');

const folder = mkdtempSync(join(tmpdir(), 'expsyn-readme-'));
try {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'expsyn'));
  snippets.forEach(([, language, code, expected], index) => {
    const file = join(folder, `snippet-${index + 1}.${language === 'ts' ? 'mts' : 'mjs'}`);
    writeFileSync(file, code);
    const tsx = ['--import', import.meta.resolve('tsx')];
    const printed = execFileSync(process.execPath, [...(language === 'ts' ? tsx : []), file], {
      cwd: folder,
      encoding: 'utf8',
    });
    if (expected !== undefined && printed.trim() !== expected.trim()) {
      throw new Error(
        `Expected snippet ${index + 1} of README.md to print\n${expected}\nbut it printed\n${printed}`,
      );
    }
    console.log(`README.md snippet ${index + 1}: as documented`);
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// Commands share their folder and their shell, so that `cd` lasts.
const study = readFileSync(join(root, 'docs', 'study.md'), 'utf8');
const commands = [...study.matchAll(/```sh\n([^]*?)```(?:\s*prints\s*```text\n([^]*?)```)?/g)];
if (commands.length === 0) throw new Error('Expected commands in docs/study.md but found none.');
rmSync(join(root, 'output', 'study'), { recursive: true, force: true });
const separator = '-- the end of a command --';
const script = commands.map(([, command]) => `${command}echo '${separator}'\n`).join('');
const printed = execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
  cwd: root,
  encoding: 'utf8',
}).split(`${separator}\n`);
commands.forEach(([, command, expected], index) => {
  if (expected !== undefined && printed[index].trim() !== expected.trim()) {
    throw new Error(
      `Expected\n${command}of docs/study.md to print\n${expected}\nbut it printed\n${printed[index]}`,
    );
  }
  console.log(`docs/study.md command ${index + 1}: as documented`);
});
if (!existsSync(join(root, 'output', 'study', 'study.svg'))) {
  throw new Error('Expected docs/study.md to draw output/study/study.svg but it did not.');
}
