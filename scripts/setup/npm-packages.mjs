/** The packages of package-lock.json. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { root, runVisibly } from './run.mjs';
import { SetupError } from './setup-error.mjs';
import { hashOf } from './stamps.mjs';

/** Installs the locked packages unless exactly these were installed last. */
export async function installNpmPackages() {
  const hash = hashOf(['package-lock.json']);
  const stamp = join(root, 'node_modules', '.expsyn-setup');
  const isInstalled = existsSync(join(root, 'node_modules', '.package-lock.json'));
  if (isInstalled && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;

  // Dev dependencies build the package, also where NODE_ENV says production.
  const npmArguments = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  console.log(`set-up: installing npm packages (npm ${npmArguments.join(' ')})`);
  const npm = process.env.npm_execpath;
  const isOk =
    npm === undefined || !npm.endsWith('.js')
      ? await runVisibly('npm', npmArguments)
      : await runVisibly(process.execPath, [npm, ...npmArguments]);
  if (!isOk) {
    throw new SetupError(
      `Expected the packages of package-lock.json but npm could not install them; see above, then ` +
        `run 'npm ${npmArguments.join(' ')}' in ${root}.`,
    );
  }
  writeFileSync(stamp, hash);
}
