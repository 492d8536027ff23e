import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { endianness, tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

import { writeCompleteFile } from '../lib/formats/complete-file';
import { CommandError, UsageError } from '../lib/errors';
import { makeExampleRaster } from '../lib/cli/example-raster';
import { drawFigure, type Recording } from '../lib/cli/figure';
import { run } from '../lib/cli/main';
import {
  decodeNpy,
  encodeNpy,
  readNpyFile,
  writeNpyFile,
  type NpyArray,
  type NpyData,
} from '../lib/formats/npy';
import { encodePng } from '../lib/cli/png';
import { reduceToGrid, traceOf } from '../lib/cli/reduction';
import { formatTime, formatTimeRange, parseTime, parseTimes } from '../lib/cli/times';

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'expsyn-cli-'));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A .npy file with any header, right or wrong; a short one is not padded to 64 bytes. */
function npyOf(header: string, elements: Uint8Array, version = 1): Buffer {
  const text = Buffer.from(header, version === 3 ? 'utf-8' : 'latin1');
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  const magic = Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0]);
  return Buffer.concat([magic, length, text, elements]);
}

function headerOf(descr: string, shape: string, isFortranOrder = false): string {
  const order = isFortranOrder ? 'True' : 'False';
  return `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
}

/** Writes each value with DataView's setter of that name. */
function bytesOf(
  kind: 'Int16' | 'Uint16' | 'Int32' | 'Uint32' | 'Float32' | 'Float64' | 'BigInt64' | 'BigUint64',
  itemBytes: number,
  values: readonly (number | bigint)[],
  isLittleEndian: boolean,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * itemBytes));
  values.forEach((value, index) => {
    const set: unknown = Reflect.get(DataView.prototype, `set${kind}`);
    Reflect.apply(set as () => void, view, [index * itemBytes, value, isLittleEndian]);
  });
  return new Uint8Array(view.buffer);
}

function isCommandError(pattern: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof CommandError, String(error));
    assert.match(error.message, pattern);
    assert.match(error.message, /^[A-Z][^\n]*\.$/, 'one sentence');
    return true;
  };
}

describe('npy', () => {
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
      ['an empty file', new Uint8Array(0), /does not begin like one/],
      ['another kind of file', Buffer.from('PK\u0003\u0004 and so on'), /does not begin like one/],
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
      ['a size above 2^53', npyOf(headerOf('<f8', '(99999999999999999999,)'), two), /damaged/],
      ['Python objects', npyOf(headerOf('|O', '(2,)'), two), /'\|O'; NumPy's astype/],
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
      ['a negative size', npyOf(headerOf('<f8', '(-2,)'), two), /damaged/],
      ['a size that is no whole number', npyOf(headerOf('<f8', '(2.0,)'), two), /damaged/],
      ['a number in place of a tuple', npyOf(headerOf('<f8', '(2)'), two), /damaged/],
      [
        'an order that is no boolean',
        npyOf(`{'descr': '<f8', 'fortran_order': 0, 'shape': (2,), }`, two),
        /damaged/,
      ],
      ['a missing key', npyOf(`{'descr': '<f8', 'shape': (2,), }`, two), /damaged/],
      [
        'a key that comes twice',
        npyOf(`{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2,), }`, two),
        /damaged/,
      ],
      [
        'an unknown key',
        npyOf(`{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'x': 1}`, two),
        /damaged/,
      ],
      ['something after the dictionary', npyOf(`${headerOf('<f8', '(2,)')}exit()`, two), /damaged/],
      ['a string without end', npyOf(`{'descr': '<f8`, two), /damaged/],
      [
        'an expression',
        npyOf(`{'descr': str('<f8'), 'fortran_order': False, 'shape': (2,), }`, two),
        /damaged/,
      ],
      ['nesting without end', npyOf('{'.repeat(9_999), two), /damaged/],
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

    const arrays: NpyData[] = [
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
      const path = join(folder, 'npy', 'deep', 'a.npy');
      const array: NpyArray = {
        data: Float64Array.from({ length: 5000 }, Math.sin),
        shape: [50, 100],
      };
      await writeNpyFile(path, array);
      assert.deepEqual(await readNpyFile(path), array);
      assert.deepEqual(await readdir(join(folder, 'npy', 'deep')), ['a.npy']);
    });

    it('believes no header before it has seen the size of the file', async () => {
      const path = join(folder, 'lying.npy');
      await writeFile(path, npyOf(headerOf('<f8', '(1000000000000,)'), new Uint8Array(8)));
      await assert.rejects(readNpyFile(path), isCommandError(/lying\.npy.*not complete/));
    });

    it('says in a sentence why a file cannot be read', async () => {
      const missing = join(folder, 'missing.npy');
      await assert.rejects(readNpyFile(missing), isCommandError(/missing\.npy: there is no such/));
      await assert.rejects(readNpyFile(folder), isCommandError(/Expected a file/));
    });

    it('replaces a file only when its successor is complete', async () => {
      const path = join(folder, 'whole', 'a.txt');
      await writeCompleteFile(path, [Buffer.from('old')]);
      const noBytes = null as unknown as Uint8Array;
      await assert.rejects(writeCompleteFile(path, [Buffer.from('new'), noBytes]));
      assert.equal(await readFile(path, 'utf8'), 'old');
      await writeCompleteFile(path, [Buffer.from('ne'), Buffer.from('w')]);
      assert.equal(await readFile(path, 'utf8'), 'new');
      assert.deepEqual(await readdir(join(folder, 'whole')), ['a.txt']);
    });

    it('does not write over a folder', async () => {
      const path = join(folder, 'taken.npy');
      await mkdir(path);
      const array = { data: Uint8Array.of(1), shape: [1] };
      await assert.rejects(writeNpyFile(path, array), isCommandError(/is a folder or a device/));
    });
  });
});

