/** Lets only one set-up run at a time in a folder. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { endChildren } from './run.mjs';

const POLL_MILLISECONDS = 200;

/** Runs `work` while this process holds the lock; waits for another process that holds it. */
export async function withLock(folder, work) {
  await acquire(folder);
  const release = () => {
    if (readHolder(folder) === process.pid) remove(folder);
  };
  const onSignal = async (signal) => {
    await endChildren(signal);
    release();
    console.error('set-up: interrupted');
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, onSignal);
  try {
    await work();
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, onSignal);
    release();
  }
}

async function acquire(folder) {
  let hasReported = false;
  while (!tryAcquire(folder)) {
    const holder = readHolder(folder);
    if (holder !== undefined && !isAlive(holder)) {
      removeLockOf(holder, folder);
      continue;
    }
    if (!hasReported && holder !== undefined) {
      console.log(
        `set-up: another set-up (process ${holder}) is running; waiting. ` +
          `If that process is not a set-up, remove ${folder}.`,
      );
      hasReported = true;
    }
    await sleep(POLL_MILLISECONDS);
  }
}

/** Takes the lock. It contains the holder's process number from the first moment on. */
function tryAcquire(folder) {
  const candidate = `${folder}.${process.pid}`;
  mkdirSync(candidate, { recursive: true });
  writeFileSync(join(candidate, 'pid'), `${process.pid}`);
  try {
    // Fails if a folder of this name exists and is not empty.
    renameSync(candidate, folder);
    return true;
  } catch (error) {
    remove(candidate);
    if (['EEXIST', 'ENOTEMPTY', 'EPERM'].includes(error.code)) return false;
    throw error;
  }
}

/** Removes the lock of a process that has died, unless another process has taken it meanwhile. */
function removeLockOf(holder, folder) {
  const aside = `${folder}.dead.${process.pid}`;
  try {
    renameSync(folder, aside);
    if (readHolder(aside) === holder) remove(aside);
    else renameSync(aside, folder);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

function remove(folder) {
  rmSync(folder, { recursive: true, force: true });
}

function readHolder(folder) {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  // Containers use the same process numbers again, so an old lock may contain this process's own number.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
