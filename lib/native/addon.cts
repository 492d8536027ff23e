// Loads the native addon. This file is CommonJS because only require() loads addons.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path = require('node:path');

import { shortageOf } from './elf-file';
import { describeLoadError, type Attempt } from './load-error';
import { isTarget, systemName, type Target } from './target';

/** The package's folder; undefined in a bundle, where this file has another name or none. */
const root =
  typeof __filename === 'string' && path.parse(__filename).name === 'addon'
    ? path.join(__dirname, '..', '..')
    : undefined;

function load(): unknown {
  const own = root === undefined ? undefined : path.join(root, 'build', 'Release', 'expsyn.node');
  // The build of a clone. Its path is computed, so that bundlers look for the package's binaries only.
  if (own !== undefined && exists(own)) {
    const attempt: Attempt = { root, file: own, isOwnBuild: true };
    requireWhole(attempt);
    try {
      return createRequire(own)(own) as unknown;
    } catch (cause) {
      throw describeLoadError(attempt, cause);
    }
  }
  const system = systemName();
  if (!isTarget(system)) return loadWebAssembly(root, system);
  const file = root === undefined ? undefined : path.join(root, 'prebuilds', system, 'expsyn.node');
  return loadBinary(system, { root, system, ...(file !== undefined && { file }) });
}

/** The WebAssembly module, for systems that the package has no binary for. Bundles do not contain it. */
function loadWebAssembly(folder: string | undefined, system: string): unknown {
  const file = path.join(folder ?? '', 'prebuilds', 'wasm', 'addon.cjs');
  if (folder === undefined || !exists(file)) throw describeLoadError({ root: folder, system });
  const module: unknown = createRequire(file)(file);
  process.emitWarning(
    `Expected a binary for ${system} but the package has none; WebAssembly computes instead, on one ` +
      'thread and without FFTW, which takes longer.',
    { type: 'ExpSynWarning', code: 'WARN_EXPSYN_WASM' },
  );
  return module;
}

/** Each path is written out, because bundlers find no other. */
function loadBinary(target: Target, attempt: Attempt): unknown {
  requireWhole(attempt);
  let binary: unknown;
  // Bundlers accept that a file is missing only if require() is inside of try.
  try {
    switch (target) {
      case 'linux-x64':
        binary = require('../../prebuilds/linux-x64/expsyn.node');
        break;
      case 'linux-x64-musl':
        binary = require('../../prebuilds/linux-x64-musl/expsyn.node');
        break;
      case 'linux-arm64':
        binary = require('../../prebuilds/linux-arm64/expsyn.node');
        break;
      case 'win32-x64':
        binary = require('../../prebuilds/win32-x64/expsyn.node');
        break;
      case 'darwin-arm64':
        binary = require('../../prebuilds/darwin-arm64/expsyn.node');
        break;
    }
  } catch (cause) {
    throw describeLoadError(attempt, cause);
  }
  // Bundlers can be configured to give the name of a file, or an empty object, in its place.
  const isLoaded = typeof binary === 'object' && binary !== null && Object.keys(binary).length > 0;
  if (!isLoaded) throw describeLoadError({ ...attempt, received: binary });
  return binary;
}

/** Throws if the end of the addon's file is missing, as far as the file is known. */
function requireWhole(attempt: Attempt): void {
  const shortage = attempt.file === undefined ? undefined : shortageOf(attempt.file);
  if (shortage !== undefined) throw describeLoadError({ ...attempt, shortage });
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
