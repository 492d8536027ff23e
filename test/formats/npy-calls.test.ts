/** readNpy() and writeNpy(): what they give and take, against NumPy, and what they refuse. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { readNpy, writeNpy, type NpyElements } from '../../lib/files';
import { ExpSyn, FirSyn, type ExpSynError, type NdArray } from '../../lib/index';
import { rejected, typeError, valueError } from '../support/error-details';
import { emptyFolders } from '../support/folders';
import { bytesOf, headerOf, npyOf } from '../support/npy-bytes';
import { PYTHON } from '../support/python';

/** Saves what Python expressions give, by the names of the files. */
function saveByNumpy(arrays: Record<string, string>): void {
  const lines = Object.entries(arrays).map(
    ([name, expression]) => `numpy.save('${name}.npy', ${expression})`,
  );
  execFileSync(PYTHON, ['-c', ['import numpy', ...lines].join('\n')]);
}

/** What a promise of a file rejects with: one sentence, of code ERR_EXPSYN_FILE. */
async function failure(promise: Promise<unknown>): Promise<Error & ExpSynError> {
  const error = await promise.then(
    () => assert.fail('nothing was rejected'),
    (reason: unknown) => reason as Error & ExpSynError,
  );
  assert.equal(error.code, 'ERR_EXPSYN_FILE', String(error));
  assert.equal(error.constructor, Error);
  assert.match(error.message, /^[A-Z][^\n]*\.$/);
  assert.doesNotMatch(error.message, /--[a-z]/);
  return error;
}

const VALUES: readonly [dtype: string, array: NpyElements, expression: string][] = [
  ['bool', Uint8Array.of(1, 0, 1, 1, 0, 0), '[[1, 0, 1], [1, 0, 0]]'],
  ['int8', Int8Array.of(-128, -1, 0, 1, 2, 127), '[[-128, -1, 0], [1, 2, 127]]'],
  ['uint8', Uint8Array.of(0, 1, 2, 3, 4, 255), '[[0, 1, 2], [3, 4, 255]]'],
  ['int16', Int16Array.of(-32768, -1, 0, 1, 258, 32767), '[[-32768, -1, 0], [1, 258, 32767]]'],
  ['uint16', Uint16Array.of(0, 1, 258, 2, 3, 65535), '[[0, 1, 258], [2, 3, 65535]]'],
  ['int32', Int32Array.of(-(2 ** 31), 0, 1, 2, 3, 66051), '[[-2**31, 0, 1], [2, 3, 66051]]'],
  ['uint32', Uint32Array.of(2 ** 32 - 1, 0, 1, 2, 3, 4), '[[2**32 - 1, 0, 1], [2, 3, 4]]'],
  [
    'int64',
    BigInt64Array.of(-(2n ** 63n), 0n, 1n, 2n, 3n, 2n ** 63n - 1n),
    '[[-2**63, 0, 1], [2, 3, 2**63 - 1]]',
  ],
  [
    'uint64',
    BigUint64Array.of(2n ** 64n - 1n, 0n, 1n, 2n, 3n, 4n),
    '[[2**64 - 1, 0, 1], [2, 3, 4]]',
  ],
  [
    'float16',
    Float32Array.of(0.5, -0, 65504, Infinity, NaN, 2 ** -24),
    "[[0.5, -0.0, 65504], [float('inf'), float('nan'), 2**-24]]",
  ],
  [
    'float32',
    Float32Array.of(0.1, -0, 1e30, -Infinity, NaN, 2 ** -149),
    "[[0.1, -0.0, 1e30], [-float('inf'), float('nan'), 2**-149]]",
  ],
  [
    'float64',
    Float64Array.of(0.1, -0, 1e300, -Infinity, NaN, 5e-324),
    "[[0.1, -0.0, 1e300], [-float('inf'), float('nan'), 5e-324]]",
  ],
];

