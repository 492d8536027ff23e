/** Says in a sentence why the native addon does not load here, and what to do. */
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { errorWith } from '../errors/error-codes';
import { glibcVersion, isTarget, TARGETS } from './target';

const DOCUMENTATION = 'https://github.com/expsyn/expsyn/blob/main/docs';

/** What was to be loaded. */
export interface Attempt {
  /** The package's folder; undefined in a bundle that does not know its own. */
  readonly root: string | undefined;
  /** This system, as systemName() calls it. */
  readonly system?: string;
  /** The addon's file; undefined if the package has none for this system. */
  readonly file?: string;
  /** Whether the file is the build of a clone. */
  readonly isOwnBuild?: boolean;
  /** Bytes that the file has and needs, if its end is missing. */
  readonly shortage?: { readonly size: number; readonly needed: number };
  /** What a bundler gave in place of the addon. */
  readonly received?: unknown;
}

/** An error's code and message, as far as it has any. */
interface Cause {
  readonly code: string;
  readonly text: string;
}

/** Why the attempt failed: each entry returns a sentence, or undefined if it knows nothing of the cause. */
const REASONS: readonly ((attempt: Attempt, cause: Cause) => string | undefined)[] = [
  unsupportedSystem,
  replacedFile,
  truncatedFile,
  forbiddenAddons,
  unreadableFile,
  folderAsFile,
  missingFile,
  missingRequire,
  exhaustedMemory,
  forbiddenCode,
  olderLibrary,
  otherLibrary,
  otherProcessor,
  otherFile,
];

/** The error to throw. An error of the package itself, which is a sentence already, is passed on. */
export function describeLoadError(attempt: Attempt, thrown?: unknown): unknown {
  if (isOwn(thrown)) return thrown;
  const cause = {
    code: thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '',
    text: (thrown instanceof Error ? thrown.message : String(thrown)).trim().replace(/\.$/, ''),
  };
  let sentence: string | undefined;
  for (const reason of REASONS) sentence ??= reason(attempt, cause);
  sentence ??=
    `Expected to load the native addon ${nameOf(attempt)} but the system refused it ` +
    `(${firstLine(cause.text)}); see ${DOCUMENTATION}/` +
    (attempt.root === undefined ? 'bundlers.md.' : 'install.md#load-errors.');
  const error = new Error(sentence, thrown === undefined ? {} : { cause: thrown });
  return errorWith(error, 'ERR_EXPSYN_ADDON');
}

function isOwn(thrown: unknown): boolean {
  return thrown instanceof Error && /^Expected .*\.$/.test(thrown.message);
}

function unsupportedSystem({ system }: Attempt): string | undefined {
  if (system === undefined || isTarget(system)) return undefined;
  const isMusl = system.endsWith('-musl');
  const found = `${process.platform} on ${process.arch}${isMusl ? ' with musl' : ''}`;
  return (
    `Expected a system that the package has a native addon for (${listTargets()}) but this is ` +
    `${found}; use one of those, or build the addon in a clone, see ` +
    `${DOCUMENTATION}/install.md#from-a-clone.`
  );
}

function listTargets(): string {
  return Object.values(TARGETS).join(', ');
}

function replacedFile(attempt: Attempt): string | undefined {
  if (!('received' in attempt)) return undefined;
  return (
    `Expected the native addon ${nameOf(attempt)} but received ${inspect(attempt.received)} from a ` +
    `bundler; configure the bundler to load the file, see ${DOCUMENTATION}/bundlers.md.`
  );
}

function truncatedFile(attempt: Attempt): string | undefined {
  const { shortage } = attempt;
  if (shortage === undefined) return undefined;
  return (
    `Expected ${shortage.needed} bytes in the native addon ${nameOf(attempt)} but the file ends after ` +
    `${shortage.size}; ${adviceToReplace(attempt, 'install the package again')}.`
  );
}

/** Asked of the system, because each loader has other words for it, and some blame something else. */
function unreadableFile(attempt: Attempt, { text }: Cause): string | undefined {
  const code = attempt.file === undefined ? undefined : codeOfReading(attempt.file);
  const isForbidden = code === 'EACCES' || code === 'EPERM';
  if (!isForbidden && !text.includes('cannot open shared object file: Permission denied')) {
    return undefined;
  }
  return (
    `Expected a native addon that this user may read but the system denies to read ` +
    `${nameOf(attempt)}; give the user the permission to read the file and its folders.`
  );
}

