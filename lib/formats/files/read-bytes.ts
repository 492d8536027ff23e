/** Reads the bytes of files. */
import { stat, type FileHandle } from 'node:fs/promises';

import { CommandError } from '../../errors/command-errors';
import { MAX_TRANSFER_BYTES } from './complete-file';

/** Refuses pipes and devices, since opening one might wait for ever. System errors are passed on. */
export async function requireFile(path: string): Promise<void> {
  if ((await stat(path)).isFile()) return;
  throw new CommandError(`Expected a file but ${path} is a folder, a pipe or a device.`);
}

/** Reads `length` bytes from `position` on, into `memory` if it has room for them. */
export async function readBytes(
  file: FileHandle,
  position: number,
  length: number,
  path: string,
  memory?: Uint8Array,
): Promise<Uint8Array> {
  const hasRoom = memory !== undefined && memory.length >= length;
  const bytes = hasRoom ? memory.subarray(0, length) : allocate(length, path);
  let done = 0;
  while (done < length) {
    const requested = Math.min(length - done, MAX_TRANSFER_BYTES);
    const { bytesRead } = await file.read(bytes, done, requested, position + done);
    if (bytesRead === 0) throw new CommandError(`Could not read ${path}: it became shorter.`);
    done += bytesRead;
  }
  return bytes;
}

function allocate(size: number, path: string): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new CommandError(`Expected ${path} to fit the memory but it holds ${size} bytes.`, {
      cause,
    });
  }
}

/** Whether there is a file; a pipe, which would wait for somebody to write if it was opened, is none. */
export async function isRegularFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
