/** The places where an array can be: a folder, or an http(s) address. */
import type { Hash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import type { AbsolutePath, RangeQuery } from 'zarrita' with {
  'resolution-mode': 'import',
};

import { CommandError } from '../../errors/command-errors';
import { message } from '../../errors/message';
import { fileError, hasCode } from '../../errors/system-errors';
import { describeForeignFile } from '../foreign/formats';
import { readBytes } from '../files/read-bytes';
import { isAddress } from '../http/address';
import type { AddressOptions } from '../http/reader';
import { AddressStore } from './address-store';
import { CorruptChunkError } from './corruption';
import { MAX_CHUNK_BYTES } from './validator';
import { MAX_METADATA_BYTES, MissingChunkError, offsetIn, type ZarrStore } from './store';

export { MissingChunkError, type ZarrStore } from './store';

/** Bytes of a chunk's file that are hashed to identify it. */
const SAMPLE_BYTES = 4096;
/** Files that the system is asked about at the same time. */
const FILES_AT_ONCE = 256;
/** Names of chunks, and of the folders that they lie in. */
const CHUNK_NAME = /^(c|(c\.)?\d+(\.\d+)*)$/;

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
      throw new CorruptChunkError('its file has 2 GiB or more');
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
    // Errors are reported when the chunk is read.
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

/** @param options How it is read, where it is an address. */
export async function openStore(
  location: string,
  options: AddressOptions = {},
): Promise<ZarrStore> {
  if (!isAddress(location)) {
    const folder = resolve(location);
    try {
      const found = await stat(folder);
      if (!found.isDirectory()) {
        const format = found.isFile() ? await describeForeignFile(folder, location) : undefined;
        throw new CommandError(
          message`Expected the folder of a Zarr array but ${location} is a file\
${format === undefined ? '' : message` that ${format}`}.`,
        );
      }
    } catch (error) {
      throw fileError('read', location, error);
    }
    return new FolderStore(location, folder);
  }
  return AddressStore.open(location, options);
}
