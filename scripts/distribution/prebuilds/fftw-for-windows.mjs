/** Builds FFTW for Windows from Debian's source package, for tests: no registry has it built. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { root, runLogged } from '../../setup/run.mjs';
import { SetupError } from '../../setup/setup-error.mjs';

/** The folder with the libraries. */
export const FFTW_FOLDER = join(root, 'build', 'fftw-for-windows');

/** The library of each precision, and the flag that makes it. */
const LIBRARIES = { 'libfftw3-3.dll': [], 'libfftw3f-3.dll': ['--enable-float'] };

const CONFIGURATION = [
  ...['--host=x86_64-w64-mingw32', 'CC=x86_64-w64-mingw32-gcc-posix', 'CFLAGS=-O2'],
  ...['--enable-shared', '--disable-static', '--disable-fortran', '--disable-doc'],
  ...['--with-our-malloc', '--enable-sse2', 'LDFLAGS=-static-libgcc'],
];

/** Builds it once. This system's lists of packages are left alone. */
export async function buildFftwForWindows() {
  if (Object.keys(LIBRARIES).every((name) => existsSync(join(FFTW_FOLDER, name)))) return;
  console.log('test:prebuilds: building FFTW for Windows, which takes some minutes');
  const work = `${FFTW_FOLDER}.new`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'lists', 'partial'), { recursive: true });
  const run = async (folder, words) => {
    const log = join(work, 'log.txt');
    if (await runLogged('env', ['--chdir', folder, ...words], log)) return;
    throw new SetupError(`Expected '${words.join(' ')}' to succeed but it failed; see ${log}.`);
  };

  const settings = {
    'Dir::Etc::sourcelist': writeSources(work),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(work, 'lists'),
    // Its user may not write here.
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await run(work, ['apt-get', ...options, 'update']);
  await run(work, ['apt-get', ...options, 'source', '--download-only', 'fftw3']);
  const archive = readdirSync(work).find((name) => name.endsWith('.orig.tar.gz'));
  if (archive === undefined) throw new SetupError(`Expected FFTW's sources in ${work}.`);
  mkdirSync(join(work, 'source'));
  await run(work, ['tar', '-xf', archive, '-C', 'source', '--strip-components=1']);

  mkdirSync(FFTW_FOLDER, { recursive: true });
  for (const [name, flags] of Object.entries(LIBRARIES)) {
    const folder = join(work, name);
    mkdirSync(folder);
    await run(folder, [join(work, 'source', 'configure'), ...CONFIGURATION, ...flags]);
    await run(folder, ['make', `-j${availableParallelism()}`]);
    copyFileSync(join(folder, '.libs', name), join(FFTW_FOLDER, name));
  }
  rmSync(work, { recursive: true, force: true });
}

/** Where this system has its packages from, for sources in place of binaries, in either notation of apt. */
function writeSources(folder) {
  const directory = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...readdirSync(directory).map((name) => join(directory, name)),
  ].filter((path) => existsSync(path));
  const textsIn = (isOne) => files.filter(isOne).map((path) => readFileSync(path, 'utf8'));
  const isStanzas = (path) => path.endsWith('.sources');
  const stanzas = textsIn(isStanzas)
    .flatMap((text) => text.split(/\n\s*\n/))
    .filter((text) => /^URIs:.*debian/m.test(text));
  const path = join(folder, stanzas.length > 0 ? 'apt.sources' : 'apt.list');
  const lines = textsIn((file) => file.endsWith('.list')).flatMap((text) => text.split('\n'));
  const text =
    stanzas.length > 0
      ? stanzas.map((one) => one.replace(/^Types:.*$/m, 'Types: deb-src').trim()).join('\n\n')
      : lines
          .filter((line) => /^deb .*debian/.test(line))
          .map((line) => line.replace(/^deb /, 'deb-src '))
          .join('\n');
  writeFileSync(path, `${text}\n`);
  return path;
}