describe('readNpy()', () => {
  emptyFolders();

  for (const [dtype, data, expression] of VALUES) {
    it(`reads ${dtype} of NumPy, in either order of bytes and of axes`, async () => {
      const array = `numpy.array(${expression}, dtype='${dtype}')`;
      saveByNumpy({
        plain: array,
        swapped: `${array}.astype(numpy.dtype('${dtype}').newbyteorder('>'))`,
        fortran: `numpy.asfortranarray(${array})`,
      });
      for (const name of ['plain', 'swapped', 'fortran']) {
        assert.deepEqual(await readNpy(`${name}.npy`), { data, shape: [2, 3] }, name);
      }
    });
  }

  it('gives every number of axes from none to three, and no elements', async () => {
    saveByNumpy({
      none: 'numpy.float64(0.02)',
      one: 'numpy.arange(3.0)',
      three: 'numpy.arange(24.0).reshape(2, 3, 4)',
      empty: 'numpy.zeros((0, 4))',
    });
    assert.deepEqual(await readNpy('none.npy'), { data: Float64Array.of(0.02), shape: [] });
    assert.deepEqual(await readNpy('one.npy'), { data: Float64Array.of(0, 1, 2), shape: [3] });
    const { data, shape } = await readNpy('three.npy');
    assert.deepEqual([data[23], shape], [23, [2, 3, 4]]);
    assert.deepEqual(await readNpy('empty.npy'), { data: new Float64Array(0), shape: [0, 4] });
  });

  it('gives what modules take, from a path or a URL', async () => {
    saveByNumpy({
      raster: 'numpy.eye(4, 3, dtype=bool)',
      long: 'numpy.eye(4, 3, dtype=int)',
      tau: 'numpy.array([0.01, 0.02, 0.05])',
      scalar: 'numpy.float32(0.03125)',
      kernel: 'numpy.array([[1, 2, 3], [-1, 0, 1]])',
    });
    const tau = await readNpy(pathToFileURL(resolve('tau.npy')));
    const synapses = new ExpSyn(3, { tau });
    const plain = new ExpSyn(3, { tau: [0.01, 0.02, 0.05] });
    const rows = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 0],
    ];
    const expected = plain.evolveSync(rows).output;
    for (const name of ['raster.npy', 'long.npy']) {
      const { output } = await synapses.resetState().evolve(await readNpy(name));
      assert.deepEqual(output, expected);
    }
    assert.deepEqual(new ExpSyn(3, { tau: await readNpy('scalar.npy') }).tau, {
      data: Float64Array.of(0.03125),
      shape: [],
    });
    const kernel = await readNpy('kernel.npy', { dtype: 'float64' });
    assert.deepEqual(new FirSyn(3, { kernel }).kernel, {
      data: Float64Array.of(1, 2, 3, -1, 0, 1),
      shape: [2, 3],
    });
  });

  it('converts to a dtype, but no integer to another number', async () => {
    saveByNumpy({
      long: 'numpy.array([-2**53, 3])',
      longer: 'numpy.array([[0, 2**53 + 1]])',
      whole: "numpy.array([2**24 + 1], dtype='u4')",
      third: 'numpy.array([1 / 3])',
      half: "numpy.array([0.5], dtype='f2')",
    });
    const read = async (name: string, dtype: 'float64' | 'float32'): Promise<NdArray> =>
      readNpy(`${name}.npy`, { dtype });
    assert.deepEqual((await read('long', 'float64')).data, Float64Array.of(-(2 ** 53), 3));
    assert.deepEqual((await read('third', 'float32')).data, Float32Array.of(1 / 3));
    assert.deepEqual((await read('third', 'float64')).data, Float64Array.of(1 / 3));
    assert.deepEqual((await read('half', 'float32')).data, Float32Array.of(0.5));
    assert.deepEqual((await read('half', 'float64')).data, Float64Array.of(0.5));
    const { message, path } = await failure(read('longer', 'float64'));
    assert.match(message, /float64 .* in longer\.npy .* 9007199254740993 at index \(0, 1\)/);
    assert.equal(path, 'longer.npy');
    assert.match((await failure(read('whole', 'float32'))).message, /received 16777217 at/);
  });

  it('refuses what is no .npy file of numbers, in one sentence', async () => {
    saveByNumpy({
      whole: 'numpy.arange(6.0)',
      four: 'numpy.zeros((1, 1, 1, 1))',
      complex: 'numpy.zeros(2, dtype=complex)',
      words: "numpy.array(['a', 'b'])",
      fields: "numpy.zeros(2, dtype=[('time', 'f8'), ('unit', 'i4')])",
    });
    await mkdir('folder.npy');
    await writeFile('empty.npy', '');
    await writeFile('text.npy', '0.5 1\n0.75 2\n');
    await writeFile('sonata.npy', 'timestamps node_ids population\n0.5 1 v1\n0.75 2 v1\n');
    const element = bytesOf('Float64', 8, [1], true);
    await writeFile('nan.npy', npyOf(headerOf('<f8', '(nan,)'), element));
    await writeFile('minus.npy', npyOf(headerOf('<f8', '(-1,)'), element));
    const rows: [name: string, message: RegExp][] = [
      ['missing', /^Could not read missing\.npy: there is no such file/],
      ['folder', /^Expected a file but folder\.npy is a folder/],
      ['empty', /empty\.npy is empty/],
      ['text', /looks like text/],
      ['sonata', /looks like spikes of SONATA as text; python3 .* converts it\.$/],
      ['nan', /header .* in nan\.npy .* corrupt/],
      ['minus', /header .* in minus\.npy .* corrupt/],
      ['four', /at most 3 axes in four\.npy/],
      ['complex', /type '<c16'/],
      ['words', /type '<U1'/],
      ['fields', /structured array/],
    ];
    for (const [name, message] of rows) {
      const error = await failure(readNpy(`${name}.npy`));
      assert.match(error.message, message, name);
      assert.equal(error.path, `${name}.npy`);
    }
    assert.equal(
      ((await failure(readNpy('missing.npy'))).cause as NodeJS.ErrnoException).code,
      'ENOENT',
    );
    const { length } = await readFile('whole.npy');
    for (let size = length - 1; size >= 0; size -= 7) {
      await truncate('whole.npy', size);
      assert.match((await failure(readNpy('whole.npy'))).message, /whole\.npy/);
    }
  });

  it('names the argument that is wrong', async () => {
    const read = readNpy as (...args: unknown[]) => Promise<unknown>;
    const rows: [args: unknown[], details: object][] = [
      [[], typeError('path')],
      [[3], typeError('path')],
      [[''], valueError('path')],
      [['a\0b'], valueError('path')],
      [[new URL('http://localhost/a.npy')], valueError('path')],
      [['a.npy', { dtype: 'int8' }], valueError('options.dtype')],
      [['a.npy', { type: 'float64' }], typeError('options')],
      [['a.npy', null], typeError('options')],
    ];
    for (const [args, details] of rows) assert.deepEqual(await rejected(read(...args)), details);
  });
});

