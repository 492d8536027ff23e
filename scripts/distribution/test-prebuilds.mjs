/** Runs the tests with the binaries of a release: `npm run test:prebuilds [-- TARGET [FILE...]]`. */
import { join } from 'node:path';

import { root, runVisibly } from '../setup/run.mjs';
import { SetupError } from '../setup/setup-error.mjs';
import { Stamps } from '../setup/stamps.mjs';
import { requireSystemPackages } from '../setup/system-packages.mjs';
import { testOnWindows } from './prebuilds/test-windows.mjs';

/** For each target: what runs it here, by its word in system-packages.mjs, and how. */
const TESTS = { 'win32-x64': { onlyFor: 'wine', test: testOnWindows } };

try {
  const [target = 'win32-x64', ...files] = process.argv.slice(2);
  const { onlyFor, test } = TESTS[target] ?? {};
  if (test === undefined) {
    throw new SetupError(`Expected a target among ${Object.keys(TESTS)} but received ${target}.`);
  }
  await requireSystemPackages({ [onlyFor]: true }, new Stamps(join(root, 'build', '.tests.json')));
  for (const script of [['scripts/setup.mjs'], ['scripts/distribution/prebuilds.mjs', target]]) {
    if (!(await runVisibly(process.execPath, script))) process.exit(1);
  }
  if (!(await test(files))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`test:prebuilds: ${error.message}`);
  process.exitCode = 1;
}
