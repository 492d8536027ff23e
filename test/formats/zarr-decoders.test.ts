/** Decoders of compressed streams. */
import assert from 'node:assert/strict';

import { decodeBloscLz } from '../../lib/formats/zarr/blosclz';
import { decodeLz4 } from '../../lib/formats/zarr/lz4';
import { unshuffle, unshuffleBits } from '../../lib/formats/zarr/shuffles';
import { decodeSnappy } from '../../lib/formats/zarr/snappy';

describe('decoders of streams', () => {
  const decoders = { decodeLz4, decodeBloscLz, decodeSnappy };

  it('end, and write nothing beyond their target, whatever they read', () => {
    let state = 12345;
    const random = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 8;
    };
    for (const [name, decode] of Object.entries(decoders)) {
      for (let round = 0; round < 4000; round++) {
        const source = Uint8Array.from({ length: random() % 60 }, () => random() & 255);
        const memory = new Uint8Array(300).fill(7);
        const size = 1 + (random() % 200);
        // A size that fits, after which the rest is read.
        if (decode === decodeSnappy)
          source.set([(size & 127) | 128, size >> 7].slice(0, source.length));
        decode(source, memory.subarray(50, 50 + size));
        const outside = [...memory.subarray(0, 50), ...memory.subarray(50 + size)];
        assert.ok(
          outside.every((byte) => byte === 7),
          name,
        );
      }
    }
  });

  it('follow the examples of the formats', () => {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
    const target = new Uint8Array(24);
    // Four literals, 15 bytes from four before, and the last five literals.
    const lz4 = [0x4b, ...Buffer.from('abcd'), 4, 0, 0x50, ...Buffer.from('vwxyz')];
    assert.ok(decodeLz4(Uint8Array.from(lz4), target));
    assert.equal(text(target), 'abcdabcdabcdabcdabcvwxyz');
    const snappy = [24, 0x0c, ...Buffer.from('abcd'), 0x3a, 4, 0, 0x10, ...Buffer.from('vwxyz')];
    target.fill(0);
    assert.ok(decodeSnappy(Uint8Array.from(snappy), target));
    assert.equal(text(target), 'abcdabcdabcdabcdabcvwxyz');
    const blosclz = [3, ...Buffer.from('abcd'), 0xe0, 6, 3, 4, ...Buffer.from('vwxyz')];
    target.fill(0);
    assert.ok(decodeBloscLz(Uint8Array.from(blosclz), target));
    assert.equal(text(target), 'abcdabcdabcdabcdabcvwxyz');
    for (const wrong of [23, 25]) {
      assert.ok(!decodeLz4(Uint8Array.from(lz4), new Uint8Array(wrong)));
      assert.ok(!decodeSnappy(Uint8Array.from(snappy), new Uint8Array(wrong)));
      assert.ok(!decodeBloscLz(Uint8Array.from(blosclz), new Uint8Array(wrong)));
    }
  });

  it('refuse blocks of LZ4 that end otherwise than the format allows', () => {
    const literals = (count: number): number[] => [count << 4, ...Array<number>(count).fill(7)];
    // A match of 4 bytes, one byte back.
    const match = [1, 0];
    for (const [block, size, isRight] of [
      [[...literals(8), ...match, ...literals(8)], 20, true],
      [[...literals(1), ...match, ...literals(7)], 12, false],
      [[...literals(1), ...match, ...literals(8)], 13, true],
      [[...literals(20 - 5), 1, 0, 0], 19, false],
      [[0x18, 7, ...match, ...literals(5)], 18, true],
      [[0x19, 7, ...match, ...literals(4)], 18, false],
      [[0x1f, 7, ...match, 0, ...literals(5)], 25, true],
      [[0x1f, 7, ...match, 0, ...literals(4)], 24, false],
      [[...literals(8), ...match], 12, false],
      [literals(8), 8, true],
      [[0], 1, false],
      [[], 1, false],
    ] as const) {
      const target = new Uint8Array(size);
      assert.equal(decodeLz4(Uint8Array.from(block), target), isRight, block.join(' '));
      if (isRight) assert.ok(target.every((byte) => byte === 7));
    }
  });

  it('put bytes and bits together that were gathered, and leave the rest where it is', () => {
    for (const itemBytes of [1, 2, 3, 4, 5, 8, 12]) {
      for (const length of [0, 1, 7, 24, 64 * itemBytes, 64 * itemBytes + itemBytes - 1, 97]) {
        const items = Math.floor(length / itemBytes);
        const data = Uint8Array.from({ length }, (_, i) => (i * 89 + (i >> 3)) & 255);
        const gathered = data.slice();
        const bits = data.slice();
        for (let i = 0; i < items; i++) {
          for (let byte = 0; byte < itemBytes; byte++) {
            gathered[byte * items + i] = data[i * itemBytes + byte] ?? 0;
          }
        }
        if (items % 8 === 0) bits.fill(0, 0, items * itemBytes);
        for (let bit = 0; items % 8 === 0 && bit < 8 * items * itemBytes; bit++) {
          const [item, within] = [Math.floor(bit / (8 * itemBytes)), bit % (8 * itemBytes)];
          const to = within * items + item;
          const value = ((data[bit >> 3] ?? 0) >> (bit & 7)) & 1;
          bits[to >> 3] = (bits[to >> 3] ?? 0) | (value << (to & 7));
        }
        for (const offset of [0, 1]) {
          const target = new Uint8Array(length + 1).subarray(offset, offset + length);
          unshuffle(gathered, target, itemBytes);
          assert.deepEqual(target, data, `${itemBytes} ${length}`);
          target.fill(0);
          unshuffleBits(bits, target, itemBytes);
          assert.deepEqual(target, data, `bits, ${itemBytes} ${length}`);
        }
      }
    }
  });

  it('refuse streams of Snappy that announce another size', () => {
    const content = [0x0c, ...Buffer.from('abcd')];
    const target = new Uint8Array(4);
    assert.ok(decodeSnappy(Uint8Array.from([4, ...content]), target));
    assert.ok(decodeSnappy(Uint8Array.from([0x84, 0x80, 0, ...content]), target));
    for (const size of [[3], [5], [0x84, 0x01], [0x84, 0x80, 0x80, 0x80, 0x10], []]) {
      assert.ok(!decodeSnappy(Uint8Array.from([...size, ...content]), target), size.join());
    }
    assert.ok(!decodeSnappy(Uint8Array.from([4, ...content.slice(0, 4)]), target));
    // Literals, and back references, whose length or distance is cut off.
    for (const tag of [[0xf0], [0xf4, 3], [0x3a, 4], [0x01], [0x3b, 4, 0, 0]]) {
      assert.ok(!decodeSnappy(Uint8Array.from([4, ...tag]), target));
    }
  });
});
