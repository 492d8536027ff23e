/** Memory that is collected, detached, resized or overwritten while calls run. */
import assert from 'node:assert/strict';
import { MessageChannel } from 'node:worker_threads';

import { ExpSyn } from '../../lib/index';
import { native } from '../../lib/native/native';
import { assertSameBits } from '../support/bits';
import {
  assertRefused,
  BYTES,
  collectAll,
  collectGarbage,
  detach,
  EXPECTED,
  growable,
  LENGTH,
  newModule,
  raster,
  rasterIn,
  resizable,
  SHAPE,
  SIZE,
  slowModule,
  turn,
} from '../support/buffers';
import { newKernel, nextId, SETTINGS } from '../support/native-calls';
import { relativeError, TOLERANCE } from '../support/oracle';

/** A call of this shape takes about 20 ms, so it is still pending after a few turns. */
const SLOW_SHAPE = [20000, 64];
const SLOW_LENGTH = 20000 * 64;
const newSlowModule = () => slowModule(64);

describe('while evolve() runs', () => {
  it('modules, inputs and outputs may be collected', async () => {
    const garbage: unknown[] = [];
    for (let round = 0; round < 25; round++) {
      const pending = [
        newModule().evolve({ data: raster(), shape: SHAPE }),
        newModule().evolve({ data: raster(), shape: SHAPE }, { out: new Float64Array(LENGTH) }),
        newModule().evolve({ data: rasterIn(new SharedArrayBuffer(BYTES)), shape: SHAPE }),
        newModule().evolve(
          { data: rasterIn(new SharedArrayBuffer(BYTES)), shape: SHAPE },
          { out: new Float64Array(new SharedArrayBuffer(BYTES)) },
        ),
        newModule().evolve(
          { data: raster(), shape: SHAPE },
          { out: new Float64Array(LENGTH), transfer: true },
        ),
        newModule().evolve(
          { data: raster(), shape: SHAPE },
          { state: { isyn: new Float64Array(SIZE) } },
        ),
      ];
      for (let i = 0; i < 3; i++) {
        collectGarbage();
        // New arrays are likely to get the memory that was freed.
        for (let j = 0; j < 12; j++) garbage.push(new Float64Array(LENGTH).fill(NaN));
        await turn();
        garbage.length = 0;
      }
      for (const { output } of await Promise.all(pending)) assertSameBits(output.data, EXPECTED);
    }
  });

  it('every argument of the addon may be collected', async () => {
    const [, size] = SLOW_SHAPE as [number, number];
    const values = (length: number) => new Float64Array(length).fill(1);
    const evolve = (output: Float64Array) =>
      new native.Synapses(newKernel(size, 0.2), {
        ...SETTINGS,
        method: 'fft',
        noiseScale: 1,
      }).evolveAsync(
        values(SLOW_LENGTH),
        output,
        // Currents of 1, and no corrections.
        values(2 * size).fill(0, size),
        values(2 * size),
        1,
        5,
        0,
        0,
        0,
        undefined,
        nextId(),
      );
    const outputs = [0, 1, 2].map(() => new Float64Array(new SharedArrayBuffer(8 * SLOW_LENGTH)));
    const pending = outputs.map(evolve);
    await collectAll();
    const others = Array.from({ length: 6 }, () => values(SLOW_LENGTH).fill(NaN));
    assert.deepEqual(await Promise.all(pending), [-1, -1, -1]);
    assert.equal(others.length, 6);
    const options = { tau: 0.2, method: 'fft', noiseStd: Math.sqrt(1000), seed: 5 } as const;
    const { output } = new ExpSyn(size, options).evolveSync(
      { data: values(SLOW_LENGTH), shape: SLOW_SHAPE },
      { state: { isyn: values(size) } },
    );
    for (const actual of outputs) assert.ok(relativeError(actual, output.data) < TOLERANCE.float64);
  });

  it('kernels may be replaced', async () => {
    for (const method of ['fft', 'recursive'] as const) {
      const module = new ExpSyn(SIZE, { method });
      const expected = [0.01, 0.02, 0.03].map((tau) => {
        const own = new ExpSyn(SIZE, { method, tau });
        return own.evolveSync({ data: raster(), shape: SHAPE }).output.data;
      });
      const pending = [0.01, 0.02, 0.03].map((tau) => {
        module.tau = new Float64Array(SIZE).fill(tau);
        return module.evolve(
          { data: raster(), shape: SHAPE },
          { state: { isyn: new Array<number>(SIZE).fill(0) } },
        );
      });
      module.tau = new Float64Array(SIZE).fill(0.5);
      collectGarbage();
      (await Promise.all(pending)).forEach(({ output }, i) => {
        assertSameBits(output.data, expected[i] as Float64Array);
      });
    }
  });

  it('the input may be transferred by structuredClone()', async () => {
    const data = raster();
    const pending = newModule().evolve({ data, shape: SHAPE });
    detach(data.buffer);
    assert.equal(data.length, 0);
    assertSameBits((await pending).output.data, EXPECTED);
  });

  it('the input may be transferred by postMessage(), at once or some turns later', async () => {
    const { port1, port2 } = new MessageChannel();
    for (const nTurns of [0, 1, 2]) {
      const data = raster();
      const pending = newModule().evolve({ data, shape: SHAPE });
      for (let i = 0; i < nTurns; i++) await turn();
      port1.postMessage(data, [data.buffer as ArrayBuffer]);
      assert.equal(data.length, 0);
      collectGarbage();
      assertSameBits((await pending).output.data, EXPECTED);
    }
    port1.close();
    port2.close();
  });

  it('the input may be overwritten', async () => {
    const data = raster();
    const pending = newModule().evolve({ data, shape: SHAPE });
    data.fill(99);
    assertSameBits((await pending).output.data, EXPECTED);
  });

  it('the input may shrink to nothing', async () => {
    const buffer = resizable(BYTES);
    for (const data of [rasterIn(buffer), new Float64Array(buffer)]) {
      buffer.resize(BYTES);
      data.set(raster());
      const pending = newModule().evolve({ data, shape: SHAPE });
      buffer.resize(0);
      assert.equal(data.length, 0);
      assertSameBits((await pending).output.data, EXPECTED);
    }
  });

  it('shared memory may grow', async () => {
    const input = growable(BYTES);
    const out = growable(BYTES);
    rasterIn(input);
    // Both arrays follow the length of their buffers.
    const pending = newModule().evolve(
      { data: new Float64Array(input), shape: SHAPE },
      { out: new Float64Array(out) },
    );
    input.grow(2 * BYTES);
    out.grow(2 * BYTES);
    await pending;
    assertSameBits(new Float64Array(out, 0, LENGTH), EXPECTED);
  });

  const DISAPPEARED =
    /^Expected \d+ elements for options\.out but received \d+; it was detached or resized while the call ran\.$/;

  it('an output that is detached makes the call fail, not crash', async () => {
    for (const nTurns of [0, 1, 2]) {
      const module = newSlowModule();
      const before = JSON.stringify(module);
      const out = new Float64Array(SLOW_LENGTH);
      const input = { data: new Uint8Array(SLOW_LENGTH), shape: SLOW_SHAPE };
      const pending = module.evolve(input, { out });
      const next = module.evolve(input);
      for (let i = 0; i < nTurns; i++) await turn();
      detach(out.buffer);
      collectGarbage();
      await assert.rejects(pending, { name: 'RangeError', message: DISAPPEARED });
      assert.equal(JSON.stringify(module), before);
      // The next call starts from the state before the failed one.
      assertSameBits((await next).output.data, newSlowModule().evolveSync(input).output.data);
    }
  });

  it('an output that is resized makes the call fail, not crash', async () => {
    const views: ((buffer: ArrayBuffer) => Float64Array)[] = [
      (buffer) => new Float64Array(buffer),
      (buffer) => new Float64Array(buffer, 0, LENGTH),
    ];
    for (const view of views) {
      for (const bytes of [0, 8, BYTES / 2]) {
        const module = newModule();
        const buffer = resizable(BYTES);
        const out = view(buffer);
        const evolve = async () => {
          const pending = module.evolve({ data: raster(), shape: SHAPE }, { out });
          buffer.resize(bytes);
          await pending;
        };
        await assertRefused(module, evolve, 'RangeError', DISAPPEARED);
      }
    }
    const module = newModule();
    const buffer = resizable(BYTES);
    const out = new Float64Array(buffer);
    const evolve = async () => {
      const pending = module.evolve({ data: raster(), shape: SHAPE }, { out });
      buffer.resize(BYTES + 8);
      await pending;
    };
    await assertRefused(module, evolve, 'RangeError', DISAPPEARED);
  });

  it('an output that its caller overwrites is filled all the same', async () => {
    const out = new Float64Array(LENGTH);
    const pending = newModule().evolve({ data: raster(), shape: SHAPE }, { out });
    out.fill(NaN);
    const { output } = await pending;
    assert.equal(output.data, out);
    assertSameBits(out, EXPECTED);
  });

  it('an unshared buffer with the prototype of a shared one is copied like others', async () => {
    const expected = newSlowModule().evolveSync({
      data: new Float64Array(SLOW_LENGTH).fill(1),
      shape: SLOW_SHAPE,
    });
    for (const nTurns of [0, 1, 2]) {
      const data = new Float64Array(SLOW_LENGTH).fill(1);
      const out = new Float64Array(SLOW_LENGTH);
      Object.setPrototypeOf(data.buffer, SharedArrayBuffer.prototype);
      Object.setPrototypeOf(out.buffer, SharedArrayBuffer.prototype);
      const pending = newSlowModule().evolve({ data, shape: SLOW_SHAPE });
      const refused = newSlowModule().evolve({ data, shape: SLOW_SHAPE }, { out });
      for (let i = 0; i < nTurns; i++) await turn();
      detach(data.buffer);
      detach(out.buffer);
      collectGarbage();
      await assert.rejects(refused, { name: 'RangeError', message: DISAPPEARED });
      assertSameBits((await pending).output.data, expected.output.data);
    }
  });
});
