/** Filters of Zarr arrays, and shards with their index at either end, as Python writes them. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { readNpyFile } from '../../lib/formats/npy/npy';
import { checkElements, editMembers, readZarr, refuses, zarrPython } from '../support/zarr-python';

const BYTES = { name: 'bytes', configuration: { endian: 'little' } };
const BIG = { name: 'bytes', configuration: { endian: 'big' } };
const ZSTD = { name: 'zstd', configuration: { level: 3 } };
const CRC32C = { name: 'crc32c' };
const INTEGERS = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'];
const FLOATS = ['float16', 'float32', 'float64'];

const CODES: Record<string, string> = {
  ...{ bool: '|b1', int8: '|i1', uint8: '|u1', int16: 'i2', uint16: 'u2', int32: 'i4' },
  ...{ uint32: 'u4', int64: 'i8', uint64: 'u8', float16: 'f2', float32: 'f4', float64: 'f8' },
};

/** NumPy's text for a type, in an order of bytes. */
function code(type: string, order: '<' | '>'): string {
  const text = CODES[type] ?? '';
  return text.startsWith('|') ? text : order + text;
}

describe('filters of Zarr arrays', () => {
  const python = zarrPython('zarr_v3.py');
  const shape = [37, 5];
  const chunks = [11, 3];

  /** Writes an array of format 2 with filters, and reads it. */
  async function check(
    dtype: string,
    filters: Record<string, unknown>[],
    options: Record<string, unknown> = {},
  ): Promise<void> {
    const { path } = await python.write(2, shape, dtype, { chunks, filters, ...options });
    await checkAgainstPython(path);
  }

  /** A filter may round, so that an array does not hold what was written. */
  async function checkAgainstPython(path: string): Promise<void> {
    const npy = python.newPath('.npy');
    await python.ask({ do: 'read2', folder: path, npy });
    await checkElements(path, await readNpyFile(npy));
  }

  it('delta, of every type and order', async () => {
    for (const dtype of [...INTEGERS, ...FLOATS]) {
      for (const endian of ['<', '>'] as const) {
        for (const order of ['C', 'F']) {
          await check(dtype, [{ id: 'delta', dtype: code(dtype, endian) }], { endian, order });
        }
      }
    }
  });

  it('delta, of differences of another type', async () => {
    const pairs: [string, string][] = [
      ...INTEGERS.flatMap((dtype) => INTEGERS.map((astype): [string, string] => [dtype, astype]))
        // NumPy adds up uint64 and signed integers as floats, which loses what is beyond 2^53.
        .filter((pair) => !pair.includes('uint64') || !pair.some((type) => type.startsWith('int'))),
      ...FLOATS.flatMap((dtype) => FLOATS.map((astype): [string, string] => [dtype, astype])),
      ['float32', 'int8'],
      ['float32', 'int16'],
      ['float32', 'int32'],
      ['float64', 'int64'],
      ['float16', 'int8'],
      ['float16', 'int32'],
    ];
    for (const [dtype, astype] of pairs) {
      const compressor = { id: 'zlib', level: 1 };
      await check(dtype, [{ id: 'delta', dtype: code(dtype, '<'), astype: code(astype, '>') }], {
        compressor,
      });
    }
  });

  it('delta, of floats whose sums are rounded', async () => {
    for (const dtype of ['float16', 'float32', 'float64']) {
      const filter = { id: 'delta', dtype: code(dtype, '<') };
      const { path } = await python.write(2, [200], dtype, { chunks: [200], filters: [filter] });
      const itemBytes = Number(dtype.slice(5)) / 8;
      const stored = Buffer.alloc(200 * itemBytes);
      const differences = new Float64Array(200).map((_, i) => Math.fround(Math.sin(i) * 3));
      differences.forEach((value, i) => {
        if (itemBytes === 8) stored.writeDoubleLE(value, 8 * i);
        if (itemBytes === 4) stored.writeFloatLE(value, 4 * i);
        if (itemBytes === 2) stored.writeUInt16LE(0x3c00 + ((i * 77) % 1024), 2 * i);
      });
      await writeFile(join(path, '0'), stored);
      await checkAgainstPython(path);
    }
  });

  it('fixedscaleoffset', async () => {
    for (const [dtype, filter] of [
      ['float64', { scale: 10, offset: 1000, astype: '<u2' }],
      ['float64', { scale: 3, offset: -0.7, astype: '>i4' }],
      ['float64', { scale: 0.1, offset: 0, astype: '|u1' }],
      ['float64', { scale: 7, offset: 1.5, astype: '<i8' }],
      ['float32', { scale: 7, offset: 0.1, astype: '<i2' }],
      ['float32', { scale: 7, offset: 0.1, astype: '<f4' }],
      ['float32', { scale: 7, offset: 0.1, astype: '<f8' }],
      ['float16', { scale: 3, offset: 2, astype: '<i4' }],
      ['int16', { scale: 2, offset: 5, astype: '<i4' }],
      ['int64', { scale: 3, offset: 1, astype: '<u4' }],
    ] as const) {
      const full = { id: 'fixedscaleoffset', dtype: code(dtype, '<'), ...filter };
      const options = { chunks, filters: [full] };
      const { path } = await python.write(2, shape, dtype, options);
      await checkAgainstPython(path);
    }
  });

  it('bitround, packbits and shuffle, alone and together', async () => {
    await check('float32', [{ id: 'bitround', keepbits: 10 }], { compressor: { id: 'blosc' } });
    for (const length of [1, 7, 8, 9, 37]) {
      const filters = [{ id: 'packbits' }];
      const { path, array } = await python.write(2, [37], 'bool', { chunks: [length], filters });
      await checkElements(path, array);
    }
    for (const elementsize of [1, 2, 4, 5, 8, 11]) {
      await check('float64', [{ id: 'shuffle', elementsize }], { chunks: [11, 5] });
    }
    const filters = [
      { id: 'fixedscaleoffset', scale: 1, offset: 0, dtype: '<f8', astype: '<i4' },
      { id: 'delta', dtype: '<i4', astype: '<i2' },
      { id: 'shuffle', elementsize: 2 },
    ];
    for (const compressor of [null, { id: 'zstd', level: 3 }, { id: 'lz4' }]) {
      await check('float64', filters, { compressor });
      await check('float64', filters, { compressor, order: 'F', endian: '<' });
    }
  });

  it('of elements, in format 3', async () => {
    const delta = { name: 'numcodecs.delta', configuration: { dtype: '<i4', astype: '<i2' } };
    const scale = {
      name: 'numcodecs.fixedscaleoffset',
      configuration: { scale: 1, offset: 0, dtype: '<f8', astype: '<i4' },
    };
    const transpose = { name: 'transpose', configuration: { order: [1, 0] } };
    for (const [dtype, codecs] of [
      ['int32', [delta, BYTES]],
      ['int32', [delta, BIG, ZSTD]],
      ['int32', [transpose, delta, BIG, CRC32C]],
      ['float64', [scale, delta, BYTES, ZSTD]],
      ['float64', [transpose, scale, delta, BIG]],
      ['float32', [{ name: 'numcodecs.bitround', configuration: { keepbits: 12 } }, BYTES]],
      ['bool', [{ name: 'numcodecs.packbits', configuration: {} }, BYTES]],
    ] as const) {
      const { path, array } = await python.write(3, shape, dtype, { chunks, codecs });
      await checkElements(path, array);
    }
  });

  it('that are not known, or whose configuration is wrong, are named', async () => {
    const { path } = await python.write(2, [37], 'int32', { chunks: [37] });
    for (const [filter, pattern] of [
      [
        { id: 'fletcher32' },
        /a filter among bitround, crc32c, delta, .* received "fletcher32"; store the array/,
      ],
      [{ id: 'categorize' }, /received "categorize"/],
      [{ id: 'toString' }, /received "toString"/],
      [{ id: 'delta' }, /for the filter 'delta' .* nothing/],
      [{ id: 'delta', dtype: 'b1' }, /for the filter 'delta'/],
      [
        { id: 'delta', dtype: '<i4', astype: '<f4' },
        /^Expected 'astype' to be a type of integers, as 'dtype' is, for the filter 'delta' .* "<f4"/,
      ],
      [{ id: 'delta', dtype: '<c8' }, /for the filter 'delta' .*"<c8"/],
      [{ id: 'bitround', keepbits: -1 }, /the filter 'bitround' keeps/],
      [{ id: 'fixedscaleoffset', dtype: '<f4', scale: 0, offset: 0 }, /'fixedscaleoffset'/],
      [{ id: 'fixedscaleoffset', dtype: '<f4', scale: '1', offset: 0 }, /'fixedscaleoffset'/],
      [{ id: 'fixedscaleoffset', dtype: '<f4', scale: 1 }, /offset of the filter/],
      [{ id: 'fixedscaleoffset', dtype: '<f2', scale: 1, offset: 0 }, /received "float16"/],
    ] as const) {
      await editMembers(path, { filters: [filter] }, '.zarray');
      await refuses(path, pattern);
    }
    await editMembers(path, { filters: [], compressor: { id: 'lzma' } }, '.zarray');
    await refuses(path, /a compressor among blosc, gzip, lz4, zlib, zstd in .* received "lzma"/);
  });

  it('that restore values which the type does not hold are refused', async () => {
    const filter = { id: 'fixedscaleoffset', dtype: '|u1', astype: '<i4', scale: 1, offset: 0 };
    const options = { chunks: [37], filters: [filter] };
    const { path } = await python.write(2, [37], 'uint8', options);
    const stored = Buffer.alloc(37 * 4);
    stored.writeInt32LE(256, 8);
    await writeFile(join(path, '0'), stored);
    await refuses(path, /it holds 256, which uint8 cannot hold; its file may be corrupt\.$/);
    stored.writeInt32LE(255, 8);
    await writeFile(join(path, '0'), stored);
    assert.equal((await readZarr(path))[2], 255);
  });
});

