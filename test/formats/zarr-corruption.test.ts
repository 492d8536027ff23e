/**
 * Chunks of Zarr arrays that are not as they were written. The validator is numcodecs, in which C-Blosc and the
 * other decoders report what they cannot decode: what it refuses must be refused, and what it decodes must
 * be decoded to the same bytes or be refused.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';

import { COMPRESSORS, codecOf } from '../../lib/formats/zarr/codecs';
import type { Decode } from '../../lib/formats/zarr/corruption';
import { FILTERS } from '../../lib/formats/zarr/filters';
import { Validator } from '../../lib/formats/zarr/validator';
import { loadZarrita } from '../../lib/formats/zarr/library';
import { expsyn } from '../support/command-line';
import { checkElements, editMembers, readZarr, refuses, zarrPython } from '../support/zarr-python';

const BYTES = { name: 'bytes', configuration: { endian: 'little' } };
const CRC32C = { name: 'crc32c' };
const NOTHING = createHash('sha1').digest('hex');

interface Chunk {
  encoded: Buffer;
  /** What the right chunk decodes to. */
  bytes: number;
  isDecoded: boolean;
  hash: string;
}

/** The records of zarr_codecs.py. */
function* readChunks(file: Buffer): Generator<Chunk> {
  for (let at = 0; at < file.length;) {
    const bytes = file.readUInt32LE(at);
    const begin = at + 32;
    const end = begin + file.readUInt32LE(at + 4);
    const isDecoded = file.readUInt32LE(at + 8) === 1;
    const hash = file.subarray(at + 12, begin).toString('hex');
    yield { encoded: file.subarray(begin, end), bytes, isDecoded, hash };
    at = end;
  }
}

