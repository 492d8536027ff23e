/** What the system has to provide, how to tell, and how to install it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { probe, runVisibly } from './run.mjs';
import { SetupError } from './setup-error.mjs';

const OLDEST_CMAKE = [3, 15];

const compiler = () => process.env.CXX || 'c++';

/** Each need is judged by the tool or header itself; packages are its names per manager. */
const NEEDS = [
  {
    name: 'a C++17 compiler',
    isMet: () =>
      compiles('#include <optional>\nint main() { return std::optional<int>(0).value(); }'),
    packages: { 'apt-get': 'g++', dnf: 'gcc-c++', apk: 'g++' },
  },
  {
    name: 'make',
    isMet: () => probe('make', ['--version']).isOk,
    packages: { 'apt-get': 'make', dnf: 'make', apk: 'make', brew: 'make' },
  },
  {
    name: `CMake >= ${OLDEST_CMAKE.join('.')}`,
    isMet: hasCmake,
    packages: { 'apt-get': 'cmake', dnf: 'cmake', apk: 'cmake', brew: 'cmake' },
  },
  {
    name: 'pkg-config',
    isMet: () => probe('pkg-config', ['--version']).isOk,
    packages: {
      'apt-get': 'pkg-config',
      dnf: 'pkgconf-pkg-config',
      apk: 'pkgconf',
      brew: 'pkg-config',
    },
  },
  {
    name: 'FFTW, double and single precision',
    isMet: hasFftw,
    packages: { 'apt-get': 'libfftw3-dev', dnf: 'fftw-devel', apk: 'fftw-dev', brew: 'fftw' },
  },
  {
    name: 'doctest',
    isMet: () =>
      compiles('#define DOCTEST_CONFIG_DISABLE\n#include <doctest/doctest.h>\nint main() {}'),
    packages: {
      'apt-get': 'doctest-dev',
      dnf: 'doctest-devel',
      apk: 'doctest-dev',
      brew: 'doctest',
    },
    onlyFor: 'tests',
  },
  {
    name: 'clang-format',
    isMet: () => probe('clang-format', ['--version']).isOk,
    packages: {
      'apt-get': 'clang-format',
      dnf: 'clang-tools-extra',
      apk: 'clang-extra-tools',
      brew: 'clang-format',
    },
    onlyFor: 'lint',
  },
  {
    name: 'clang-tidy',
    isMet: () => probe('clang-tidy', ['--version']).isOk,
    packages: {
      'apt-get': 'clang-tidy',
      dnf: 'clang-tools-extra',
      apk: 'clang-extra-tools',
      brew: 'llvm',
    },
    onlyFor: 'lint',
  },
];

const INSTALL_COMMANDS = {
  'apt-get': ['apt-get', 'install', '--yes', '--no-install-recommends'],
  dnf: ['dnf', 'install', '--assumeyes'],
  apk: ['apk', 'add', '--no-cache'],
  brew: ['brew', 'install'],
};

/**
 * Installs what is missing, or throws a SetupError that names the command to run. When all that is
 * wanted was there before and the compiler is the same, nothing is compiled to find out.
 */
export async function requireSystemPackages(wanted, stamps) {
  const needs = NEEDS.filter(({ onlyFor }) => onlyFor === undefined || wanted[onlyFor]);
  const step = `system ${needs.map(({ name }) => name).join(', ')}`;
  const state = quickState();
  if (state !== undefined && stamps.isCurrent(step, state)) return;

  let missing = needs.filter(({ isMet }) => !isMet());
  if (missing.length > 0) {
    await install(missing);
    missing = missing.filter(({ isMet }) => !isMet());
    if (missing.length > 0) throw failure(missing, 'the installation did not provide it');
  }
  const after = quickState();
  if (after !== undefined) stamps.record(step, after);
}

