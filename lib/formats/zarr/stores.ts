/** Where an array lies: in a folder, or behind an address. */
import type { Hash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import type { AbsolutePath, AsyncReadable, RangeQuery } from 'zarrita' with {
  'resolution-mode': 'import',
};
import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError, fileError, hasCode } from '../../errors';
import { describeForeignFile } from '../foreign/formats';
import { readBytes } from '../npy';
import { DamagedChunkError } from './damage';
import { MAX_CHUNK_BYTES } from './judge';
import { loadZarrita } from './library';

const MAX_METADATA_BYTES = 2 ** 26;
/** What of the content of a chunk's file identifies it. */
const SAMPLE_BYTES = 4096;
/** Files that the system is asked about at the same time. */
const FILES_AT_ONCE = 256;
/** Requests that are sent at the same time. */
const REQUESTS_AT_ONCE = 8;
/** Names of chunks, and of the folders that they lie in. */
const CHUNK_NAME = /^(c|(c\.)?\d+(\.\d+)*)$/;

/** Whether an array is asked for by an address and not by a folder. */
export function isAddress(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/** Where an array lies: zarrita's way to its chunks. */
export interface ZarrStore extends AsyncReadable {
  readonly location: string;
  /** The location as it is from everywhere: an absolute path, or the address. */
  readonly place: string;
  /**
   * Tells a hash what tells the chunks from others.
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
    readonly place: string,
  ) {}

  /** By the size and the time of the last change of every file, and the first bytes of some. */
  async identify(document: string, keys: readonly string[], hash: Hash): Promise<string> {
    let modified = (await stat(join(this.place, document), { bigint: true })).mtimeNs;
    for await (const { key, size, mtimeNs } of filesIn(this.place)) {
      hash.update(`\n${key} ${size} ${mtimeNs}`);
      if (mtimeNs > modified) modified = mtimeNs;
    }
    for (const key of keys) {
      const start = await this.#read(join(this.place, key), (size) => ({
        offset: 0,
        length: Math.min(size, SAMPLE_BYTES),
      }));
      hash.update(start ?? 'missing');
    }
    return `${modified}`;
  }

  /** Whether the folder has any file whose name is right. */
  async hasFile(isRight: (name: string) => boolean): Promise<boolean> {
    for await (const { key } of filesIn(this.place)) if (isRight(key)) return true;
    return false;
  }

  async metadata(name: string): Promise<Uint8Array | undefined> {
    return this.#read(join(this.place, name), (size) => {
      if (size <= MAX_METADATA_BYTES) return { offset: 0, length: size };
      throw new CommandError(
        `Expected at most ${MAX_METADATA_BYTES} bytes in ${name} of ${this.location} but received ` +
          `${size}.`,
      );
    });
  }

  async get(key: AbsolutePath): Promise<Uint8Array> {
    const bytes = await this.#read(join(this.place, key), (size) => {
      if (size <= MAX_CHUNK_BYTES) return { offset: 0, length: size };
      throw new DamagedChunkError('its file has 2 GiB or more');
    });
    if (bytes === undefined) throw new MissingChunkError();
    return bytes;
  }

  async getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined> {
    return this.#read(join(this.place, key), (size) => offsetIn(range, size));
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

/** The files of chunks in a folder and those in it, in an order that depends on the names alone. */
async function* filesIn(
  folder: string,
  prefix = '',
): AsyncGenerator<{ key: string; size: bigint; mtimeNs: bigint }> {
  const names = (await readdir(join(folder, prefix)))
    .filter((name) => CHUNK_NAME.test(name))
    .sort();
  for (let begin = 0; begin < names.length; begin += FILES_AT_ONCE) {
    const keys = names.slice(begin, begin + FILES_AT_ONCE).map((name) => prefix + name);
    // What cannot be told now is told when the chunk is read.
    const found = await Promise.all(
      keys.map((key) => stat(join(folder, key), { bigint: true }).catch(() => undefined)),
    );
    for (const [index, key] of keys.entries()) {
      const entry = found[index];
      if (entry?.isDirectory() === true) yield* filesIn(folder, `${key}/`);
      else if (entry !== undefined) yield { key, size: entry.size, mtimeNs: entry.mtimeNs };
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

  get place(): string {
    return this.location;
  }

  /** By what the server says of some chunks, if it does. */
  async identify(_document: string, keys: readonly string[], hash: Hash): Promise<string> {
    for (let begin = 0; begin < keys.length; begin += REQUESTS_AT_ONCE) {
      const some = keys.slice(begin, begin + REQUESTS_AT_ONCE);
      for (const text of await Promise.all(some.map((key) => this.#describe(key)))) {
        hash.update(`\n${text}`);
      }
    }
    return '';
  }

  /** What a server says of a file, but for its content. */
  async #describe(key: string): Promise<string> {
    const address = new URL(this.location);
    address.pathname = `${address.pathname.replace(/\/$/, '')}/${key}`;
    const { ok, status, headers } = await this.#fetch(`/${key}`, () =>
      fetch(address, { method: 'HEAD' }),
    );
    // Servers that do not know this request at all say so, always in the same way.
    if (!ok) return `${status}`;
    return ['etag', 'last-modified', 'content-length'].map((name) => headers.get(name)).join();
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
        const format = found.isFile() ? await describeForeignFile(folder, location) : undefined;
        throw new CommandError(
          `Expected the folder of a Zarr array but ${location} is a file` +
            `${format === undefined ? '' : ` that ${format}`}.`,
        );
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
