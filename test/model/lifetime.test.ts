/** Memory that goes away, moves or is shared while calls run: nothing may crash. */
import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { MessageChannel } from 'node:worker_threads';

import { ExpSyn, stats, type Dtype, type EvolveOptions } from '../../lib/index';
import { native } from '../../lib/native/native';
import { assertSameBits } from '../support/bits';
import {
  BYTES,
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
  STEPS,
  turn,
} from '../support/buffers';
import { newKernel, nextId, SETTINGS } from '../support/native-calls';
import { randomNumbers, relativeError, spikes, TOLERANCE } from '../support/oracle';

/** A call of some 20 ms: still running, or waiting for another one, a few turns later. */
const SLOW_SHAPE = [20000, 64];
const SLOW_LENGTH = 20000 * 64;
const newSlowModule = () => slowModule(64);

const allocated = () => process.memoryUsage().arrayBuffers;
async function collectAll(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await turn();
  }
}

/** A call that rejects leaves the state, and a later call finds the module as it was. */
async function assertRefused(
  module: ExpSyn<Dtype>,
  call: () => unknown,
  name: 'TypeError' | 'RangeError',
  message: RegExp,
): Promise<void> {
  const before = JSON.stringify(module);
  await assert.rejects(
    async () => {
      await call();
    },
    { name, message },
  );
  assert.equal(JSON.stringify(module), before);
  const { output } = await newModuleLike(module).evolve({ data: raster(), shape: SHAPE });
  const { output: own } = await module.evolve({ data: raster(), shape: SHAPE });
  assertSameBits(own.data, output.data);
}