describe('shards of Zarr arrays', () => {
  const python = zarrPython('zarr_v3.py');

  function sharding(location: string, indexCodecs: unknown[] = [BYTES, CRC32C]) {
    const configuration = {
      chunk_shape: [2, 3],
      codecs: [BYTES, ZSTD],
      index_codecs: indexCodecs,
      index_location: location,
    };
    return { name: 'sharding_indexed', configuration };
  }

  it('have their index at either end', async () => {
    const transpose = { name: 'transpose', configuration: { order: [2, 1, 0] } };
    for (const location of ['start', 'end']) {
      for (const indexCodecs of [
        [BYTES],
        [BIG, CRC32C],
        [transpose, BYTES, CRC32C],
        [BYTES, CRC32C, CRC32C],
      ]) {
        const codecs = [sharding(location, indexCodecs)];
        const options = { chunks: [4, 9], codecs };
        const { path, array } = await python.write(3, [23, 14], 'int32', options);
        await checkElements(path, array);
      }
    }
  });

  it('are refused when their index is wrong, at either end', async () => {
    for (const location of ['start', 'end']) {
      const codecs = [sharding(location, [BYTES])];
      const options = { chunks: [4, 9], codecs };
      const { path, array } = await python.write(3, [23, 14], 'int32', options);
      await checkElements(path, array);
      const shard = join(path, 'c/1/0');
      const bytes = await readFile(shard);
      const at = location === 'start' ? 0 : bytes.length - 6 * 16;
      const changes: [(changed: Buffer) => unknown, RegExp][] = [
        [(changed) => changed.writeBigUInt64LE(BigInt(bytes.length), at), /not complete/],
        [
          (changed) => changed.writeBigUInt64LE(2n ** 64n - 2n, at),
          /bytes from byte 18446744073709551614 on/,
        ],
        [
          (changed) => changed.writeBigUInt64LE(2n ** 64n - 1n, at),
          /bytes from byte 18446744073709551615 on/,
        ],
        [(changed) => changed.writeBigUInt64LE(2n ** 63n, at + 8), /has 9223372036854775808 bytes/],
        [(changed) => changed.writeBigUInt64LE(0n, at + 8), /chunk \(2, 0\) of .* it has 0 bytes/],
        [(changed) => changed.writeBigUInt64LE(5n, at + 8), /^Could not read chunk \(2, 0\)/],
      ];
      for (const [change, pattern] of changes) {
        const changed = Buffer.from(bytes);
        change(changed);
        await writeFile(shard, changed);
        await refuses(path, pattern);
      }
      await writeFile(shard, bytes.subarray(0, 6 * 16 - 1));
      await refuses(path, /not complete/);
    }
    const { path } = await python.write(3, [8, 9], 'int32', {
      chunks: [4, 9],
      codecs: [sharding('start')],
    });
    for (const location of ['middle', 3, null]) {
      await editMembers(path, { codecs: [sharding(location as string)] });
      if (location === null) await refuses(path, /^Could not read chunk/);
      else await refuses(path, /'start' or 'end' as place of the index of each shard/);
    }
  });
});
