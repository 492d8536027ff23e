/** A Zarr array behind an http(s) address. */
import type { Hash } from 'node:crypto';

import type { AbsolutePath, RangeQuery } from 'zarrita' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import { discardBody, encodingsOf, readBody, TooLargeError } from '../http/body';
import { contentFailure, isTransient, truncationFailure } from '../http/failure';
import { displayAddress, HttpReader, refuse, type AddressOptions } from '../http/reader';
import { CorruptChunkError } from './corruption';
import { MAX_CHUNK_BYTES } from './validator';
import { MAX_METADATA_BYTES, MissingChunkError, offsetIn, type ZarrStore } from './store';

/** Requests that are sent at the same time for a fingerprint. */
const REQUESTS_AT_ONCE = 8;
/** Servers that do not answer HEAD say so in many ways, also in those of a server in trouble. */
const HEAD_REFUSALS = [400, 401, 403, 405, 406, 500, 501];
/** As servers say that they do not know ranges that count from the end, or that the file is shorter. */
const SUFFIX_REFUSALS = [400, 416, 501];

type OnBytes = (count: number) => void;

export class AddressStore implements ZarrStore {
  readonly location: string;
  readonly #base: URL;
  readonly #reader: HttpReader;
  readonly #isForbiddenMissing: boolean;
  #doubt: string | undefined;
  #knowsHead = true;
  #knowsSuffixes = true;

  private constructor(
    readonly place: string,
    base: URL,
    options: AddressOptions,
  ) {
    this.location = displayAddress(base);
    this.#base = base;
    this.#reader = new HttpReader(options);
    this.#isForbiddenMissing = options.isForbiddenMissing === true;
  }

  static open(location: string, options: AddressOptions): AddressStore {
    if (!URL.canParse(location)) {
      throw new CommandError(`Expected the address of a Zarr array but received '${location}'.`);
    }
    const base = new URL(location);
    if (base.username !== '' || base.password !== '') {
      throw new CommandError(
        `Expected an address without a name and a password but received one with them for ` +
          `${displayAddress(base)}; give a signed address, or one that needs none.`,
      );
    }
    return new AddressStore(location, base, options);
  }

