/** Whether an array has any chunk. An array without chunks is usually a mistake. */
import { sizeOf } from '../../arrays/arrays';
import type { ZarrMetadata } from './metadata';
import { chunkKey } from './regions';
import { FolderStore, type ZarrStore } from './stores';

/** Chunks whose files are looked at, of an array whose files cannot be listed. */
const SAMPLES = 64;

/** How many chunks, or shards, an array has along each axis. */
function countsOf({ shape, chunkShape }: ZarrMetadata): number[] {
  return shape.map((length, axis) => Math.ceil(length / (chunkShape[axis] ?? 1)));
}

/** The names of some chunks' files, evenly spread, those of the first and the last among them. */
export function sampleKeys(metadata: ZarrMetadata): string[] {
  const counts = countsOf(metadata);
  const total = sizeOf(counts);
  const nSamples = Math.min(SAMPLES, total);
  return Array.from({ length: nSamples }, (_, sample) => {
    let rest = nSamples === 1 ? 0 : Math.floor(((total - 1) / (nSamples - 1)) * sample);
    const indices = counts.toReversed().map((count) => {
      const index = rest % count;
      rest = Math.floor(rest / count);
      return index;
    });
    return chunkKey(indices.reverse(), metadata.keyEncoding);
  });
}

/** Whether a file's name is that of a chunk within an array. */
function isChunkOf(metadata: ZarrMetadata): (key: string) => boolean {
  const { keyEncoding } = metadata;
  const counts = countsOf(metadata);
  return (key) => {
    const indices = (key.match(/\d+/g) ?? []).map(Number);
    const areWithin = counts.every((count, axis) => (indices[axis] ?? Infinity) < count);
    return areWithin && indices.length === counts.length && chunkKey(indices, keyEncoding) === key;
  };
}

/**
 * Says, in one sentence, that an array has no chunk, so that all its elements are the fill value.
 *
 * @returns undefined when it has some, or none are needed, or nobody can tell.
 */
export async function remarkOnChunks(
  store: ZarrStore,
  metadata: ZarrMetadata,
): Promise<string | undefined> {
  const total = sizeOf(countsOf(metadata));
  const keys = sampleKeys(metadata);
  if (total === 0 || (await hasChunk(store, metadata, keys))) return undefined;
  const isSampled = !(store instanceof FolderStore) && total > keys.length;
  const found = isSampled
    ? `None of ${keys.length} chunks that were looked for in ${store.location}, of ${total}, was found`
    : `No chunk of ${store.location} was found`;
  const text = metadata.fill.text?.replaceAll('"', '');
  const fill = text === undefined ? '0, since it has no fill value' : `the fill value ${text}`;
  return (
    `${found}: every value ${isSampled ? 'there ' : ''}is ${fill}; if that is not meant, check that ` +
    `files such as ${keys[0] ?? ''} are there.`
  );
}

async function hasChunk(
  store: ZarrStore,
  metadata: ZarrMetadata,
  keys: readonly string[],
): Promise<boolean> {
  if (store instanceof FolderStore) return store.hasFile(isChunkOf(metadata));
  for (const key of keys) {
    // Errors in a file are reported when it is read.
    const begin = await store.getRange(`/${key}`, { offset: 0, length: 1 }).catch(() => key);
    if (begin !== undefined) return true;
  }
  return false;
}
