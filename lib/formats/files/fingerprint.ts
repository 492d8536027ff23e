import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';

import { fileError } from '../../errors/system-errors';
import { readBytes } from './read-bytes';
import type { InputIdentity } from '../raster-source';

const SAMPLES = 64;
const SAMPLE_BYTES = 4096;

/**
 * The positions of the samples of a file: evenly spread, with the first and the last bytes among them.
 */
function samplePositions(fileBytes: number): number[] {
  const last = Math.max(0, fileBytes - SAMPLE_BYTES);
  const positions = Array.from({ length: SAMPLES }, (_, index) =>
    Math.floor((last * index) / (SAMPLES - 1)),
  );
  return [...new Set(positions)];
}

/**
 * Identifies a file and its content: by its size, the time of its last change, and a hash of samples of
 * its content. A change that keeps all of these is not detected.
 *
 * @param reading What else decides how the file is read, as a text.
 */
export async function identifyFile(
  file: FileHandle,
  path: string,
  format: string,
  reading = '',
): Promise<InputIdentity> {
  const { size, mtimeNs } = await file.stat({ bigint: true });
  const bytes = Number(size);
  const hash = createHash('sha256').update(`${bytes} ${reading}\n`);
  for (const position of samplePositions(bytes)) {
    const length = Math.min(SAMPLE_BYTES, bytes - position);
    hash.update(await readBytes(file, position, length, path));
  }
  return { path, format, bytes, modified: `${mtimeNs}`, fingerprint: hash.digest('hex') };
}

/** The identity of the file that has a path now; see identifyFile(). */
export async function identifyPath(
  path: string,
  format: string,
  reading?: string,
): Promise<InputIdentity> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    return await identifyFile(file, path, format, reading);
  } catch (error) {
    throw fileError('read', path, error);
  } finally {
    await file?.close();
  }
}
