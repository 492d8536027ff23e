/** Checks of a release binary that need no machine of its kind. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

import { root } from '../../setup/run.mjs';
import { SetupError } from '../../setup/setup-error.mjs';
import { folderOf } from '../tools.mjs';
import { faultOfSignature } from './code-signature.mjs';
import { EXPORTED } from './targets.mjs';
import { alignedWideMovesIn, fusedMultiplyAddsIn, productsIn } from './object-code.mjs';

/** The version of Node-API that the binary is made for; every newer Node has it. */
const NODE_API = 8;

/** What one binary may take in the package, compressed. All together must leave room for the rest. */
export const MOST_PACKED_BYTES = 700_000;

/** The most that the binaries of all targets may take together: with the rest, the package takes less than 3 MB. */
export const MOST_PACKED_BYTES_OF_ALL = 2_700_000;

/** More than any disassembly. */
const MOST_OUTPUT = 2 ** 30;

/** Throws a SetupError that lists all that is wrong with a binary. Returns what it is, in words. */
export function checkBinary(path, target, file) {
  const faults = [];
  const format = linesOf('llvm-objdump', ['--section-headers', path]).join('\n');
  if (!format.includes(`file format ${file.format}`)) {
    faults.push(`its format is not ${file.format}`);
  }
  const { undefinedNames, libraries, versions, exported } =
    READERS[/^[a-z]+/.exec(file.format)[0]](path);
  faults.push(...faultsOfNames(undefinedNames));
  const unexpected = libraries.filter((name) => !file.libraries.includes(name));
  if (unexpected.length > 0) faults.push(`it needs ${unexpected.join(', ')}`);
  if (file.oldest !== undefined) {
    const newer = versions.filter((version) => compareVersions(version, file.oldest) > 0);
    if (versions.length === 0) faults.push('it does not say which system it needs');
    if (newer.length > 0) faults.push(`it needs version ${newer.join(', ')} of its system`);
  }
  const bytes = readFileSync(path);
  if (bytes.includes(root)) faults.push('it contains the path of the folder where it was built');
  const others = exported?.filter((name) => !EXPORTED.includes(name)) ?? [];
  if (others.length > 0) faults.push(`it exports ${others.slice(0, 3).join(', ')}, ...`);
  const badSignature = file.isSigned ? faultOfSignature(bytes) : undefined;
  if (badSignature !== undefined) faults.push(badSignature);
  const code = linesOf('llvm-objdump', ['--disassemble', '--no-show-raw-insn', path]);
  if (productsIn(code).length < 100) faults.push('its code could not be read');
  const fused = fusedMultiplyAddsIn(code);
  if (fused.length > 0) faults.push(`it has ${fused.length} fused multiply-adds:\n${fused[0]}`);
  // GCC keeps wide vectors on the stack, which Windows aligns to 16 bytes only.
  const aligned = file.format.startsWith('coff') ? alignedWideMovesIn(code) : [];
  if (aligned.length > 0) faults.push(`it takes the stack to be aligned:\n${aligned[0]}`);
  const packed = gzipSync(bytes, { level: 9 }).length;
  if (faults.length > 0) {
    throw new SetupError(
      `Expected the binary for ${target} to run on every such system but ${faults.join('; ')}; ` +
        `see scripts/distribution/prebuilds/gates.mjs for the reasons.`,
    );
  }
  requireSmall(`the compressed binary for ${target}`, packed, MOST_PACKED_BYTES);
  const newest = versions.sort(compareVersions).at(-1);
  const needs = newest === undefined ? '' : `, needs version ${newest} of its system`;
  return `${(packed / 1000).toFixed(0)} kB packed${needs}`;
}

/** Throws a SetupError if something of the package is too large. */
export function requireSmall(what, bytes, most) {
  if (bytes <= most) return;
  throw new SetupError(
    `Expected at most ${most} bytes for ${what} but it takes ${bytes}; find what has grown, by ` +
      `'llvm-nm --size-sort' on the object files in build/prebuilds, and make it smaller.`,
  );
}

export function packedBytes(path) {
  return gzipSync(readFileSync(path), { level: 9 }).length;
}

