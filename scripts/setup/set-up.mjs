/** The steps of the set-up, in their order. */
import { join } from 'node:path';

import {
  buildAddon,
  buildBenchPeers,
  buildCoreTests,
  buildFaults,
  buildTypeScript,
} from './builds.mjs';
import { withLock } from './lock.mjs';
import { installNpmPackages } from './npm-packages.mjs';
import { root } from './run.mjs';
import { Stamps } from './stamps.mjs';
import { requireSystemPackages } from './system-packages.mjs';

export function setUp(wanted) {
  return withLock(join(root, '.setup.lock'), async () => {
    const stamps = new Stamps(join(root, 'build', '.setup.json'));
    const toolchain = await requireSystemPackages(wanted, stamps);
    await installNpmPackages();
    await buildAddon(stamps, toolchain);
    await buildTypeScript(stamps);
    if (wanted.tests) await buildCoreTests(stamps, toolchain);
    if (wanted.tests) await buildFaults(stamps, toolchain);
    if (wanted.bench) await buildBenchPeers(stamps, toolchain);
  });
}
