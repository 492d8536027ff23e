/** Builds the addon, the tests of its core, the benchmark's native peers, and the TypeScript. */
import { chmodSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { build } from './build.mjs';
import { root } from './run.mjs';
import { hashOf } from './stamps.mjs';

const jobs = String(availableParallelism());

/** If one of these changes, native code is built again although its files are the same. */
const platform = [process.platform, process.arch, process.env.CXX ?? '', process.env.CC ?? ''];

export function buildAddon(stamps, toolchain) {
  return buildByCmake(stamps, toolchain, 'build', {
    name: 'the native addon',
    result: 'build/Release/expsyn.node',
    hash: hashOf(['native', 'CMakeLists.txt', 'package-lock.json'], platform),
    commands: [
      // Not 'compile', which removes build/ and the log in it if a source does not compile.
      [process.execPath, ['node_modules/cmake-js/bin/cmake-js', 'build', '--parallel', jobs]],
    ],
  });
}

/** Builds a second addon for tests, in which allocations and thread starts can be made to fail. */
export function buildFaults(stamps, toolchain) {
  if (process.platform !== 'linux') return false;
  return buildByCmake(stamps, toolchain, 'build', {
    name: 'the native addon with fault injection',
    result: 'build/Release/expsyn_faults.node',
    hash: hashOf(
      [
        'native',
        'test/native/faults',
        'test/native/kernels',
        'CMakeLists.txt',
        'package-lock.json',
      ],
      platform,
    ),
    commands: [
      [
        'cmake',
        [
          '--build',
          'build',
          '--config',
          'Release',
          '--target',
          'expsyn_faults',
          '--parallel',
          jobs,
        ],
      ],
    ],
  });
}

export function buildCoreTests(stamps, toolchain) {
  const folder = 'build/core-tests';
  const options = ['-DEXPSYN_ADDON=OFF', '-DEXPSYN_CORE_TESTS=ON', '-DCMAKE_BUILD_TYPE=Release'];
  return buildByCmake(stamps, toolchain, folder, {
    name: 'the tests of the native core',
    result: `${folder}/expsyn_core_tests`,
    hash: hashOf(['native', 'test/native', 'CMakeLists.txt'], platform),
    commands: [
      ['cmake', ['-S', '.', '-B', folder, ...options]],
      ['cmake', ['--build', folder, '--parallel', jobs]],
    ],
  });
}

export function buildBenchPeers(stamps, toolchain) {
  const folder = 'build/bench';
  const options = ['--out', folder, '--CDEXPSYN_ADDON=OFF', '--CDEXPSYN_BENCH=ON'];
  return buildByCmake(stamps, toolchain, folder, {
    name: 'the native peers of the benchmark',
    result: `${folder}/Release/expsyn_bench.node`,
    hash: hashOf(['native', 'bench/peers', 'CMakeLists.txt', 'package-lock.json'], platform),
    commands: [
      [
        process.execPath,
        ['node_modules/cmake-js/bin/cmake-js', 'build', ...options, '--parallel', jobs],
      ],
    ],
  });
}

export function buildTypeScript(stamps) {
  return build(stamps, {
    name: 'the TypeScript',
    result: 'dist/index.js',
    hash: hashOf(['lib', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']),
    before: () => rmSync(join(root, 'dist'), { recursive: true, force: true }),
    commands: [
      [process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']],
    ],
    // npx executes the file itself if it runs in a clone.
    after: () => chmodSync(join(root, 'dist/cli/main.js'), 0o755),
  });
}

/** CMake remembers the paths and the compiler of its first run, so its memory is removed if they change. */
async function buildByCmake(stamps, toolchain, folder, target) {
  const step = `${folder} configuration`;
  const configuration = hashOf([], [root, toolchain, ...platform]);
  const before = () => {
    if (stamps.isCurrent(step, configuration)) return;
    stamps.forget(step);
    for (const remnant of ['CMakeCache.txt', 'CMakeFiles']) {
      rmSync(join(root, folder, remnant), { recursive: true, force: true });
    }
  };
  if (await build(stamps, { ...target, before })) stamps.record(step, configuration);
}