function newModuleLike(module: ExpSyn<Dtype>): ExpSyn<Dtype> {
  return ExpSyn.fromJSON(JSON.stringify(module));
}

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
        // What was freed is soon somebody else's.
        for (let j = 0; j < 12; j++) garbage.push(new Float64Array(LENGTH).fill(NaN));
        await turn();
        garbage.length = 0;
      }
      for (const { output } of await Promise.all(pending)) assertSameBits(output.data, EXPECTED);
    }
  });

  it('all that the addon was given may be collected', async () => {
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

  it('the input may be transferred by postMessage(), then or later', async () => {
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

  it('the input may be written over', async () => {
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
    // Both follow the length of their buffers.
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
      // The next call starts from where the one that failed did.
      assertSameBits((await next).output.data, newSlowModule().evolveSync(input).output.data);
    }
  });

  it('an output that shrinks, grows or leaves its buffer makes the call fail, not crash', async () => {
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

  it('an output that a caller writes to is filled all the same', async () => {
    const out = new Float64Array(LENGTH);
    const pending = newModule().evolve({ data: raster(), shape: SHAPE }, { out });
    out.fill(NaN);
    const { output } = await pending;
    assert.equal(output.data, out);
    assertSameBits(out, EXPECTED);
  });

  it("an unshared buffer in the guise of a shared one is nobody's but the caller's", async () => {
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

describe('shared memory', () => {
  it('is used as it is, without a copy', async () => {
    const steps = 1_000_000;
    const shape = [steps, SIZE];
    const bytes = 8 * steps * SIZE;
    /** Makes a call; resolves to what was allocated in array buffers meanwhile. */
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
    assert.ok(growth >= bytes, 'what is not shared is copied');
    for (const out of [new SharedArrayBuffer(bytes), growable(bytes)]) {
      const copied = await evolve(shared, out);
      assert.ok(copied < bytes / 2, `${copied} bytes copied`);
    }
  });

  it('gives the same bits as any', async () => {
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
      // Another object for the same memory, as other threads have it.
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

describe('options.transfer', () => {
  it('copies an input that cannot be handed over, and refuses such an output', async () => {
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
        'Expected memory that can be handed over for options.out but received a pooled ' +
        "Buffer's, or WebAssembly's; leave out options.transfer.",
    });
    assert.equal(data.length, 8);
    assert.equal(module.step, 8);
    assert.equal(stats().bytes, 0);
  });

  it('takes over the memory of input and output', async () => {
    const input = new Float64Array(LENGTH + 1);
    const data = rasterIn(input.buffer, 8);
    // Only the output's own memory holds the mark before its view.
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

  it('makes an output where there is none', async () => {
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

  it('leaves an input that is detached already, or twice', async () => {
    const module = newModule();
    const data = raster();
    const first = module.evolve({ data, shape: SHAPE }, { transfer: true });
    const again = () => module.evolve({ data, shape: SHAPE }, { transfer: true });
    await assert.rejects(again, { name: 'RangeError', message: /the buffer may be detached/ });
    assertSameBits((await first).output.data, EXPECTED);
  });

  it('cannot take memory that its owner pins, and does not crash over it', async () => {
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
    // Versions of Node differ: the memory is copied, or refused.
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
    // Growing the memory takes the old buffer away, at once.
    const pending = newModule().evolve({ data: rasterIn(memory.buffer), shape: SHAPE });
    memory.grow(1);
    assertSameBits((await pending).output.data, EXPECTED);
  });
});

describe('in place, evolveSync()', () => {
  const METHODS = ['fft', 'recursive'] as const;
  const DTYPES = ['float64', 'float32'] as const;

  /** Runs with the output at `outByte` of the buffer that holds the input at `inputByte`. */
  function inPlace(
    Type: typeof Float64Array | typeof Float32Array | typeof Uint8Array,
    inputByte: number,
    outByte: number,
  ): void {
    const random = randomNumbers(11);
    const values = Array.from({ length: LENGTH }, () => Math.floor(random() * 3));
    for (const method of METHODS) {
      for (const dtype of DTYPES) {
        for (const compat of ['none', 'rockpool'] as const) {
          const Out = dtype === 'float64' ? Float64Array : Float32Array;
          if (outByte % Out.BYTES_PER_ELEMENT !== 0) continue;
          const options = {
            method,
            dtype,
            compat,
            noiseStd: 0.1,
            seed: 1,
            noise: 'input' as const,
          };
          const input = Type.from(values);
          const expected = new ExpSyn(SIZE, options).evolveSync({ data: input, shape: SHAPE });
          const buffer = new ArrayBuffer(2 * BYTES);
          const data = new Type(buffer, inputByte, LENGTH);
          data.set(values);
          const out = new Out(buffer, outByte, LENGTH);
          const module = new ExpSyn(SIZE, options);
          const { output, state } = module.evolveSync({ data, shape: SHAPE }, { out });
          assert.equal(output.data, out);
          assertSameBits(out, expected.output.data, `${method} ${dtype} ${inputByte} ${outByte}`);
          assertSameBits(state.isyn.data, expected.state.isyn.data);
        }
      }
    }
  }

  it('puts the output exactly over the input', () => {
    inPlace(Float64Array, 0, 0);
    inPlace(Float32Array, 8, 8);
  });

  it('with the very same array', () => {
    for (const method of METHODS) {
      const data = raster();
      const module = new ExpSyn(SIZE, { method });
      const expected = newModuleLike(module).evolveSync({ data: raster(), shape: SHAPE });
      assert.equal(module.evolveSync({ data, shape: SHAPE }, { out: data }).output.data, data);
      assertSameBits(data, expected.output.data);
    }
  });

  it('puts the output before, after and across the input, at any distance', () => {
    for (const distance of [8, 16, 40, 64, 1000, BYTES / 2, BYTES - 8, BYTES]) {
      inPlace(Float64Array, 0, distance);
      inPlace(Float64Array, distance, 0);
    }
  });

  it('puts the output over an input of another type', () => {
    for (const [inputByte, outByte] of [
      [0, 0],
      [1, 0],
      [BYTES - LENGTH, 0],
      [BYTES / 2 + 3, 8],
      [0, 16],
    ] as const) {
      inPlace(Uint8Array, inputByte, outByte);
      inPlace(Float32Array, inputByte - (inputByte % 4), outByte);
    }
  });

  it('leaves the array untouched when the input holds a NaN', async () => {
    for (const method of METHODS) {
      const module = new ExpSyn(SIZE, { method });
      module.evolveSync([1, 2]);
      const data = raster();
      data[100] = NaN;
      const before = data.slice();
      await assertRefused(
        module,
        () => module.evolveSync({ data, shape: SHAPE }, { out: data }),
        'RangeError',
        /^Expected finite numbers for input but received NaN at \[20, 0\];/,
      );
      assertSameBits(data, before);
      const shifted = new Float64Array(data.buffer, 8, LENGTH - SIZE);
      const input = { data: shifted, shape: [STEPS - 1, SIZE] };
      const out = new Float64Array(data.buffer, 0, LENGTH - SIZE);
      const evolve = () => module.evolveSync(input, { out });
      await assertRefused(module, evolve, 'RangeError', /received NaN/);
      assertSameBits(data, before);
    }
  });
});
