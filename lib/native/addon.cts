// Loads the native addon. This file is CommonJS because only require() loads addons.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path = require('node:path');

import { describeLoadError, type Attempt } from './load-error';
import { isTarget, systemName, type Target } from './target';

/** The package's folder; undefined in a bundle that has no __dirname. */
const root = typeof __dirname === 'string' ? path.join(__dirname, '..', '..') : undefined;

function load(): unknown {
  const own = root === undefined ? undefined : path.join(root, 'build', 'Release', 'expsyn.node');
  // The build of a clone. Its path is computed, so that bundlers look for the package's binaries only.
  if (own !== undefined && exists(own)) {
    return attempt({ root, file: own, isOwnBuild: true }, () => createRequire(own)(own) as unknown);
  }
  const system = systemName();
  if (!isTarget(system)) throw describeLoadError({ root, system });
  const file = path.join(root ?? '', 'prebuilds', system, 'expsyn.node');
  return attempt({ root, system, file }, () => requireBinary(system));
}

/** Each path is written out, because bundlers find no other. */
function requireBinary(target: Target): unknown {
  switch (target) {
    case 'linux-x64':
      return require('../../prebuilds/linux-x64/expsyn.node');
    case 'linux-x64-musl':
      return require('../../prebuilds/linux-x64-musl/expsyn.node');
    case 'linux-arm64':
      return require('../../prebuilds/linux-arm64/expsyn.node');
    case 'win32-x64':
      return require('../../prebuilds/win32-x64/expsyn.node');
    case 'darwin-arm64':
      return require('../../prebuilds/darwin-arm64/expsyn.node');
  }
}

function attempt(made: Attempt, loadFile: () => unknown): unknown {
  try {
    return loadFile();
  } catch (cause) {
    throw describeLoadError(made, cause);
  }
}

/** Whether a file exists and may be looked for. */
function exists(file: string): boolean {
  try {
    return existsSync(file);
  } catch {
    // Permission models of runtimes may throw.
    return false;
  }
}

export = load();
