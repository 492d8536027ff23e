/** Files in a zip archive, as .npz archives are: stored or deflated, in archives of any size. */
import { open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, crc32, inflateRaw } from 'node:zlib';

import { CommandError } from '../../errors/command-errors';
import { readBytes } from '../files/read-bytes';

const inflate = promisify(inflateRaw) as (
  bytes: Uint8Array,
  options: { maxOutputLength?: number; finishFlush?: number },
) => Promise<Buffer>;

/** A file of an archive. */
export interface ZipEntry {
  name: string;
  /** How it is compressed: 0 not at all, 8 by deflate; NaN if it is encrypted. */
  method: number;
  checksum: number;
  packedBytes: number;
  bytes: number;
  /** Where its own header begins. */
  offset: number;
}

/** The signatures of the records of the format. */
const [END, END_64, LOCATOR_64, CENTRAL, LOCAL] = [
  0x06054b50, 0x06064b50, 0x07064b50, 0x02014b50, 0x04034b50,
];
/** The end record may be followed by a comment. */
const MOST_END_BYTES = 22 + 0xffff;
const MOST_DIRECTORY_BYTES = 2 ** 26;
/** The most bytes of a file that is read: it is in memory as a whole. */
const MOST_BYTES = 2 ** 31 - 1;
/** So many packed bytes hold the header of a .npy file, and are at most 4 MB in memory. */
const HEAD_BYTES = 2 ** 12;
/** In fields of 32 and 16 bits, this says that the number stands elsewhere. */
const [ELSEWHERE_32, ELSEWHERE_16] = [0xffff_ffff, 0xffff];

function corrupt(name: string): CommandError {
  return new CommandError(
    `Expected a whole zip archive in ${name} but it is corrupt, or not complete.`,
  );
}

/** Opens an archive for some reading. */
export async function withZip<Result>(
  path: string,
  use: (zip: Zip) => Promise<Result>,
): Promise<Result> {
  const file = await open(path, 'r');
  try {
    return await use(new Zip(file, path, await readEntries(file, path)));
  } finally {
    await file.close();
  }
}

/** An archive that is open. */
export class Zip {
  constructor(
    private readonly file: FileHandle,
    private readonly name: string,
    readonly entries: readonly ZipEntry[],
  ) {}

  /** The content of a file. */
  async read(entry: ZipEntry): Promise<Uint8Array> {
    if (entry.bytes > MOST_BYTES || entry.packedBytes > MOST_BYTES) {
      throw new CommandError(
        `Expected at most ${MOST_BYTES} bytes in ${entry.name} of ${this.name} but received ${entry.bytes}; ` +
          'save it as .npy.',
      );
    }
    if (entry.method !== 0 && entry.method !== 8) {
      throw new CommandError(
        `Expected ${entry.name} of ${this.name} as savez and savez_compressed of NumPy write it but it is encrypted, or ` +
          'compressed in another way; save it again.',
      );
    }
    const packed = await this.#packed(entry, entry.packedBytes);
    const bytes =
      entry.method === 8
        ? await inflate(packed, { maxOutputLength: Math.max(1, entry.bytes) }).catch(
            () => undefined,
          )
        : packed;
    if (bytes?.length !== entry.bytes || crc32(bytes) !== entry.checksum) throw corrupt(this.name);
    return bytes;
  }

  /** The first bytes of a file, which are not checked; none if they cannot be read. */
  async readHead(entry: ZipEntry): Promise<Uint8Array> {
    const none = new Uint8Array(0);
    try {
      const packed = await this.#packed(entry, Math.min(entry.packedBytes, HEAD_BYTES));
      if (entry.method !== 8) return entry.method === 0 ? packed : none;
      return await inflate(packed, { finishFlush: constants.Z_SYNC_FLUSH });
    } catch {
      return none;
    }
  }

  async #packed({ offset }: ZipEntry, length: number): Promise<Uint8Array> {
    const header = Buffer.from(await readBytes(this.file, offset, 30, this.name));
    if (header.readUInt32LE(0) !== LOCAL) throw corrupt(this.name);
    const begin = offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    return readBytes(this.file, begin, length, this.name);
  }
}

async function readEntries(file: FileHandle, name: string): Promise<ZipEntry[]> {
  const { size } = await file.stat();
  const endBytes = Math.min(size, MOST_END_BYTES);
  const end = Buffer.from(await readBytes(file, size - endBytes, endBytes, name));
  let at = end.length - 22;
  while (at >= 0 && end.readUInt32LE(at) !== END) at--;
  if (at < 0) throw corrupt(name);
  let [bytes, offset] = [end.readUInt32LE(at + 12), end.readUInt32LE(at + 16)];
  if (offset === ELSEWHERE_32 || end.readUInt16LE(at + 10) === ELSEWHERE_16) {
    if (at < 20 || end.readUInt32LE(at - 20) !== LOCATOR_64) throw corrupt(name);
    const place = Number(end.readBigUInt64LE(at - 12));
    if (!(place + 56 <= size)) throw corrupt(name);
    const end64 = Buffer.from(await readBytes(file, place, 56, name));
    if (end64.readUInt32LE(0) !== END_64) throw corrupt(name);
    [bytes, offset] = [Number(end64.readBigUInt64LE(40)), Number(end64.readBigUInt64LE(48))];
  }
  if (!(offset + bytes <= size) || bytes > MOST_DIRECTORY_BYTES) throw corrupt(name);
  const directory = Buffer.from(await readBytes(file, offset, bytes, name));
  const entries: ZipEntry[] = [];
  for (let next = 0; next + 46 <= directory.length;) {
    if (directory.readUInt32LE(next) !== CENTRAL) throw corrupt(name);
    const [nName, nExtra, nComment] = [28, 30, 32].map((field) =>
      directory.readUInt16LE(next + field),
    ) as [number, number, number];
    const extra = directory.subarray(next + 46 + nName, next + 46 + nName + nExtra);
    const method = directory.readUInt16LE(next + 10);
    const sizes = readSizes(directory.subarray(next, next + 46), extra, name);
    const isEncrypted = (directory.readUInt16LE(next + 8) & 1) !== 0;
    entries.push({
      name: directory.toString('utf8', next + 46, next + 46 + nName),
      method: isEncrypted ? NaN : method,
      checksum: directory.readUInt32LE(next + 16),
      ...sizes,
    });
    next += 46 + nName + nExtra + nComment;
  }
  return entries;
}

/** The sizes of an entry; those that need 64 bits stand in its extra field 1, in this order. */
function readSizes(
  entry: Buffer,
  extra: Buffer,
  name: string,
): Pick<ZipEntry, 'bytes' | 'packedBytes' | 'offset'> {
  let long: Buffer | undefined;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1)
      long = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  }
  let next = 0;
  const [bytes = NaN, packedBytes = NaN, offset = NaN] = [24, 20, 42].map((field) => {
    const value = entry.readUInt32LE(field);
    if (value !== ELSEWHERE_32) return value;
    if (long === undefined || next + 8 > long.length) throw corrupt(name);
    next += 8;
    return Number(long.readBigUInt64LE(next - 8));
  });
  return { bytes, packedBytes, offset };
}
