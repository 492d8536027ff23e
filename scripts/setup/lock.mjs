/** One set-up at a time in a folder. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { endChildren } from './run.mjs';

const POLL_MILLISECONDS = 200;

/** Runs `work` while this process holds the lock; waits for another process that holds it. */
export async function withLock(folder, work) {
  await acquire(folder);
  const release = () => rmSync(folder, { recursive: true, force: true });
  const onSignal = (signal) => {
    endChildren(signal);
    release();
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal);
  try {
    await work();
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, onSignal);
    release();
  }
}

async function acquire(folder) {
  let hasSaidSo = false;
  for (;;) {
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'pid'), `${process.pid}`);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = readHolder(folder);
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(folder, { recursive: true, force: true });
      continue;
    }
    if (!hasSaidSo) {
      console.log(`set-up: another set-up (process ${holder ?? 'unknown'}) is running; waiting`);
      hasSaidSo = true;
    }
    await sleep(POLL_MILLISECONDS);
    // A holder writes its number at once, so one without any died in between.
    if (holder === undefined && readHolder(folder) === undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
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
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
