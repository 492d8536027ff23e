/** Why the native addon does not load, in a sentence each. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { describeLoadError } from '../../lib/native/load-error';
import { glibcVersion, isTarget, systemName, TARGETS } from '../../lib/native/target';
import { ROOT, runProgram } from '../support/processes';

/** The clone's build, or where there is none, the release binary. */
const [BUILD = ''] = ['build/Release', `prebuilds/${systemName()}`]
  .map((place) => join(ROOT, place, 'expsyn.node'))
  .filter((file) => existsSync(file));

/** Prints what loading the package in the current folder gives. */
const LOAD = `
  try {
    const { ExpSyn } = require(process.cwd());
    console.log(JSON.stringify({ sum: new ExpSyn(1).evolveSync([[0]]).output.data[0] }));
  } catch ({ code, message, cause }) {
    console.log(JSON.stringify({ code, message, cause: cause?.message }));
  }
`;

interface Loaded {
  sum?: number;
  code?: string;
  message?: string;
  cause?: string;
}

/** An executable of 64 bits as far as its headers go, whose loader is `interpreter`. */
function elfFile(interpreter: string): Buffer {
  const path = Buffer.from(`${interpreter}\0`);
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01', 'latin1');
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(2, 56);
  const entries = Buffer.alloc(112);
  entries.writeUInt32LE(6, 0);
  entries.writeUInt32LE(3, 56);
  entries.writeBigUInt64LE(176n, 64);
  entries.writeBigUInt64LE(BigInt(path.length), 88);
  return Buffer.concat([header, entries, path]);
}

