/** What the checks of release binaries find. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { ROOT } from '../support/processes';

async function loadGates() {
  const path = join(ROOT, 'scripts', 'distribution', 'prebuilds', 'gates.mjs');
  return (await import(pathToFileURL(path).href)) as {
    faultsOfNames: (names: string[], nodeApi: Set<string>) => string[];
    compareVersions: (a: string, b: string) => number;
    requireSmall: (what: string, bytes: number, most: number) => void;
  };
}

async function loadSignature() {
  const path = join(ROOT, 'scripts', 'distribution', 'prebuilds', 'code-signature.mjs');
  return (await import(pathToFileURL(path).href)) as {
    faultOfSignature: (bytes: Buffer) => string | undefined;
  };
}

describe('the size of a release binary', () => {
  it('is told in a sentence of its own if it is too large', async () => {
    const { requireSmall } = await loadGates();
    requireSmall('the binary', 10, 10);
    assert.throws(() => {
      requireSmall('the binary', 11, 10);
    }, /: Expected at most 10 bytes for the binary but it takes 11; find .+\.$/);
  });
});

describe('the signature of a release binary', () => {
  const PAGE = 4096;
  const PAGES = 3;

  /** A Mach-O file, as far as its signature goes: its pages, and then their hashes. */
  function signed(): Buffer {
    const code = Buffer.alloc(PAGE * PAGES - 100, 7);
    code.writeUInt32LE(2, 16);
    // Another load command, and the one that says where the signature is.
    code.writeUInt32LE(0x2, 32);
    code.writeUInt32LE(24, 36);
    code.writeUInt32LE(0x1d, 56);
    code.writeUInt32LE(16, 60);
    code.writeUInt32LE(code.length, 64);
    const hashes = Array.from({ length: PAGES }, (_, i) =>
      createHash('sha256')
        .update(code.subarray(i * PAGE, (i + 1) * PAGE))
        .digest(),
    );
    const list = Buffer.alloc(20);
    list.writeUInt32BE(1, 8);
    list.writeUInt32BE(20, 16);
    const directory = Buffer.alloc(44);
    directory.writeUInt32BE(0xfade0c02, 0);
    directory.writeUInt32BE(44, 16);
    directory.writeUInt32BE(PAGES, 28);
    directory.writeUInt32BE(code.length, 32);
    directory.set([32, 2, 0, 12], 36);
    return Buffer.concat([code, list, directory, ...hashes]);
  }

  async function faultOf(change: (file: Buffer) => void): Promise<string | undefined> {
    const { faultOfSignature } = await loadSignature();
    const file = signed();
    change(file);
    return faultOfSignature(file);
  }

  it('must be there and match every page', async () => {
    assert.equal(await faultOf(() => undefined), undefined);
    assert.match((await faultOf((file) => file.writeUInt32LE(3, 56))) ?? '', /not signed/);
    for (const page of [0, 1, 2]) {
      const fault = await faultOf((file) => file.writeUInt8(8, page * PAGE + 200));
      assert.equal(fault, `its signature does not match its page ${page}`);
    }
    const start = PAGE * PAGES - 100 + 20;
    assert.match((await faultOf((file) => file.writeUInt32BE(2, start + 28))) ?? '', /lacks/);
    assert.match((await faultOf((file) => file.writeUInt32BE(9, start + 32))) ?? '', /whole/);
    assert.match((await faultOf((file) => file.writeUInt8(1, start + 37))) ?? '', /another kind/);
    assert.match((await faultOf((file) => file.writeUInt32BE(0, start))) ?? '', /no hashes/);
  });
});

