import { createHash, randomBytes } from 'node:crypto';
import { rmSync, type Stats } from 'node:fs';
import {
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { CommandError } from '../../errors/command-errors';
import { fileError, hasCode } from '../../errors/system-errors';
import { rename } from './patience';
import { ownIdentity, stateOfProcess, type ProcessIdentity } from './process-identity';

/** The most bytes that one system call is asked to move; Linux stops just short of 2 GiB. */
export const MAX_TRANSFER_BYTES = 2 ** 30;

export interface CompleteFileOptions {
  /**
   * Whether folders that are not there are made, which is the default, or are an error; 'own' says that the
   * folder is there and belongs to this process, with all that is in it.
   */
  folders?: 'make' | 'require' | 'own';
  /**
   * A folder of this process's, for the temporary file, in place of the file's own: a process that is
   * killed leaves nothing beside the file. Not used where it is on another disk.
   */
  temporaries?: string;
}

/**
 * Writes a file that appears under its name only when it is complete and on the disk: the parts go
 * to a temporary file, which is flushed and then renamed. Whatever had the name before stays whole
 * until then, and also when the writing fails. What processes that were killed have left beside a file
 * is removed when the file is written again.
 *
 * @param path Where the file is to be.
 * @param parts The file's bytes, in order; they are not copied. Each part is asked for when those before it
 *   are written.
 * @throws CommandError when the disk, the folder or the permissions do not allow it.
 */
export async function writeCompleteFile(
  path: string,
  parts: Iterable<Uint8Array>,
  { folders = 'make', temporaries }: CompleteFileOptions = {},
): Promise<void> {
  try {
    const target = await resolveTarget(path);
    const folder = dirname(target);
    if (folders === 'make') await makeFolder(folder);
    try {
      await writeVia(temporaryPathOf(target, temporaries), target, parts);
    } catch (error) {
      if (temporaries === undefined || !hasCode(error, 'EXDEV')) throw error;
      await writeVia(temporaryPathOf(target), target, parts);
    }
    await flushFolder(folder);
    // In the folders of a run, which go as a whole, there is nothing to look for.
    if (folders !== 'own') await removeLeftovers(target);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

async function writeVia(
  temporary: string,
  target: string,
  parts: Iterable<Uint8Array>,
): Promise<void> {
  unfinished.add(temporary);
  try {
    await writeAndFlush(temporary, parts, await permissionsOf(target));
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    unfinished.delete(temporary);
  }
}

/** The nearest folder above a path that is there. */
export async function folderAbove(path: string): Promise<string> {
  let folder = dirname(resolve(path));
  while (!(await isThere(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** The longest name that common file systems allow. */
const MOST_NAME_BYTES = 255;

/** Where a file grows until it is complete: another path each time. It says whose it is, if it can. */
export function temporaryPathOf(target: string, folder = dirname(target)): string {
  const name = `.${basename(target)}.${randomBytes(6).toString('hex')}`;
  const own = ownIdentity();
  const owned = own === undefined ? `${name}.part` : `${name}-${encodeIdentity(own)}.part`;
  const hasRoom = Buffer.byteLength(owned) <= MOST_NAME_BYTES;
  return join(folder, hasRoom ? owned : `${name}.part`);
}

/** Whether the file system takes no name of this length in a folder that is there. */
export async function hasTooLongName(
  path: string,
  platform: NodeJS.Platform = process.platform,
): Promise<boolean> {
  // Windows says only that there is no such file.
  if (platform === 'win32' && basename(path).length > MOST_NAME_BYTES) return true;
  return stat(path).then(
    () => false,
    (error: unknown) => hasCode(error, 'ENAMETOOLONG'),
  );
}

/** A process, in characters that any file's name may have. */
function encodeIdentity({ pid, start, place }: ProcessIdentity): string {
  return `${pid}-${start}-${hashOf(place)}`;
}

function hashOf(place: string): string {
  return createHash('sha256').update(place).digest('hex').slice(0, 8);
}

/** What follows the name of the file in the name of a temporary one. */
const TEMPORARY = /^[0-9a-f]{12}(?:-(\d+)-(\d+)-([0-9a-f]{8}))?\.part$/;
/** Milliseconds after which a temporary file is abandoned, whichever process has made it. */
const ABANDONED_AFTER = 24 * 3600 * 1000;

/**
 * Removes what processes that were killed have left beside a file when they wrote it: what belongs to a
 * process that is gone, or has not been touched for a day by the clock of the disk. What cannot be
 * removed stays.
 *
 * @param owner 'nobody' when no other process can be writing this file.
 */
export async function removeLeftovers(
  target: string,
  owner: 'nobody' | 'anybody' = 'anybody',
): Promise<void> {
  const folder = dirname(target);
  const prefix = `.${basename(target)}.`;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const match = TEMPORARY.exec(name.slice(prefix.length));
    if (match === null) continue;
    const path = join(folder, name);
    const isLeftover =
      owner === 'nobody' || isOfDeadProcess(match) || (await isAbandoned(path, target));
    if (isLeftover) await rm(path, { force: true }).catch(() => undefined);
  }
}

function isOfDeadProcess([, pid, start, place]: RegExpExecArray): boolean {
  const own = ownIdentity();
  if (own === undefined || start === undefined || place !== hashOf(own.place)) return false;
  return stateOfProcess({ pid: Number(pid), start, place: own.place }) === 'dead';
}

/** Compared with the file, which has just been written on the same disk. */
async function isAbandoned(path: string, target: string): Promise<boolean> {
  const [temporary, written] = await Promise.all(
    [path, target].map(async (one) => stat(one).catch(() => undefined)),
  );
  if (temporary === undefined || written === undefined) return false;
  return written.mtimeMs - temporary.mtimeMs > ABANDONED_AFTER;
}

/**
 * The path that a symbolic link leads to, even if nothing is there yet. A device or folder is refused,
 * since renaming would replace it.
 */
export async function resolveTarget(path: string): Promise<string> {
  let found: Stats;
  try {
    found = await stat(path);
  } catch (error) {
    if (hasCode(error, 'ELOOP')) throw fileError('write', path, error);
    return followLinks(path);
  }
  if (!found.isFile()) {
    throw new CommandError(
      `Expected the name of a file to write but ${path} is a folder or a device.`,
    );
  }
  return realpath(path);
}

/** The name at the end of links that go round in no circle. */
async function followLinks(path: string): Promise<string> {
  const next = await readlink(path).catch(() => undefined);
  return next === undefined ? path : followLinks(resolve(await realpath(dirname(path)), next));
}

/**
 * Makes a folder and those above it. Not by mkdir's own option, which never ends where the system
 * says of a folder under an existing one that there is no such folder, as in /proc.
 */
export async function makeFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  if (dirname(path) !== path) await makeFolder(dirname(path));
  await makeFolderIn(path);
}

/** Makes a folder in one that is there. */
export async function makeFolderIn(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have made it meanwhile. If it is no folder, making a file in it fails.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/** Whether a file or folder is there. False if that is unknown. */
export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

const unfinished = new Set<string>();

/** Removes the temporary files of whatever is being written, for a program that must end at once. */
export function removeUnfinishedFiles(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}

/**
 * Those of a file that is to be replaced, which the new one keeps; undefined if there is none. Windows does not
 * know them.
 */
export async function permissionsOf(path: string): Promise<number | undefined> {
  if (process.platform === 'win32') return undefined;
  const found = await stat(path).catch(() => undefined);
  return found && found.mode & 0o777;
}

async function writeAndFlush(
  path: string,
  parts: Iterable<Uint8Array>,
  permissions: number | undefined,
): Promise<void> {
  const file = await open(path, 'wx', permissions);
  try {
    // What the process's mask has taken away.
    if (permissions !== undefined) await file.chmod(permissions);
    for (const part of parts) await writeAll(file, part);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Writes all bytes, from `position` or else from where the file stands. A short write is no error to
 * the operating system, so the rest is written until none is left.
 */
export async function writeAll(
  file: FileHandle,
  bytes: Uint8Array,
  position?: number,
): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const length = Math.min(bytes.length - written, MAX_TRANSFER_BYTES);
    const at = position === undefined ? null : position + written;
    written += (await file.write(bytes, written, length, at)).bytesWritten;
  }
}

/** Makes the new name durable. Windows cannot open a folder, and does not need this. */
export async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