/** What tells cheaply that compiler, CMake and FFTW are there and the same; undefined without. */
function quickState() {
  const versions = [
    probe(compiler(), ['--version']),
    probe('cmake', ['--version']),
    probe('pkg-config', ['--modversion', 'fftw3', 'fftw3f']),
  ];
  return versions.every(({ isOk }) => isOk)
    ? versions.map(({ output }) => output).join('')
    : undefined;
}

async function install(missing) {
  const names = missing.map(({ name }) => name).join('; ');
  console.log(`set-up: the system lacks ${names}`);
  const manager = findManager();
  if (manager === undefined) throw failure(missing, 'no known package manager was found');
  if (manager === 'brew' && missing.some(({ packages }) => packages.brew === undefined)) {
    throw new SetupError(
      'Expected a C++17 compiler but found none; run this and then the same command again: ' +
        'xcode-select --install',
    );
  }
  if (process.env.EXPSYN_SETUP_NO_INSTALL === '1') {
    throw failure(missing, 'EXPSYN_SETUP_NO_INSTALL forbids to install it');
  }
  const prefix = privilegePrefix(manager);
  if (prefix === undefined) throw failure(missing, 'installing it needs root, and sudo a password');

  const command = [...prefix, ...installCommand(manager, missing)];
  const environment = { DEBIAN_FRONTEND: 'noninteractive', HOMEBREW_NO_AUTO_UPDATE: '1' };
  if (manager === 'apt-get') {
    // Package lists may be missing or name versions that the archive no longer has.
    const update = [...prefix, 'apt-get', 'update'];
    console.log(`set-up: running ${update.join(' ')}`);
    await runVisibly(update[0], [...update.slice(1), '--quiet'], environment);
  }
  console.log(`set-up: running ${command.join(' ')}`);
  const isOk = await runVisibly(command[0], command.slice(1), environment);
  if (!isOk) throw failure(missing, `'${command.join(' ')}' failed`);
}

/** The first known package manager of this system. */
function findManager() {
  return Object.keys(INSTALL_COMMANDS).find((name) => probe(name, ['--version']).isOk);
}

function installCommand(manager, missing) {
  const packages = new Set(missing.map(({ packages }) => packages[manager]).filter(Boolean));
  return [...INSTALL_COMMANDS[manager], ...packages];
}

/** What makes a command run as root without a password; undefined where nothing does. */
function privilegePrefix(manager) {
  if (manager === 'brew' || process.getuid?.() === 0) return [];
  return probe('sudo', ['-n', 'true']).isOk ? ['sudo', '-n'] : undefined;
}

/** One message: what is missing, why it could not be installed, and the command that does. */
function failure(missing, reason) {
  const names = missing.map(({ name }) => name).join('; ');
  const manager = findManager();
  const advice =
    manager === undefined
      ? 'install a C++17 compiler, make, CMake, pkg-config and FFTW (double and single precision) by hand'
      : `run '${manager === 'brew' ? '' : 'sudo '}${installCommand(manager, missing).join(' ')}'`;
  return new SetupError(
    `Expected ${names} on this system but ${reason}; ${advice}, then the same command again.`,
  );
}

function hasCmake() {
  const { isOk, output } = probe('cmake', ['--version']);
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(output) ?? [];
  const [oldestMajor, oldestMinor] = OLDEST_CMAKE;
  return (
    isOk &&
    (Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor))
  );
}

function hasFftw() {
  const { isOk, output } = probe('pkg-config', ['--cflags', '--libs', 'fftw3', 'fftw3f']);
  const flags = output.trim().split(/\s+/).filter(Boolean);
  const program = '#include <fftw3.h>\nint main() { fftw_cleanup(); fftwf_cleanup(); }';
  return isOk && compiles(program, flags);
}

/** Whether a program compiles and links. */
function compiles(program, flags = []) {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-setup-'));
  try {
    const source = join(folder, 'probe.cc');
    writeFileSync(source, program);
    return probe(compiler(), ['-std=c++17', source, '-o', join(folder, 'probe'), ...flags]).isOk;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