/** The code of the error at opening a file; undefined if it can be read. */
function codeOfReading(file: string): unknown {
  try {
    closeSync(openSync(file, 'r'));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

function folderAsFile(attempt: Attempt): string | undefined {
  const { file } = attempt;
  if (file === undefined || !isFolder(file)) return undefined;
  return (
    `Expected the native addon ${file} but there is a folder of that name; ` +
    `${adviceToReplace(attempt, 'install the package again')}.`
  );
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function missingFile(attempt: Attempt, { code, text }: Cause): string | undefined {
  // Bundles load the file by process.dlopen(), and some give their own error with the text of another.
  const [, file] =
    /(?:^|: )(\S.*\.node): cannot open shared object file: No such/m.exec(text) ?? [];
  const isMissing = file !== undefined && attempt.root === undefined && !isThere(file);
  if (code !== 'MODULE_NOT_FOUND' && !isMissing) return undefined;
  const expected = `Expected the native addon ${nameOf(attempt)} but there is no such file`;
  if (isClone(attempt)) return `${expected}; run 'npm run setup' in ${String(attempt.root)}.`;
  const advice =
    attempt.root === undefined
      ? 'configure the bundler to carry it'
      : 'install the package again, or if a bundler has left the file out';
  return `${expected}; ${advice}, see ${DOCUMENTATION}/bundlers.md.`;
}

function forbiddenAddons(attempt: Attempt, { code, text }: Cause): string | undefined {
  const expected = 'Expected a process that may load native addons but';
  if (/^Requires ffi access\b/.test(text)) {
    return `${expected} Deno was started without --allow-ffi; start it with --allow-ffi.`;
  }
  if (code !== 'ERR_DLOPEN_DISABLED') return undefined;
  const isRestricted = (process as { permission?: unknown }).permission !== undefined;
  return isRestricted
    ? `${expected} Node was started with its permission model and without --allow-addons; start it ` +
        'with --allow-addons.'
    : `${expected} Node was started with --no-addons; start it without --no-addons.`;
}

/** In an ES module that a bundler has made, there may be no require(). */
function missingRequire(attempt: Attempt, { text }: Cause): string | undefined {
  if (!/\brequire\b.*\bis not (defined|supported)\b/.test(text)) return undefined;
  return (
    `Expected require() for the native addon ${nameOf(attempt)} but a bundler has removed it; see ` +
    `${DOCUMENTATION}/bundlers.md.`
  );
}

/** An exception of the C++ library while the addon starts, or the words of Linux while it is loaded. */
function exhaustedMemory(attempt: Attempt, { text }: Cause): string | undefined {
  if (!/^(std::)?bad_alloc$|: Cannot allocate memory$/.test(text)) return undefined;
  return (
    `Expected enough memory for the native addon ${nameOf(attempt)} but the system has none left; ` +
    'close other programs.'
  );
}

/** The words of glibc's and musl's loaders if no code may run from the file's disk. */
function forbiddenCode(attempt: Attempt, { text }: Cause): string | undefined {
  if (!/failed to map segment from shared object|: Operation not permitted$/.test(text)) {
    return undefined;
  }
  return (
    `Expected the native addon ${nameOf(attempt)} on a disk from which programs may run but the ` +
    `system forbids it (${firstLine(text)}); mount the disk without the option noexec, or install ` +
    'the package on another disk.'
  );
}

/** The words of glibc's loader for a symbol of a later version of a library. */
function olderLibrary(attempt: Attempt, { text }: Cause): string | undefined {
  const [, version] =
    /version [`'"]?((?:GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]+)['"]? not found/.exec(text) ?? [];
  if (version === undefined) return undefined;
  const glibc = version.startsWith('GLIBC_') ? glibcVersion() : undefined;
  const found = glibc === undefined ? 'has an older one' : `has glibc ${glibc}`;
  return (
    `Expected version ${version} of a system library for the native addon ${nameOf(attempt)} but ` +
    `this system ${found}; ${adviceToReplace(attempt, 'use a newer system')}.`
  );
}

/** The words of the loaders of musl and glibc for libraries of each other. */
function otherLibrary(attempt: Attempt, { text }: Cause): string | undefined {
  const onMusl = /Error loading shared library .*needed by|Error relocating/.test(text);
  const onGlibc = /\b(libc\.musl-\w+\.so\.1|libc\.so|ld-musl-\w+\.so\.1): /.test(text);
  if (!onMusl && !onGlibc) return undefined;
  const [expected, other] = onMusl ? ['musl', 'another C library'] : ['glibc', 'musl'];
  return (
    `Expected a native addon for ${expected} but ${nameOf(attempt)} is for ${other} ` +
    `(${firstLine(text)}); ${adviceToReplace(attempt, 'install the package again on this system')}.`
  );
}

/** glibc's loader says that a file does not exist if it is for another processor. */
function otherProcessor(attempt: Attempt, { text }: Cause): string | undefined {
  const { file } = attempt;
  const isBlamed = text.startsWith(`${nameOf(attempt)}: cannot open shared object file: No such`);
  if (!isBlamed || file === undefined || !isThere(file)) return undefined;
  return (
    `Expected a native addon for ${process.arch} at ${nameOf(attempt)} but the file is for another ` +
    `processor; ${adviceToReplace(attempt, 'install the package again')}.`
  );
}

/** The words of the loaders of Linux, Windows and macOS for files that are no library of this system. */
const OTHER_FILES =
  /invalid ELF header|wrong ELF class|file too short|cannot read file data|ELF file's|Exec format error|not a valid Win32 application|not a mach-o file|incompatible architecture|slice is not valid|did not self-register|Not a valid dynamic program/i;

function otherFile(attempt: Attempt, { text }: Cause): string | undefined {
  if (!OTHER_FILES.test(text)) return undefined;
  return (
    `Expected a native addon for ${process.platform} on ${process.arch} at ${nameOf(attempt)} but ` +
    `the file is not one (${firstLine(text)}); ` +
    `${adviceToReplace(attempt, 'install the package again')}.`
  );
}

/** What to do about a file that is wrong: in a clone, to build it again. */
function adviceToReplace(attempt: Attempt, advice: string): string {
  if (attempt.isOwnBuild !== true || !isClone(attempt)) return advice;
  return `remove ${join(String(attempt.root), 'build')} and run 'npm run setup' in ${String(attempt.root)}`;
}

/** Whether the package is a clone, which has the set-up. */
function isClone({ root }: Attempt): boolean {
  return root !== undefined && isThere(join(root, 'scripts', 'setup.mjs'));
}

/** Whether a file exists and may be looked for: permission models of runtimes may throw. */
function isThere(file: string): boolean {
  try {
    return existsSync(file);
  } catch {
    return false;
  }
}

function nameOf({ file }: Attempt): string {
  return file ?? 'of this system';
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
