/** Where an array lies: in a folder, or behind an address. */
import { open, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import type { AbsolutePath, AsyncReadable, RangeQuery } from 'zarrita' with {
  'resolution-mode': 'import',
};
import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError, fileError, hasCode } from '../../errors';
import { readBytes } from '../npy';
import { DamagedChunkError } from './damage';
import { MAX_CHUNK_BYTES } from './judge';
import { loadZarrita } from './library';

const MAX_METADATA_BYTES = 2 ** 26;
/** What of a chunk's file identifies it. */
const SAMPLE_BYTES = 4096;

/** Whether an array is asked for by an address and not by a folder. */
export function isAddress(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/** Where an array lies: zarrita's way to its chunks. */
export interface ZarrStore extends AsyncReadable {
  readonly location: string;
  /** The content of a file beside the chunks; undefined when there is none. */
  metadata(name: string): Promise<Uint8Array | undefined>;
  /** @throws MissingChunkError when there is no such file. */
  get(key: AbsolutePath): Promise<Uint8Array>;
  /** Exactly the bytes that were asked for, of a shard; undefined when there is no such file. */
  getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined>;
}

/** Saves a chunk full of fill values, which may be far larger than what is wanted of it. */
export class MissingChunkError extends Error {}

function offsetIn(range: RangeQuery, fileBytes: number): { offset: number; length: number } {
  const { offset, length } =
    'offset' in range
      ? range
      : { offset: fileBytes - range.suffixLength, length: range.suffixLength };
  if (offset < 0 || offset + length > fileBytes) {
    throw new DamagedChunkError('its file is not complete');
  }
  return { offset, length };
}

/** A folder. */
export class FolderStore implements ZarrStore {
  constructor(
    readonly location: string,
    readonly folder: string,
  ) {}

  async metadata(name: string): Promise<Uint8Array | undefined> {
    return this.#read(join(this.folder, name), (size) => {
      if (size <= MAX_METADATA_BYTES) return { offset: 0, length: size };
      throw new CommandError(
        `Expected at most ${MAX_METADATA_BYTES} bytes in ${name} of ${this.location} but received ` +
          `${size}.`,
      );
    });
  }

  async get(key: AbsolutePath): Promise<Uint8Array> {
    const bytes = await this.#read(join(this.folder, key), (size) => {
      if (size <= MAX_CHUNK_BYTES) return { offset: 0, length: size };
      throw new DamagedChunkError('its file has 2 GiB or more');
    });
    if (bytes === undefined) throw new MissingChunkError();
    return bytes;
  }

  async getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined> {
    return this.#read(join(this.folder, key), (size) => offsetIn(range, size));
  }

  /** Size, time of the last change in nanoseconds, and the first bytes of a chunk's file. */
  async sample(
    key: string,
  ): Promise<{ size: bigint; changed: bigint; start: Uint8Array } | undefined> {
    const path = join(this.folder, key);
    const start = await this.#read(path, (size) => ({
      offset: 0,
      length: Math.min(size, SAMPLE_BYTES),
    }));
    if (start === undefined) return undefined;
    try {
      const { size, mtimeNs } = await stat(path, { bigint: true });
      return { size, changed: mtimeNs, start };
    } catch (error) {
      throw fileError('read', path, error);
    }
  }

  async #read(
    path: string,
    select: (fileBytes: number) => { offset: number; length: number },
  ): Promise<Uint8Array | undefined> {
    try {
      // Opening a pipe would wait for somebody to write into it.
      const found = await stat(path);
      if (!found.isFile()) {
        throw new CommandError(`Expected a file but ${path} is a folder or a device.`);
      }
      const file = await open(path, 'r');
      try {
        const { offset, length } = select((await file.stat()).size);
        return await readBytes(file, offset, length, path);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw fileError('read', path, error);
    }
  }
}

/** What lies behind an address. */
class AddressStore implements ZarrStore {
  readonly #store: Zarrita.FetchStore;

  constructor(
    readonly location: string,
    zarrita: typeof Zarrita,
  ) {
    this.#store = new zarrita.FetchStore(location);
  }

  async metadata(name: string): Promise<Uint8Array | undefined> {
    return this.#fetch(`/${name}`, () => this.#store.get(`/${name}`));
  }

  async get(key: AbsolutePath): Promise<Uint8Array> {
    const bytes = await this.#fetch(key, () => this.#store.get(key));
    if (bytes === undefined) throw new MissingChunkError();
    return bytes;
  }

  async getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined> {
    const bytes = await this.#fetch(key, () => this.#store.getRange(key, range));
    const wanted = 'offset' in range ? range.length : range.suffixLength;
    if (bytes === undefined || bytes.length === wanted) return bytes;
    if (bytes.length < wanted) throw new DamagedChunkError('its file is not complete');
    // Some servers send the whole file, whatever part of it is asked for.
    const { offset, length } = offsetIn(range, bytes.length);
    return bytes.slice(offset, offset + length);
  }

  async #fetch<Result>(key: string, ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask();
    } catch (cause) {
      const place = `${key.slice(1)} of ${this.location}`;
      throw new CommandError(`Could not read ${place}: ${reasonOf(cause)}.`, { cause });
    }
  }
}

/** Why a request failed. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const [, status] = /response status ([0-9]+)/.exec(message) ?? [];
  if (status !== undefined) return `the server answers with status ${status}`;
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOTFOUND') return 'there is no server of that name';
  if (code === 'ECONNREFUSED') return 'no server answers there';
  return typeof code === 'string'
    ? `the connection to the server failed with ${code}`
    : 'the connection to the server failed';
}

export async function openStore(location: string): Promise<ZarrStore> {
  if (!isAddress(location)) {
    const folder = resolve(location);
    try {
      const found = await stat(folder);
      if (!found.isDirectory()) {
        throw new CommandError(`Expected the folder of a Zarr array but ${location} is a file.`);
      }
    } catch (error) {
      throw fileError('read', location, error);
    }
    return new FolderStore(location, folder);
  }
  if (!URL.canParse(location)) {
    throw new CommandError(`Expected the address of a Zarr array but received '${location}'.`);
  }
  return new AddressStore(location, await loadZarrita());
}
