/** Which of the package's binaries is for this system. */
import { closeSync, openSync, readSync } from 'node:fs';

/** The systems that the package has a binary for, by the names of their folders in prebuilds/. */
export const TARGETS = {
  'linux-x64': 'Linux on x64 with glibc',
  'linux-x64-musl': 'Linux on x64 with musl',
  'linux-arm64': 'Linux on arm64 with glibc',
  'win32-x64': 'Windows on x64',
  'darwin-arm64': 'macOS on arm64',
} as const;

export type Target = keyof typeof TARGETS;

/** This system's name, whether the package has a binary for it or not: 'linux-x64', 'freebsd-riscv64'. */
export function systemName(): string {
  const name = `${process.platform}-${process.arch}`;
  return process.platform === 'linux' && isMusl() ? `${name}-musl` : name;
}

export function isTarget(name: string): name is Target {
  return Object.hasOwn(TARGETS, name);
}

/**
 * Whether this process uses musl. Its executable names the loader of its C library. A report of Node is
 * only made if the executable may not be read or names none, because a report takes milliseconds.
 */
function isMusl(): boolean {
  const loader = loaderOf(process.execPath);
  if (loader !== undefined) return loader.includes('ld-musl-');
  const report = readReport();
  return report !== undefined && report.glibcVersionRuntime === undefined;
}

/** The version of glibc that this process uses; undefined if it is not known. */
export function glibcVersion(): string | undefined {
  return readReport()?.glibcVersionRuntime;
}

/** The header of Node's report on this process, which has a glibcVersionRuntime unless the process uses musl. */
function readReport(): { glibcVersionRuntime?: string } | undefined {
  try {
    const { report } = process as { report?: NodeJS.ProcessReport & { excludeNetwork?: boolean } };
    if (report === undefined) return undefined;
    const { excludeNetwork } = report;
    // With the network, a report looks up the names of all peers of open sockets.
    report.excludeNetwork = true;
    try {
      return (report.getReport() as { header?: { glibcVersionRuntime?: string } }).header;
    } finally {
      if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork;
    }
  } catch {
    // A runtime may forbid reports.
    return undefined;
  }
}

/** Offsets and sizes in a little-endian ELF file of 64 bits, which all targets on Linux have. */
const ELF = {
  headerBytes: 64,
  magic: 0x7f_45_4c_46,
  class64: 2,
  littleEndian: 1,
  interpreter: 3,
  mostInterpreterBytes: 4096,
};

/** The program interpreter (PT_INTERP) of an ELF file; undefined if there is none or it can't be read. */
function loaderOf(file: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const header = read(descriptor, 0, ELF.headerBytes);
    const isKnown =
      header.readUInt32BE(0) === ELF.magic &&
      header[4] === ELF.class64 &&
      header[5] === ELF.littleEndian;
    if (!isKnown) return undefined;
    const start = Number(header.readBigUInt64LE(32));
    const entryBytes = header.readUInt16LE(54);
    const entries = read(descriptor, start, entryBytes * header.readUInt16LE(56));
    for (let at = 0; at < entries.length; at += entryBytes) {
      if (entries.readUInt32LE(at) !== ELF.interpreter) continue;
      const bytes = Number(entries.readBigUInt64LE(at + 32));
      if (bytes > ELF.mostInterpreterBytes) return undefined;
      return read(descriptor, Number(entries.readBigUInt64LE(at + 8)), bytes).toString('latin1');
    }
    return undefined;
  } catch {
    // A runtime may forbid to read its own executable.
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Bytes of an open file. Throws if there are fewer. */
function read(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(descriptor, bytes, 0, length, position) < length)
    throw new RangeError('The file ends.');
  return bytes;
}
