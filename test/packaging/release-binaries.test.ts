/** What the scripts for release binaries find in object code, and in the results of tests elsewhere. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { ROOT, runProgram } from '../support/processes';

interface Exception {
  file: string;
  titles: string[];
  reason: string;
}
interface Test {
  file: string;
  title: string;
  state: 'passed' | 'failed' | 'skipped';
  message: string;
}

async function load<Exports>(name: string): Promise<Exports> {
  const path = join(ROOT, 'scripts', 'distribution', 'prebuilds', name);
  return (await import(pathToFileURL(path).href)) as Exports;
}

describe('object code for Windows', () => {
  it('is searched for wide moves that need an aligned address', async () => {
    const { alignedWideMovesIn } = await load<{
      alignedWideMovesIn: (lines: string[]) => string[];
    }>('object-code.mjs');
    const faulting = [
      'vmovaps\t%ymm6, 32(%rsp)',
      'vmovapd\t(%rax,%rdx,8), %zmm17',
      'vmovdqa\t-64(%rbp), %ymm0',
      'vmovdqa64\t%zmm1, (%rcx)',
    ].map((code) => `   1a6:      \t${code}`);
    assert.deepEqual(alignedWideMovesIn(faulting), faulting);
    const harmless = [
      'vmovups\t%ymm6, 32(%rsp)',
      'vmovdqu64\t%zmm1, (%rcx)',
      // Windows aligns the stack for these, and no memory is touched by the others.
      'movaps\t%xmm6, 32(%rsp)',
      'vmovaps\t%xmm6, 32(%rsp)',
      'vmovaps\t%ymm1, %ymm2',
    ].map((code) => `   1a6:      \t${code}`);
    assert.deepEqual(alignedWideMovesIn(harmless), []);
  });
});

describe('the copy that is tested', () => {
  it('has the files of a clone that another user owns, as in a container', async function () {
    if (process.getuid?.() !== 0) return this.skip();
    const { listFiles } = await load<{ listFiles: (clone: string) => string[] }>('test-copy.mjs');
    const clone = mkdtempSync(join(tmpdir(), 'expsyn-clone-'));
    try {
      const git = (...words: string[]) => runProgram('git', words, { cwd: clone });
      await git('init', '--quiet');
      for (const name of ['a', 'b', 'ignored']) writeFileSync(join(clone, name), '');
      writeFileSync(join(clone, '.gitignore'), 'ignored\n');
      await git('add', 'a');
      const NOBODY = 65_534;
      for (const name of ['', '.git']) chownSync(join(clone, name), NOBODY, NOBODY);
      assert.notEqual((await git('ls-files')).code, 0);
      assert.deepEqual(listFiles(clone).sort(), ['.gitignore', 'a', 'b']);
    } finally {
      rmSync(clone, { recursive: true });
    }
  });
});

describe('package.json as it is published', () => {
  it('offers expsyn/wasm only if the package contains it', async () => {
    const { strip, restore } =
      await load<Record<'strip' | 'restore', (folder: string) => void>>('../manifest.mjs');
    const folder = mkdtempSync(join(tmpdir(), 'expsyn-manifest-'));
    const file = join(folder, 'package.json');
    const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
    const published = () => {
      writeFileSync(file, text);
      strip(folder);
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as {
        exports: object;
        typesVersions: { '*': object };
        scripts?: object;
      };
      restore(folder);
      assert.equal(readFileSync(file, 'utf8'), text);
      assert.equal(manifest.scripts, undefined);
      return [...Object.keys(manifest.exports), ...Object.keys(manifest.typesVersions['*'])];
    };
    try {
      const paths = ['.', './streams', './files'];
      assert.deepEqual(published(), [...paths, './package.json', 'streams', 'files']);
      mkdirSync(join(folder, 'prebuilds', 'wasm'), { recursive: true });
      writeFileSync(join(folder, 'prebuilds', 'wasm', 'index.mjs'), '');
      const all = [...paths, './wasm', './package.json', 'streams', 'files', 'wasm'];
      assert.deepEqual(published(), all);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('tests on another system', () => {
  const PAGE = `
## \`linux-arm64\`

| tests                                   | why they do not pass |
| --------------------------------------- | -------------------- |
| \`test/a.test.ts\`                        | other                |

## \`win32-x64\`

| tests                                   | why they do not pass |
| --------------------------------------- | -------------------- |
| \`test/a.test.ts\`                        | no Python            |
| \`test/b.test.ts\`: \`b one\`, \`b two\` | no signals           |

## Other
`;

  const test = (file: string, title: string, state: Test['state']): Test => ({
    ...{ file: `test/${file}.test.ts`, title, state, message: '' },
  });

  async function compare(tests: Test[]): Promise<boolean> {
    const { readExceptions, compareWithExceptions } = await load<{
      readExceptions: (target: string, page: string) => Exception[];
      compareWithExceptions: (target: string, tests: Test[], exceptions: Exception[]) => boolean;
    }>('test-results.mjs');
    const exceptions = readExceptions('win32-x64', PAGE);
    assert.deepEqual(exceptions, [
      { file: 'test/a.test.ts', titles: [], reason: 'no Python' },
      { file: 'test/b.test.ts', titles: ['b one', 'b two'], reason: 'no signals' },
    ]);
    const { log, error } = console;
    Object.assign(console, { log: () => undefined, error: () => undefined });
    try {
      return compareWithExceptions('win32-x64', tests, exceptions);
    } finally {
      Object.assign(console, { log, error });
    }
  }

  it('may fail and be skipped where the page says so', async () => {
    const listed = [test('a', 'a', 'failed'), test('b', 'b one', 'skipped')];
    assert.ok(await compare([...listed, test('b', 'b two more', 'failed')]));
    // One that the page lists has passed.
    assert.equal(await compare([...listed, test('b', 'b two', 'passed')]), false);
    assert.ok(await compare([test('c', 'c', 'passed')]));
  });

  it('may not fail, be skipped or pass where it says nothing or the contrary', async () => {
    assert.equal(await compare([test('c', 'c', 'failed')]), false);
    assert.equal(await compare([test('c', 'c', 'skipped')]), false);
    assert.equal(await compare([test('b', 'b three', 'failed')]), false);
    assert.equal(await compare([test('a', 'a', 'passed')]), false);
  });
});