/** The functions of the version of Node-API that the binary is made for. */
function functionsOfNodeApi() {
  const { symbols } = createRequire(import.meta.url)(folderOf('node-api-headers'));
  const known = symbols[`v${NODE_API}`];
  return new Set([...known.js_native_api_symbols, ...known.node_api_symbols]);
}

/** What is wrong with the names that a binary expects from others, without their versions. */
export function faultsOfNames(names, nodeApi = functionsOfNodeApi()) {
  const ofNodeApi = names.filter((name) => /^(napi|node_api)_/.test(name));
  const faults = [
    [`newer than Node-API ${NODE_API}`, ofNodeApi.filter((name) => !nodeApi.has(name))],
    // Electron forbids memory that JavaScript does not own.
    ['external memory', names.filter((name) => /^napi_create_external_/.test(name))],
    ['FFTW, which is loaded at run time', names.filter((name) => /^fftwf?_/.test(name))],
    // The C++ library is a part of the binary. A mangled name begins so.
    ['the C++ library', names.filter((name) => /^_Z|^__cxa_(?!atexit|finalize|thread)/.test(name))],
  ].flatMap(([what, found]) =>
    found.length > 0 ? [`it asks for ${found.join(', ')} (${what})`] : [],
  );
  return ofNodeApi.length > 0 ? faults : [...faults, 'it asks for no function of Node-API'];
}

/** For each kind of file, how to read which names and libraries it needs. */
const READERS = {
  elf(path) {
    const symbols = linesOf('llvm-objdump', ['--dynamic-syms', path]).filter((line) =>
      line.includes('*UND*'),
    );
    return {
      undefinedNames: symbols.map((line) => line.trim().split(/\s+/).at(-1)),
      libraries: linesOf('llvm-objdump', ['--private-headers', path]).flatMap(
        (line) => /^\s*NEEDED\s+(\S+)/.exec(line)?.[1] ?? [],
      ),
      versions: [
        ...new Set(symbols.flatMap((line) => /\(?GLIBC_([\d.]+)\)?/.exec(line)?.[1] ?? [])),
      ],
    };
  },
  mach(path) {
    // The first line names the file, the second is the binary's own name.
    const [, , ...libraries] = linesOf('llvm-objdump', ['--macho', '--dylibs-used', path]);
    const headers = linesOf('llvm-objdump', ['--private-headers', path]);
    return {
      // Names in C have a low line before them.
      undefinedNames: linesOf('llvm-nm', ['--undefined-only', '--just-symbol-name', path])
        .filter((name) => name !== '')
        .map((name) => name.replace(/^_/, '')),
      libraries: libraries.flatMap((line) => /^\t(\S+)/.exec(line)?.[1] ?? []),
      versions: headers.flatMap((line) => /^\s*minos (\S+)/.exec(line)?.[1] ?? []),
      exported: linesOf('llvm-objdump', ['--macho', '--exports-trie', path]).flatMap(
        (line) => /^0x\S+\s+_(\S+)/.exec(line)?.[1] ?? [],
      ),
    };
  },
  coff(path) {
    // What is imported at the first call is not in the tables that tools read, but its names are there.
    const names = readFileSync(path, 'latin1').matchAll(/(?<=\0)(?:napi|node_api)_\w+(?=\0)/g);
    return {
      undefinedNames: [...names].map(([name]) => name).filter((name) => !EXPORTED.includes(name)),
      libraries: linesOf('llvm-objdump', ['--private-headers', path]).flatMap(
        (line) => /^\s*DLL Name: (\S+)/.exec(line)?.[1] ?? [],
      ),
      versions: [],
    };
  },
};

/** Negative if `a` is the lower version. */
export function compareVersions(a, b) {
  const [first, second] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(first.length, second.length); ++i) {
    const difference = (first[i] ?? 0) - (second[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function linesOf(command, commandArguments) {
  const { status, stdout, stderr, error } = spawnSync(command, commandArguments, {
    encoding: 'utf8',
    maxBuffer: MOST_OUTPUT,
  });
  if (status === 0) return stdout.split('\n');
  throw new SetupError(
    `Expected ${command} to read ${commandArguments.at(-1)} but it failed: ` +
      `${error?.message ?? stderr.trim()}.`,
  );
}
