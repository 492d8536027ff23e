/** Keeps two processes from running the same run. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open, readFile, rm, rmdir, stat, utimes, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { CommandError, fileError, hasCode, isMissing } from '../errors';
import { makeFolder } from '../formats/complete-file';

/** Milliseconds from one sign of life to the next. */
const HEARTBEAT = 5000;
/** A holder that has given no sign for so long is gone. */
const STALE_AFTER = 60_000;
/** Nobody takes longer to write the few bytes of a lock, but who was killed then. */
const WRITTEN_AFTER = 2000;
const POLL_INTERVAL = 100;
/** Nobody meets so many others who remove the folder just then. */
const MOST_ATTEMPTS = 100;
/** Tokens of the locks that this process holds, or is about to. */
const ownTokens = new Set<string>();

/** A folder that this process holds. */
export interface FolderLock {
  /** Aborted, with an error as its reason, when another process has taken the folder over. */
  readonly lost: AbortSignal;
  /** Whether no other process has taken the folder over, as far as that can be told. */
  isHeld(): Promise<boolean>;
  /** Lets others have the folder, and removes it if it is empty. */
  release(): Promise<void>;
}

/** The content of the file: who holds the folder. */
interface Holder {
  pid: number;
  host: string;
  /** Different for every lock. */
  token: string;
}

/**
 * Holds a folder, which is made if need be.
 *
 * @param out What the folder is for, in messages.
 * @throws CommandError when another living process holds it.
 */
export async function lockFolder(folder: string, out: string): Promise<FolderLock> {
  const path = join(folder, 'lock');
  const token = randomUUID();
  ownTokens.add(token);
  try {
    while (!(await tryLock(folder, path, { pid: process.pid, host: hostname(), token }))) {
      await takeFromTheDead(path, out);
    }
  } catch (error) {
    ownTokens.delete(token);
    throw fileError('write', out, error);
  }
  const controller = new AbortController();
  const heartbeat = setInterval(() => {
    void isOurs(path, token).then(async (isHeld) => {
      if (isHeld) {
        const now = new Date();
        await utimes(path, now, now).catch(() => undefined);
        return;
      }
      clearInterval(heartbeat);
      controller.abort(
        new CommandError(
          `Expected no other process to write ${out} but one has taken it over, since this one gave no ` +
            `sign for ${STALE_AFTER / 1000} s.`,
        ),
      );
    });
  }, HEARTBEAT);
  heartbeat.unref();
  return {
    lost: controller.signal,
    isHeld: async () => isOurs(path, token),
    release: async () => {
      clearInterval(heartbeat);
      ownTokens.delete(token);
      if (!(await isOurs(path, token))) return;
      // On a disk that has failed it stays, and is known as stale by its time.
      await rm(path, { force: true }).catch(() => undefined);
      // Not what is in it: that may be the lock of a process that has come meanwhile.
      await rmdir(folder).catch(() => undefined);
    },
  };
}

async function tryLock(folder: string, path: string, holder: Holder): Promise<boolean> {
  try {
    const file = await openIn(folder, path);
    try {
      await file.writeFile(JSON.stringify(holder));
    } catch (error) {
      await rm(path, { force: true }).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Makes a file in a folder that who had it before may be removing. */
async function openIn(folder: string, path: string): Promise<FileHandle> {
  for (let attempt = 1; ; attempt++) {
    await makeFolder(folder);
    try {
      return await open(path, 'wx');
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

/** Whether a lock is still this process's; also where that cannot be told at the moment. */
async function isOurs(path: string, token: string): Promise<boolean> {
  try {
    return (await readHolder(path)).token === token;
  } catch (error) {
    return !isMissing(error);
  }
}

/**
 * Removes a lock whose holder is gone, or waits for one that is being written. Of several processes
 * that do so at once, one removes it.
 */
async function takeFromTheDead(path: string, out: string): Promise<void> {
  const holder = await holderOf(path);
  if (holder === undefined) return;
  if (holder.name === undefined && holder.isAlive) {
    await sleep(POLL_INTERVAL);
    return;
  }
  if (holder.isAlive) {
    throw new CommandError(
      `Expected no other process to be writing ${out} but process ${holder.name} is; wait for it.`,
    );
  }
  // Among those who take it, or one that is new would be removed for the one that was read.
  const claim = `${path}.taken`;
  try {
    await mkdir(claim);
  } catch (error) {
    if (isMissing(error)) return;
    if (!hasCode(error, 'EEXIST')) throw error;
    await sleep(POLL_INTERVAL);
    const found = await stat(claim).catch(() => undefined);
    // Of a process that was killed just then.
    const isLeft = found !== undefined && Date.now() - found.mtimeMs > WRITTEN_AFTER;
    if (isLeft) await rmdir(claim).catch(() => undefined);
    return;
  }
  try {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === holder.text) await rm(path, { force: true });
  } finally {
    await rmdir(claim).catch(() => undefined);
  }
}

/** Who holds a lock, without a name while it is being written; undefined when there is none. */
async function holderOf(
  path: string,
): Promise<{ text: string; name: string | undefined; isAlive: boolean } | undefined> {
  let text: string;
  let age: number;
  try {
    text = await readFile(path, 'utf8');
    age = Date.now() - (await stat(path)).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const { pid, host, token } = parseHolder(text);
  if (pid === undefined) return { text, name: undefined, isAlive: age < WRITTEN_AFTER };
  const isGone = age > STALE_AFTER || (host === hostname() && !holds(pid, token));
  return { text, name: `${pid} on ${host}`, isAlive: !isGone };
}

async function readHolder(path: string): Promise<Partial<Holder>> {
  return parseHolder(await readFile(path, 'utf8'));
}

function parseHolder(text: string): Partial<Holder> {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return {};
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

/** Whether a process of this machine is alive and the one that wrote a lock. */
function holds(pid: number, token: string | undefined): boolean {
  // After a restart of a container its processes have the numbers that they had before.
  if (pid === process.pid) return token !== undefined && ownTokens.has(token);
  return isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}
