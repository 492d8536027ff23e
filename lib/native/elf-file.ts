/** Reads the headers of little-endian ELF files of 64 bits, which all targets on Linux have. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const HEADER_BYTES = 64;
const MAGIC = 0x7f_45_4c_46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
/** The type of the segment (PT_INTERP) that names the program's loader. */
const INTERPRETER = 3;
const MOST_INTERPRETER_BYTES = 4096;

/** A part of the file that becomes a part of the process. */
interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly bytes: number;
}

/** What `use` makes of an open file; undefined if the file can't be read or is no such file. */
function withElfFile<Result>(
  file: string,
  use: (segments: readonly Segment[], descriptor: number) => Result,
): Result | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const header = read(descriptor, 0, HEADER_BYTES);
    const isKnown =
      header.readUInt32BE(0) === MAGIC && header[4] === CLASS_64 && header[5] === LITTLE_ENDIAN;
    return isKnown ? use(readSegments(descriptor, header), descriptor) : undefined;
  } catch {
    // A runtime may forbid to read the file.
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readSegments(descriptor: number, header: Buffer): Segment[] {
  const start = Number(header.readBigUInt64LE(32));
  const entryBytes = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  const entries = read(descriptor, start, entryBytes * count);
  return Array.from({ length: count }, (_, i) => ({
    type: entries.readUInt32LE(i * entryBytes),
    offset: Number(entries.readBigUInt64LE(i * entryBytes + 8)),
    bytes: Number(entries.readBigUInt64LE(i * entryBytes + 32)),
  }));
}

/** Bytes of an open file. Throws if there are fewer. */
function read(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(descriptor, bytes, 0, length, position) < length)
    throw new RangeError('The file ends.');
  return bytes;
}

/** The path of the loader that a program names; undefined if there is none or it can't be read. */
export function interpreterOf(file: string): string | undefined {
  return withElfFile(file, (segments, descriptor) => {
    const segment = segments.find(({ type }) => type === INTERPRETER);
    if (segment === undefined || segment.bytes > MOST_INTERPRETER_BYTES) return undefined;
    return read(descriptor, segment.offset, segment.bytes).toString('latin1');
  });
}

/**
 * How large a file is and must be, in bytes, if its end is missing; otherwise, or if that is unknown,
 * undefined. The system does load such a file, and ends the process when it touches what is missing.
 */
export function shortageOf(file: string): { size: number; needed: number } | undefined {
  return withElfFile(file, (segments, descriptor) => {
    const { size } = fstatSync(descriptor);
    const needed = Math.max(...segments.map(({ offset, bytes }) => offset + bytes));
    return size < needed ? { size, needed } : undefined;
  });
}
