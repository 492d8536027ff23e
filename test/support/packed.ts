/** The package as users get it: packed, with this machine's build as its binary, and installed. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, relative } from 'node:path';

import { isTarget, systemName } from '../../lib/native/target';
import { ROOT, runProgram, type Ended } from './processes';

/** Names at the top of a clone that are not copied, because they are large or made by other programs. */
const NOT_COPIED = ['.git', 'build', 'output', 'prebuilds'];

/** Runs npm with Node and npm alone on the PATH: no shell, no compiler, no CMake. */
export function runNpm(folder: string, npmArguments: readonly string[]): Promise<Ended> {
  return runProgram('npm', npmArguments, {
    cwd: folder,
    env: { PATH: barePath() },
    hangMs: 120_000,
  });
}

let bare: string | undefined;

/** A PATH of one folder, which holds node and npm alone. It stays until the process ends. */
export function barePath(): string {
  if (bare !== undefined) return bare;
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-path-'));
  symlinkSync(process.execPath, join(folder, 'node'));
  symlinkSync(findNpm(), join(folder, 'npm'));
  bare = folder;
  return folder;
}

function findNpm(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.map((folder) => join(folder, 'npm')).find((file) => existsSync(file));
  assert.ok(found !== undefined, 'npm is not on the PATH.');
  return realpathSync(found);
}

/**
 * Packs a copy of the project in `folder`. The release binary of this machine is the clone's build, so
 * that no other compiler is needed. Resolves to the copy, the tarball and the paths in it.
 */
export async function packProject(
  folder: string,
): Promise<{ copy: string; file: string; files: string[] }> {
  const copy = join(folder, 'project');
  cpSync(ROOT, copy, {
    recursive: true,
    filter: (source) => {
      const name = relative(ROOT, source);
      const isLock = name.startsWith('.setup.lock');
      return !isLock && basename(name) !== 'node_modules' && !NOT_COPIED.includes(name);
    },
  });
  const system = systemName();
  assert.ok(isTarget(system), `The package has no binary for ${system}.`);
  for (const place of ['build/Release', `prebuilds/${system}`]) {
    mkdirSync(join(copy, place), { recursive: true });
    cpSync(join(ROOT, 'build/Release/expsyn.node'), join(copy, place, 'expsyn.node'));
  }
  const strip = ['scripts/distribution/manifest.mjs', 'strip'];
  const stripped = await runProgram(process.execPath, strip, { cwd: copy });
  assert.equal(stripped.code, 0, stripped.errors);
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { code, output, errors } = await runNpm(copy, pack);
  assert.equal(code, 0, errors);
  const [report] = JSON.parse(output) as { filename: string; files: { path: string }[] }[];
  assert.ok(report !== undefined);
  const files = report.files.map((entry) => entry.path);
  return { copy, file: join(folder, report.filename), files };
}

/**
 * Installs a tarball in a project of its own, a folder in `folder`. Resolves to this project. `isByNpm` is
 * false if the registry cannot be reached and npm's cache lacks a dependency: then the tarball is unpacked,
 * and the dependencies are copied from this project.
 */
export async function installPackage(
  folder: string,
  tarball: string,
): Promise<{ project: string; isByNpm: boolean }> {
  const project = join(folder, 'user');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const install = ['install', '--no-audit', '--no-fund', '--fetch-retries=0', tarball];
  for (const source of ['--offline', '--prefer-offline']) {
    const { code } = await runNpm(project, [...install, source]);
    if (code === 0) return { project, isByNpm: true };
  }
  console.log('      npm cannot reach its registry: the tarball is unpacked without npm.');
  const target = join(project, 'node_modules', 'expsyn');
  mkdirSync(target, { recursive: true });
  const untar = ['-xzf', tarball, '-C', target, '--strip-components=1'];
  assert.equal((await runProgram('tar', untar)).code, 0);
  cpSync(join(ROOT, 'node_modules'), join(target, 'node_modules'), {
    recursive: true,
    filter: (source) => isInDependencies(relative(join(ROOT, 'node_modules'), source)),
  });
  return { project, isByNpm: false };
}

/** The packages that the package needs at run time, and those that they need. */
const DEPENDENCIES = [
  'ansi-regex',
  'cli-progress',
  'commander',
  'emoji-regex',
  'is-fullwidth-code-point',
  'string-width',
  'strip-ansi',
];

function isInDependencies(path: string): boolean {
  return path === '' || DEPENDENCIES.includes(path.split(/[\\/]/)[0] ?? '');
}
