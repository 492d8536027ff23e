/** Installs the packages of package-lock.json. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { root, runVisibly } from './run.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * Installs the locked packages of a folder of the project unless exactly these are installed.
 * `further` are arguments for npm.
 */
export async function installNpmPackages({ label = 'set-up', folder = '.', further = [] } = {}) {
  if (areInstalled(folder)) return;

  // Dev dependencies are needed to build the package, even if NODE_ENV is production.
  const npmArguments = [
    'ci',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...further,
  ];
  const where = join(root, folder);
  const place = folder === '.' ? '' : ` of ${folder}`;
  console.log(`${label}: installing npm packages${place} (npm ${npmArguments.join(' ')})`);
  const npm = process.env.npm_execpath ?? '';
  // Other package managers set this variable too, but their 'ci' differs from npm's.
  const isOk =
    basename(npm) === 'npm-cli.js'
      ? await runVisibly(process.execPath, [npm, ...npmArguments], {}, where)
      : await runVisibly('npm', npmArguments, {}, where);
  if (!isOk) {
    throw new SetupError(
      `Expected the packages of package-lock.json but npm could not install them; see above, then ` +
        `run 'npm ${npmArguments.join(' ')}' in ${where}.`,
    );
  }
}

/** Compares npm's record of node_modules with the lockfile. */
function areInstalled(folder) {
  const { '': project, ...locked } = readPackages(join(folder, 'package-lock.json'));
  const installed = readPackages(join(folder, 'node_modules', '.package-lock.json'));
  return (
    project !== undefined &&
    Object.entries(locked).every(
      ([path, wanted]) =>
        isOptional(wanted, installed[path]) ||
        (isSame(wanted, installed[path]) && existsSync(join(root, folder, path))),
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
