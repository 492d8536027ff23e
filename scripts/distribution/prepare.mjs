/**
 * npm's script `prepare`: makes the package of a git address complete. The repository has neither compiled
 * TypeScript nor binaries, so both are built here, the binary for this machine only. It installs no system
 * packages. npm also runs `prepare` in clones, which have the set-up for that; there it does nothing.
 */
import { copyFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { buildAddon, buildTypeScript } from '../setup/builds.mjs';
import { withLock } from '../setup/lock.mjs';
import { root } from '../setup/run.mjs';
import { SetupError } from '../setup/setup-error.mjs';
import { STAMPS } from '../setup/set-up.mjs';
import { Stamps } from '../setup/stamps.mjs';
import { requireSystemPackages } from '../setup/system-packages.mjs';

/** Whether npm was called in this very folder, or has linked to a clone that was set up. */
function isClone() {
  const caller = process.env.INIT_CWD ?? process.cwd();
  return realpathSync(caller) === realpathSync(root) || existsSync(STAMPS);
}

async function prepare() {
  process.env.EXPSYN_SETUP_NO_INSTALL = '1';
  const stamps = new Stamps(join(root, 'build', '.prepare.json'));
  const toolchain = await requireSystemPackages({}, stamps);
  if (!existsSync(join(root, 'node_modules', 'typescript'))) {
    throw new SetupError(
      `Expected the npm packages that build the package but ${root} has none; run 'npm run setup' there.`,
    );
  }
  await buildTypeScript(stamps);
  await buildAddon(stamps, toolchain);
  const { isTarget, systemName } = await import('../../dist/native/target.js');
  const system = systemName();
  if (!isTarget(system)) {
    throw new SetupError(
      `Expected a system that the package is made for but this is ${system}; use a clone instead.`,
    );
  }
  const binary = join(root, 'prebuilds', system, 'expsyn.node');
  mkdirSync(dirname(binary), { recursive: true });
  copyFileSync(join(root, 'build', 'Release', 'expsyn.node'), binary);
}

try {
  if (!isClone()) await withLock(join(root, '.setup.lock'), prepare);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`prepare: ${error.message}`);
  process.exitCode = 1;
}
