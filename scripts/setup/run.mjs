/** Child processes of the set-up. */
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

const children = new Set();

/** Ends the commands that are running. */
export function endChildren(signal) {
  for (const child of children) child.kill(signal);
}

/** Whether a command exists and succeeds; `output` is what it printed. */
export function probe(command, commandArguments, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, commandArguments, {
    encoding: 'utf8',
    ...options,
  });
  return { isOk: status === 0, output: `${stdout ?? ''}${stderr ?? ''}` };
}

/** Runs a command that shows its output; resolves to whether it succeeded. */
export function runVisibly(command, commandArguments, environment = {}) {
  return waitFor(
    spawn(command, commandArguments, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
    }),
  );
}

/** Runs a command whose output goes to a file; resolves to whether it succeeded. */
export async function runLogged(command, commandArguments, logFile) {
  const log = createWriteStream(logFile, { flags: 'a' });
  const child = spawn(command, commandArguments, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const isOk = await waitFor(child);
  await new Promise((resolve) => log.end(resolve));
  return isOk;
}

function waitFor(child) {
  children.add(child);
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (code) => {
      children.delete(child);
      resolve(code === 0);
    });
  });
}