describe('writeNpy()', () => {
  emptyFolders();

  for (const [dtype, data, expression] of VALUES) {
    if (dtype === 'bool' || dtype === 'float16') continue;
    it(`writes ${dtype} as NumPy does, byte for byte`, async () => {
      saveByNumpy({
        three: `numpy.array(${expression}, dtype='${dtype}').reshape(1, 3, 2)`,
        one: `numpy.array(${expression}, dtype='${dtype}').reshape(6)`,
        none: `numpy.array(${expression}, dtype='${dtype}')[0, 1]`,
      });
      const arrays = { three: [1, 3, 2], one: [6], none: [] };
      for (const [name, shape] of Object.entries(arrays)) {
        await writeNpy('own.npy', { data: name === 'none' ? data.slice(1, 2) : data, shape });
        assert.deepEqual(await readFile('own.npy'), await readFile(`${name}.npy`), name);
      }
    });
  }

  it('writes what evolve() returns, to be read again as it was', async () => {
    const synapses = new ExpSyn(3, { dtype: 'float32' });
    const { output, state } = await synapses.evolve(new Array(500).fill([1, 0, 2]) as number[][]);
    await writeNpy('output.npy', output);
    await writeNpy('state.npy', state.isyn);
    assert.deepEqual(await readNpy('output.npy'), output);
    assert.deepEqual((await readNpy('state.npy')).data, state.isyn.data);
    assert.ok((await readNpy('output.npy')).data instanceof Float32Array);
  });

  it('writes views, shared memory, clamped bytes, plain arrays and several slabs', async () => {
    const memory = new Uint8Array(41).map((_, index) => index);
    const view = memory.subarray(3, 9);
    const shared = new Uint16Array(new SharedArrayBuffer(8)).fill(513);
    const large = Float64Array.from({ length: 300_001 }, (_, index) => Math.sin(index));
    const clamped = Uint8ClampedArray.of(1, 2);
    const rows: [array: Parameters<typeof writeNpy>[1], expected: NpyElements, shape: number[]][] =
      [
        [{ data: view, shape: [2, 3] }, Uint8Array.of(3, 4, 5, 6, 7, 8), [2, 3]],
        [{ data: shared, shape: [4] }, new Uint16Array(4).fill(513), [4]],
        [{ data: clamped, shape: [2] }, Uint8Array.of(1, 2), [2]],
        [{ data: large, shape: [300_001, 1] }, large, [300_001, 1]],
        [[[1, 2.5]], Float64Array.of(1, 2.5), [1, 2]],
        [{ data: new Int8Array(0), shape: [0, 3] }, new Int8Array(0), [0, 3]],
      ];
    for (const [array, data, shape] of rows) {
      await writeNpy('a.npy', array);
      assert.deepEqual(await readNpy('a.npy'), { data, shape });
    }
  });

  it('replaces a file, also through a link, and leaves nothing else', async () => {
    await writeNpy('a.npy', [1]);
    await symlink('a.npy', 'link.npy');
    await writeNpy('link.npy', [2, 3]);
    assert.deepEqual((await readNpy('a.npy')).data, Float64Array.of(2, 3));
    assert.deepEqual((await readdir('.')).sort(), ['a.npy', 'link.npy']);
  });

  it('changes nothing if it fails', async () => {
    await writeNpy('a.npy', [1]);
    await mkdir('folder');
    const missing = await failure(writeNpy('none/a.npy', [1]));
    assert.match(missing.message, /^Could not write none\/a\.npy: there is no such/);
    assert.equal((missing.cause as NodeJS.ErrnoException).code, 'ENOENT');
    assert.match((await failure(writeNpy('folder', [1]))).message, /folder is a folder or a dev/);
    // Windows does not tell a file in place of a folder from none.
    const below = (await failure(writeNpy('a.npy/b.npy', [1]))).message;
    assert.match(below, /is a file and not a|there is no such/);
    const data = new Float64Array(1e6);
    const writing = rejected(writeNpy('a.npy', { data, shape: [1e6] }));
    structuredClone(data.buffer, { transfer: [data.buffer] });
    assert.deepEqual(await writing, valueError('array.data'));
    assert.deepEqual((await readNpy('a.npy')).data, Float64Array.of(1));
    assert.deepEqual((await readdir('.')).sort(), ['a.npy', 'folder']);
  });

  it('names the argument that is wrong', async () => {
    const write = writeNpy as (...args: unknown[]) => Promise<unknown>;
    const data = new Float64Array(6);
    const rows: [args: unknown[], details: object][] = [
      [[undefined, [1]], typeError('path')],
      [['a.npy'], typeError('array')],
      [['a.npy', data], typeError('array')],
      [['a.npy', { data }], typeError('array')],
      [['a.npy', { data: [1], shape: [1] }], typeError('array.data')],
      [['a.npy', { data: new DataView(data.buffer), shape: [6] }], typeError('array.data')],
      [['a.npy', { data, shape: [2, 2] }], valueError('array.data')],
      [['a.npy', { data, shape: [] }], valueError('array.data')],
      [['a.npy', { data, shape: 6 }], typeError('array.shape')],
      [['a.npy', { data, shape: [NaN] }], valueError('array.shape[0]')],
      [['a.npy', { data, shape: [6, '1'] }], typeError('array.shape[1]')],
      [['a.npy', { data, shape: [1.5, 4] }], valueError('array.shape[0]')],
      [['a.npy', { data, shape: [1, 1, 1, 6] }], valueError('array.shape')],
      [['a.npy', [[1], [2, 3]]], valueError('array[1]')],
    ];
    for (const [args, details] of rows) assert.deepEqual(await rejected(write(...args)), details);
    assert.deepEqual(await readdir('.'), []);
  });
});
