/** Recognises HDF5 files by their content. */
import { open, type FileHandle } from 'node:fs/promises';

import { isRegularFile, readBytes } from '../files/read-bytes';

const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
/**
 * A file may begin with bytes of its user's, as those of MATLAB do: none, or this many, or twice as many,
 * and so on.
 */
const MIN_USER_BYTES = 512;

/** Where a signature may be in so many bytes. */
function* placesIn(size: number): Generator<number> {
  for (let at = 0; at + SIGNATURE.length <= size; at = Math.max(MIN_USER_BYTES, at * 2)) yield at;
}

/** Whether the beginning of a file shows that it is one of HDF5. */
export function isHdf5Head(bytes: Uint8Array): boolean {
  for (const at of placesIn(bytes.length)) {
    if (SIGNATURE.equals(bytes.subarray(at, at + SIGNATURE.length))) return true;
  }
  return false;
}

/**
 * Whether an open file is one of HDF5.
 *
 * @param name What to call it.
 * @throws CommandError when it becomes shorter meanwhile.
 */
export async function isHdf5File(file: FileHandle, name: string): Promise<boolean> {
  const { size } = await file.stat();
  for (const at of placesIn(size)) {
    if (SIGNATURE.equals(await readBytes(file, at, SIGNATURE.length, name))) return true;
  }
  return false;
}

/** Whether there is an HDF5 file at a path that can be read. */
export async function isHdf5At(path: string): Promise<boolean> {
  if (!(await isRegularFile(path))) return false;
  try {
    const file = await open(path, 'r');
    try {
      return await isHdf5File(file, path);
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
