/** Runs the set-up's child processes. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The time that a build has to end after a signal. */
const GRACE_MILLISECONDS = 5000;

/** The children that run: for each, a function that sends it a signal, and a promise of its end. */
const running = new Map();
let isEnding = false;

/** Ends the commands that run. Resolves when they have ended. */
export async function endChildren(signal) {
  isEnding = true;
  const timers = [];
  for (const { send, isGroup } of running.values()) {
    send(signal);
    // Package managers, which run without a group, get all the time that they need.
    if (isGroup) timers.push(setTimeout(() => send('SIGKILL'), GRACE_MILLISECONDS));
  }
  await Promise.all([...running.values()].map(({ ended }) => ended));
  timers.forEach(clearTimeout);
}

/** Whether a command exists and succeeds; `output` is what it printed. */
export function probe(command, commandArguments, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, commandArguments, {
    encoding: 'utf8',
    ...options,
  });
  return { isOk: status === 0, output: `${stdout ?? ''}${stderr ?? ''}` };
}

/** Runs a command in a folder and shows its output. Resolves to whether it succeeded. */
export function runVisibly(command, commandArguments, environment = {}, folder = root) {
  return waitFor(
    spawn(command, commandArguments, {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
    }),
  );
}

/** Runs a command and appends its output to a file. Resolves to whether it succeeded. */
export async function runLogged(command, commandArguments, logFile) {
  const log = openSync(logFile, 'a');
  try {
    // A build starts further processes. In a group of their own, they end together.
    const options = { cwd: root, stdio: ['ignore', log, log], detached: true };
    return await waitFor(spawn(command, commandArguments, options), true);
  } finally {
    closeSync(log);
  }
}

function waitFor(child, isGroup = false) {
  return new Promise((resolve) => {
    const ended = new Promise((end) => {
      const finish = (isOk) => {
        running.delete(child);
        end();
        // While the set-up is being ended, the step after this command must not run or report an error.
        if (!isEnding) resolve(isOk);
      };
      child.on('error', () => {
        if (child.pid === undefined) finish(false);
      });
      child.on('close', (code) => finish(code === 0));
    });
    const send = (signal) => {
      try {
        if (isGroup) process.kill(-child.pid, signal);
        else child.kill(signal);
      } catch {
        // It has ended already.
      }
    };
    if (child.pid !== undefined) running.set(child, { send, isGroup, ended });
  });
}
