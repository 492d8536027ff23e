/** options.transfer: evolve() takes over the memory of its caller. */
import assert from 'node:assert/strict';

import { ExpSyn, stats, type EvolveOptions } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import {
  allocated,
  assertRefused,
  BYTES,
  collectAll,
  EXPECTED,
  LENGTH,
  newModule,
  raster,
  rasterIn,
  SHAPE,
  SIZE,
  turn,
} from '../support/buffers';
import { spikes } from '../support/oracle';

describe('options.transfer', () => {
  it('copies an input that cannot be transferred, and refuses such an output', async () => {
    const module = new ExpSyn(1, { dtype: 'float64' });
    const pooled = Buffer.from('abcdefgh');
    const run = await module.evolve({ data: pooled, shape: [8] }, { transfer: true });
    assert.equal(pooled.toString(), 'abcdefgh');
    const expected = new ExpSyn(1).evolveSync({ data: pooled, shape: [8] });
    assertSameBits(run.output.data, expected.output.data);
    const { WebAssembly } = globalThis as unknown as {
      WebAssembly: { Memory: new (options: object) => { buffer: ArrayBuffer } };
    };
    const out = new Float64Array(new WebAssembly.Memory({ initial: 1 }).buffer, 0, 8);
    const data = Float64Array.from(pooled);
    await assert.rejects(module.evolve({ data, shape: [8] }, { out, transfer: true }), {
      name: 'RangeError',
      message:
        'Expected memory that can be transferred for options.out but received a pooled ' +
        "Buffer's, or WebAssembly's; leave out options.transfer.",
    });
    assert.equal(data.length, 8);
    assert.equal(module.step, 8);
    assert.equal(stats().bytes, 0);
  });

  it('takes over the memory of input and output', async () => {
    const input = new Float64Array(LENGTH + 1);
    const data = rasterIn(input.buffer, 8);
    // The mark before the view shows that the output is in the same memory.
    const memory = new Float64Array(LENGTH + 3);
    memory[0] = 42;
    const out = new Float64Array(memory.buffer, 8, LENGTH);
    const pending = newModule().evolve({ data, shape: SHAPE }, { out, transfer: true });
    for (const array of [input, data, memory, out]) assert.equal(array.length, 0);
    const { output } = await pending;
    assertSameBits(output.data, EXPECTED);
    assert.equal(output.data.byteOffset, 8);
    assert.equal(output.data.buffer.byteLength, 8 * (LENGTH + 3));
    assert.equal(new Float64Array(output.data.buffer)[0], 42);
  });

  it('takes events whose lists share memory', async () => {
    const make = () => {
      const buffer = new ArrayBuffer(32);
      const times = new Float64Array(buffer, 0, 2);
      const channels = new Uint32Array(buffer, 16, 2);
      times.set([0.001, 0.002]);
      channels.set([1, 0]);
      return { times, channels, shape: [4, 2] };
    };
    const expected = new ExpSyn(2).evolveSync(make());
    const events = make();
    assert.deepEqual(await new ExpSyn(2).evolve(events, { transfer: true }), expected);
    assert.equal(events.times.length, 0);
    const out = new Float64Array(make().times.buffer, 0, 4);
    const overlapping = { ...make(), channels: new Uint8Array(out.buffer, 0, 2) };
    await assert.rejects(
      new ExpSyn(1).evolve({ ...overlapping, shape: [4, 1] }, { transfer: true, out }),
      /^RangeError: Expected another buffer than that of the input for options\.out/,
    );
    assert.equal(out.length, 4);
  });

  it('refuses events in memory that is already detached', async () => {
    const times = new Float64Array(2);
    structuredClone(times.buffer, { transfer: [times.buffer] });
    const message =
      'Expected numbers in memory for input.times but received an array whose buffer is detached.';
    const events = { times, channels: [], shape: [4, 2] };
    assert.throws(() => new ExpSyn(2).evolveSync(events), { message });
    await assert.rejects(new ExpSyn(2).evolve(events), { message });
  });

  it('copies nothing', async () => {
    const steps = 1_000_000;
    const bytes = 8 * steps * SIZE;
    const data = new Float64Array(steps * SIZE);
    const out = new Float64Array(steps * SIZE);
    await collectAll();
    const before = allocated();
    const pending = newModule().evolve({ data, shape: [steps, SIZE] }, { out, transfer: true });
    await turn();
    assert.ok(allocated() - before < bytes / 2, `${allocated() - before} bytes copied`);
    await pending;
  });

  it('makes an output if there is none', async () => {
    const data = raster();
    const { output } = await newModule().evolve({ data, shape: SHAPE }, { transfer: true });
    assert.equal(data.length, 0);
    assertSameBits(output.data, EXPECTED);
  });

  it('detaches nothing when the call is refused', async () => {
    const module = newModule();
    const data = raster();
    const refusals: [EvolveOptions, 'TypeError' | 'RangeError', RegExp][] = [
      [{ out: new Float64Array(3) }, 'RangeError', /options\.out/],
      [{ out: new Float32Array(LENGTH) }, 'TypeError', /options\.out/],
      [{ out: data }, 'RangeError', /^Expected another buffer than that of the input/],
      [{ state: { step: -1 } }, 'RangeError', /options\.state\.step/],
    ];
    for (const [options, name, message] of refusals) {
      const call = () => module.evolve({ data, shape: SHAPE }, { ...options, transfer: true });
      await assertRefused(module, call, name, message);
    }
    await assertRefused(
      module,
      () => module.evolveSync({ data, shape: SHAPE }, { transfer: true }),
      'RangeError',
      /^Expected false for options\.transfer but received true; evolveSync\(\) copies nothing\.$/,
    );
    assert.equal(data.length, LENGTH);
  });

  it('refuses an input that is already detached', async () => {
    const module = newModule();
    const data = raster();
    const first = module.evolve({ data, shape: SHAPE }, { transfer: true });
    const again = () => module.evolve({ data, shape: SHAPE }, { transfer: true });
    await assert.rejects(again, { name: 'RangeError', message: /the buffer may be detached/ });
    assertSameBits((await first).output.data, EXPECTED);
  });

  it('does not crash for memory that its owner pins', async () => {
    const { WebAssembly } = globalThis as unknown as {
      WebAssembly: {
        Memory: new (size: { initial: number }) => {
          readonly buffer: ArrayBuffer;
          grow(pages: number): number;
        };
      };
    };
    const memory = new WebAssembly.Memory({ initial: Math.ceil(BYTES / 65536) });
    const data = rasterIn(memory.buffer);
    // Some versions of Node copy such memory, others reject it.
    try {
      const { output } = await newModule().evolve({ data, shape: SHAPE }, { transfer: true });
      assertSameBits(output.data, EXPECTED);
    } catch (error) {
      assert.match(String(error), /DataCloneError|TypeError|RangeError/);
    }
    const pooled = Buffer.from(spikes(20 * SIZE, 0.5, 1));
    const expected = newModule().evolveSync({ data: new Uint8Array(pooled), shape: [20, SIZE] });
    try {
      const view = new Uint8Array(pooled.buffer, pooled.byteOffset, pooled.length);
      const input = { data: view, shape: [20, SIZE] };
      const { output } = await newModule().evolve(input, { transfer: true });
      assertSameBits(output.data, expected.output.data);
    } catch (error) {
      assert.match(String(error), /DataCloneError|TypeError|RangeError/);
    }
    // Growing the memory detaches the old buffer at once.
    const pending = newModule().evolve({ data: rasterIn(memory.buffer), shape: SHAPE });
    memory.grow(1);
    assertSameBits((await pending).output.data, EXPECTED);
  });
});
