/** Builds the binary of one target by CMake, checks it, and puts it where the package loads it. */
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

import { build } from '../../setup/build.mjs';
import { root } from '../../setup/run.mjs';
import { hashOf } from '../../setup/stamps.mjs';
import { folderOf } from '../tools.mjs';
import { checkBinary } from './gates.mjs';
import { TARGETS } from './targets.mjs';

export const LABEL = 'prebuilds';

/** What a binary is made of, besides the packages with the headers of Node-API. */
const SOURCES = ['native', 'cmake', 'CMakeLists.txt'];
/** What changes some binaries after they are linked. */
const FINISHING = ['targets.mjs', 'mach-exports.mjs'].map((name) =>
  join('scripts', 'distribution', 'prebuilds', name),
);
const HEADERS = [
  join(folderOf('node-api-headers'), 'package.json'),
  join(root, 'node_modules', 'node-addon-api', 'package.json'),
];

/** Where a target's binary lies, relative to the project. */
export function binaryOf(target) {
  return join('prebuilds', target, 'expsyn.node');
}

function versionOf(packageFile) {
  return JSON.parse(readFileSync(packageFile, 'utf8')).version;
}

/** Builds unless the binary is there and its sources, flags and compiler are as they were. */
export async function buildTarget(target, stamps) {
  const { toolchain, finish, file } = TARGETS[target];
  const { options, description } = toolchain();
  const folder = join('build', 'prebuilds', target);
  const built = join(folder, 'expsyn.node');
  const result = binaryOf(target);
  const isBuilt = await build(stamps, {
    label: LABEL,
    name: `${target} (${description})`,
    result,
    hash: hashOf(
      [...SOURCES, ...(finish === undefined ? [] : FINISHING)],
      [target, description, ...HEADERS.map(versionOf)],
    ),
    before: () => {
      // Of what CMake remembers, nothing tells which compiler it was.
      for (const remnant of [folder, dirname(result)]) {
        rmSync(join(root, remnant), { recursive: true, force: true });
      }
    },
    commands: [
      [
        'cmake',
        [
          ...['-S', '.', '-B', folder, '--toolchain', `cmake/${target}.cmake`],
          '-DCMAKE_BUILD_TYPE=Release',
          `-DCMAKE_JS_INC=${join(folderOf('node-api-headers'), 'include')}`,
          ...options,
        ],
      ],
      [
        'cmake',
        ['--build', folder, '--target', 'expsyn', '--parallel', String(availableParallelism())],
      ],
    ],
    after: () => {
      finish?.(join(root, built));
      checkBinary(join(root, built), target, file);
      mkdirSync(join(root, dirname(result)), { recursive: true });
      copyFileSync(join(root, built), join(root, result));
    },
  });
  // Also if it was built before: the checks may be new.
  const facts = checkBinary(join(root, result), target, file);
  console.log(`${LABEL}: ${target}: ${isBuilt ? '' : 'up to date, '}${facts}`);
}
