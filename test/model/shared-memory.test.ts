/** Inputs and outputs in memory that other threads share. */
import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';

import { assertSameBits } from '../support/bits';
import {
  allocated,
  assertRefused,
  BYTES,
  collectAll,
  EXPECTED,
  growable,
  LENGTH,
  newModule,
  raster,
  rasterIn,
  resizable,
  SHAPE,
  SIZE,
  turn,
} from '../support/buffers';

describe('shared memory', () => {
  it('is used without a copy', async () => {
    const steps = 1_000_000;
    const shape = [steps, SIZE];
    const bytes = 8 * steps * SIZE;
    /** Makes a call; resolves to the bytes of array buffers that were allocated meanwhile. */
    const evolve = async (buffer: ArrayBufferLike, out: ArrayBufferLike) => {
      const data = new Float64Array(buffer);
      await collectAll();
      const before = allocated();
      const pending = newModule().evolve({ data, shape }, { out: new Float64Array(out) });
      await turn();
      const growth = allocated() - before;
      const { output } = await pending;
      assert.equal(output.data.buffer, out);
      return growth;
    };
    const shared = new SharedArrayBuffer(bytes);
    const growth = await evolve(new ArrayBuffer(bytes), shared);
    assert.ok(growth >= bytes, 'memory that is not shared is copied');
    for (const out of [new SharedArrayBuffer(bytes), growable(bytes)]) {
      const copied = await evolve(shared, out);
      assert.ok(copied < bytes / 2, `${copied} bytes copied`);
    }
  });

  it('gives the same bits as other memory', async () => {
    for (const make of [(bytes: number) => new SharedArrayBuffer(bytes), growable]) {
      for (const [inputBytes, outBytes] of [
        [0, 0],
        [8, 16],
      ] as const) {
        const data = rasterIn(make(BYTES + 64), inputBytes);
        const out = new Float64Array(make(BYTES + 64), outBytes, LENGTH);
        const options = { out };
        const { output } = await newModule().evolve({ data, shape: SHAPE }, options);
        assert.equal(output.data.buffer, out.buffer);
        assert.equal(output.data.byteOffset, outBytes);
        assertSameBits(out, EXPECTED);
        out.fill(0);
        newModule().evolveSync({ data, shape: SHAPE }, options);
        assertSameBits(out, EXPECTED);
      }
    }
  });

  it('may hold both the input and the output of evolve(), in any overlap', async () => {
    for (const [inputBytes, outBytes] of [
      [0, 0],
      [0, 8],
      [8, 0],
      [0, 4000],
    ] as const) {
      const buffer = new SharedArrayBuffer(BYTES + 4000);
      // Another object for the same memory, such as another thread has.
      for (const other of [buffer, structuredClone(buffer)]) {
        const data = rasterIn(buffer, inputBytes);
        const out = new Float64Array(other, outBytes, LENGTH);
        await newModule().evolve({ data, shape: SHAPE }, { out });
        assertSameBits(out, EXPECTED);
      }
    }
  });

  it('is refused for options.transfer, and nothing is detached', async () => {
    const kinds: [(bytes: number) => ArrayBufferLike, string][] = [
      [(bytes) => new SharedArrayBuffer(bytes), 'shared'],
      [growable, 'growable'],
      [resizable, 'resizable'],
      [
        (bytes) => runInNewContext(`new SharedArrayBuffer(${bytes})`) as SharedArrayBuffer,
        "another realm's",
      ],
      [
        (bytes) => Object.defineProperty(resizable(bytes), 'resizable', { value: false }),
        'in disguise',
      ],
    ];
    for (const [make, what] of kinds) {
      const fixed = { data: raster(), shape: SHAPE };
      const out = new Float64Array(LENGTH);
      const given = { data: rasterIn(make(BYTES)), shape: SHAPE };
      const givenOut = new Float64Array(make(BYTES));
      const expected = (name: string) =>
        new RegExp(
          `^Expected memory of fixed size that is not shared for ${name} but received ` +
            'shared or resizable memory; leave out options.transfer\\.$',
        );
      const module = newModule();
      await assertRefused(
        module,
        () => module.evolve(given, { out, transfer: true }),
        'RangeError',
        expected('input'),
      );
      await assertRefused(
        module,
        () => module.evolve(fixed, { out: givenOut, transfer: true }),
        'RangeError',
        expected('options\\.out'),
      );
      for (const array of [fixed.data, out, given.data, givenOut]) {
        assert.equal(array.length, LENGTH, what);
      }
    }
  });
});
