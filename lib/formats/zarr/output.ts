/** Zarr arrays as the outputs of runs. */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';

import { CommandError, CorruptRunError } from '../../errors/command-errors';
import type { CurrentsLayout } from '../currents-sink';
import { resolveTarget } from '../files/complete-file';
import { identifyPath } from '../files/fingerprint';
import { replaceFolder } from '../files/replace-folder';
import type { StoredOutput } from '../format';
import { COMPRESSIONS, createZarr, largestChunk, openZarrSink, updateZarrAttributes } from './sink';
import { describeZarr } from './source';
import { sizeOf } from '../../arrays/arrays';
import { bytesPerElement } from '../../arrays/element-types';

/** The attribute that holds the provenance. */
const ATTRIBUTE = 'expsyn';
/** Samples are taken of so many chunks, evenly spread. */
const SAMPLED_CHUNKS = 8;

/** An existing array is replaced, but nothing that holds anything else. */
async function resolveOutput(out: string): Promise<string> {
  const absolute = resolve(out);
  const found = await stat(absolute).catch(() => undefined);
  if (found === undefined) return resolveTarget(absolute);
  const foreign = found.isDirectory() ? await findForeign(absolute) : 'a file';
  if (foreign === undefined) return realpath(absolute);
  throw new CommandError(
    `Expected the name of a Zarr array to write, or a free one, but ${out} is ${foreign}; give another.`,
  );
}

/** What a folder is or holds besides an array; undefined for an array alone. */
async function findForeign(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'zarr.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return 'another folder';
  try {
    const { node_type: type } = JSON.parse(text) as { node_type?: unknown };
    if (type !== 'array') return 'a Zarr group';
  } catch {
    return 'a corrupt Zarr array';
  }
  const names = await readdir(folder);
  const other = names.find((name) => !/^(zarr\.json|c|(c\.)?\d+(\.\d+)*|\.DS_Store)$/.test(name));
  return other && `an array beside which ${other} lies`;
}

/** The files of the chunks of an array of three axes, in the same order on every system. */
async function listChunks(folder: string): Promise<string[]> {
  const chunks = join(folder, 'c');
  const names = await readdir(chunks, { recursive: true }).catch(() => []);
  return names
    .map((name) => name.split(sep).join('/'))
    .filter((name) => name.split('/').length === 3)
    .sort()
    .map((name) => join(chunks, name));
}

/** Whether each chunk has its file: one without a file would be read as zeros. */
async function hasAllChunks(folder: string): Promise<boolean> {
  const { shape, chunkShape } = await describeZarr(folder);
  const counts = shape.map((length, axis) => Math.ceil(length / (chunkShape[axis] ?? 1)));
  return (await listChunks(folder)).length === sizeOf(counts);
}

async function fingerprint(folder: string): Promise<string> {
  const chunks = await listChunks(folder);
  const hash = createHash('sha256').update(`${chunks.length}\n`);
  const last = chunks.length - 1;
  const sampled = Array.from({ length: SAMPLED_CHUNKS }, (_, index) =>
    Math.floor((last * index) / (SAMPLED_CHUNKS - 1)),
  );
  for (const index of new Set(sampled)) {
    const chunk = chunks[index];
    if (chunk !== undefined) hash.update((await identifyPath(chunk, '')).fingerprint);
  }
  return hash.digest('hex');
}

function sizeOnDisk({ shape, dtype }: CurrentsLayout, compression?: string): number | undefined {
  const isCompressed = compression !== undefined && compression !== COMPRESSIONS[0];
  return isCompressed ? undefined : sizeOf(shape) * bytesPerElement(dtype);
}

export const output: StoredOutput = {
  kind: 'stored',
  compressions: COMPRESSIONS,
  chunks: { largest: largestChunk },
  sizeOf: sizeOnDisk,
  resolve: resolveOutput,
  create: async (path, layout, { chunkShape, compression }) =>
    createZarr(path, layout, {
      chunkShape: chunkShape ?? [...layout.shape],
      compression: compression ?? COMPRESSIONS[0],
      attributes: {},
    }),
  openSink: async (path, _, temporaries) => openZarrSink(path, temporaries),
  readLayout: describeZarr,
  isComplete: hasAllChunks,
  fingerprint,
  provenancePathOf: (path) => path,
  readProvenance: async (path, address) =>
    (await describeZarr(path, address)).attributes[ATTRIBUTE],
  publish: async (data, out, provenance, { temporaries, aside }) => {
    if (!(await hasAllChunks(data))) {
      throw new CorruptRunError(`the output of a run, ${data},`);
    }
    await updateZarrAttributes(data, { [ATTRIBUTE]: provenance }, temporaries);
    await replaceFolder(data, out, aside);
  },
};
