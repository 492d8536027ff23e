/** Installs the packages of package-lock.json. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { root, runVisibly } from './run.mjs';
import { SetupError } from './setup-error.mjs';

/** Installs the locked packages unless exactly these are installed. */
export async function installNpmPackages() {
  if (areInstalled()) return;

  // Dev dependencies are needed to build the package, even if NODE_ENV is production.
  const npmArguments = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  console.log(`set-up: installing npm packages (npm ${npmArguments.join(' ')})`);
  const npm = process.env.npm_execpath ?? '';
  // Other package managers set this variable too, but their 'ci' differs from npm's.
  const isOk =
    basename(npm) === 'npm-cli.js'
      ? await runVisibly(process.execPath, [npm, ...npmArguments])
      : await runVisibly('npm', npmArguments);
  if (!isOk) {
    throw new SetupError(
      `Expected the packages of package-lock.json but npm could not install them; see above, then ` +
        `run 'npm ${npmArguments.join(' ')}' in ${root}.`,
    );
  }
}

/** Compares npm's record of node_modules with the lockfile. */
function areInstalled() {
  const { '': project, ...locked } = readPackages('package-lock.json');
  const installed = readPackages(join('node_modules', '.package-lock.json'));
  return (
    project !== undefined &&
    Object.entries(locked).every(
      ([path, wanted]) =>
        isOptional(wanted, installed[path]) ||
        (isSame(wanted, installed[path]) && existsSync(join(root, path))),
    )
  );
}

/** Whether a missing package is optional: it may be for another platform. */
function isOptional(wanted, found) {
  return found === undefined && Boolean(wanted.optional || wanted.devOptional);
}

function isSame(wanted, found) {
  return wanted.version === found?.version && wanted.integrity === found?.integrity;
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  } catch {
    return {};
  }
}
