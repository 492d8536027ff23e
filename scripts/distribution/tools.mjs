/** The programs from npm that only the scripts of this folder need. */
import { join } from 'node:path';

import { installNpmPackages } from '../setup/npm-packages.mjs';
import { root } from '../setup/run.mjs';

const FOLDER = join('scripts', 'distribution');

/** The folder of an installed package, absolute. */
export function folderOf(name) {
  return join(root, FOLDER, 'node_modules', name);
}

/** Installs what package-lock.json beside this file lists, unless it is installed. */
export async function installReleaseTools(label) {
  // npm refuses packages of other systems, such as Node for another processor, without --force.
  await installNpmPackages({ label, folder: FOLDER, further: ['--force'] });
}