describe('corrupt chunks of Zarr arrays', () => {
  const codecs = zarrPython('zarr_codecs.py');
  const arrays = zarrPython('zarr_v3.py');
  let decodeZstd: Decode;

  before(async () => {
    const { registry } = await loadZarrita();
    decodeZstd = async (encoded) => (await codecOf(registry, 'zstd', { level: 1 })).decode(encoded);
  });

  type Decoder = (encoded: Uint8Array, bytes: number) => Uint8Array | Promise<Uint8Array>;

  function decoderOf(codec: { id: string }): Decoder {
    const filter = FILTERS[codec.id]?.(codec, { validator: new Validator('', '') });
    const decompress = COMPRESSORS[codec.id];
    if (filter !== undefined) return (encoded) => filter.decode(encoded);
    assert.ok(decompress !== undefined);
    return async (encoded, bytes) => decompress(encoded, bytes, decodeZstd);
  }

  const cases: [codec: { id: string } & Record<string, unknown>, chunks: number][] = [
    [{ id: 'blosc' }, 120],
    [{ id: 'gzip', level: 5 }, 20],
    [{ id: 'zlib', level: 5 }, 20],
    [{ id: 'zstd', level: 3 }, 20],
    [{ id: 'lz4' }, 20],
    [{ id: 'shuffle', elementsize: 4 }, 20],
  ];
  for (const [codec, chunks] of cases) {
    it(`are refused where numcodecs refuses them: ${codec.id}`, async () => {
      const out = codecs.newPath();
      await codecs.ask({ codec, chunks, changes: 40, seed: 7, out });
      const decode = decoderOf(codec);
      const counts = { refused: 0, same: 0, stricter: 0 };
      for (const { encoded, bytes, isDecoded, hash } of readChunks(await readFile(out))) {
        let decoded: Uint8Array | undefined;
        try {
          decoded = await decode(encoded, bytes);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
        const found =
          decoded?.length === bytes ? createHash('sha1').update(decoded).digest('hex') : undefined;
        if (!isDecoded) {
          assert.equal(hash, NOTHING);
          assert.equal(found, undefined, `${encoded.toString('hex', 0, 24)}, ${encoded.length}`);
          counts.refused += 1;
        } else if (found === undefined) counts.stricter += 1;
        else {
          assert.equal(found, hash, encoded.toString('hex', 0, 24));
          counts.same += 1;
        }
      }
      assert.ok(counts.same >= chunks, JSON.stringify(counts));
      assert.ok(counts.refused >= chunks, JSON.stringify(counts));
      // Python's zlib ignores what follows a stream.
      assert.ok(
        counts.stricter < (codec.id === 'zlib' ? 0.3 : 0.1) * (counts.refused + counts.same),
        JSON.stringify(counts),
      );
    });
  }

  describe('of Blosc', () => {
    const blosc = (cname: string, shuffle = 'shuffle') => ({
      name: 'blosc',
      configuration: { cname, clevel: 5, shuffle, typesize: 8, blocksize: 0 },
    });

    async function write(cname: string, clevel = 5): Promise<{ path: string; chunk: Buffer }> {
      const compressor = { id: 'blosc', cname, clevel, shuffle: 1, blocksize: 0 };
      const { path } = await arrays.write(2, [300, 8], 'float64', { chunks: [300, 8], compressor });
      return { path, chunk: await readFile(join(path, '0.0')) };
    }

    const changes: [string, (chunk: Buffer) => void][] = [
      ['a container of version 1', (chunk) => (chunk[0] = 1)],
      ['a container of version 3', (chunk) => (chunk[0] = 3)],
      ['the reserved flag', (chunk) => (chunk[2] = (chunk[2] ?? 0) | 8)],
      ['elements of no bytes', (chunk) => (chunk[3] = 0)],
      ['blocks of no bytes', (chunk) => chunk.writeUInt32LE(0, 8)],
      ['blocks longer than the chunk', (chunk) => chunk.writeUInt32LE(19_201, 8)],
      ['blocks of a negative size', (chunk) => chunk.writeInt32LE(-1, 8)],
      ['more bytes than there are', (chunk) => chunk.writeUInt32LE(chunk.length + 1, 12)],
      ['fewer elements', (chunk) => chunk.writeUInt32LE(19_199, 4)],
      ['no elements', (chunk) => chunk.writeUInt32LE(0, 4)],
    ];
    const compressedOnly: [string, (chunk: Buffer) => void][] = [
      ['a compressor of version 0', (chunk) => (chunk[1] = 0)],
      ['a compressor of version 2', (chunk) => (chunk[1] = 2)],
      ...[5, 6, 7].map((compressor): [string, (chunk: Buffer) => void] => [
        `compressor ${compressor}`,
        (chunk) => (chunk[2] = ((chunk[2] ?? 0) & 31) | (compressor << 5)),
      ]),
      ['a block before its place', (chunk) => chunk.writeUInt32LE(16, 16)],
      ['a block beyond the end', (chunk) => chunk.writeUInt32LE(chunk.length, 16)],
      ['a block at a negative place', (chunk) => chunk.writeInt32LE(-20, 16)],
    ];
    for (const cname of ['blosclz', 'lz4', 'lz4hc', 'snappy', 'zlib', 'zstd']) {
      it(`are refused for any field of the header: ${cname}`, async () => {
        const { path, chunk } = await write(cname);
        assert.equal((chunk[2] ?? 0) & 2, 0, 'compressed');
        await readZarr(path);
        for (const [what, change] of [...changes, ...compressedOnly]) {
          const changed = Buffer.from(chunk);
          change(changed);
          await writeFile(join(path, '0.0'), changed);
          await assert.rejects(
            readZarr(path),
            /^CommandError: Could not read chunk \(0, 0\)/,
            what,
          );
        }
        for (let other = 0; other < 5; other++) {
          if (other === (chunk[2] ?? 0) >> 5) continue;
          const changed = Buffer.from(chunk);
          changed[2] = ((chunk[2] ?? 0) & 31) | (other << 5);
          await writeFile(join(path, '0.0'), changed);
          await refuses(path, /Blosc data is corrupt/);
        }
      });
    }

    it('are refused for any field of the header of a stored chunk', async () => {
      const { path, chunk } = await write('lz4', 0);
      assert.equal((chunk[2] ?? 0) & 2, 2, 'stored');
      await readZarr(path);
      for (const [what, change] of changes) {
        const changed = Buffer.from(chunk);
        change(changed);
        await writeFile(join(path, '0.0'), changed);
        await assert.rejects(readZarr(path), /^CommandError: Could not read chunk \(0, 0\)/, what);
      }
    });

    it('are refused where blocks overlap or leave gaps', async () => {
      const compressor = { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 4096 };
      const options = { chunks: [9000, 8], compressor };
      const { path, array } = await arrays.write(2, [9000, 8], 'float64', options);
      const chunk = await readFile(join(path, '0.0'));
      await checkElements(path, array);
      assert.ok(chunk.readUInt32LE(8) < 9000 * 64, 'several blocks');
      const [first, second] = [chunk.readUInt32LE(16), chunk.readUInt32LE(20)];
      assert.notEqual(first, second);
      const changed = Buffer.from(chunk);
      changed.writeUInt32LE(first, 20);
      await writeFile(join(path, '0.0'), changed);
      await refuses(path, /Blosc data is corrupt/);
      const longer = Buffer.concat([chunk, Buffer.alloc(3)]);
      longer.writeUInt32LE(longer.length, 12);
      await writeFile(join(path, '0.0'), longer);
      await refuses(path, /Blosc data is corrupt/);
    });

    it('are refused in shards and behind other codecs too', async () => {
      const shard = {
        name: 'sharding_indexed',
        configuration: {
          chunk_shape: [50, 8],
          codecs: [BYTES, blosc('snappy')],
          index_codecs: [BYTES, CRC32C],
        },
      };
      for (const codecs of [[shard], [BYTES, blosc('lz4'), CRC32C], [BYTES, blosc('blosclz')]]) {
        const { path, array } = await arrays.write(3, [100, 8], 'float64', {
          chunks: [100, 8],
          codecs,
        });
        await checkElements(path, array);
        const file = join(path, 'c/0/0');
        const bytes = await readFile(file);
        bytes.writeUInt32LE(1 << 20, 8);
        await writeFile(file, bytes);
        await refuses(
          path,
          codecs[2] === undefined ? /Blosc data is corrupt/ : /checksum is wrong/,
        );
      }
    });
  });

  describe('of one codec', () => {
    async function writeChunk(codec: unknown, content: Uint8Array): Promise<string> {
      const options = { chunks: [50], codecs: [BYTES] };
      const { path } = await arrays.write(3, [50], 'float64', options);
      await editMembers(path, { codecs: [BYTES, codec] });
      await writeFile(join(path, 'c/0'), content);
      return path;
    }

    const data = Buffer.from(Float64Array.from({ length: 50 }, (_, i) => i).buffer);
    const half = data.subarray(0, 200);
    const rest = data.subarray(200);

    it('are read from several gzip members, and refused when something else follows', async () => {
      const gzip = { name: 'gzip', configuration: { level: 5 } };
      const whole = gzipSync(data);
      const members = Buffer.concat([gzipSync(half), gzipSync(rest)]);
      for (const content of [whole, members, Buffer.concat([whole, Buffer.alloc(7)])]) {
        const read = await readZarr(await writeChunk(gzip, content));
        assert.deepEqual(
          read,
          Float64Array.from({ length: 50 }, (_, i) => i),
        );
      }
      for (const extra of [
        Buffer.from('x'),
        Buffer.from([0x1f]),
        gzipSync(half),
        Buffer.from([0, 1]),
      ]) {
        await refuses(
          await writeChunk(gzip, Buffer.concat([whole, extra])),
          /^Could not read chunk/,
        );
      }
      const wrongSum = Buffer.from(whole);
      wrongSum[whole.length - 6] = (wrongSum[whole.length - 6] ?? 0) ^ 1;
      await refuses(await writeChunk(gzip, wrongSum), /the codec gzip cannot decode it/);
      const wrongSize = Buffer.from(whole);
      wrongSize[whole.length - 4] = (wrongSize[whole.length - 4] ?? 0) ^ 1;
      await refuses(await writeChunk(gzip, wrongSize), /the codec gzip cannot decode it/);
    });

    it('are refused when something follows a zlib stream, or its checksum is wrong', async () => {
      const zlib = { name: 'numcodecs.zlib', configuration: { level: 5 } };
      const whole = deflateSync(data);
      await readZarr(await writeChunk(zlib, whole));
      for (const extra of [Buffer.from('x'), Buffer.alloc(1), whole]) {
        await refuses(
          await writeChunk(zlib, Buffer.concat([whole, extra])),
          /bytes? follow its end/,
        );
      }
      const wrongSum = Buffer.from(whole);
      wrongSum[whole.length - 1] = (wrongSum[whole.length - 1] ?? 0) ^ 1;
      await refuses(await writeChunk(zlib, wrongSum), /the codec zlib cannot decode it/);
    });

    it('are refused when frames of Zstandard say something else, before they are decoded', async () => {
      const zstd = { name: 'zstd', configuration: { level: 3, checksum: false } };
      const repeated = (bytes: number): Buffer => {
        const header = Buffer.alloc(3);
        header.writeUIntLE((bytes << 3) | 3, 0, 3);
        // Of no announced size, with a window of 1 MiB, and one block that repeats a byte.
        return Buffer.concat([Buffer.from('28b52ffd0050', 'hex'), header, Buffer.from([0])]);
      };
      assert.deepEqual(await readZarr(await writeChunk(zstd, repeated(400))), new Float64Array(50));
      const both = Buffer.concat([repeated(200), repeated(200)]);
      assert.deepEqual(await readZarr(await writeChunk(zstd, both)), new Float64Array(50));
      await refuses(
        await writeChunk(zstd, Buffer.concat([repeated(400), repeated(2 ** 20)])),
        /it says that it holds more than its 400 bytes/,
      );
      await refuses(await writeChunk(zstd, repeated(399)), /399 bytes of elements and not 400/);
      await refuses(
        await writeChunk(zstd, Buffer.concat([repeated(400), Buffer.from([1, 2, 3, 4])])),
        /its Zstandard data is corrupt/,
      );
      await refuses(
        await writeChunk(zstd, Buffer.concat([repeated(400), Buffer.from([1])])),
        /it is not complete/,
      );
      const announced = Buffer.from('28b52ffd6090000b000000', 'hex');
      await refuses(await writeChunk(zstd, announced), /^Could not read chunk/);
    });

    it('are refused when a block of LZ4 has another size than it says', async () => {
      const lz4 = { name: 'numcodecs.lz4', configuration: { acceleration: 1 } };
      const literals = Buffer.concat([Buffer.from([0xf0, 255, 130]), data]);
      const sized = (bytes: number): Buffer => {
        const size = Buffer.alloc(4);
        size.writeUInt32LE(bytes);
        return Buffer.concat([size, literals]);
      };
      await readZarr(await writeChunk(lz4, sized(400)));
      await refuses(await writeChunk(lz4, sized(399)), /its LZ4 data is corrupt/);
      await refuses(await writeChunk(lz4, sized(401)), /more than its 400 bytes/);
      await refuses(await writeChunk(lz4, sized(2 ** 32 - 1)), /more than its 400 bytes/);
      await refuses(await writeChunk(lz4, sized(400).subarray(0, 3)), /not complete/);
    });

    it('are refused when a checksum at either end is wrong', async () => {
      for (const location of ['start', 'end']) {
        const codec = { name: 'numcodecs.crc32c', configuration: { location } };
        const sum = Buffer.from('00000000', 'hex');
        const content = location === 'start' ? [sum, data] : [data, sum];
        await refuses(await writeChunk(codec, Buffer.concat(content)), /its checksum is wrong/);
        // Of a chunk of zeros, as every implementation of CRC-32C gives it for 400 bytes.
        const zeros = Buffer.alloc(400);
        const right = Buffer.alloc(4);
        right.writeUInt32LE(crc32cOf(zeros));
        const good = location === 'start' ? [right, zeros] : [zeros, right];
        assert.deepEqual(
          await readZarr(await writeChunk(codec, Buffer.concat(good))),
          new Float64Array(50),
        );
        await refuses(await writeChunk(codec, Buffer.alloc(3)), /its checksum is wrong/);
        // Within another codec, after which the elements lie anywhere in memory.
        const path = await writeChunk(codec, gzipSync(Buffer.concat(good)));
        await editMembers(path, { codecs: [BYTES, codec, { name: 'gzip', configuration: {} }] });
        assert.deepEqual(await readZarr(path), new Float64Array(50));
      }
    });

    it('are refused when filters cannot have made them', async () => {
      const delta = { id: 'delta', dtype: '<i4', astype: '<i2' };
      const packbits = { id: 'packbits' };
      const shuffle = { id: 'shuffle', elementsize: 8 };
      for (const [filter, dtype, contents] of [
        [delta, 'int32', [Buffer.alloc(99), Buffer.alloc(98), Buffer.alloc(102), Buffer.alloc(0)]],
        [
          packbits,
          'bool',
          [Buffer.alloc(0), Buffer.alloc(8), Buffer.from([14, 0, 0, 0, 0, 0, 0, 0, 0])],
        ],
        [shuffle, 'int32', [Buffer.alloc(199), Buffer.alloc(192), Buffer.alloc(0)]],
      ] as const) {
        const options = { chunks: [50], filters: [filter] };
        const { path, array } = await arrays.write(2, [50], dtype, options);
        await checkElements(path, array);
        for (const content of contents) {
          await writeFile(join(path, '0'), content);
          await refuses(path, /^Could not read chunk \(0\)/);
        }
      }
    });
  });

  it('end a run with a sentence and without an output', async () => {
    const compressor = { id: 'blosc', cname: 'lz4', clevel: 5, shuffle: 1, blocksize: 0 };
    const options = { chunks: [200, 8], compressor };
    const { path } = await arrays.write(2, [400, 16], 'uint8', options);
    const chunk = await readFile(join(path, '0.0'));
    // The size of a block, 1,600, with one bit more.
    chunk.writeUInt32LE(chunk.readUInt32LE(8) | 0x4000, 8);
    await writeFile(join(path, '0.0'), chunk);
    const out = arrays.newPath('.npy');
    const { code, err } = await expsyn('run', path, '--out', out, '--no-plot');
    assert.equal(code, 1);
    assert.match(err, /Could not read chunk \(0, 0\) of .*Blosc data is corrupt/);
    assert.ok(!existsSync(out));
  });
});

/** One bit at a time. */
function crc32cOf(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
}
