/**
 * Keeps two processes from running the same run.
 *
 * A lock is a file whose time of change its holder moves on again and again. If the holder is on the same
 * boot of the same machine, in the same namespaces, the table of processes tells whether it is alive.
 * Otherwise the watching process observes the file: while its time changes, the holder is alive; if it
 * has not changed for the lease time, by the watching process's own clock, the holder is gone. Two clocks
 * are never compared.
 */
import { randomUUID } from 'node:crypto';
import { open, readFile, rm, rmdir, utimes, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { CommandError, LeaseLostError } from '../errors/command-errors';
import { message, option } from '../errors/message';
import { fileError, hasCode, isMissing } from '../errors/system-errors';
import { makeFolder } from '../formats/files/complete-file';
import { patiently } from '../formats/files/patience';
import {
  ownIdentity,
  stateOfProcess,
  type ProcessIdentity,
} from '../formats/files/process-identity';

/** Milliseconds from one sign of life to the next. */
const HEARTBEAT = 5000;
/** The lease time: a holder that gives no sign of life for so many milliseconds is gone. */
const LEASE = 60_000;
/** A lock file that is still empty after this time belongs to a process that was killed. */
const WRITTEN_AFTER = 2000;
const POLL_INTERVAL = 100;
/**
 * The most milliseconds that count between two looks. If this process was frozen for longer, the holder
 * may have been frozen with it.
 */
const LONGEST_LOOK = 1000;
/** Milliseconds from one line about waiting to the next. */
const NOTICE_INTERVAL = 15_000;
/** Attempts to make a file in a folder that others may be removing at the same moment. */
const MOST_ATTEMPTS = 100;
/** Tokens of the locks that this process holds, or is about to. */
const ownTokens = new Set<string>();

export interface LockOptions {
  /** Called with a sentence that says what the program waits for. */
  onWait?: (text: string) => void;
  /** Milliseconds from one sign of life to the next. */
  heartbeat?: number;
  /**
   * Milliseconds without a sign of life after which a holder that is in no table of processes here is
   * gone.
   */
  lease?: number;
}

/** A folder that this process holds. */
export interface FolderLock {
  /** Aborted, with a LeaseLostError as its reason, when another process has taken the folder over. */
  readonly lost: AbortSignal;
  /** Whether this process still holds the folder, as far as is known. */
  isHeld(): Promise<boolean>;
  /** @throws LeaseLostError when another process has taken the folder over. */
  requireHeld(): Promise<void>;
  /** Unlocks the folder, and removes it if it is empty. */
  release(): Promise<void>;
}

/** The content of the file: who holds the folder. */
interface Holder {
  pid: number;
  host: string;
  /** Different for every lock. */
  token: string;
  /** When it was taken, by its holder's clock, in ISO 8601: for people only. */
  since: string;
  /** Undefined where the system does not tell. */
  process?: ProcessIdentity | undefined;
}

/**
 * Holds a folder, which is made if need be. Waits for as long as it takes to tell whether a holder is
 * alive.
 *
 * @param out What the folder is for, in messages.
 * @throws CommandError when another living process holds it.
 */
export async function lockFolder(
  folder: string,
  out: string,
  { onWait, heartbeat = HEARTBEAT, lease = LEASE }: LockOptions = {},
): Promise<FolderLock> {
  const path = join(folder, 'lock');
  const token = randomUUID();
  ownTokens.add(token);
  const watch = new Watch(lease);
  const claimWatch = new Watch(lease);
  const notice = new Notice(out, lease, onWait);
  try {
    while (!(await tryLock(folder, path, token))) {
      const found = await watch.look(path);
      if (found === undefined) continue;
      if (found.state === 'alive') {
        throw new CommandError(
          `Expected no other process to be writing ${out} but process ${found.name} is; wait for it.`,
        );
      }
      if (found.state === 'dead') await removeLock(path, found.text, token, claimWatch);
      else {
        notice.tell(found);
        await sleep(POLL_INTERVAL);
      }
    }
  } catch (error) {
    ownTokens.delete(token);
    throw fileError('write', out, error);
  }
  return new HeldFolder(folder, path, token, out, heartbeat);
}

class HeldFolder implements FolderLock {
  readonly #folder: string;
  readonly #path: string;
  readonly #token: string;
  readonly #out: string;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isBeating = false;

  constructor(folder: string, path: string, token: string, out: string, heartbeat: number) {
    this.#folder = folder;
    this.#path = path;
    this.#token = token;
    this.#out = out;
    this.#timer = setInterval(() => void this.#beat(), heartbeat);
    this.#timer.unref();
  }

  get lost(): AbortSignal {
    return this.#controller.signal;
  }

  async isHeld(): Promise<boolean> {
    return !this.lost.aborted && isOurs(this.#path, this.#token);
  }

  async requireHeld(): Promise<void> {
    if (!(await this.isHeld())) await this.#lose();
    this.lost.throwIfAborted();
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    ownTokens.delete(this.#token);
    if (!(await this.isHeld())) return;
    // The claim of a process that was killed while it removed the lock of the holder before.
    await rm(claimOf(this.#path), { force: true }).catch(() => undefined);
    // If the disk has failed, the lock stays; it counts as abandoned when this process has ended.
    await rm(this.#path, { force: true }).catch(() => undefined);
    // Only if it is empty: it may hold the lock of another process by now.
    await rmdir(this.#folder).catch(() => undefined);
  }

  /** One at a time: a disk may be slow. */
  async #beat(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    try {
      if (await this.isHeld()) {
        const now = new Date();
        await utimes(this.#path, now, now).catch(() => undefined);
      } else await this.#lose();
    } finally {
      this.#isBeating = false;
    }
  }

  async #lose(): Promise<void> {
    clearInterval(this.#timer);
    if (this.lost.aborted) return;
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    const { pid, host, since } = parseHolder(text);
    const found =
      pid === undefined
        ? message`another process, which has ended, took the run over, since this one gave no sign of life; \
this one has stopped; give ${option('resume')} to go on if ${this.#out} is not complete.`
        : message`process ${pid} on ${host ?? ''} took the run over at ${since ?? ''}, since this one gave no \
sign of life; this one has stopped and left everything to that one.`;
    this.#controller.abort(
      new LeaseLostError(message`Expected no other process to write ${this.#out} but ${found}`),
    );
  }
}

/** What is there of a lock. */
interface Found {
  text: string;
  /** Of its holder, for people; undefined while the lock is being written. */
  name: string | undefined;
  state: 'alive' | 'dead' | 'waiting';
  /** Milliseconds for which nothing was seen to change, by this process's own clock. */
  unchangedFor: number;
}

/** Looks at a lock again and again, to tell whether its holder is alive. */
class Watch {
  readonly #lease: number;
  #seen: { text: string; modified: bigint; at: number; unchangedFor: number } | undefined;

  constructor(lease: number) {
    this.#lease = lease;
  }

  /** Undefined when there is no lock. */
  async look(path: string): Promise<Found | undefined> {
    const found = await readLock(path);
    if (found === undefined) {
      this.#seen = undefined;
      return undefined;
    }
    const { text, modified } = found;
    const now = performance.now();
    const before = this.#seen;
    const isSameLock = before?.text === text;
    const hasMoved = isSameLock && before.modified !== modified;
    const unchangedFor =
      isSameLock && !hasMoved ? before.unchangedFor + Math.min(now - before.at, LONGEST_LOOK) : 0;
    this.#seen = { text, modified, at: now, unchangedFor };
    const { pid, host } = parseHolder(text);
    const name = pid === undefined ? undefined : `${pid} on ${host}`;
    const limit = name === undefined ? Math.min(WRITTEN_AFTER, this.#lease) : this.#lease;
    const isSilent = unchangedFor >= limit;
    const known = stateOf(text);
    const state = known !== 'unknown' ? known : hasMoved ? 'alive' : isSilent ? 'dead' : 'waiting';
    return { text, name, state, unchangedFor };
  }
}

/**
 * Opening the file makes a network file system ask the server for its time, rather than answer from a
 * cache.
 */
async function readLock(path: string): Promise<{ text: string; modified: bigint } | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await patiently(async () => open(path, 'r'));
    const text = await file.readFile('utf8');
    return { text, modified: (await file.stat({ bigint: true })).mtimeNs };
  } catch (error) {
    if (isMissing(error) || hasCode(error, 'ESTALE')) return undefined;
    throw error;
  } finally {
    await file?.close();
  }
}

/** Whether the holder of a lock is there, as far as the table of processes tells. */
function stateOf(text: string): 'alive' | 'dead' | 'unknown' {
  const { token, process: holder } = parseHolder(text);
  if (holder === undefined || token === undefined) return 'unknown';
  const own = ownIdentity();
  const isOwn = holder.pid === own?.pid && holder.start === own.start && holder.place === own.place;
  if (isOwn) return ownTokens.has(token) ? 'alive' : 'dead';
  return stateOfProcess(holder);
}

/** Says from time to time what the program waits for. */
class Notice {
  readonly #out: string;
  readonly #lease: number;
  readonly #onWait: ((text: string) => void) | undefined;
  #last = -Infinity;

  constructor(out: string, lease: number, onWait: ((text: string) => void) | undefined) {
    this.#out = out;
    this.#lease = lease;
    this.#onWait = onWait;
  }

  tell({ name, unchangedFor }: Found): void {
    const now = performance.now();
    if (name === undefined || now - this.#last < NOTICE_INTERVAL) return;
    this.#last = now;
    const seconds = this.#lease / 1000;
    const silent = Math.round(unchangedFor / 1000);
    this.#onWait?.(
      silent === 0
        ? `Waiting for a sign of life of process ${name}, which was writing ${this.#out}: it is gone if it ` +
            `gives none for ${seconds} s.`
        : `No sign of life of process ${name} for ${silent} of ${seconds} s.`,
    );
  }
}

async function tryLock(folder: string, path: string, token: string): Promise<boolean> {
  return (await writeHolder(async () => openIn(folder, path), path, token)) ?? false;
}

/**
 * Makes a file that names this process as the holder. Returns whether the file is still there and this
 * process's; undefined if there was a file already.
 */
async function writeHolder(
  openFile: () => Promise<FileHandle>,
  path: string,
  token: string,
): Promise<boolean | undefined> {
  const holder: Holder = {
    pid: process.pid,
    host: hostname(),
    token,
    since: new Date().toISOString(),
    process: ownIdentity(),
  };
  try {
    const file = await openFile();
    try {
      await file.writeFile(JSON.stringify(holder));
    } catch (error) {
      await rm(path, { force: true }).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  }
  // A process that saw the file empty for too long may have removed it.
  return isOurs(path, token);
}

/** Makes a file in a folder that its previous holder may be removing. */
async function openIn(folder: string, path: string): Promise<FileHandle> {
  for (let attempt = 1; ; attempt++) {
    await makeFolder(folder);
    try {
      return await patiently(async () => open(path, 'wx'));
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

/** Whether a lock belongs to this process. True if it cannot be read at the moment. */
async function isOurs(path: string, token: string): Promise<boolean> {
  try {
    return parseHolder(await readFile(path, 'utf8')).token === token;
  } catch (error) {
    return !isMissing(error);
  }
}

function claimOf(path: string): string {
  return `${path}.taken`;
}

/**
 * Removes a lock whose holder is gone. Of several processes that try at once, only the one that has made
 * the claim removes it; otherwise a new lock could be removed in place of the one that was read.
 */
async function removeLock(
  path: string,
  text: string,
  token: string,
  claimWatch: Watch,
): Promise<void> {
  const claim = claimOf(path);
  let isMade: boolean | undefined;
  try {
    isMade = await writeHolder(async () => patiently(async () => open(claim, 'wx')), claim, token);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  if (isMade === undefined) {
    const found = await claimWatch.look(claim);
    if (found?.state === 'dead') await rm(claim, { force: true });
    else await sleep(POLL_INTERVAL);
    return;
  }
  try {
    const current = await readFile(path, 'utf8').catch(() => undefined);
    if (current === text && (await isOurs(claim, token))) await rm(path, { force: true });
  } finally {
    if (await isOurs(claim, token)) await rm(claim, { force: true }).catch(() => undefined);
  }
}

function parseHolder(text: string): Partial<Holder> {
  try {
    const holder: unknown = JSON.parse(text);
    return typeof holder === 'object' && holder !== null ? holder : {};
  } catch {
    return {};
  }
}