describe('times', () => {
  const parsed: [text: string, seconds: number][] = [
    ['20ms', 0.02],
    ['29ms', 0.029],
    ['0.1 ms', 0.0001],
    [' 2.5\tms ', 0.0025],
    ['100us', 0.0001],
    ['7\u00b5s', 0.000007],
    ['7\u03bcs', 0.000007],
    ['1s', 1],
    ['.5s', 0.5],
    ['5.s', 5],
    ['0.02', 0.02],
    ['1e-3', 0.001],
    ['2e-2s', 0.02],
    ['1e3ms', 1],
    ['1e+1us', 0.00001],
  ];
  for (const [text, seconds] of parsed) {
    it(`reads '${text}' as ${seconds} s`, () => {
      assert.equal(parseTime(text, '--dt'), seconds);
    });
  }

  const refused = [
    '',
    ' ',
    'ms',
    '20 m',
    '20m',
    '20sec',
    '20MS',
    '-5ms',
    '+5ms',
    '0',
    '0ms',
    'NaN',
  ];
  for (const text of [
    ...refused,
    'Infinity',
    '1e400',
    '1e-400',
    '5ms 5ms',
    '1,5ms',
    '0x10',
    '1e',
  ]) {
    it(`refuses '${text}'`, () => {
      assert.throws(
        () => parseTime(text, '--dt'),
        (error) =>
          error instanceof UsageError &&
          error.message ===
            `Expected a time above zero, such as 20ms, 0.5s or 100us, for --dt but received '${text}'.`,
      );
    });
  }

  it('reads lists', () => {
    assert.deepEqual(parseTimes('5ms', '--tau'), Float64Array.of(0.005));
    assert.deepEqual(parseTimes('5ms, 20ms,0.1', '--tau'), Float64Array.of(0.005, 0.02, 0.1));
    assert.throws(() => parseTimes('5ms,', '--tau'), UsageError);
    assert.throws(() => parseTimes('', '--tau'), UsageError);
  });

  it('writes times in the unit that suits them', () => {
    const written: [seconds: number, text: string][] = [
      [0, '0 s'],
      [1, '1 s'],
      [90, '90 s'],
      [0.02, '20 ms'],
      [0.029, '29 ms'],
      [0.001, '1 ms'],
      [0.0005, '500 \u00b5s'],
      [0.0123456, '12.35 ms'],
    ];
    for (const [seconds, text] of written) assert.equal(formatTime(seconds), text);
    assert.equal(formatTime(0.0123456, 2), '12 ms');
    assert.equal(formatTimeRange(Float64Array.of(0.02, 0.005, 0.1)), '5 ms to 100 ms');
    assert.equal(formatTimeRange(Float64Array.of(0.02, 0.02)), '20 ms');
  });
});

