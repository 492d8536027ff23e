/**
 * Installs the packed package by every package manager, runs a program that uses it, and checks the tarball
 * by publint and attw: `npm run test:install [-- NAME...]`. It runs on Linux on x86-64.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { installNpmPackages } from '../setup/npm-packages.mjs';
import { choose, main, runChecks } from './cases.mjs';
import { CHECKS, FOLDER, NAMES } from './install/checks.mjs';
import { packInto } from './tarball.mjs';

const LABEL = 'install';

const HELP = `Usage: npm run test:install [-- NAME...]

Packs the package and installs the tarball with each package manager. On the PATH are only Node and the
package manager. A program loads it by require() and by import, and compares results with known numbers.
'git' installs the last commit of this clone from its git address, which needs a compiler.

Names (all, if none is given): ${NAMES.join(', ')}

Environment:
  EXPSYN_PREBUILDS   the binaries to pack, separated by commas; by default all`;

await main(LABEL, async (named) => {
  if (named.includes('--help')) {
    console.log(HELP);
    return true;
  }
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-tarball-'));
  try {
    choose(CHECKS(''), named);
    await installNpmPackages({ label: LABEL, folder: FOLDER, further: ['--ignore-scripts'] });
    const tarball = await packInto(folder, LABEL);
    return await runChecks(LABEL, choose(CHECKS(tarball), named));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