describe('an addon that does not load', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'expsyn-load-'));
    cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function binary(target = systemName()): string {
    return join(folder, 'prebuilds', target, 'expsyn.node');
  }

  function place(file: string, content: Buffer | string): void {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  /** Makes the folder look like a clone, which has the set-up. */
  function makeClone(): void {
    place(join(folder, 'scripts', 'setup.mjs'), readFileSync(join(ROOT, 'scripts', 'setup.mjs')));
  }

  /** Loads the package of the folder in a process of its own. */
  async function load({
    prelude = '',
    flags = [] as string[],
    uid = undefined as number | undefined,
  } = {}): Promise<Loaded> {
    const { output, errors } = await runProgram(
      process.execPath,
      [...flags, '-e', prelude + LOAD],
      { cwd: folder, ...(uid !== undefined && { uid }) },
    );
    // Node's own, about the permission model and --allow-addons.
    const warnings =
      /^\(node:\d+\) (ExperimentalWarning: Permission is|(\[PERM0001\] )?SecurityWarning: The flag --allow-addons)/m;
    if (!warnings.test(errors)) assert.equal(errors, '');
    return JSON.parse(output) as Loaded;
  }

  /** Checks the form of the sentence, and that it names what it should. */
  function assertSentence({ code, message = '' }: Loaded, ...parts: (string | RegExp)[]): void {
    assert.equal(code, 'ERR_EXPSYN_ADDON');
    assert.match(message, /^Expected [^\n]+ but [^\n]+; [^\n]+\.$/);
    for (const part of parts) {
      if (typeof part === 'string') assert.ok(message.includes(part), `${part}: ${message}`);
      else assert.match(message, part);
    }
    const isClone = message.includes('npm run setup');
    assert.equal(isClone, parts.includes('npm run setup'), message);
  }

  it('does load from prebuilds/', async () => {
    place(binary(), readFileSync(BUILD));
    assert.deepEqual(await load(), { sum: 0 });
  });

  it('loads the build of a clone before a release binary', async () => {
    place(binary(), 'not an addon');
    place(join(folder, 'build', 'Release', 'expsyn.node'), readFileSync(BUILD));
    assert.deepEqual(await load(), { sum: 0 });
  });

  it('may be missing', async () => {
    const loaded = await load();
    assertSentence(
      loaded,
      binary(),
      'no such file',
      'docs/bundlers.md',
      'install the package again',
    );
    assert.match(loaded.cause ?? '', /Cannot find module/);
  });

  it('may be missing in a clone that was not set up', async () => {
    makeClone();
    assertSentence(await load(), binary(), 'no such file', 'npm run setup', folder);
  });

  it('may be a file that is no addon', async () => {
    place(binary(), 'this is not an addon\n'.repeat(1000));
    const loaded = await load();
    assertSentence(loaded, binary(), 'the file is not one', 'install the package again');
    assert.ok(loaded.cause);
  });

  it('may be the build of a clone, made on another system', async () => {
    makeClone();
    const file = join(folder, 'build', 'Release', 'expsyn.node');
    place(file, '');
    assertSentence(await load(), file, `remove ${join(folder, 'build')}`, 'npm run setup');
  });

  it('may be cut off, where the system would end the process', async function () {
    if (process.platform !== 'linux') return this.skip();
    const content = readFileSync(BUILD);
    for (const size of [64, 4096, content.length >> 1]) {
      place(binary(), content.subarray(0, size));
      const loaded = await load();
      // Of the smallest, not even the headers are there.
      if (size === 64) assertSentence(loaded, binary(), 'the file is not one');
      else assertSentence(loaded, binary(), `ends after ${size};`, 'install the package again');
    }
    rmSync(join(folder, 'prebuilds'), { recursive: true });
    makeClone();
    const own = join(folder, 'build', 'Release', 'expsyn.node');
    place(own, content.subarray(0, content.length >> 1));
    assertSentence(await load(), own, `remove ${join(folder, 'build')}`, 'npm run setup');
  });

  it('may be a file that the user may not read, or in such a folder', async function () {
    if (process.platform === 'win32') return this.skip();
    // Root may read everything.
    const NOBODY = 65_534;
    const uid = process.getuid?.() === 0 ? NOBODY : undefined;
    chmodSync(folder, 0o755);
    place(binary(), readFileSync(BUILD));
    assert.deepEqual(await load({ uid }), { sum: 0 });
    for (const path of [binary(), dirname(binary())]) {
      chmodSync(path, 0);
      assertSentence(await load({ uid }), binary(), 'denies to read', 'the permission to read');
      chmodSync(path, 0o755);
    }
  });

  it('may be a folder', async () => {
    mkdirSync(binary(), { recursive: true });
    assertSentence(await load(), binary(), 'a folder of that name', 'install the package again');
  });

  it('may be on a disk from which no program runs', async function () {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return this.skip();
    mkdirSync(dirname(binary()), { recursive: true });
    const mount = ['-t', 'tmpfs', '-o', 'noexec', 'tmpfs', dirname(binary())];
    const { code } = await runProgram('mount', mount).catch(() => ({ code: -1 }));
    // A container may not mount anything.
    if (code !== 0) return this.skip();
    try {
      place(binary(), readFileSync(BUILD));
      assertSentence(await load(), binary(), 'without the option noexec');
    } finally {
      await runProgram('umount', [dirname(binary())]);
    }
  });

  it('may be for another processor', async function () {
    if (glibcVersion() === undefined) return this.skip();
    const content = readFileSync(BUILD);
    const SPARC = 2;
    content.writeUInt16LE(SPARC, 18);
    place(binary(), content);
    assertSentence(await load(), binary(), `for ${process.arch}`, 'is for another processor');
  });

  it('may need a newer C library', async function () {
    if (glibcVersion() === undefined) return this.skip();
    const content = readFileSync(BUILD);
    const at = content.indexOf('GLIBC_2.');
    assert.ok(at > 0);
    content.write('9', at + 'GLIBC_'.length);
    place(binary(), content);
    const loaded = await load();
    assertSentence(
      loaded,
      binary(),
      /version GLIBC_9(\.\d+)+ of/,
      `has glibc ${String(glibcVersion())}`,
    );
  });

  it('may be for another C library', async function () {
    if (glibcVersion() === undefined) return this.skip();
    const content = readFileSync(BUILD);
    const at = content.indexOf('libc.so.6\0');
    assert.ok(at > 0);
    content.write('libc.so\0\0', at);
    place(binary(), content);
    assertSentence(await load(), binary(), 'for glibc but', 'is for musl');
  });

  it('may be for no such system', async () => {
    for (const [platform, arch] of [
      ['freebsd', 'x64'],
      ['linux', 'riscv64'],
      ['darwin', 'x64'],
      ['win32', 'ia32'],
    ] as const) {
      const prelude = `Object.defineProperties(process, {
        platform: { value: '${platform}' }, arch: { value: '${arch}' } });`;
      const names = Object.values(TARGETS);
      assertSentence(await load({ prelude }), `this is ${platform} on ${arch};`, ...names);
    }
  });

  it('is chosen by the loader of the executable, which names the C library', async function () {
    if (process.platform !== 'linux') return this.skip();
    const asIf = (interpreter: string) => {
      const file = join(folder, 'node');
      place(file, elfFile(interpreter));
      return `process.execPath = ${JSON.stringify(file)};
        Object.defineProperty(process, 'arch', { value: 'x64' });`;
    };
    const musl = asIf('/lib/ld-musl-x86_64.so.1');
    assertSentence(await load({ prelude: musl }), binary('linux-x64-musl'));
    const onArm = `${musl}Object.defineProperty(process, 'arch', { value: 'arm64' });`.replace(
      "'arch', { value: 'x64' }",
      "'title', { value: 'x64' }",
    );
    assertSentence(await load({ prelude: onArm }), 'this is linux on arm64 with musl;');
    const glibc = asIf('/lib64/ld-linux-x86-64.so.2');
    assertSentence(await load({ prelude: glibc }), binary('linux-x64'));
  });

  it('is chosen by a report where the executable may not be read or names no loader', async function () {
    if (process.platform !== 'linux') return this.skip();
    const asX64 = "Object.defineProperty(process, 'arch', { value: 'x64' });";
    place(join(folder, 'node'), 'no executable');
    for (const execPath of [join(folder, 'missing'), join(folder, 'node')]) {
      const prelude = `${asX64}process.execPath = ${JSON.stringify(execPath)};`;
      const real = glibcVersion() === undefined ? 'linux-x64-musl' : 'linux-x64';
      assertSentence(await load({ prelude }), binary(real));
      const header = (text: string) => `${prelude}process.report.getReport = () => ${text};`;
      const musl = await load({ prelude: header('({ header: {} })') });
      assertSentence(musl, binary('linux-x64-musl'));
      const forbidden = await load({ prelude: header('{ throw new Error(); }') });
      assertSentence(forbidden, binary('linux-x64'));
    }
  });

  it('may be forbidden', async () => {
    place(binary(), readFileSync(BUILD));
    const flag = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission';
    const restricted = [flag, '--allow-fs-read=*'];
    const permitted = await load({ flags: [...restricted, '--allow-addons'] });
    assert.deepEqual(permitted, { sum: 0 });
    const loaded = await load({ flags: restricted });
    assertSentence(loaded, 'its permission model and without --allow-addons');
    assertSentence(await load({ flags: ['--no-addons'] }), 'with --no-addons;');
  });
});

