/** What lies on the disk of an output, to know whether it is whole, and still the one that was made. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';

import { identifyPath } from '../formats/files/fingerprint';
import { describeZarr } from '../formats/zarr/zarr';

/** Of so many chunks, evenly spread, samples are taken. */
const CHUNKS = 8;

/** Whether each chunk of a Zarr array has its file: what has none is read as zeros. */
export async function hasAllChunks(folder: string): Promise<boolean> {
  const { shape, chunkShape } = await describeZarr(folder);
  const nChunks = shape.reduce(
    (product, axis, index) => product * Math.ceil(axis / (chunkShape[index] ?? 1)),
    1,
  );
  return (await listChunks(folder)).length === nChunks;
}

/**
 * A hash of samples of an output's content. It tells the output from another array of its shape and
 * type that has taken its place; a change between the samples is not seen.
 */
export async function fingerprintOutput(path: string, format: 'npy' | 'zarr'): Promise<string> {
  if (format === 'npy') return fingerprintFile(path);
  const chunks = await listChunks(path);
  const hash = createHash('sha256').update(`${chunks.length}\n`);
  const last = chunks.length - 1;
  const wanted = Array.from({ length: CHUNKS }, (_, index) => (last * index) / (CHUNKS - 1));
  for (const index of new Set(wanted.map(Math.floor))) {
    const chunk = chunks[index];
    if (chunk !== undefined) hash.update(await fingerprintFile(chunk));
  }
  return hash.digest('hex');
}

async function fingerprintFile(path: string): Promise<string> {
  return (await identifyPath(path, 'npy')).fingerprint;
}

/** The files of an array's chunks, which have three numbers as their names. */
async function listChunks(folder: string): Promise<string[]> {
  const chunks = join(folder, 'c');
  const names = await readdir(chunks, { recursive: true }).catch(() => []);
  return names
    .filter((name) => name.split(sep).length === 3)
    .sort()
    .map((name) => join(chunks, name));
}
