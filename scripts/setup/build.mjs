/** One step that builds a file, if it is missing or its sources have changed. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { root, runLogged } from './run.mjs';
import { SetupError } from './setup-error.mjs';

/** Lines of a build's output that are shown when it fails. */
const SHOWN_LINES = 40;

/**
 * Builds unless the result exists and is current. Resolves to whether it built. `before` and `after` run
 * around the commands; if `after` throws, the step counts as not done. `label` begins each printed line.
 */
export async function build(
  stamps,
  { label = 'set-up', name, result, hash, before, commands, after },
) {
  if (existsSync(join(root, result)) && stamps.isCurrent(result, hash)) return false;
  const start = performance.now();
  console.log(`${label}: building ${name}`);
  stamps.forget(result);
  before?.();
  mkdirSync(join(root, 'build'), { recursive: true });
  const log = join(root, 'build', `setup-${result.replaceAll('/', '-')}.log`);
  rmSync(log, { force: true });
  for (const [command, commandArguments] of commands) {
    if (await runLogged(command, commandArguments, log)) continue;
    console.error(readFileSync(log, 'utf8').trimEnd().split('\n').slice(-SHOWN_LINES).join('\n'));
    throw new SetupError(
      `Expected ${name} to build but '${command} ${commandArguments.join(' ')}' failed; the end of ` +
        `its output is above, all of it is in ${log}.`,
    );
  }
  await after?.();
  stamps.record(result, hash);
  console.log(`${label}: built ${name} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return true;
}