describe('a sentence on an addon that does not load', () => {
  const attempt = { root: undefined, system: 'linux-x64', file: '/app/expsyn.node' };

  /** The sentence for an error of the given text. */
  function sentenceFor(text: string, code = 'ERR_DLOPEN_FAILED'): string {
    const cause = Object.assign(new Error(text), { code });
    const error = describeLoadError(attempt, cause) as Error & { code: string };
    assert.equal(error.cause, cause);
    assert.equal(error.code, 'ERR_EXPSYN_ADDON');
    assert.match(error.message, /^Expected [^\n]+ but [^\n]+; [^\n]+\.$/);
    return error.message;
  }

  it('knows the words of the loaders of other systems', () => {
    for (const [text, part] of [
      ['\\\\?\\C:\\app\\expsyn.node is not a valid Win32 application.', 'the file is not one'],
      [
        "dlopen(/app/expsyn.node, 0x0001): tried: '/app/expsyn.node' (mach-o file, but is an " +
          "incompatible architecture (have 'arm64', need 'x86_64'))",
        'the file is not one',
      ],
      ['dlopen(/app/expsyn.node, 1): not a mach-o file', 'the file is not one'],
      ['Module did not self-register: /app/expsyn.node', 'the file is not one'],
      [
        'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /app/expsyn.node)',
        'Expected a native addon for musl',
      ],
      [
        'Error relocating /app/expsyn.node: __strftime_l: symbol not found',
        'Expected a native addon for musl',
      ],
      [
        'libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory',
        'is for musl',
      ],
      [
        "/lib64/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /app/expsyn.node)",
        'version GLIBCXX_3.4.30 of',
      ],
      [
        'Error loading shared library /app/expsyn.node: Operation not permitted',
        'without the option noexec',
      ],
      [
        '/app/expsyn.node: failed to map segment from shared object: Cannot allocate memory',
        'Expected enough memory',
      ],
      [
        '/app/expsyn.node: cannot open shared object file: Permission denied',
        'the permission to read',
      ],
      [
        '/app/expsyn.node: cannot open shared object file: Too many open files',
        'the system refused it (/app/expsyn.node: cannot open shared object file: Too many',
      ],
      ['The specified procedure could not be found.\r\n\\\\?\\C:\\app', 'The specified procedure'],
    ] as const) {
      assert.ok(sentenceFor(text).includes(part), sentenceFor(text));
    }
  });

  it('knows what bundlers and other runtimes leave out', () => {
    for (const [text, code, part] of [
      ['require is not defined', '', 'docs/bundlers.md'],
      ['Dynamic require of "/x/expsyn.node" is not supported', '', 'docs/bundlers.md'],
      [
        "Cannot find module '../../prebuilds/linux-x64/expsyn.node'",
        'MODULE_NOT_FOUND',
        'docs/bundlers.md',
      ],
      [
        'node-loader:\nError: /nowhere/expsyn.node: cannot open shared object file: No such file',
        '',
        'there is no such file; configure the bundler',
      ],
      [
        'Requires ffi access to "/app/expsyn.node", run again with the --allow-ffi flag',
        '',
        '--allow-ffi;',
      ],
    ] as const) {
      assert.ok(sentenceFor(text, code).includes(part), sentenceFor(text, code));
    }
  });

  it('is none of an error of the addon itself, which is passed on', () => {
    const own = new Error('Expected a number that no other call has.');
    assert.equal(describeLoadError(attempt, own), own);
  });

  it('knows its own targets', () => {
    for (const target of Object.keys(TARGETS)) assert.ok(isTarget(target));
    for (const name of ['linux-arm64-musl', 'toString', '']) assert.ok(!isTarget(name));
  });
});
