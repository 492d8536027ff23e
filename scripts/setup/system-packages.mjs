/** What the system must provide, how to find it, and how to install it. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { probe, runVisibly } from './run.mjs';
import { SetupError } from './setup-error.mjs';

const OLDEST_CMAKE = [3, 15];

/** The compiler and its first arguments, since CXX may be 'ccache g++'. */
const [compiler, ...compilerArguments] = (process.env.CXX || 'c++').trim().split(/\s+/);

const COMPILER = 'a C++17 compiler';

/**
 * What is needed. find() is fast and returns what it has found, or undefined. prove() is slow and returns
 * whether that works. `packages` has the name of its package for each package manager that has one.
 */
const NEEDS = [
  {
    name: COMPILER,
    find: () => outputOf(compiler, [...compilerArguments, '--version']),
    prove: () =>
      compiles('#include <optional>\nint main() { return std::optional<int>(0).value(); }'),
    packages: { 'apt-get': 'g++', dnf: 'gcc-c++', apk: 'g++', pacman: 'gcc' },
  },
  {
    name: 'make',
    find: () => outputOf('make', ['--version']),
    packages: { 'apt-get': 'make', dnf: 'make', apk: 'make', pacman: 'make', brew: 'make' },
  },
  {
    name: `CMake >= ${OLDEST_CMAKE.join('.')}`,
    find: findCmake,
    packages: { 'apt-get': 'cmake', dnf: 'cmake', apk: 'cmake', pacman: 'cmake', brew: 'cmake' },
  },
  {
    // The addon loads FFTW when it needs it. Its header is for the tests and the benchmark, which link it.
    name: 'FFTW, double and single precision',
    find: () => findHeader('fftw3.h'),
    prove: linksFftw,
    packages: {
      'apt-get': 'libfftw3-dev',
      dnf: 'fftw-devel',
      apk: 'fftw-dev',
      pacman: 'fftw',
      brew: 'fftw',
    },
    onlyFor: 'clone',
  },
  {
    name: 'doctest',
    find: () => findHeader('doctest/doctest.h'),
    packages: {
      'apt-get': 'doctest-dev',
      dnf: 'doctest-devel',
      apk: 'doctest-dev',
      pacman: 'doctest',
      brew: 'doctest',
    },
    onlyFor: 'tests',
  },
  {
    name: 'Chromium, for the page of the example server',
    find: findChromium,
    packages: {
      'apt-get': 'chromium',
      dnf: 'chromium',
      apk: 'chromium',
      pacman: 'chromium',
      brew: 'chromium',
    },
    onlyFor: 'tests',
  },
  ...['numpy', 'numcodecs', 'zarr', 'h5py'].map((name) => ({
    name: `Python's ${name}, which reads and writes the same files`,
    find: () => findPythonModule(name),
    packages: {
      'apt-get': `python3-${name}`,
      dnf: `python3-${name}`,
      apk: `py3-${name}`,
      pacman: { numpy: 'python-numpy', h5py: 'python-h5py' }[name],
      brew: { numpy: 'numpy' }[name],
    },
    onlyFor: 'tests',
  })),
  {
    name: 'Redis, for the tests of the queue',
    find: () => outputOf('redis-server', ['--version']),
    packages: {
      'apt-get': 'redis-server',
      dnf: 'redis',
      apk: 'redis',
      pacman: 'valkey',
      brew: 'redis',
    },
    onlyFor: 'tests',
  },
  {
    name: 'Emscripten, which compiles to WebAssembly',
    find: () => outputOf('em++', ['--version']),
    packages: {
      'apt-get': 'emscripten',
      dnf: 'emscripten',
      apk: 'emscripten',
      pacman: 'emscripten',
      brew: 'emscripten',
    },
    onlyFor: 'wasm',
  },
  {
    name: 'clang-format',
    find: () => outputOf('clang-format', ['--version']),
    packages: {
      'apt-get': 'clang-format',
      dnf: 'clang-tools-extra',
      apk: 'clang-extra-tools',
      pacman: 'clang',
      brew: 'clang-format',
    },
    onlyFor: 'lint',
  },
  {
    name: 'clang-tidy',
    find: () => outputOf('clang-tidy', ['--version']),
    packages: {
      'apt-get': 'clang-tidy',
      dnf: 'clang-tools-extra',
      apk: 'clang-extra-tools',
      pacman: 'clang',
      brew: 'llvm',
    },
    onlyFor: 'lint',
  },
  {
    name: 'llvm-objdump, which reads the binaries of all systems',
    find: () => outputOf('llvm-objdump', ['--version']),
    packages: { 'apt-get': 'llvm', dnf: 'llvm', apk: 'llvm', pacman: 'llvm', brew: 'llvm' },
    onlyFor: 'prebuilds',
  },
  {
    name: 'GCC for Windows, by mingw-w64',
    find: () => outputOf('x86_64-w64-mingw32-g++-posix', ['--version']),
    packages: { 'apt-get': 'g++-mingw-w64-x86-64-posix' },
    onlyFor: 'win32-x64',
  },
  {
    name: "musl's loader, which runs programs for Alpine",
    find: () => (existsSync('/lib/ld-musl-x86_64.so.1') ? 'musl' : undefined),
    packages: { 'apt-get': 'musl' },
    onlyFor: 'musl',
  },
  {
    name: 'qemu, which runs programs for ARM',
    find: () => outputOf('qemu-aarch64-static', ['--version']),
    packages: { 'apt-get': 'qemu-user-static' },
    onlyFor: 'qemu',
  },
  {
    name: 'Wine, which runs programs for Windows',
    find: () => (existsSync('/usr/lib/wine/wine64') ? 'wine64' : undefined),
    packages: { 'apt-get': 'wine64' },
    onlyFor: 'wine',
  },
];

