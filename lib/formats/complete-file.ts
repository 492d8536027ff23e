import { randomBytes } from 'node:crypto';
import { rmSync, type Stats } from 'node:fs';
import {
  mkdir,
  open,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { CommandError, fileError, hasCode } from '../errors';

/** The most bytes that one system call is asked to move; Linux stops just short of 2 GiB. */
export const MAX_TRANSFER_BYTES = 2 ** 30;

/**
 * Writes a file that appears under its name only when it is complete and on the disk: the parts go
 * to a temporary file in the same folder, which is flushed and then renamed. Whatever had the name
 * before stays whole until then, and also when the writing fails.
 *
 * @param path Where the file is to be.
 * @param parts The file's bytes, in order; they are not copied.
 * @param folders Whether folders that are not there are made.
 * @throws CommandError when the disk, the folder or the permissions do not allow it.
 */
export async function writeCompleteFile(
  path: string,
  parts: readonly Uint8Array[],
  folders: 'make' | 'require' = 'make',
): Promise<void> {
  try {
    const target = await resolveTarget(path);
    const folder = dirname(target);
    const temporary = temporaryPathOf(target);
    if (folders === 'make') await makeFolder(folder);
    unfinished.add(temporary);
    try {
      await writeAndFlush(temporary, parts);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    } finally {
      unfinished.delete(temporary);
    }
    await flushFolder(folder);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** The nearest folder above a path that is there. */
export async function folderAbove(path: string): Promise<string> {
  let folder = dirname(resolve(path));
  while (!(await isThere(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** Where a file grows until it is complete: another path each time. */
export function temporaryPathOf(target: string): string {
  const name = `.${basename(target)}.${randomBytes(6).toString('hex')}.part`;
  return join(dirname(target), name);
}

/**
 * Where a symbolic link leads, be it to nothing yet; a device or folder is refused, since renaming
 * would replace it.
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
    // Somebody else may have made it meanwhile; what is no folder shows when a file is made in it.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/** Whether a file or folder is there, as far as that can be told. */
export async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

const unfinished = new Set<string>();

/** Removes the temporary files of whatever is being written, for a program that must end at once. */
export function removeUnfinishedFiles(): void {
  for (const path of unfinished) rmSync(path, { force: true });
}

async function writeAndFlush(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'wx');
  try {
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
