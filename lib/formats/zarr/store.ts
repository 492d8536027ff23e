/** The interface of the places where a Zarr array can be. */
import type { Hash } from 'node:crypto';

import type { AbsolutePath, AsyncReadable, RangeQuery } from 'zarrita' with {
  'resolution-mode': 'import',
};

import { CorruptChunkError } from './corruption';

export const MAX_METADATA_BYTES = 2 ** 26;

/** The place of an array, through which zarrita reads its chunks. */
export interface ZarrStore extends AsyncReadable {
  /** As messages name it. */
  readonly location: string;
  /** The location independent of the current folder: an absolute path, or the address. */
  readonly place: string;
  /**
   * Updates a hash with what identifies the chunks.
   *
   * @param document The name of the array's document.
   * @param keys The names of some chunks.
   * @returns When anything was last changed, in nanoseconds since 1970; '' where that is not known.
   */
  identify(document: string, keys: readonly string[], hash: Hash): Promise<string>;
  /** The content of a file beside the chunks; undefined when there is none. */
  metadata(name: string): Promise<Uint8Array | undefined>;
  /** @throws MissingChunkError when there is no such file. */
  get(key: AbsolutePath): Promise<Uint8Array>;
  /** Exactly the bytes that were asked for, of a shard; undefined when there is no such file. */
  getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined>;
  /** Makes all reads fail, now and later, of a store that waits for a server. */
  interrupt?(): void;
  close?(): void;
  /** Why a file that seems to be missing may be there nevertheless: a clause that follows a comma. */
  readonly doubt?: string | undefined;
}

/**
 * Thrown for a chunk without a file. Its fill values are not allocated, since few of them may be read.
 */
export class MissingChunkError extends Error {}

export function offsetIn(range: RangeQuery, fileBytes: number): { offset: number; length: number } {
  const { offset, length } =
    'offset' in range
      ? range
      : { offset: fileBytes - range.suffixLength, length: range.suffixLength };
  if (offset < 0 || offset + length > fileBytes) {
    throw new CorruptChunkError('its file is not complete');
  }
  return { offset, length };
}
