/** Bundles the packed package with each bundler and runs the results: `npm run test:bundlers [-- NAME...]`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BUNDLERS, TEST_RUNNERS } from './bundlers/list.mjs';
import { checkBundler, checkMistakes, checkTestRunner } from './bundlers/checks.mjs';
import { makeProject } from './bundlers/project.mjs';
import { choose, main, runChecks } from './cases.mjs';

const LABEL = 'bundlers';

const made = {};
const CHECKS = [
  ...BUNDLERS.map((bundler) => ({
    name: bundler.name,
    run: (folder) => checkBundler(bundler, made.project, folder),
  })),
  { name: 'mistakes', run: (folder) => checkMistakes(made.project, folder) },
  ...TEST_RUNNERS.map(({ name, commands }) => ({
    name,
    run: () => checkTestRunner(commands, made.project),
  })),
];

const HELP = `Usage: npm run test:bundlers [-- NAME...]

Packs the package with the clone's build as its binary and installs it in a copy of examples/bundlers. Each
bundler bundles the program there, with the binary of this system alone and with a file for every system.
The results run in an empty folder and must compute the known currents. A bundle that lacks the addon must
say so. The test runners run tests that use the package.

Names (all, if none is given): ${CHECKS.map(({ name }) => name).join(', ')}`;

await main(LABEL, async (named) => {
  if (named.includes('--help')) {
    console.log(HELP);
    return true;
  }
  const checks = choose(CHECKS, named);
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-bundlers-'));
  try {
    made.project = await makeProject(folder, LABEL);
    return await runChecks(LABEL, checks);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