const INSTALL_COMMANDS = {
  'apt-get': ['apt-get', 'install', '--yes', '--no-install-recommends'],
  dnf: ['dnf', 'install', '--assumeyes'],
  apk: ['apk', 'add', '--no-cache'],
  pacman: ['pacman', '-S', '--needed', '--noconfirm'],
  brew: ['brew', 'install'],
};

/** The version of the first of these browsers that is installed. */
function findChromium() {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const version = outputOf(name, ['--version']);
    if (version !== undefined) return version;
  }
  return undefined;
}

/** The version of a module of the system's Python, which the tests use too (test/support/python.ts). */
function findPythonModule(name) {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  return outputOf(python, ['-c', `import ${name}; print('${name}', ${name}.__version__)`]);
}

/**
 * Package managers that install from lists which another command fetches: where the lists are, and that
 * command. Arch does not support new packages on a system that is not up to date.
 */
const PACKAGE_LISTS = {
  'apt-get': { folder: '/var/lib/apt/lists', name: '_Packages', update: ['apt-get', 'update'] },
  pacman: {
    folder: '/var/lib/pacman/sync',
    name: '.db',
    update: ['pacman', '-Syu', '--noconfirm'],
  },
};

/**
 * Installs what is missing, or throws a SetupError that names the command to run. Returns a description of
 * the compiler, CMake and FFTW that were found. If it is the same as before, they are not tried out again.
 */
export async function requireSystemPackages(requested, stamps) {
  searchFoldersOfHomebrew();
  const needs = NEEDS.filter(({ onlyFor }) => onlyFor === undefined || requested[onlyFor]);
  let missing = findMissing(needs, stamps);
  if (missing.length > 0) {
    requireChosenCompiler(missing);
    await install(missing);
    missing = findMissing(needs, stamps);
    if (missing.length > 0) throw failure(missing, 'the installation did not provide it');
  }
  return needs
    .filter(({ onlyFor }) => onlyFor === undefined || onlyFor === 'clone')
    .map(({ find }) => find())
    .join('');
}

/** Returns the needs that are not met. If all are met, records it. */
function findMissing(needs, stamps) {
  const step = `system ${needs.map(({ name }) => name).join(', ')}`;
  const found = needs.map(({ find }) => find());
  const description = found.join('');
  if (!found.includes(undefined) && stamps.isCurrent(step, description)) return [];
  const missing = needs.filter(
    ({ prove = () => true }, index) => found[index] === undefined || !prove(),
  );
  if (missing.length === 0) stamps.record(step, description);
  return missing;
}

/** If the caller has chosen a compiler that does not work, no package can help. */
function requireChosenCompiler(missing) {
  if (!process.env.CXX || !missing.some(({ name }) => name === COMPILER)) return;
  throw new SetupError(
    `Expected CXX to name a compiler that builds C++17 programs but '${process.env.CXX}' does not; ` +
      'change CXX or unset it.',
  );
}

/** Clang on Apple silicon does not search Homebrew's folders. */
function searchFoldersOfHomebrew() {
  if (process.platform !== 'darwin') return;
  for (const [variable, folder] of [
    ['CPLUS_INCLUDE_PATH', '/opt/homebrew/include'],
    ['LIBRARY_PATH', '/opt/homebrew/lib'],
  ]) {
    if (!existsSync(folder)) continue;
    const others = process.env[variable];
    process.env[variable] = others ? `${others}:${folder}` : folder;
  }
}

