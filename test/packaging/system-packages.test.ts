/** Which packages the set-up installs, by each package manager. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { temporaryFolder } from '../support/folders';
import { ROOT } from '../support/processes';

const MODULE = pathToFileURL(join(ROOT, 'scripts', 'setup', 'system-packages.mjs')).href;

/** Compiles, but finds no header. */
const COMPILER = 'case " $* " in *" -E "*) exit 1;; esac';
const CMAKE = 'echo cmake version 3.25.1';

const MANAGERS: [manager: string, command: string][] = [
  ['apt-get', 'apt-get install --yes --no-install-recommends make cmake libfftw3-dev'],
  ['dnf', 'dnf install --assumeyes make cmake fftw-devel'],
  ['apk', 'apk add --no-cache make cmake fftw-dev'],
  ['pacman', 'pacman -S --needed --noconfirm make cmake fftw'],
  ['brew', 'brew install make cmake fftw'],
];

describe("the set-up's packages", function () {
  before(function () {
    // The commands that it finds are scripts here.
    if (process.platform === 'win32') this.skip();
  });
  const folder = temporaryFolder();
  let nFolders = 0;

  /** The error of the set-up on a system that has only these commands. */
  async function errorOn(commands: Record<string, string>, requested: object): Promise<string> {
    const path = join(folder.path, `${nFolders++}`);
    mkdirSync(path);
    for (const [name, script] of Object.entries(commands)) {
      writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    const program = `
      import { requireSystemPackages } from ${JSON.stringify(MODULE)};
      const stamps = { isCurrent: () => false, record() {} };
      await requireSystemPackages(${JSON.stringify(requested)}, stamps).then(
        () => console.log('nothing is missing'),
        ({ message }) => console.log(message),
      );`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { env: { PATH: path, EXPSYN_SETUP_NO_INSTALL: '1' } },
    );
    return stdout.trim().split('\n').at(-1) ?? '';
  }

  for (const [manager, command] of MANAGERS) {
    it(`are named for ${manager}`, async () => {
      const error = await errorOn({ [manager]: '', 'c++': COMPILER }, { clone: true });
      assert.match(
        error,
        /^Expected make; CMake >= 3\.15; FFTW, double and single precision on this/,
      );
      assert.ok(error.includes(`${command}', then the same command again.`), error);
    });
  }

  it('are installed on an Arch that is up to date', async () => {
    const error = await errorOn({ pacman: '', 'c++': COMPILER }, { clone: true });
    assert.match(error, /'pacman -Syu --noconfirm && pacman -S /);
  });

  it('may be missing for a package manager', async () => {
    const found = { 'c++': '', make: '', cmake: CMAKE };
    for (const manager of ['dnf', 'pacman', 'brew']) {
      const error = await errorOn({ ...found, [manager]: '' }, { 'win32-x64': true });
      assert.equal(
        error,
        `Expected GCC for Windows, by mingw-w64 on this system but ${manager} has no package of it that ` +
          'the set-up knows; install it by hand, then the same command again.',
      );
    }
    assert.equal(await errorOn({ ...found, brew: '' }, {}), 'nothing is missing');
  });

  it("are not Homebrew's where the compiler is missing", async () => {
    const error = await errorOn({ brew: '' }, { clone: true });
    assert.match(error, /^Expected a C\+\+17 compiler .*: xcode-select --install$/);
  });
});
