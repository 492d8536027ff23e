/** Runs the tests with the binaries of a release: `npm run test:prebuilds [-- TARGET... [FILE...]]`. */
import { join } from 'node:path';

import { root, runVisibly } from '../setup/run.mjs';
import { SetupError } from '../setup/setup-error.mjs';
import { Stamps } from '../setup/stamps.mjs';
import { requireSystemPackages } from '../setup/system-packages.mjs';
import { MACHINES } from './prebuilds/machines.mjs';
import { TARGETS } from './prebuilds/targets.mjs';
import { testTarget } from './prebuilds/test-target.mjs';
import { installReleaseTools } from './tools.mjs';

const LABEL = 'test:prebuilds';
const TESTED = Object.keys(MACHINES);

const HELP = `Usage: npm run test:prebuilds [-- TARGET... [FILE...]]

Builds the binaries of the targets, and runs tests with each one, on a machine of its kind that is
emulated where this one is of another kind. It fails if a test fails or is skipped that is not listed in
docs/platforms.md, or if a listed one passes. FILEs (test/...) are the tests to run; all, if none is named.

Targets (all, if none is named): ${TESTED.join(', ')}
They cannot be run here: ${Object.keys(TARGETS)
  .filter((name) => !TESTED.includes(name))
  .join(', ')}`;

async function main(words) {
  if (words.includes('--help')) {
    console.log(HELP);
    return true;
  }
  const files = words.filter((word) => word.startsWith('test/'));
  const named = words.filter((word) => !files.includes(word));
  const unknown = named.find((name) => !TESTED.includes(name));
  if (unknown !== undefined) {
    throw new SetupError(`Expected targets among ${TESTED.join(', ')} but received ${unknown}.`);
  }
  const targets = named.length > 0 ? TESTED.filter((name) => named.includes(name)) : TESTED;
  const flags = targets.map((target) => MACHINES[target].onlyFor).filter(Boolean);
  await requireSystemPackages(
    Object.fromEntries(['tests', ...flags].map((flag) => [flag, true])),
    new Stamps(join(root, 'build', '.tests.json')),
  );
  await installReleaseTools(LABEL);
  // The results of the clone's own build are what those of the binaries are compared with.
  const builds = [['scripts/setup.mjs'], ['scripts/distribution/prebuilds.mjs', ...targets]];
  for (const script of builds) {
    if (!(await runVisibly(process.execPath, script))) return false;
  }
  let isOk = true;
  for (const target of targets) {
    isOk = (await testTarget(target, MACHINES[target], files)) && isOk;
  }
  return isOk;
}

try {
  if (!(await main(process.argv.slice(2)))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`${LABEL}: ${error.message}`);
  process.exitCode = 1;
}
