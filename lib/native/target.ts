/** Which of the package's binaries is for this system. */
import { interpreterOf } from './elf-file';

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
  const loader = interpreterOf(process.execPath);
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
