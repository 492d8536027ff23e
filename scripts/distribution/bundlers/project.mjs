/** A user's project: a copy of examples/bundlers in which the packed package is installed. */
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import target from '../../../dist/native/target.js';
import { root } from '../../setup/run.mjs';
import { run } from '../cases.mjs';

const QUIET = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];

/** What a clone has of the package, besides its binaries. */
const PACKED = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist'];

/** The package with the binary of this system alone, and with a file for every system. */
export const VARIANTS = [
  { label: 'this system', systems: [target.systemName()] },
  { label: 'all systems', systems: Object.keys(target.TARGETS) },
];

/**
 * Copies the examples and installs the bundlers there. Resolves to { folder, place, remove }: place(variant)
 * puts the package into the project, remove() takes it away.
 */
export async function makeProject(parent, label) {
  const folder = join(parent, 'project');
  cpSync(join(root, 'examples', 'bundlers'), folder, {
    recursive: true,
    filter: (source) => !/[\\/](node_modules|output|\.next)$/.test(source),
  });
  console.log(`${label}: installing the bundlers of examples/bundlers (npm ci)`);
  await run('npm', ['ci', ...QUIET], { cwd: folder });
  // bun's executable is put in its place by its install script. The other scripts are not needed.
  await run('npm', ['rebuild', 'bun'], { cwd: folder });

  console.log(`${label}: packing and installing the package`);
  const installed = join(folder, 'node_modules', 'expsyn');
  const store = ({ label }) => join(parent, label);
  for (const variant of VARIANTS) {
    const tarball = await pack(join(parent, `packed for ${variant.label}`), variant);
    await run('npm', ['install', '--no-save', ...QUIET, tarball], { cwd: folder });
    renameSync(installed, store(variant));
  }
  const remove = () => rmSync(installed, { recursive: true, force: true });
  const place = (variant) => {
    remove();
    cpSync(store(variant), installed, { recursive: true });
  };
  return { folder, place, remove };
}

/**
 * Packs the project with the clone's build as the binary for this system. Files that are no binaries stand
 * for those of other systems. Resolves to the tarball.
 */
async function pack(folder, { systems }) {
  for (const name of PACKED) cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const system of systems) {
    const place = join(folder, 'prebuilds', system);
    mkdirSync(place, { recursive: true });
    if (system === target.systemName()) {
      cpSync(join(root, 'build', 'Release', 'expsyn.node'), join(place, 'expsyn.node'));
    } else {
      writeFileSync(join(place, 'expsyn.node'), `In place of the binary for ${system}.\n`);
    }
  }
  await run('npm', ['pack', '--ignore-scripts'], { cwd: folder });
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz')),
  );
}