describe('a release binary for macOS', () => {
  it('keeps only some of its symbols visible', async () => {
    const path = join(ROOT, 'scripts', 'distribution', 'prebuilds', 'mach-exports.mjs');
    const { keepVisible } = (await import(pathToFileURL(path).href)) as {
      keepVisible: (bytes: Buffer, names: string[]) => void;
    };
    const [EXTERNAL, SECTION] = [1, 14];
    const symbols = [
      { name: '_local', type: SECTION, address: 1 },
      { name: '_register', type: SECTION | EXTERNAL, address: 0x1234 },
      { name: '_other', type: SECTION | EXTERNAL, address: 2 },
      { name: '_imported', type: EXTERNAL, address: 0 },
    ];
    const [LOADER, EXPORTS, TABLE, NAMES] = [32, 256, 512, 768];
    const file = Buffer.alloc(1024);
    file.writeUInt32LE(2, 16);
    file.writeUInt32LE(0x80000022, LOADER);
    file.writeUInt32LE(48, LOADER + 4);
    file.writeUInt32LE(EXPORTS, LOADER + 40);
    file.writeUInt32LE(200, LOADER + 44);
    file.fill(0xff, EXPORTS, EXPORTS + 200);
    file.writeUInt32LE(0x2, LOADER + 48);
    file.writeUInt32LE(24, LOADER + 52);
    [TABLE, symbols.length, NAMES].forEach((value, i) => {
      file.writeUInt32LE(value, LOADER + 56 + 4 * i);
    });
    symbols.forEach(({ name, type, address }, i) => {
      file.writeUInt32LE(16 * i, TABLE + 16 * i);
      file.writeUInt8(type, TABLE + 16 * i + 4);
      file.writeBigUInt64LE(BigInt(address), TABLE + 16 * i + 8);
      file.write(name, NAMES + 16 * i);
    });
    keepVisible(file, ['_register']);
    const types = symbols.map((_, i) => file[TABLE + 16 * i + 4]);
    assert.deepEqual(types, [SECTION, SECTION | EXTERNAL, SECTION, EXTERNAL]);
    // The root has a child; the child has flags and an address of two bytes, and no child.
    const trie = [0, 1, ...Buffer.from('_register\0'), 0x8e, 0, 3, 0, 0xb4, 0x24, 0];
    const length = file.readUInt32LE(LOADER + 44);
    assert.deepEqual([...file.subarray(EXPORTS, EXPORTS + trie.length)], trie);
    assert.ok(length >= trie.length && length % 8 === 0);
    assert.ok(file.subarray(EXPORTS + trie.length, EXPORTS + 200).every((byte) => byte === 0));
    assert.throws(() => {
      keepVisible(file, ['_register', '_missing']);
    }, /but found _register\.$/);
  });
});

describe('the names that a release binary asks for', () => {
  const NODE_API = new Set(['napi_create_object', 'napi_create_external_arraybuffer']);

  it('may be those of Node-API and the C library', async () => {
    const { faultsOfNames } = await loadGates();
    const names = ['napi_create_object', 'malloc', 'dlopen', '__cxa_atexit', '__cxa_finalize'];
    assert.deepEqual(faultsOfNames(names, NODE_API), []);
  });

  it('may be no others', async () => {
    const { faultsOfNames } = await loadGates();
    for (const [name, reason] of [
      ['node_api_create_buffer_from_arraybuffer', /newer than Node-API 8/],
      ['napi_create_external_arraybuffer', /external memory/],
      ['fftw_execute', /FFTW/],
      ['fftwf_plan_dft_r2c_1d', /FFTW/],
      ['_ZNSt6vectorIdSaIdEE3endEv', /C\+\+ library/],
      ['__cxa_throw', /C\+\+ library/],
    ] as const) {
      const faults = faultsOfNames(['napi_create_object', name], NODE_API);
      assert.equal(faults.length, 1, name);
      assert.match(faults[0] ?? '', reason);
      assert.ok(faults[0]?.includes(name));
    }
  });

  it('must have some of Node-API', async () => {
    const { faultsOfNames } = await loadGates();
    assert.deepEqual(faultsOfNames(['malloc'], NODE_API), ['it asks for no function of Node-API']);
  });

  it('have versions that are compared number by number', async () => {
    const { compareVersions } = await loadGates();
    assert.ok(compareVersions('2.9', '2.17') < 0);
    assert.ok(compareVersions('2.17', '2.2.5') > 0);
    assert.ok(compareVersions('2.17', '2.17.1') < 0);
    assert.equal(compareVersions('11.0', '11'), 0);
  });
});
