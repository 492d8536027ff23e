/** A user's project: a copy of examples/bundlers in which the packed package is installed. */
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import target from '../../../dist/native/target.js';
import { probe, root } from '../../setup/run.mjs';

const QUIET = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];

/** What a clone has of the package, besides its binaries. */
const PACKED = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist'];

/** Runs a command. Returns what it printed; throws if it fails. */
function run(command, commandArguments, cwd) {
  const { isOk, output } = probe(command, commandArguments, { cwd });
  if (isOk) return output;
  throw new Error(
    `Expected '${command} ${commandArguments.join(' ')}' to succeed but it printed\n${output}`,
  );
}

/** Copies the examples to `folder` and installs the bundlers there. */
export function makeProject(folder) {
  cpSync(join(root, 'examples', 'bundlers'), folder, {
    recursive: true,
    filter: (source) => !/[\\/](node_modules|output|\.next)$/.test(source),
  });
  run('npm', ['ci', ...QUIET], folder);
  // bun's executable is put in its place by its install script. The other scripts are not needed.
  run('npm', ['rebuild', 'bun'], folder);
}

/**
 * Packs the project with the clone's build as the binary for this system. With `all`, files that are no
 * binaries stand for the other systems. Returns the tarball.
 */
export function pack(folder, { all }) {
  for (const name of PACKED) cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of all ? Object.keys(target.TARGETS) : [target.systemName()]) {
    const place = join(folder, 'prebuilds', name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'expsyn.node'), `In place of the binary for ${name}.\n`);
  }
  cpSync(
    join(root, 'build', 'Release', 'expsyn.node'),
    join(folder, 'prebuilds', target.systemName(), 'expsyn.node'),
  );
  run('npm', ['pack', '--ignore-scripts'], folder);
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz')),
  );
}

/** Installs the tarball in the project, in place of any other. */
export function install(project, tarball) {
  remove(project);
  run('npm', ['install', '--no-save', ...QUIET, tarball], project);
}

/** Removes the package from the project. */
export function remove(project) {
  rmSync(join(project, 'node_modules', 'expsyn'), { recursive: true, force: true });
}
