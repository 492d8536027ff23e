/** Errors of the operating system, in words. */
import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { CommandError } from './command-errors';

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'access to it is denied',
  EPERM: 'access to it is denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file and not a folder',
  EEXIST: 'a file stands where a folder is needed',
  ENOSPC: 'no space or no inodes are left on its disk',
  EDQUOT: 'the disk quota, of bytes or of files, is used up',
  EFBIG: 'its disk cannot hold a file of that size',
  EROFS: 'its disk is read-only',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open on this machine',
  ENOMEM: 'the memory is used up',
  EMLINK: 'its folder holds as many folders as it can',
  ESTALE: 'the network file system no longer has it',
  ETIMEDOUT: 'its file system does not answer',
  ENXIO: 'its device is not there',
  ENODEV: 'its device is not there',
  ENAMETOOLONG: 'its name is too long',
  EIO: 'the disk reported an input or output error',
  EBUSY: 'another program uses it',
  ELOOP: 'its symbolic links go round in a circle',
};

/** Windows has one answer for what is forbidden and for what another program has open. */
const DENIED = 'access to it is denied, or another program has it open';
const REASONS_OF_WINDOWS: Record<string, string> = { EACCES: DENIED, EPERM: DENIED };

/** Whether an error is the operating system's with one of some codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Whether a file or folder was not there. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR');
}

/** Whether writing failed because the reader of a pipe has ended; Windows calls it the end of the file. */
export function isReaderGone(error: unknown): boolean {
  return hasCode(error, 'EPIPE', 'EOF', 'ERR_STREAM_DESTROYED');
}

/** The operating system's error code of a failed file operation, else undefined. */
function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What a system call that may need an inode of its own is called. */
const MAKING = ['open', 'mkdir', 'mkdtemp', 'rename', 'link', 'symlink', 'copyfile'];

/** Why a disk takes nothing more: files and folders need inodes, and what is in them needs space. */
function describeFullDisk(error: NodeJS.ErrnoException, path: string): string {
  const { syscall = '' } = error;
  if (!MAKING.includes(syscall)) return 'no space is left on its disk';
  const { files = 0, ffree = 0 } = statNearest(error.path ?? path) ?? {};
  // Some file systems have as many inodes as they need, and say 0 of 0.
  if (files === 0) return REASONS['ENOSPC'] ?? '';
  return ffree === 0
    ? 'no inodes are left on its disk, which holds as many files and folders as it can'
    : 'no space is left on its disk';
}

/** What is left on the disk that a path is on, or would be on. */
function statNearest(path: string): { files: number; ffree: number } | undefined {
  let place = resolve(path);
  for (;;) {
    try {
      return statfsSync(place);
    } catch {
      if (dirname(place) === place) return undefined;
      place = dirname(place);
    }
  }
}

/**
 * Turns the operating system's refusal to read or write a file into a sentence that names the file
 * and the reason. Any other error comes back as it is.
 */
export function fileError(
  action: 'read' | 'write',
  path: string,
  error: unknown,
  platform: NodeJS.Platform = process.platform,
): unknown {
  const code = systemCodeOf(error);
  if (code === undefined) return error;
  const reason =
    code === 'ENOSPC'
      ? describeFullDisk(error as NodeJS.ErrnoException, path)
      : ((platform === 'win32' ? REASONS_OF_WINDOWS[code] : undefined) ??
        REASONS[code] ??
        `the operating system says ${code}`);
  return new CommandError(`Could not ${action} ${path}: ${reason}.`, { cause: error });
}

/** The same for a refusal that has come from anywhere; undefined for any other error. */
export function systemError(error: unknown): CommandError | undefined {
  if (systemCodeOf(error) === undefined) return undefined;
  const { path, syscall = '' } = error as NodeJS.ErrnoException;
  const isReading = /^(read|scandir|l?stat|statfs|realpath|access|opendir)/.test(syscall);
  const place = path ?? 'a file or a connection';
  return fileError(isReading ? 'read' : 'write', place, error) as CommandError;
}
