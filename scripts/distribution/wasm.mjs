/**
 * Builds expsyn/wasm into prebuilds/wasm: the module by CMake and Emscripten, and the scripts that start it by
 * esbuild.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

import { LABEL } from './prebuilds/build.mjs';
import { packedBytes } from './prebuilds/gates.mjs';
import { build } from '../setup/build.mjs';
import { root } from '../setup/run.mjs';
import { hashOf } from '../setup/stamps.mjs';

const TARGET = join(root, 'prebuilds', 'wasm');
const SOURCES = join(root, 'lib', 'wasm');
const OWN_FILE = 'scripts/distribution/wasm.mjs';

/** Imports of Node's modules lead to lib/wasm/node/, and the addon to the module. */
const forBrowsers = {
  name: 'for-browsers',
  setup({ onResolve }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({
      path: join(SOURCES, 'node', `${path.slice('node:'.length)}.ts`),
    }));
    onResolve({ filter: /^\.\/addon\.cjs$/ }, () => ({ path: join(SOURCES, 'addon.cts') }));
  },
};

/** What both scripts have in common. Messages show the names of classes, so `name` stays what it was. */
const COMMON = {
  absWorkingDir: root,
  bundle: true,
  target: 'es2022',
  minifySyntax: true,
  minifyWhitespace: true,
  minifyIdentifiers: true,
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/** Builds it unless it is current. Needs the packages of the system and of npm. */
export async function buildWasm(stamps) {
  const folder = join('build', 'wasm');
  const result = join('prebuilds', 'wasm', 'expsyn.wasm');
  const toolchain = ['--toolchain', 'cmake/wasm.cmake', '-DCMAKE_BUILD_TYPE=Release'];
  const jobs = String(availableParallelism());
  await build(stamps, {
    label: LABEL,
    name: 'wasm',
    result,
    hash: hashOf(['native', 'lib', 'cmake', 'CMakeLists.txt', 'package-lock.json', OWN_FILE]),
    before: () => rmSync(TARGET, { recursive: true, force: true }),
    commands: [
      ['cmake', ['-S', '.', '-B', folder, ...toolchain]],
      ['cmake', ['--build', folder, '--target', 'expsyn_wasm', '--parallel', jobs]],
    ],
    after: async () => {
      mkdirSync(TARGET, { recursive: true });
      await bundle();
      writeFileSync(join(TARGET, 'index.d.mts'), "export * from '../../dist/index.js';\n");
      writeFileSync(join(TARGET, 'LICENSES.txt'), licences());
      copyFileSync(join(root, folder, 'expsyn.wasm'), join(root, result));
    },
  });
  console.log(`${LABEL}: wasm: ${(wasmBytes() / 1000).toFixed(0)} kB packed`);
}

/** Bytes of its files when they are compressed; 0 if it has not been built. */
export function wasmBytes() {
  if (!existsSync(TARGET)) return 0;
  return readdirSync(TARGET).reduce((sum, name) => sum + packedBytes(join(TARGET, name)), 0);
}

async function bundle() {
  // Not before npm's packages are installed.
  const { build: bundleFiles } = await import('esbuild');
  await bundleFiles({
    ...COMMON,
    entryPoints: [join(SOURCES, 'index.mts')],
    outfile: join(TARGET, 'index.mjs'),
    format: 'esm',
    platform: 'browser',
    // Browsers have no limit for a process, and their module has one of its own.
    define: {
      'process.constrainedMemory': 'undefined',
      'process.emitWarning': 'console.warn',
      'process.env': '{}',
      'process.platform': '"wasm"',
    },
    plugins: [forBrowsers],
  });
  await bundleFiles({
    ...COMMON,
    entryPoints: [join(SOURCES, 'node-addon.cts')],
    outfile: join(TARGET, 'addon.cjs'),
    format: 'cjs',
    platform: 'node',
  });
}

/** The texts that the licences of what is bundled ask for. */
function licences() {
  const require = createRequire(join(root, 'package.json'));
  const text = (name) =>
    readFileSync(join(dirname(require.resolve(`${name}/package.json`)), 'LICENSE'), 'utf8').trim();
  return `expsyn.wasm and the scripts beside it contain these works.

emnapi (https://github.com/toyobayashi/emnapi):

${text('emnapi')}

Emscripten's libraries, among them musl (Copyright 2005-2020 Rich Felker, et al.) and the C++ libraries of LLVM,
under the same licence, the MIT licence, and under the Apache License 2.0 with LLVM exceptions.
`;
}