async function install(missing) {
  const names = missing.map(({ name }) => name).join('; ');
  console.log(`set-up: the system lacks ${names}`);
  const manager = findManager();
  if (manager === undefined) throw failure(missing, 'no known package manager was found');
  if (manager === 'brew' && missing.some(({ name }) => name === COMPILER)) {
    throw new SetupError(
      'Expected a C++17 compiler but found none; run this and then the same command again: ' +
        'xcode-select --install',
    );
  }
  if (packagesOf(manager, missing).length === 0) {
    throw failure(missing, `${manager} has no package of it that the set-up knows`);
  }
  if (process.env.EXPSYN_SETUP_NO_INSTALL === '1') {
    throw failure(missing, 'EXPSYN_SETUP_NO_INSTALL forbids installing it');
  }
  const prefix = privilegePrefix(manager);
  if (prefix === undefined) throw failure(missing, 'only root may install it');

  const hasLists = hasPackageLists(manager);
  if (!(await runCommands(commandsOf(manager, missing, prefix, !hasLists)))) {
    // Old package lists may name versions that the archive does not have any more.
    const isOk =
      manager === 'apt-get' &&
      hasLists &&
      (await runCommands(commandsOf(manager, missing, prefix, true)));
    if (!isOk) throw failure(missing, 'the installation failed, see above');
  }
}

/** The packages that provide what is missing, as far as the package manager has them. */
function packagesOf(manager, missing) {
  return [...new Set(missing.map(({ packages }) => packages[manager]).filter(Boolean))];
}

/** The commands that install packages. With `isUpdating`, new package lists are fetched first. */
function commandsOf(manager, missing, prefix, isUpdating = true) {
  const install = [...INSTALL_COMMANDS[manager], ...packagesOf(manager, missing)];
  const update = isUpdating ? PACKAGE_LISTS[manager]?.update : undefined;
  return [...(update === undefined ? [] : [update]), install].map((command) => [
    ...prefix,
    ...command,
  ]);
}

/** Runs commands one after the other. Resolves to whether the last one succeeded. */
async function runCommands(commands) {
  const environment = { DEBIAN_FRONTEND: 'noninteractive', HOMEBREW_NO_AUTO_UPDATE: '1' };
  let isOk = true;
  for (const command of commands) {
    console.log(`set-up: running ${command.join(' ')}`);
    isOk = await runVisibly(command[0], command.slice(1), environment);
  }
  return isOk;
}

/** Whether a package manager has the lists that it needs, or needs none. */
function hasPackageLists(manager) {
  const lists = PACKAGE_LISTS[manager];
  if (lists === undefined || !existsSync(lists.folder)) return true;
  return readdirSync(lists.folder).some((file) => file.includes(lists.name));
}

/** The first known package manager of this system. */
function findManager() {
  return Object.keys(INSTALL_COMMANDS).find((name) => probe(name, ['--version']).isOk);
}

function isRoot() {
  return process.getuid?.() === 0;
}

/** The words that make a command run as root without a password; undefined if there is no way. */
function privilegePrefix(manager) {
  if (manager === 'brew' || isRoot()) return [];
  if (!probe('sudo', ['-n', 'true']).isOk) return undefined;
  // sudo drops variables, so the one that prevents questions is a part of the command.
  return ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive'];
}

/** Says what is missing, why it could not be installed, and which command installs it. */
function failure(missing, reason) {
  const names = missing.map(({ name }) => name).join('; ');
  return new SetupError(
    `Expected ${names} on this system but ${reason}; ${advice(missing)}, then the same command ` +
      'again.',
  );
}

function advice(missing) {
  const manager = findManager();
  if (manager === undefined || packagesOf(manager, missing).length === 0) {
    return 'install it by hand';
  }
  const isPlain = manager === 'brew' || isRoot();
  const hasSudo = probe('sudo', ['--version']).isOk;
  const prefix = !isPlain && hasSudo ? ['sudo'] : [];
  const command = commandsOf(manager, missing, prefix)
    .map((words) => words.join(' '))
    .join(' && ');
  return `run${isPlain || hasSudo ? '' : ' as root'} '${command}'`;
}

function findCmake() {
  const output = outputOf('cmake', ['--version']);
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(output ?? '') ?? [];
  const [oldestMajor, oldestMinor] = OLDEST_CMAKE;
  const isNewEnough =
    Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor);
  return isNewEnough ? output : undefined;
}

function findHeader(header) {
  const source = `#if !__has_include(<${header}>)\n#error missing\n#endif\n`;
  const preprocess = [...compilerArguments, '-std=c++17', '-E', '-x', 'c++', '-'];
  return probe(compiler, preprocess, { input: source }).isOk ? header : undefined;
}

function linksFftw() {
  const program = '#include <fftw3.h>\nint main() { fftw_cleanup(); fftwf_cleanup(); }';
  return compiles(program, ['-lfftw3', '-lfftw3f']);
}

/** Whether a program compiles and links. */
function compiles(program, flags = []) {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-setup-'));
  try {
    const source = join(folder, 'probe.cc');
    writeFileSync(source, program);
    const result = ['-o', join(folder, 'probe')];
    return probe(compiler, [...compilerArguments, '-std=c++17', source, ...result, ...flags]).isOk;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a command printed; undefined if it is missing or fails. */
function outputOf(command, commandArguments) {
  const { isOk, output } = probe(command, commandArguments);
  return isOk ? output : undefined;
}