describe('example raster', () => {
  const { data, shape, dt, tau, stimuli } = makeExampleRaster();
  const [timesteps, channels] = shape;
  const countSpikes = (begin: number, end: number): number[] =>
    Array.from({ length: channels }, (_, channel) => {
      let count = 0;
      for (let step = Math.round(begin / dt); step < Math.round(end / dt); step++) {
        count += data[step * channels + channel] ?? 0;
      }
      return count;
    });
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

  it('has 48 channels, 10 s, and zeros and ones', () => {
    assert.deepEqual(shape, [10_000, 48]);
    assert.equal(dt, 1e-3);
    assert.equal(data.length, 480_000);
    assert.ok(data.every((value) => value <= 1));
  });

  it('is the same every time', () => {
    assert.deepEqual(makeExampleRaster().data, data);
  });

  it('spreads the taus evenly on a logarithmic scale, from 5 to 100 ms', () => {
    assert.equal(tau.length, 48);
    assert.equal(tau[0], 0.005);
    assert.ok(Math.abs((tau[47] ?? 0) - 0.1) < 1e-12);
    const ratios = Array.from(tau.subarray(1), (value, index) => value / (tau[index] ?? NaN));
    for (const ratio of ratios) assert.ok(Math.abs(ratio - 20 ** (1 / 47)) < 1e-12);
  });

  it('has rates that differ widely, with nearly silent channels', () => {
    const rates = countSpikes(0, 10).map((count) => count / 10);
    const mean = sum(rates) / channels;
    assert.ok(mean > 3 && mean < 12, `mean rate ${mean}`);
    assert.ok(Math.max(...rates) > 2 * mean);
    const nearlySilent = rates.filter((rate) => rate < 0.5).length;
    assert.ok(nearlySilent >= 2 && nearlySilent <= 12, `${nearlySilent} nearly silent channels`);
  });

  it('is refractory for 2 ms', () => {
    for (let index = 0; index + channels < data.length; index++) {
      assert.ok(!(data[index] === 1 && data[index + channels] === 1), `spikes at ${index}`);
    }
  });

  it('is silent for a second', () => {
    assert.equal(sum(countSpikes(6.1, 7.1)), 0);
    assert.ok(sum(countSpikes(5.6, 6.1)) > 0);
  });

  it('responds to the stimuli, most to the strongest, in tuned channels', () => {
    const rest = sum(countSpikes(3.6, 3.75)) / 0.15;
    const responses = stimuli.map(({ start, end, strength }) => ({
      strength,
      counts: countSpikes(start, end),
    }));
    for (const { counts } of responses) assert.ok(sum(counts) > 1.1 * rest);
    responses.sort((a, b) => a.strength - b.strength);
    const totals = responses.map(({ counts }) => sum(counts));
    assert.deepEqual(
      totals,
      [...totals].sort((a, b) => a - b),
    );
    const strongest = responses.at(-1)?.counts ?? [];
    const half = [...strongest].sort((a, b) => b - a).slice(0, channels / 2);
    assert.ok(sum(half) > 0.75 * sum(strongest), 'half of the channels carry the response');
  });

  it('has bursts of the population', () => {
    const perStep = Array.from({ length: timesteps / 50 }, (_, bin) =>
      sum(countSpikes(bin * 0.05, (bin + 1) * 0.05)),
    );
    const median = [...perStep].sort((a, b) => a - b)[perStep.length / 2] ?? NaN;
    const burst = sum(countSpikes(0.4, 0.45));
    assert.ok(burst > 3 * median, `${burst} against ${median}`);
  });

  it('can be made with other steps', () => {
    const coarse = makeExampleRaster(0.01);
    assert.deepEqual(coarse.shape, [1000, 48]);
    assert.equal(coarse.dt, 0.01);
    assert.deepEqual(makeExampleRaster(60).shape, [1, 48]);
  });
});

describe('reduction', () => {
  it('keeps the value of largest magnitude of each bin, with its sign', () => {
    const series = { data: [1, 5, -3, 2, 0, 0, 2, 7, 0, -9], timesteps: 5, columns: 2 };
    assert.deepEqual(reduceToGrid(series, 'peak', 2, 3), {
      values: Float64Array.of(-3, 2, 0, 5, 7, -9),
      rows: 2,
      bins: 3,
      stepsPerBin: 2,
      channelsPerRow: 1,
    });
    assert.deepEqual(reduceToGrid(series, 'peak', 1, 1).values, Float64Array.of(-9));
    assert.deepEqual(reduceToGrid(series, 'sum', 1, 5).values, Float64Array.of(6, -1, 0, 9, -9));
  });

  it('marks bins with values that are not finite', () => {
    const series = { data: [1, NaN, 3, 4, Infinity, 6], timesteps: 6, columns: 1 };
    assert.deepEqual(reduceToGrid(series, 'peak', 1, 3).values, Float64Array.of(NaN, 4, NaN));
  });

  it('thins traces without losing an extreme', () => {
    const data = [0, 1, 5, -2, 3, 3, 3, NaN, NaN];
    const series = { data, timesteps: data.length, columns: 1 };
    const points = traceOf(series, 0, { begin: 0, end: 9 }, 3);
    assert.deepEqual(points, [
      { step: 0, value: 0 },
      { step: 2, value: 5 },
      { step: 3, value: -2 },
      { step: 4, value: 3 },
      { step: 6, value: 3 },
    ]);
  });
});

