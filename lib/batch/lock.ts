/** Keeps two processes from running the same run. */
import { readFileSync } from 'node:fs';
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { CommandError, fileError } from '../errors';
import { makeFolder } from '../formats/complete-file';

/** Milliseconds from one sign of life to the next. */
const HEARTBEAT = 5000;
/** A holder that has given no sign for so long is gone. */
const STALE_AFTER = 60_000;

/**
 * Holds a folder until the returned function is called. Makes the folder.
 *
 * @throws CommandError when another living process holds it.
 */
export async function lockFolder(folder: string, out: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
  try {
    await makeFolder(folder);
    while (!(await tryLock(path))) {
      const holder = await livingHolder(path);
      if (holder !== undefined) {
        throw new CommandError(
          `Expected no other process to be writing ${out} but process ${holder} is; wait for it.`,
        );
      }
      await rm(path, { force: true });
    }
  } catch (error) {
    throw fileError('write', out, error);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT);
  heartbeat.unref();
  return async () => {
    clearInterval(heartbeat);
    // On a disk that has failed it stays, and is known as stale by its time.
    await rm(path, { force: true }).catch(() => undefined);
  };
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The process that holds a lock, in words; undefined when it is gone. */
async function livingHolder(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || Date.now() - found.mtimeMs > STALE_AFTER) return undefined;
  const { pid, host } = await readHolder(path);
  if (host === hostname() && (pid === undefined || !isAlive(pid))) return undefined;
  return `${pid} on ${host}`;
}

async function readHolder(path: string): Promise<{ pid?: number; host: string }> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as { pid: number; host: string };
  } catch {
    // Written a moment ago, or by a process that was killed then.
    return { host: hostname() };
  }
}

/** A process that has died, but whose parent has not looked after it yet, is a zombie. */
function isZombie(pid: number): boolean {
  try {
    const [, state] = /^\d+ \(.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return state === 'Z' || state === 'X';
  } catch {
    // Other systems tell it in other ways.
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