  /** By what the server says of some chunks, if it does. */
  async identify(_document: string, keys: readonly string[], hash: Hash): Promise<string> {
    for (let begin = 0; begin < keys.length; begin += REQUESTS_AT_ONCE) {
      const some = keys.slice(begin, begin + REQUESTS_AT_ONCE);
      for (const text of await Promise.all(some.map(async (key) => this.#describe(key)))) {
        hash.update(`\n${text}`);
      }
    }
    return '';
  }

  async metadata(name: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#getWhole(name, MAX_METADATA_BYTES);
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      throw new CommandError(
        `Expected at most ${MAX_METADATA_BYTES} bytes in ${name} of ${this.location} but received more.`,
        { cause: error },
      );
    }
  }

  async get(key: AbsolutePath): Promise<Uint8Array> {
    try {
      const bytes = await this.#getWhole(key.slice(1), MAX_CHUNK_BYTES);
      if (bytes === undefined) throw new MissingChunkError();
      return bytes;
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      throw new CorruptChunkError('its file has 2 GiB or more', { cause: error });
    }
  }

  async getRange(key: AbsolutePath, range: RangeQuery): Promise<Uint8Array | undefined> {
    const name = key.slice(1);
    const requested = 'offset' in range ? range.length : range.suffixLength;
    if (requested === 0) return new Uint8Array(0);
    const bytes =
      'offset' in range ? await this.#getPart(name, range) : await this.#getSuffix(name, requested);
    if (bytes === undefined || bytes.length === requested) return bytes;
    throw new CorruptChunkError('its file is not complete');
  }

  get doubt(): string | undefined {
    return this.#doubt;
  }

  interrupt(): void {
    this.#reader.interrupt();
  }

  close(): void {
    this.#reader.close();
  }

  /** What a server says of a file, but for its content. */
  async #describe(key: string): Promise<string> {
    if (this.#knowsHead) {
      const text = await this.#request({ key, method: 'HEAD' }, async (response, onBytes) => {
        if (response.ok) return describeHeaders(response.headers, 'content-length');
        if (HEAD_REFUSALS.includes(response.status)) return undefined;
        return response.status === 404 ? '404' : refuse(response, onBytes);
      });
      if (text !== undefined) return text;
    }
    const headers = { Range: 'bytes=0-0' };
    return this.#request({ key, headers }, async (response, onBytes) => {
      const { status } = response;
      if (response.ok) {
        // Of a file that is there: what the server knows of it, it tells here only.
        this.#knowsHead = false;
        await response.body?.cancel();
        const isPart = status === 206;
        return describeHeaders(response.headers, isPart ? 'content-range' : 'content-length');
      }
      // Any other answer is always the same, such as 416 for an empty file.
      if (isTransient(status)) return refuse(response, onBytes);
      await discardBody(response, onBytes);
      return `${status}`;
    });
  }

  async #getWhole(key: string, limit: number): Promise<Uint8Array | undefined> {
    return this.#request({ key }, async (response, onBytes) => {
      if (await this.#isMissing(response, onBytes)) return undefined;
      if (response.status !== 200) return refuse(response, onBytes);
      return readBody(response, { limit }, onBytes);
    });
  }

  /** A part of a file, shorter where the file ends before. */
  async #getPart(
    key: string,
    { offset, length }: { offset: number; length: number },
  ): Promise<Uint8Array | undefined> {
    const headers = { Range: `bytes=${offset}-${offset + length - 1}` };
    return this.#request({ key, headers }, async (response, onBytes) => {
      if (await this.#isMissing(response, onBytes)) return undefined;
      if (response.status === 416) throw new CorruptChunkError('its file is not complete');
      const isPart = response.status === 206;
      if (!isPart && response.status !== 200) return refuse(response, onBytes);
      if (!isPart) return readBody(response, { offset, length }, onBytes);
      return readPart(response, onBytes, length, (begin) => begin === offset);
    });
  }

  /** The end of a file; all of it where it is shorter. */
  async #getSuffix(key: string, suffixLength: number): Promise<Uint8Array | undefined> {
    if (this.#knowsSuffixes) {
      const headers = { Range: `bytes=-${suffixLength}` };
      const found = await this.#request({ key, headers }, async (response, onBytes) => {
        if (await this.#isMissing(response, onBytes)) return { bytes: undefined };
        if (SUFFIX_REFUSALS.includes(response.status)) {
          await discardBody(response, onBytes);
          return undefined;
        }
        const isPart = response.status === 206;
        if (!isPart && response.status !== 200) return refuse(response, onBytes);
        const bytes = isPart
          ? await readPart(response, onBytes, suffixLength, (_, end, total) => end === total)
          : await readBody(response, { suffixLength }, onBytes);
        return { bytes };
      });
      if (found !== undefined) return found.bytes;
    }
    const size = await this.#sizeOf(key);
    if (size === undefined) {
      return this.#request({ key }, async (response, onBytes) => {
        if (await this.#isMissing(response, onBytes)) return undefined;
        if (response.status !== 200) return refuse(response, onBytes);
        return readBody(response, { suffixLength }, onBytes);
      });
    }
    const { offset, length } = offsetIn({ suffixLength }, size);
    const bytes = await this.#getPart(key, { offset, length });
    this.#knowsSuffixes = false;
    return bytes;
  }

  /** Bytes of a file; undefined where the server does not say. */
  async #sizeOf(key: string): Promise<number | undefined> {
    return this.#request({ key, method: 'HEAD' }, async (response, onBytes) => {
      if (!response.ok && !HEAD_REFUSALS.includes(response.status) && response.status !== 404) {
        return refuse(response, onBytes);
      }
      const length = response.headers.get('content-length');
      const isTold = response.ok && length !== null && encodingsOf(response.headers).length === 0;
      return isTold ? Number(length) : undefined;
    });
  }

  async #isMissing(response: Response, onBytes: OnBytes): Promise<boolean> {
    const { status } = response;
    if (status !== 404 && !(status === 403 && this.#isForbiddenMissing)) return false;
    await discardBody(response, onBytes);
    if (status === 403) this.#doubt = 'or the server forbids to read them';
    return true;
  }

  async #request<Result>(
    { key, ...request }: { key: string; method?: 'HEAD'; headers?: Record<string, string> },
    take: (response: Response, onBytes: OnBytes) => Promise<Result>,
  ): Promise<Result> {
    const address = new URL(this.#base);
    address.hash = '';
    address.pathname = `${address.pathname.replace(/\/$/, '')}/${key}`;
    return this.#reader.request({ ...request, address, name: `${key} of ${this.location}` }, take);
  }
}

function describeHeaders(headers: Headers, size: 'content-length' | 'content-range'): string {
  const bytes = headers.get(size)?.replace(/.*\//, '');
  return [headers.get('etag'), headers.get('last-modified'), bytes].join();
}

/**
 * The body of an answer that is a part of a file.
 *
 * @param isRight Whether it is the part that was asked for, by the first byte's place, the one after
 *   the last, and the file's size.
 */
async function readPart(
  response: Response,
  onBytes: OnBytes,
  requested: number,
  isRight: (begin: number, end: number, total: number) => boolean,
): Promise<Uint8Array> {
  const [encoding] = encodingsOf(response.headers);
  if (encoding !== undefined) {
    throw contentFailure(`the server sends parts of it compressed by '${encoding}'`);
  }
  const bytes = await readBody(response, { limit: requested }, onBytes).catch((error: unknown) => {
    throw error instanceof TooLargeError
      ? contentFailure('the server sends more of it than was asked for')
      : error;
  });
  const place = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(response.headers.get('content-range') ?? '');
  if (place === null) return bytes;
  const [begin, end] = [Number(place[1]), Number(place[2]) + 1];
  const total = place[3] === '*' ? end : Number(place[3]);
  if (!isRight(begin, end, total)) {
    throw contentFailure('the server sends another part of it than was asked for');
  }
  if (bytes.length < end - begin) throw truncationFailure(bytes.length, end - begin);
  return bytes;
}
