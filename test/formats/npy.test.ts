/** .npy files as they are read and written whole. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';

import { writeCompleteFile } from '../../lib/formats/files/complete-file';
import {
  decodeNpy,
  encodeNpy,
  readNpyFile,
  writeNpyFile,
  type NpyArray,
} from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import { isCommandError } from '../support/command-errors';
import { temporaryFolder } from '../support/folders';
import { bytesOf, headerOf, npyOf } from '../support/npy-bytes';

describe('npy', () => {
  const folder = temporaryFolder();

  describe('decodeNpy', () => {
    const cases = [
      ['i2', 'Int16', 2, Int16Array, [-32768, -1, 0, 1, 258, 32767]],
      ['u2', 'Uint16', 2, Uint16Array, [0, 1, 258, 65535, 2, 3]],
      ['i4', 'Int32', 4, Int32Array, [-2147483648, -1, 0, 1, 66051, 2147483647]],
      ['u4', 'Uint32', 4, Uint32Array, [0, 1, 66051, 4294967295, 2, 3]],
      ['i8', 'BigInt64', 8, BigInt64Array, [-(2n ** 63n), -1n, 0n, 1n, 258n, 2n ** 63n - 1n]],
      ['u8', 'BigUint64', 8, BigUint64Array, [0n, 1n, 258n, 2n ** 64n - 1n, 2n, 3n]],
      ['f4', 'Float32', 4, Float32Array, [0, -0, 0.5, -Infinity, NaN, 2 ** -149]],
      ['f8', 'Float64', 8, Float64Array, [0, -0, 0.1, Infinity, NaN, 5e-324]],
    ] as const;

    for (const [code, kind, itemBytes, Type, values] of cases) {
      for (const order of ['<', '>'] as const) {
        for (const version of [1, 2, 3]) {
          it(`reads ${order}${code} of version ${version}.0`, () => {
            const elements = bytesOf(kind, itemBytes, values, order === '<');
            const file = npyOf(headerOf(`${order}${code}`, '(2, 3)'), elements, version);
            const { data, shape } = decodeNpy(file);
            assert.ok(data instanceof Type);
            assert.deepEqual(Array.from<number | bigint>(data), [...values]);
            assert.deepEqual(shape, [2, 3]);
          });
        }
      }
    }

    it('reads single bytes, whatever their order is said to be', () => {
      for (const descr of ['|i1', '<i1', '>i1', '=i1', 'i1']) {
        const { data } = decodeNpy(npyOf(headerOf(descr, '(3,)'), Uint8Array.of(255, 0, 128)));
        assert.deepEqual(data, Int8Array.of(-1, 0, -128));
      }
      const bytes = Uint8Array.of(1, 0, 255);
      assert.deepEqual(decodeNpy(npyOf(headerOf('|u1', '(3,)'), bytes)).data, bytes);
      const { data } = decodeNpy(npyOf(headerOf('|b1', '(2, 1)'), Uint8Array.of(1, 0)));
      assert.deepEqual(data, Uint8Array.of(1, 0));
    });

    it('reads this machine order where none is marked', () => {
      const elements = bytesOf('Float64', 8, [0.1, -2], endianness() === 'LE');
      for (const descr of ['=f8', '|f8', 'f8']) {
        const { data } = decodeNpy(npyOf(headerOf(descr, '(2,)'), elements));
        assert.deepEqual(data, Float64Array.of(0.1, -2));
      }
    });

    it('widens half floats exactly', () => {
      const halves = [
        [0x0000, 0],
        [0x8000, -0],
        [0x0001, 2 ** -24],
        [0x03ff, 1023 * 2 ** -24],
        [0x0400, 2 ** -14],
        [0x3555, 1365 * 2 ** -12],
        [0x3c00, 1],
        [0xc000, -2],
        [0x7bff, 65504],
        [0x7c00, Infinity],
        [0xfc00, -Infinity],
        [0x7e00, NaN],
      ] as const;
      for (const isLittleEndian of [true, false]) {
        const bits = halves.map(([half]) => half);
        const elements = bytesOf('Uint16', 2, bits, isLittleEndian);
        const descr = isLittleEndian ? '<f2' : '>f2';
        const { data } = decodeNpy(npyOf(headerOf(descr, `(${bits.length},)`), elements));
        assert.ok(data instanceof Float32Array);
        assert.deepEqual(
          Array.from(data),
          halves.map(([, value]) => value),
        );
      }
    });

    it('transposes Fortran order', () => {
      const twoAxes = npyOf(headerOf('|u1', '(2, 3)', true), Uint8Array.of(0, 3, 1, 4, 2, 5));
      assert.deepEqual(decodeNpy(twoAxes), {
        data: Uint8Array.of(0, 1, 2, 3, 4, 5),
        shape: [2, 3],
      });
      // Element (i, j, k) of shape (2, 3, 2) is 6 i + 2 j + k, and lies at i + 2 j + 6 k.
      const values = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11];
      const elements = bytesOf('Int32', 4, values, false);
      const threeAxes = decodeNpy(npyOf(headerOf('>i4', '(2, 3, 2)', true), elements));
      assert.deepEqual(
        Array.from<number | bigint>(threeAxes.data),
        values.map((_, index) => index),
      );
      const big = bytesOf('BigInt64', 8, [1n, 3n, 2n, 4n], true);
      const bigints = decodeNpy(npyOf(headerOf('<i8', '(2, 2)', true), big));
      assert.deepEqual(bigints.data, BigInt64Array.of(1n, 2n, 3n, 4n));
    });

    it('reads from memory of any alignment, and leaves it as it was', () => {
      for (const order of ['<', '>'] as const) {
        const elements = bytesOf('Float64', 8, [0.1, 0.2, 0.3], order === '<');
        const file = npyOf(headerOf(`${order}f8`, '(3,)'), elements);
        for (let shift = 0; shift < 8; shift++) {
          const memory = new Uint8Array(file.length + 8);
          memory.set(file, shift);
          const copy = memory.slice();
          const { data } = decodeNpy(memory.subarray(shift, shift + file.length));
          assert.deepEqual(data, Float64Array.of(0.1, 0.2, 0.3));
          assert.deepEqual(memory, copy);
        }
      }
    });

    it('reads shapes with no axes, with no elements, and of Python 2', () => {
      assert.deepEqual(decodeNpy(npyOf(headerOf('|u1', '()'), Uint8Array.of(7))), {
        data: Uint8Array.of(7),
        shape: [],
      });
      for (const [text, shape] of [
        ['(0,)', [0]],
        ['(0, 48)', [0, 48]],
        ['(2, 0, 3)', [2, 0, 3]],
      ] as const) {
        for (const isFortranOrder of [false, true]) {
          const file = npyOf(headerOf('<f8', text, isFortranOrder), new Uint8Array(0));
          assert.deepEqual(decodeNpy(file), { data: new Float64Array(0), shape });
        }
      }
      const file = npyOf(headerOf('|u1', '(2L, 1L)'), Uint8Array.of(7, 8));
      assert.deepEqual(decodeNpy(file).shape, [2, 1]);
    });

    it('reads the keys in any order, with either kind of quotes and with or without commas', () => {
      const headers = [
        `{"shape":(2,),"fortran_order":False,"descr":"|u1"}`,
        `  { 'fortran_order' : False , 'shape' : ( 2 , ) , 'descr' : '|u1' }  \n`,
      ];
      for (const header of headers) {
        assert.deepEqual(decodeNpy(npyOf(header, Uint8Array.of(1, 2))).shape, [2]);
      }
    });

    const two = new Uint8Array(16);
    const refusals: [name: string, file: Uint8Array, message: RegExp][] = [
      ['an empty file', new Uint8Array(0), /is empty/],
      ['another kind of file', Buffer.from('PK\u0003\u0004 and so on'), /looks like a zip archive/],
      ['only a magic string', npyOf('', two).subarray(0, 6), /ends within/],
      ['an unknown version', Buffer.from('\x93NUMPY\x04\x00\x02\x00{}', 'latin1'), /received 4\.0/],
      ['a minor version', Buffer.from('\x93NUMPY\x01\x01\x02\x00{}', 'latin1'), /received 1\.1/],
      [
        'a file that ends in its header',
        npyOf(headerOf('<f8', '(2,)'), two).subarray(0, 40),
        /ends/,
      ],
      [
        'a header longer than the file',
        Buffer.from('\x93NUMPY\x02\x00\xff\x01\x00\x00{', 'latin1'),
        /ends within/,
      ],
      ['a header that is too long', npyOf(' '.repeat(10_001), two), /at most 10000 characters/],
      [
        'missing elements',
        npyOf(headerOf('<f8', '(3,)'), two),
        /24 bytes.*received 16; .*not complete/,
      ],
      [
        'too many elements',
        npyOf(headerOf('<f8', '(1,)'), two),
        /8 bytes.*received 16; .*more than one/,
      ],
      [
        'a shape that lies',
        npyOf(headerOf('<f8', '(9007199254740991, 9007199254740991)'), two),
        /not complete/,
      ],
      ['a size above 2^53', npyOf(headerOf('<f8', '(99999999999999999999,)'), two), /corrupt/],
      [
        'Python objects',
        npyOf(headerOf('|O', '(2,)'), two),
        /Python objects of shape \(2,\); python3 -c .* trust its origin/,
      ],
      ['complex numbers', npyOf(headerOf('<c16', '(1,)'), two), /'<c16'/],
      ['long doubles', npyOf(headerOf('<f16', '(1,)'), two), /'<f16'/],
      ['text', npyOf(headerOf('<U2', '(2,)'), two), /'<U2'/],
      ['dates', npyOf(headerOf('<M8[ns]', '(2,)'), two), /'<M8\[ns\]'/],
      ['an inherited name as a type', npyOf(headerOf('constructor', '(2,)'), two), /'constructor'/],
      [
        'a structured array',
        npyOf(`{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }`, two),
        /structured/,
      ],
      ['four axes', npyOf(headerOf('<f8', '(1, 1, 2, 1)'), two), /at most 3 axes .*\(1, 1, 2, 1\)/],
      ['a negative size', npyOf(headerOf('<f8', '(-2,)'), two), /corrupt/],
      ['a size that is no whole number', npyOf(headerOf('<f8', '(2.0,)'), two), /corrupt/],
      ['a number in place of a tuple', npyOf(headerOf('<f8', '(2)'), two), /corrupt/],
      [
        'an order that is no boolean',
        npyOf(`{'descr': '<f8', 'fortran_order': 0, 'shape': (2,), }`, two),
        /corrupt/,
      ],
      ['a missing key', npyOf(`{'descr': '<f8', 'shape': (2,), }`, two), /corrupt/],
      [
        'a key that comes twice',
        npyOf(`{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2,), }`, two),
        /corrupt/,
      ],
      [
        'an unknown key',
        npyOf(`{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'x': 1}`, two),
        /corrupt/,
      ],
      ['something after the dictionary', npyOf(`${headerOf('<f8', '(2,)')}exit()`, two), /corrupt/],
      ['a string without end', npyOf(`{'descr': '<f8`, two), /corrupt/],
      [
        'an expression',
        npyOf(`{'descr': str('<f8'), 'fortran_order': False, 'shape': (2,), }`, two),
        /corrupt/,
      ],
      ['nesting without end', npyOf('{'.repeat(9_999), two), /corrupt/],
    ];
    for (const [name, file, message] of refusals) {
      it(`refuses ${name}`, () => {
        assert.throws(() => decodeNpy(file, 'it.npy'), isCommandError(message));
      });
    }
  });

  describe('encodeNpy', () => {
    it('writes what NumPy writes, byte for byte', function () {
      if (endianness() !== 'LE') this.skip();
      const header =
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }" + ' '.repeat(58) + '\n';
      const elements = bytesOf('Float64', 8, [0.1, -2], true);
      const array = { data: Float64Array.of(0.1, -2), shape: [2, 1] };
      assert.deepEqual(Buffer.from(encodeNpy(array)), npyOf(header, elements));
    });

    const arrays: Elements[] = [
      Int8Array.of(-128, 127),
      Uint8Array.of(0, 255),
      Int16Array.of(-32768, 32767),
      Uint16Array.of(0, 65535),
      Int32Array.of(-2147483648, 2147483647),
      Uint32Array.of(0, 4294967295),
      BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n),
      BigUint64Array.of(0n, 2n ** 64n - 1n),
      Float32Array.of(-0, NaN),
      Float64Array.of(5e-324, Infinity),
    ];
    for (const data of arrays) {
      it(`round-trips a ${data[Symbol.toStringTag]}`, () => {
        for (const shape of [[2], [1, 2], [2, 1, 1]]) {
          const bytes = encodeNpy({ data, shape });
          assert.equal((bytes.length - data.byteLength) % 64, 0);
          assert.deepEqual(decodeNpy(bytes), { data, shape });
        }
      });
    }

    it('writes the elements of a view, and shapes with no axes or no elements', () => {
      const data = Float64Array.of(1, 2, 3, 4).subarray(1, 3);
      assert.deepEqual(decodeNpy(encodeNpy({ data, shape: [2] })).data, Float64Array.of(2, 3));
      for (const array of [
        { data: Float32Array.of(3), shape: [] },
        { data: new Float32Array(0), shape: [0, 5] },
      ]) {
        assert.deepEqual(decodeNpy(encodeNpy(array)), array);
      }
    });

    it('refuses a shape that does not fit', () => {
      assert.throws(() => encodeNpy({ data: new Uint8Array(3), shape: [2, 2] }), {
        name: 'RangeError',
        message: 'Expected 4 elements for shape (2, 2) but received 3.',
      });
    });
  });

  describe('files', () => {
    it('reads what it wrote, and makes folders', async () => {
      const path = join(folder.path, 'npy', 'deep', 'a.npy');
      const array: NpyArray = {
        data: Float64Array.from({ length: 5000 }, Math.sin),
        shape: [50, 100],
      };
      await writeNpyFile(path, array);
      assert.deepEqual(await readNpyFile(path), array);
      assert.deepEqual(await readdir(join(folder.path, 'npy', 'deep')), ['a.npy']);
    });

    it('believes no header before it has seen the size of the file', async () => {
      const path = join(folder.path, 'lying.npy');
      await writeFile(path, npyOf(headerOf('<f8', '(1000000000000,)'), new Uint8Array(8)));
      await assert.rejects(readNpyFile(path), isCommandError(/lying\.npy.*not complete/));
    });

    it('says in a sentence why a file cannot be read', async () => {
      const missing = join(folder.path, 'missing.npy');
      await assert.rejects(readNpyFile(missing), isCommandError(/missing\.npy: there is no such/));
      await assert.rejects(readNpyFile(folder.path), isCommandError(/Expected a file/));
    });

    it('replaces a file only when its successor is complete', async () => {
      const path = join(folder.path, 'whole', 'a.txt');
      await writeCompleteFile(path, [Buffer.from('old')]);
      const noBytes = null as unknown as Uint8Array;
      await assert.rejects(writeCompleteFile(path, [Buffer.from('new'), noBytes]));
      assert.equal(await readFile(path, 'utf8'), 'old');
      await writeCompleteFile(path, [Buffer.from('ne'), Buffer.from('w')]);
      assert.equal(await readFile(path, 'utf8'), 'new');
      assert.deepEqual(await readdir(join(folder.path, 'whole')), ['a.txt']);
    });

    it('leaves a file that it replaces its permissions', async function () {
      if (process.platform === 'win32') this.skip();
      const path = join(folder.path, 'private.npy');
      const array = { data: Uint8Array.of(1, 2), shape: [2] };
      for (const permissions of [0o600, 0o666]) {
        await writeNpyFile(path, array);
        await chmod(path, permissions);
        await writeNpyFile(path, array);
        assert.equal((await stat(path)).mode & 0o777, permissions);
      }
    });

    it('does not write over a folder', async () => {
      const path = join(folder.path, 'taken.npy');
      await mkdir(path);
      const array = { data: Uint8Array.of(1), shape: [1] };
      await assert.rejects(writeNpyFile(path, array), isCommandError(/is a folder or a device/));
    });
  });
});
