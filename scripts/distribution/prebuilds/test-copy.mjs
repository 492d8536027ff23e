/**
 * A copy of the project in which the tests run with a release binary on another system's Node. It has no
 * build/, so the package loads the binary as an installed one does. The tests are compiled, since tsx,
 * which compiles them here, has a part in machine code.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { probe, root, runVisibly } from '../../setup/run.mjs';
import { SetupError } from '../../setup/setup-error.mjs';
import { binaryOf } from './build.mjs';

/** Stands for tsx in the copy: the compiled file lies beside each .ts file. */
const COMPILED = `
const { readFileSync } = require('node:fs');
require.extensions['.ts'] = (module, file) => {
  module._compile(readFileSync(file.replace(/ts$/, 'js'), 'utf8'), file);
};
`;

/** The files of a clone, relative to it, those that are not committed yet included. */
export function listFiles(clone) {
  // In a container, another user may own the folder, and git then wants to be told that it is safe.
  const safe = ['-c', `safe.directory=${clone.replace(/\/$/, '')}`];
  const listed = probe(
    'git',
    [...safe, 'ls-files', '--cached', '--others', '--exclude-standard', '-z'],
    { cwd: clone },
  );
  if (!listed.isOk) {
    throw new SetupError(`Expected ${clone} to be a clone of git but ${listed.output.trim()}`);
  }
  return listed.output.split('\0').filter((name) => name !== '');
}

/** Makes the copy for a target anew. Resolves to its folder. */
export async function makeTestCopy(target) {
  const folder = join(root, 'build', 'test-prebuilds', target);
  rmSync(folder, { recursive: true, force: true });
  const names = listFiles(root);
  for (const name of [...names, 'dist', binaryOf(target)]) {
    const from = join(root, name);
    // What was removed and is not committed yet is listed, too; a linked node_modules is none of ours.
    if (name === 'node_modules' || !existsSync(from)) continue;
    cpSync(from, join(folder, name), { recursive: true });
  }
  linkPackages(join(root, 'node_modules'), join(folder, 'node_modules'));
  replacePackage(join(folder, 'node_modules', 'tsx'), COMPILED);
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--noEmit', 'false', '--noCheck', '--declaration', 'false', '--outDir', folder];
  if (!(await runVisibly(process.execPath, [tsc, '--project', 'tsconfig.json', ...flags]))) {
    throw new SetupError('Expected the tests to compile but they did not, see above.');
  }
  return folder;
}

/** Each package by a link of its own, so that some can be replaced. */
function linkPackages(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name.startsWith('@')) linkPackages(join(from, name), join(to, name));
    else symlinkSync(join(from, name), join(to, name));
  }
}

/** Puts a package with one CommonJS file in place of another. */
function replacePackage(folder, source) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ main: './index.cjs' }));
  writeFileSync(join(folder, 'index.cjs'), source);
}

/** The test files of the copy, compiled, relative to it. */
export function testFiles(folder) {
  return readdirSync(join(folder, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', name))
    .sort();
}