describe('png', () => {
  it('holds the pixels and the palette', () => {
    const pixels = Uint8Array.of(0, 1, 2, 0, 1, 2, 2, 2, 2);
    const palette = [
      [0, 0, 0],
      [255, 0, 0],
      [1, 2, 3],
    ] as const;
    const png = encodePng(pixels, 3, 3, palette);
    assert.equal(png.toString('latin1', 1, 4), 'PNG');
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [3, 3]);
    const begin = png.indexOf('PLTE') + 4;
    assert.deepEqual([...png.subarray(begin, begin + 9)], palette.flat());
    const data = png.indexOf('IDAT');
    const rows = inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)));
    // The second row is equal to the first, so it is written as its difference.
    assert.deepEqual([...rows], [0, 0, 1, 2, 2, 0, 0, 0, 0, 2, 2, 2]);
  });
});

describe('figure', () => {
  function recordingOf(shape: number[], valueAt: (index: number) => number): Recording {
    const [columns = 1, timesteps = 1, batches = 1] =
      shape.length === 1 ? [1, ...shape] : [...shape].reverse();
    const data = Float64Array.from({ length: timesteps * columns }, (_, index) => valueAt(index));
    const part = { data, timesteps, columns, type: 'float64' };
    return {
      input: part,
      output: part,
      tau: Float64Array.from({ length: columns }, (_, channel) => 0.01 * (channel + 1)),
      dt: 1e-3,
      name: 'a <recording> & more',
      item: 0,
      batches,
      firstStep: 0,
      firstChannel: 0,
      isWhole: true,
    };
  }

  function checkSvg(svg: string): void {
    assert.match(svg, /^<svg [^>]*viewBox="0 0 \d+ \d+"[^]*<\/svg>$/);
    assert.ok(!/NaN|undefined|Infinity/.test(svg.replace(/base64,[^"]*/g, '')), 'only numbers');
    assert.ok(svg.length < 2e6, `${svg.length} characters`);
    const opened = svg.match(/<[a-z][^>]*[^/]>|<[a-z]>/gi)?.length;
    assert.equal(opened, svg.match(/<\/[a-z]+>/gi)?.length, 'every element is closed');
  }

  it('shows the example with all its panels', async () => {
    const { data, shape, tau, dt, stimuli } = makeExampleRaster();
    const [timesteps, columns] = shape;
    const svg = await drawFigure({
      ...recordingOf([timesteps, columns], (index) => data[index] ?? NaN),
      input: { data, timesteps, columns, type: 'uint8' },
      tau,
      dt,
      name: 'an example',
      stimuli,
    });
    checkSvg(svg);
    for (const text of [
      'an example',
      '48 channels',
      'τ 5 ms to 100 ms',
      'Firing rate, mean of all channels in bins of 50 ms',
      'stimulus 0.25',
      'Spike raster',
      'Mean rate (spikes/s)',
      'Synaptic currents, peak of each 14 ms',
      'Time constant τ (ms)',
      'Synaptic currents of the channels marked above',
      'Close-up of',
      'time (s)',
    ]) {
      assert.ok(svg.includes(text), text);
    }
    // The raster is one path with a stroke for each spike.
    const spikes = data.reduce((a, b) => a + b, 0);
    const strokes = Array.from(
      svg.matchAll(/ d="([^"]*)"/g),
      ([, path = '']) => path.split('M').length,
    );
    assert.ok(strokes.includes(spikes + 1), 'a stroke for each spike');
    assert.equal(svg.match(/data:image\/png;base64/g)?.length, 1);
  });

  it('escapes the name', async () => {
    const svg = await drawFigure(recordingOf([100, 2], (index) => index % 3));
    assert.ok(svg.includes('a &lt;recording&gt; &amp; more'));
  });

  const cases: [name: string, shape: number[], valueAt: (index: number) => number][] = [
    ['one step', [1, 3], (index) => index],
    ['one channel', [700, 1], (index) => (index % 50 === 0 ? 1 : 0)],
    ['one axis', [700], (index) => (index % 50 === 0 ? 1 : 0)],
    ['nothing but zeros', [300, 5], () => 0],
    ['nothing but NaN', [300, 5], () => NaN],
    ['some values that are not finite', [300, 5], (index) => (index % 7 === 0 ? Infinity : 1)],
    ['huge values', [300, 5], (index) => index * 1e300],
    ['tiny values', [300, 5], (index) => index * 1e-310],
  ];
  for (const [name, shape, valueAt] of cases) {
    it(`draws ${name}`, async () => {
      checkSvg(await drawFigure(recordingOf(shape, valueAt)));
    });
  }

  it('draws an input with signs as a heat map', async () => {
    const svg = await drawFigure(recordingOf([300, 5], (index) => Math.sin(index)));
    checkSvg(svg);
    assert.ok(svg.includes('>Input<'));
    assert.ok(!svg.includes('Spike raster'));
    assert.equal(svg.match(/data:image\/png;base64/g)?.length, 2);
  });

  it('draws item 0 of a batch, and says so', async () => {
    const svg = await drawFigure(recordingOf([3, 200, 2], (index) => (index < 400 ? 1 : 5)));
    checkSvg(svg);
    assert.ok(svg.includes('item 0 of a batch of 3'));
    assert.ok(svg.includes('400 spikes'));
  });

  it('draws a thousand channels as pixels, and says what a pixel is', async () => {
    const svg = await drawFigure(recordingOf([1600, 1000], (index) => (index % 97 === 0 ? 1 : 0)));
    checkSvg(svg);
    assert.ok(svg.includes('darker where more spikes share 4 channels × 3 ms'));
    assert.ok(svg.includes('peak of each 4 channels × 3 ms'));
  });

  it('draws a part with the steps and channels that it has in the whole', async () => {
    const whole = recordingOf([500, 3], (index) => (index % 40 === 0 ? 1 : 0));
    const svg = await drawFigure({
      ...whole,
      firstStep: 2500,
      firstChannel: 70,
      item: 4,
      batches: 9,
    });
    checkSvg(svg);
    for (const text of [
      '500 ms from 2.5 s',
      'channels 70 to 72',
      'item 4 of a batch of 9',
      'channel 71',
    ]) {
      assert.ok(svg.includes(text), text);
    }
    assert.ok(/>2\.7?</.test(svg) || svg.includes('>2.7<'), 'the time axis begins there');
  });

  it('draws a raster without currents, and currents without a raster', async () => {
    const whole = recordingOf([500, 3], (index) => (index % 40 === 0 ? 1 : 0));
    const raster = await drawFigure({ ...whole, output: undefined, tau: undefined });
    checkSvg(raster);
    assert.ok(raster.includes('Spike raster') && !raster.includes('Synaptic current'));
    const currents = await drawFigure({ ...whole, input: undefined, traces: [2] });
    checkSvg(currents);
    assert.ok(!currents.includes('Spike raster') && currents.includes('Synaptic current'));
    assert.ok(currents.includes('>channel 2<') && !currents.includes('>channel 1<'));
  });

  it('refuses to draw nothing', async () => {
    const nothing = recordingOf([0, 5], () => 0);
    await assert.rejects(drawFigure(nothing), isCommandError(/at least one time step/));
  });
});

describe('command line', () => {
  const home = process.cwd();
  let work: string;

  beforeEach(async () => {
    work = await mkdtemp(join(folder, 'work-'));
    process.chdir(work);
  });
  afterEach(() => {
    process.chdir(home);
  });

  /** Runs the command line, with what it wrote. */
  async function expsyn(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    let out = '';
    let err = '';
    const code = await run(args, {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: (text: string) => (err += text) },
    });
    return { code, out, err };
  }

  /** The sum in the definition, O(T W): output[t] = sum over k < W of w[k] input[t - k]. */
  function convolve(
    input: ArrayLike<number>,
    [timesteps, channels]: readonly [number, number],
    tau: readonly number[],
    dt: number,
    windowLength: number,
  ): Float64Array {
    const output = new Float64Array(timesteps * channels);
    for (let step = 0; step < timesteps; step++) {
      for (let channel = 0; channel < channels; channel++) {
        let current = 0;
        for (let k = 0; k < Math.min(windowLength, step + 1); k++) {
          const weight = Math.exp((-(k + 1) * dt) / (tau[channel] ?? NaN));
          current += weight * (input[(step - k) * channels + channel] ?? 0);
        }
        output[step * channels + channel] = current;
      }
    }
    return output;
  }

  function checkClose(actual: NpyData, expected: Float64Array, tolerance: number): void {
    assert.equal(actual.length, expected.length);
    const peak = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expected.forEach((value, index) => {
      const difference = Math.abs(Number(actual[index]) - value);
      assert.ok(difference <= tolerance * peak, `${actual[index]} for ${value} at ${index}`);
    });
  }

  const raster = Uint8Array.from({ length: 400 * 3 }, (_, index) =>
    (index * 7919) % 11 === 0 ? 1 : 0,
  );

  async function writeRaster(name = 'raster.npy', shape = [400, 3]): Promise<void> {
    await writeNpyFile(name, { data: raster, shape });
  }

  it('runs the example without arguments', async () => {
    const { code, out, err } = await expsyn();
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.deepEqual((await readdir('output')).sort(), [
      'expsyn.svg',
      'isyn.npy',
      'isyn.npy.json',
      'raster.npy',
    ]);
    const example = makeExampleRaster();
    const written = await readNpyFile(join('output', 'raster.npy'));
    assert.deepEqual(written, { data: example.data, shape: example.shape });
    const isyn = await readNpyFile(join('output', 'isyn.npy'));
    assert.deepEqual(isyn.shape, [1, ...example.shape]);
    // The first second needs no more than the first second.
    const expected = convolve(example.data, [1000, 48], [...example.tau], 1e-3, 1000);
    checkClose(isyn.data.subarray(0, expected.length), expected, 1e-12);
    assert.match(await readFile(join('output', 'expsyn.svg'), 'utf8'), /^<svg .*<\/svg>$/s);
    for (const words of [
      '(10000, 48) uint8',
      'tau 5 ms to 100 ms',
      'dt 1 ms',
      '(chosen by auto)',
      'samples/s',
      join('output', 'isyn.npy'),
    ]) {
      assert.ok(out.includes(words), words);
    }
  });

  it("computes the currents of the user's raster", async () => {
    await writeRaster();
    const args = ['raster.npy', '--tau', '20ms', '--out', join('out', 'isyn.npy')];
    const { code, out, err } = await expsyn(...args);
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.deepEqual((await readdir('out')).sort(), ['expsyn.svg', 'isyn.npy', 'isyn.npy.json']);
    assert.ok(!existsSync('output'));
    const { data, shape } = await readNpyFile(join('out', 'isyn.npy'));
    assert.ok(data instanceof Float64Array);
    assert.deepEqual(shape, [1, 400, 3]);
    checkClose(data, convolve(raster, [400, 3], [0.02, 0.02, 0.02], 1e-3, 200), 1e-12);
    assert.ok(out.includes('tau 20 ms'));
  });

  it('takes the command by its name, and the options in any order', async () => {
    await writeRaster();
    for (const [index, args] of [
      ['run', 'raster.npy', '--no-plot'],
      ['--no-plot', 'raster.npy'],
      ['run', '--no-plot', 'raster.npy'],
    ].entries()) {
      assert.equal((await expsyn(...args, '--out', `${index}.npy`)).code, 0);
      assert.deepEqual(await readFile(`${index}.npy`), await readFile('0.npy'));
    }
  });

  it('has 10 ms for tau unless told otherwise', async () => {
    await writeRaster();
    await expsyn('raster.npy', '--no-plot', '--out', 'a.npy');
    await expsyn('raster.npy', '--no-plot', '--out', 'b.npy', '--tau', '0.01');
    assert.deepEqual(await readFile('a.npy'), await readFile('b.npy'));
  });

  it('takes a tau for each channel, dt, and a window', async () => {
    await writeRaster();
    const tau = ['--tau', '2ms,5ms,20ms', '--dt', '0.5ms', '--no-plot'];
    for (const [options, windowLength] of [
      [[], 400],
      [['--window-taus', '2'], 80],
      [['--window-taus', 'Infinity'], 1000],
      [['--max-window-length', '7'], 7],
    ] as const) {
      for (const method of ['fft', 'recursive']) {
        const args = ['raster.npy', ...tau, ...options, '--method', method, '--out', 'isyn.npy'];
        const { code, out } = await expsyn(...args);
        assert.equal(code, 0);
        assert.ok(out.includes(`by method ${method} in`));
        const { data } = await readNpyFile('isyn.npy');
        const expected = convolve(raster, [400, 3], [2e-3, 5e-3, 20e-3], 0.5e-3, windowLength);
        checkClose(data, expected, 1e-12);
      }
    }
  });

  it('gives one column to as many channels as there are taus', async () => {
    for (const shape of [[1200], [1200, 1]]) {
      await writeRaster('one.npy', shape);
      assert.equal((await expsyn('one.npy', '--tau', '5ms,20ms', '--out', 'two.npy')).code, 0);
      const two = await readNpyFile('two.npy');
      assert.deepEqual(two.shape, [1, 1200, 2]);
      const both = Float64Array.from({ length: 2400 }, (_, index) => raster[index >> 1] ?? 0);
      checkClose(two.data, convolve(both, [1200, 2], [5e-3, 20e-3], 1e-3, 200), 1e-12);
      await expsyn('one.npy', '--out', 'single.npy', '--no-plot');
      assert.deepEqual((await readNpyFile('single.npy')).shape, [1, 1200, 1]);
    }
  });

  it('keeps the batch', async () => {
    await writeRaster('batch.npy', [2, 200, 3]);
    assert.equal((await expsyn('batch.npy', '--out', 'isyn.npy')).code, 0);
    const { data, shape } = await readNpyFile('isyn.npy');
    assert.deepEqual(shape, [2, 200, 3]);
    const second = convolve(raster.subarray(600), [200, 3], [0.01, 0.01, 0.01], 1e-3, 100);
    checkClose(data.subarray(600), second, 1e-12);
    assert.match(await readFile('expsyn.svg', 'utf8'), /item 0 of a batch of 2/);
  });

  it('gives the same for every type and order of the elements', async () => {
    await writeRaster();
    await expsyn('raster.npy', '--no-plot', '--out', 'expected.npy');
    const bigints = BigInt64Array.from(raster, BigInt);
    await writeNpyFile('i8.npy', { data: bigints, shape: [400, 3] });
    const columns = raster.map(
      (_, index) => raster[(index % 400) * 3 + Math.floor(index / 400)] ?? 0,
    );
    const fortran = bytesOf('Float32', 4, Array.from(columns), false);
    await writeFile('fortran.npy', npyOf(headerOf('>f4', '(400, 3)', true), fortran));
    for (const name of ['i8.npy', 'fortran.npy']) {
      assert.equal((await expsyn(name, '--out', 'isyn.npy')).code, 0);
      assert.deepEqual(await readFile('isyn.npy'), await readFile('expected.npy'));
    }
  });

  it('writes single precision', async () => {
    await writeRaster();
    await expsyn('raster.npy', '--dtype', 'float32', '--out', 'isyn.npy', '--no-plot');
    const { data } = await readNpyFile('isyn.npy');
    assert.ok(data instanceof Float32Array);
    checkClose(data, convolve(raster, [400, 3], [0.01, 0.01, 0.01], 1e-3, 100), 5e-6);
  });

  it('adds noise that a seed repeats', async () => {
    await writeRaster();
    const noisy = ['raster.npy', '--no-plot', '--noise-std', '0.1'];
    const { out } = await expsyn(...noisy, '--seed', '7', '--out', 'a.npy');
    assert.ok(out.includes('0.1 after 1 s, on the output, seed 7'));
    await expsyn(...noisy, '--seed', '7', '--out', 'b.npy');
    await expsyn(...noisy, '--seed', '8', '--out', 'c.npy');
    await expsyn(...noisy, '--seed', '7', '--noise', 'state', '--out', 'd.npy');
    const a = await readFile('a.npy');
    assert.deepEqual(a, await readFile('b.npy'));
    assert.notDeepEqual(a, await readFile('c.npy'));
    assert.notDeepEqual(a, await readFile('d.npy'));
  });

  it('stops at a NaN, or lets it through', async () => {
    const data = Float64Array.from(raster);
    data[7] = NaN;
    await writeNpyFile('nan.npy', { data, shape: [400, 3] });
    const refused = await expsyn('nan.npy', '--out', 'isyn.npy');
    assert.equal(refused.code, 1);
    assert.match(refused.err, /^Expected finite numbers .*NaN at \[2, 1\]; give --non-finite/);
    assert.ok(!existsSync('isyn.npy'));
    const passed = await expsyn('nan.npy', '--out', 'isyn.npy', '--non-finite', 'propagate');
    assert.equal(passed.code, 0);
    const isyn = await readNpyFile('isyn.npy');
    assert.ok(Number.isNaN(isyn.data[7]) && !Number.isNaN(isyn.data[6]));
    assert.match(await readFile('expsyn.svg', 'utf8'), /grey where not finite/);
  });

  it('takes an empty raster, and draws nothing', async () => {
    await writeNpyFile('empty.npy', { data: new Uint8Array(0), shape: [0, 4] });
    const { code, out } = await expsyn('empty.npy', '--out', 'isyn.npy');
    assert.equal(code, 0);
    assert.match(out, /not drawn: Expected at least one time step/);
    assert.deepEqual((await readNpyFile('isyn.npy')).shape, [1, 0, 4]);
    const asked = await expsyn('empty.npy', '--out', 'isyn.npy', '--plot', 'a.svg');
    assert.equal(asked.code, 1);
  });

  it('shows help and the version', async () => {
    for (const flag of ['--help', '-h']) {
      const { code, out } = await expsyn(flag);
      assert.equal(code, 0);
      for (const words of ['Examples:', '--tau <times>', '--noise-std <x>', 'in seconds']) {
        assert.ok(out.includes(words), words);
      }
    }
    const { code, out } = await expsyn('--version');
    assert.equal(code, 0);
    assert.match(out, /^\d+\.\d+\.\d+\S*\n$/);
  });

  it('counts one of a thing as one', async () => {
    await writeNpyFile('one.npy', { data: Uint8Array.of(0, 1, 0), shape: [3, 1] });
    const { out } = await expsyn('one.npy', '--window-taus', '0.1', '--no-plot');
    assert.match(out, /, 1 spike, mean rate /);
    assert.match(out, /, window of 1 step\n/);
  });

  it('never writes over the raster, whatever links lead to it', async () => {
    await writeRaster();
    const raster = await readFile('raster.npy');
    await symlink('raster.npy', 'link.npy');
    await mkdir('folder');
    await symlink(join('..', 'raster.npy'), join('folder', 'back.npy'));
    await symlink('.', 'here');
    for (const [input, out] of [
      ['link.npy', 'raster.npy'],
      ['raster.npy', 'link.npy'],
      ['raster.npy', join('folder', 'back.npy')],
      ['raster.npy', join('here', 'raster.npy')],
    ] as const) {
      const { code, err } = await expsyn(input, '--out', out, '--no-plot');
      assert.equal(code, 2);
      assert.match(err, /^Expected another file than the raster for --out but received /);
      assert.deepEqual(await readFile('raster.npy'), raster);
    }
  });

  it('ends where the system has no place for a folder', async function () {
    if (process.platform !== 'linux') this.skip();
    await writeRaster();
    const { code, err } = await expsyn('raster.npy', '--out', '/proc/no-folder/a.npy');
    assert.equal(code, 1);
    assert.match(err, /^Could not write \/proc\/no-folder\/a\.npy: /);
  });

  const failures: [name: string, args: string[], code: number, message: RegExp][] = [
    ['a missing file', ['missing.npy'], 1, /^Could not read missing\.npy: there is no such file/],
    ['a folder', ['.'], 1, /Expected a file/],
    ['a file of another kind', ['text.npy'], 1, /text\.npy does not begin like one/],
    ['a file that ends early', ['short.npy'], 1, /short\.npy.*not complete/],
    ['a single number', ['scalar.npy'], 1, /scalar\.npy but received a single number/],
    ['no channels', ['none.npy'], 1, /at least one channel in none\.npy/],
    [
      'a place that cannot be written',
      ['raster.npy', '--out', 'text.npy/a.npy'],
      1,
      /^Could not write/,
    ],
    ['a time without sense', ['raster.npy', '--tau', '20m'], 2, /for --tau but received '20m'/],
    [
      'too few taus',
      ['raster.npy', '--tau', '5ms,6ms'],
      2,
      /or 3, one for each channel, but received 2/,
    ],
    ['a dt of 0', ['raster.npy', '--dt', '0'], 2, /for --dt but received '0'/],
    ['an unknown option', ['--taw', '5ms'], 2, /Unknown option '--taw'.*--tau/],
    ['an unknown method', ['--method', 'slow'], 2, /Allowed choices are auto, fft, recursive/],
    ['two files', ['raster.npy', 'scalar.npy'], 2, /Too many arguments/],
    ['an option without its value', ['raster.npy', '--dt'], 2, /argument missing/],
    ['another ending', ['raster.npy', '--out', 'isyn.csv'], 2, /ends in \.npy or \.zarr for --out/],
    [
      'a picture of another kind',
      ['raster.npy', '--plot', 'a.gif'],
      2,
      /ends in \.svg or \.png for --plot/,
    ],
    ['an overwritten raster', ['raster.npy', '--out', './raster.npy'], 2, /Expected another file/],
    ['a raster without a name', [''], 2, /Expected the name of a raster but received ''/],
    ['an example of too many steps', ['--dt', '1us'], 2, /at least 100 µs for --dt of the example/],
    ['a picture of nothing', ['empty.npy', '--plot', 'a.svg'], 1, /one time step in empty\.npy/],
    ['noise below zero', ['raster.npy', '--noise-std', '-1'], 2, /--noise-std but received '-1'/],
    ['a seed without noise', ['raster.npy', '--seed', '1'], 2, /Expected --noise-std with --seed/],
    [
      'a seed that is no whole number',
      ['raster.npy', '--noise-std', '1', '--seed', '1.5'],
      2,
      /'1\.5'/,
    ],
    [
      'a window of nothing',
      ['raster.npy', '--window-taus', '0'],
      2,
      /--window-taus but received '0'/,
    ],
    ['an empty number', ['raster.npy', '--max-window-length', ''], 2, /--max-window-length .*''/],
  ];
  for (const [name, args, code, message] of failures) {
    it(`says in a sentence what is wrong with ${name}`, async () => {
      await writeRaster();
      await writeFile('text.npy', 'no array');
      await writeFile('short.npy', (await readFile('raster.npy')).subarray(0, 500));
      await writeNpyFile('scalar.npy', { data: Float64Array.of(3), shape: [] });
      await writeNpyFile('none.npy', { data: new Float64Array(0), shape: [4, 0] });
      await writeNpyFile('empty.npy', { data: new Float64Array(0), shape: [0, 4] });
      const before = (await readdir('.')).sort();
      const result = await expsyn(...args);
      assert.equal(result.code, code);
      assert.equal(result.out, '');
      assert.match(result.err, message);
      assert.match(result.err, /^[A-Z][^\n]*\.\n$/, 'one sentence');
      assert.deepEqual((await readdir('.')).sort(), before, 'nothing is left behind');
    });
  }
});
