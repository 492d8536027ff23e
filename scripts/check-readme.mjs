/**
 * Runs every JavaScript snippet of README.md as it stands, in a folder where the package is
 * installed, and compares what it prints with the block that 'prints' introduces behind it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
