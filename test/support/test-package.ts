/** The package with the addon for tests, which injects faults and has further kernels. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ROOT } from './processes';

/** The addon for tests; it is built on Linux only. */
const ADDON = join(ROOT, 'build/Release/expsyn_faults.node');

/** A folder with a copy of the compiled package that loads this addon. The caller removes it. */
export function makeTestPackage(): string {
  assert.ok(existsSync(ADDON), 'npm run setup has not built expsyn_faults.node');
  // The addon is loaded from build/Release of the package's own folder.
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-tests-'));
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  mkdirSync(join(folder, 'build/Release'), { recursive: true });
  cpSync(ADDON, join(folder, 'build/Release/expsyn.node'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
