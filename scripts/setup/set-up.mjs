/** The steps of the set-up, in order. */
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

/** What the set-up has done in this clone. */
export const STAMPS = join(root, 'build', '.setup.json');

export function setUp(requested) {
  return withLock(join(root, '.setup.lock'), async () => {
    const stamps = new Stamps(STAMPS);
    const toolchain = await requireSystemPackages({ ...requested, clone: true }, stamps);
    await installNpmPackages();
    await buildAddon(stamps, toolchain);
    await buildTypeScript(stamps);
    if (requested.tests) await buildCoreTests(stamps, toolchain);
    if (requested.tests) await buildFaults(stamps, toolchain);
    if (requested.bench) await buildBenchPeers(stamps, toolchain);
  });
}
