/** FirSyn: the attributes, saving and errors of synapses that are given by their samples. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import {
  Constant,
  FirSyn,
  FirSynSession,
  stats,
  type FirSynOptions,
  type NdArray,
} from '../../lib/index';
import { iterate } from '../../lib/streams';
import { assertSameBits } from '../support/bits';
import { directFir, rasterOf, samplesOf } from '../support/fir';
import { relativeError, TOLERANCE } from '../support/oracle';
import { messageOf, ROOT, startWorker } from '../support/processes';

const SIZE = 3;

const make = (kernel: FirSynOptions['kernel'], options: Partial<FirSynOptions> = {}) =>
  new FirSyn(SIZE, { kernel, ...options });

/** The newest `count` inputs, the newest first, as the state has them; zeros where there are fewer. */
function lastInputs({ data }: NdArray, count: number): Float64Array {
  const inputs = new Float64Array(count * SIZE);
  const steps = data.length / SIZE;
  for (let p = 0; p < Math.min(count, steps); p++) {
    inputs.set(data.subarray((steps - 1 - p) * SIZE, (steps - p) * SIZE), p * SIZE);
  }
  return inputs;
}

describe('FirSyn', () => {
  it('has a kernel, which is a parameter, and its last inputs as its state', () => {
    const module = make([1, -2, 3]);
    assert.deepEqual(Object.keys(module.parameters()), ['kernel']);
    assert.deepEqual(Object.keys(module.parameters('kernels')), ['kernel']);
    assert.deepEqual(module.parameters('taus'), {});
    assert.deepEqual(Object.keys(module.state()), ['inputs', 'step']);
    assert.deepEqual(module.kernel, { data: Float64Array.of(1, -2, 3), shape: [3] });
    assert.equal(module.windowLength, 3);
    assert.deepEqual(module.inputs, { data: new Float64Array(0), shape: [0, SIZE] });
    const { state, record } = module.evolveSync({ data: Float64Array.of(5, 6, 7), shape: [1, 3] });
    assert.deepEqual(state, {
      inputs: { data: Float64Array.of(5, 6, 7, 0, 0, 0), shape: [2, SIZE] },
      step: 1,
    });
    assert.deepEqual(record, { method: 'direct', windowLength: 3, firstStep: 0 });
    assert.deepEqual(module.plan(1), { method: 'direct', windowLength: 3 });
    assert.ok(module.session() instanceof FirSynSession);
  });

  it('takes samples in every form, for all synapses or for each', () => {
    const column = [0.5, -1];
    const each = [
      [0.5, 0.5, 0.5],
      [-1, -1, -1],
    ];
    const forms: FirSynOptions['kernel'][] = [
      column,
      Float64Array.from(column),
      Float32Array.from(column),
      { data: Float64Array.from(column), shape: [2] },
      { data: Int8Array.of(2, -4).map((x) => x), shape: [2] },
      each,
      { data: Float64Array.from(each.flat()), shape: [2, SIZE] },
      (shape: readonly number[]) => {
        assert.deepEqual(shape, [SIZE]);
        return column;
      },
      new Constant(column),
      new Constant(() => each),
    ];
    const input = rasterOf(9, SIZE, 1);
    const expected = make(column).evolveSync(input).output.data;
    forms.forEach((kernel, index) => {
      const factor = index === 4 ? 4 : 1;
      const { data } = make(kernel).evolveSync(input).output;
      assertSameBits(
        data.map((value) => value / factor),
        expected,
      );
    });
    const own = [
      [1, 2, 3],
      [0, -1, 0.25],
    ];
    const { output } = make(own).evolveSync({ data: Float64Array.of(1, 1, 1), shape: [1, SIZE] });
    assert.deepEqual(output.data, Float64Array.of(1, 2, 3));
  });

  it('copies samples in and out', () => {
    const given = Float64Array.of(1, 2);
    const module = make(given);
    given[0] = 9;
    module.kernel.data[1] = 9;
    const { data } = module.parameters()['kernel'] as NdArray;
    data[1] = 9;
    assert.deepEqual(module.kernel.data, Float64Array.of(1, 2));
    module.kernel = [7];
    module.resetParameters();
    module.kernel.data[0] = 9;
    assert.deepEqual(module.kernel.data, Float64Array.of(1, 2));
    const { output } = module.evolveSync({ data: Float64Array.of(1), shape: [1] });
    assert.deepEqual(output.data, Float64Array.of(1, 1, 1));
  });

  it('is a simulation parameter if it is a Constant', () => {
    const module = make(new Constant([1, 2]));
    assert.deepEqual(module.parameters(), {});
    assert.ok('kernel' in module.simulationParameters());
    module.kernel = [1, 2, 3];
    assert.equal(module.resetParameters().windowLength, 3);
    const restored = FirSyn.fromJSON(JSON.stringify(module));
    assert.deepEqual(restored.simulationParameters(), module.simulationParameters());
  });

  it('shows a summary, however many samples there are', () => {
    const module = make(samplesOf(5000, SIZE));
    module.evolveSync(rasterOf(10, SIZE, 1));
    for (const shown of [module, module.session()]) {
      const text = inspect(shown, { maxArrayLength: null });
      assert.ok(text.length < 1000, text);
      assert.match(text, /inputs: \(4999, 3\) \[ .*, \.\.\. 14993 more \]/);
    }
    assert.match(inspect(module), /kernel: \(5000, 3\) \[ .*, \.\.\. 14996 more \]/);
    assert.match(inspect(make([1, -2])), /kernel: \(2,\) \[ 1, -2 \],/);
    assert.match(inspect(make([1, -2])), /windowLength: 2,/);
  });

  it('keeps the inputs that a kernel of another length can still use', async () => {
    for (const [before, after] of [
      [8, 3],
      [3, 8],
      [5, 5],
      [1, 4],
      [4, 1],
      [700, 20],
      [20, 700],
    ] as const) {
      for (const steps of [2, 5, 40]) {
        const [first, next] = [rasterOf(steps, SIZE, 1), rasterOf(30, SIZE, 2)];
        const [old, kernel] = [samplesOf(before), samplesOf(after, SIZE)];
        const known = Math.min(before, after) - 1;
        const past = lastInputs(first, known);
        const expected = directFir(kernel, past, next);
        for (const method of ['fft', 'direct', 'auto'] as const) {
          const module = make(old, { method });
          const [session, pending] = [module.session(), module.session()];
          const run = module.evolve(first);
          const sessionRun = pending.evolve(first);
          session.evolveSync(first);
          // Calls that were made before have the old kernel.
          module.kernel = kernel;
          assert.equal(module.windowLength, after);
          const outputs = [
            (await module.evolve(next)).output.data,
            session.evolveSync(next).output.data,
          ];
          const { output } = await run;
          assertSameBits(output.data, make(old, { method }).evolveSync(first).output.data);
          const ofSession = (await sessionRun).output.data;
          assert.ok(relativeError(ofSession, output.data) <= TOLERANCE.float64);
          outputs.push((await pending.evolve(next)).output.data);
          for (const data of outputs) {
            assert.ok(relativeError(data, expected) <= TOLERANCE.float64);
          }
          const kept = lastInputs(
            { data: Float64Array.of(...lastSteps(first, known), ...next.data), shape: [] },
            after - 1,
          );
          assert.deepEqual(module.inputs, { data: kept, shape: [after - 1, SIZE] });
          assert.deepEqual(session.inputs, module.inputs);
        }
      }
    }
  });

  it('takes a kernel and inputs at once, in any order', () => {
    const [kernel, inputs] = [samplesOf(4, SIZE), rasterOf(3, SIZE, 3)];
    const next = rasterOf(10, SIZE, 4);
    const expected = directFir(kernel, inputs.data, next);
    for (const values of [
      { kernel, inputs },
      { inputs, kernel },
    ]) {
      const module = make(samplesOf(9)).setAttributes(values);
      assert.deepEqual(module.inputs.data, inputs.data);
      assert.ok(relativeError(module.evolveSync(next).output.data, expected) <= TOLERANCE.float64);
    }
    const module = make([1, 2]);
    assert.throws(() => module.setAttributes({ kernel: [5], inputs: [[1, 2]] }), RangeError);
    assert.equal(module.windowLength, 2);
  });

  it('has the inputs after each call, however the input is cut', async () => {
    const input = rasterOf(200, SIZE, 5);
    for (const length of [1, 2, 7, 64, 150]) {
      const module = make(samplesOf(length));
      const session = module.session();
      for (let begin = 0, steps = 1; begin < 200; begin += steps, steps = (steps * 5) % 37) {
        const end = Math.min(begin + steps, 200);
        const part = input.data.subarray(begin * SIZE, end * SIZE);
        const call = { data: part, shape: [end - begin, SIZE] };
        if (begin % 2 === 0) module.evolveSync(call);
        else await module.evolve(call);
        session.evolveSync(call);
        const seen = { data: input.data.subarray(0, end * SIZE), shape: [] };
        const expected = { data: lastInputs(seen, length - 1), shape: [length - 1, SIZE] };
        assert.deepEqual(module.inputs, expected);
        assert.deepEqual(session.inputs, expected);
      }
    }
  });

  it('has the inputs of each item of a batch', () => {
    const module = make(samplesOf(3));
    const input = rasterOf(4, SIZE, 6, 2);
    module.evolveSync(input);
    assert.deepEqual(module.inputs.shape, [2, 2, SIZE]);
    const item = (b: number) => input.data.slice(b * 4 * SIZE, (b + 1) * 4 * SIZE);
    const each = [0, 1].map((b) => lastInputs({ data: item(b), shape: [] }, 2));
    assert.deepEqual(module.inputs.data, Float64Array.from(each.flatMap((one) => [...one])));
    module.kernel = samplesOf(6, SIZE);
    const next = rasterOf(8, SIZE, 7, 2);
    const { data } = module.evolveSync(next).output;
    each.forEach((past, b) => {
      const own = { data: next.data.slice(b * 8 * SIZE, (b + 1) * 8 * SIZE), shape: [8, SIZE] };
      const expected = directFir(samplesOf(6, SIZE), past, own);
      const actual = data.slice(b * 8 * SIZE, (b + 1) * 8 * SIZE);
      assert.ok(relativeError(actual, expected) <= TOLERANCE.float64);
    });
  });

  for (const dtype of ['float64', 'float32'] as const) {
    it(`goes on to the bit when it is saved and restored: ${dtype}`, () => {
      for (const method of ['fft', 'direct'] as const) {
        const options = {
          dtype,
          method,
          noiseStd: 0.2,
          noise: 'input',
          normalise: 'area',
        } as const;
        const module = make({ data: Float64Array.of(-0, 0.1, 1e-300, 0.7), shape: [4] }, options);
        const session = module.session({ seed: 5 });
        for (const one of [module, session]) one.evolveSync(rasterOf(50, SIZE, 8));
        const restored = FirSyn.fromJSON(JSON.stringify(module));
        assert.deepEqual(restored.toJSON(), module.toJSON());
        assertSameBits(restored.kernel.data, module.kernel.data);
        const twin = restored.restoreSession(JSON.stringify(session));
        assert.deepEqual(twin.toJSON(), session.toJSON());
        const next = rasterOf(50, SIZE, 9);
        for (const [one, other] of [
          [module, restored],
          [session, twin],
        ] as const) {
          assertSameBits(other.evolveSync(next).output.data, one.evolveSync(next).output.data);
          assert.deepEqual(other.inputs, one.inputs);
        }
        restored.kernel = [1];
        assert.deepEqual(restored.resetParameters().kernel, module.kernel);
      }
    });
  }

  it('is scaled to an area of 1 s, of each synapse', () => {
    const dt = 0.01;
    const samples = [
      [1, 2, -1],
      [3, 0.5, 0.25],
    ];
    const module = make(samples, { normalise: 'area', dt });
    const spike = { data: Float64Array.of(1, 1, 1, 0, 0, 0), shape: [2, SIZE] };
    const sums = [4, 2.5, -0.75];
    const expected = samples.flatMap((row) => row.map((w, n) => w / (dt * (sums[n] ?? NaN))));
    const { data } = module.evolveSync(spike).output;
    assert.ok(relativeError(data, expected) < 1e-15);
    assert.deepEqual(module.kernel.data, Float64Array.from(samples.flat()));
    module.resetState().normalise = 'peak';
    assert.deepEqual(module.evolveSync(spike).output.data, Float64Array.from(samples.flat()));
    module.resetState().setAttributes({ normalise: 'area', dt: 2 * dt });
    const { output } = module.evolveSync(spike);
    assert.ok(
      relativeError(
        output.data,
        expected.map((value) => value / 2),
      ) < 1e-15,
    );
  });

  it('refuses samples that have no area, whatever is assigned, and stays as it was', () => {
    const zero = [
      [1, 1, 1],
      [1, -1, 1],
    ];
    const refusal = {
      name: 'RangeError',
      code: 'ERR_EXPSYN_ARGUMENT_VALUE',
      argument: 'kernel',
      received: 'a sum of 0 for synapse 1',
      message:
        'Expected samples that can be scaled to an area of 1 s for kernel but received a sum of 0 for ' +
        "synapse 1; give others, or set normalise to 'peak'.",
    };
    assert.throws(() => make(zero, { normalise: 'area' }), refusal);
    const module = make([1, 2], { normalise: 'area' });
    assert.throws(() => (module.kernel = zero), refusal);
    assert.throws(() => module.setAttributes({ dt: 1, kernel: zero }), refusal);
    assert.equal(module.dt, 1e-3);
    assert.deepEqual(module.kernel.data, Float64Array.of(1, 2));
    module.setAttributes({ kernel: zero, normalise: 'peak' });
    assert.throws(() => (module.normalise = 'area'), refusal);
    assert.equal(module.normalise, 'peak');
    module.setAttributes({ normalise: 'area', kernel: [3] });
    assert.deepEqual(module.kernel.data, Float64Array.of(3));
    const tiny = make([1], { normalise: 'area' });
    assert.throws(() => (tiny.dt = 1e-320), /a sum too close to 0/);
    const reset = make(zero).setAttributes({ kernel: [1], normalise: 'area' });
    assert.throws(() => reset.resetParameters(), refusal);
    assert.deepEqual(reset.kernel.data, Float64Array.of(1));
  });

  it('says what is wrong with samples', () => {
    type Make = () => unknown;
    const cases: [Make, string, string][] = [
      [
        () => new FirSyn(SIZE, {} as FirSynOptions),
        'TypeError',
        'Expected samples of shape (W,) or (W, 3) for kernel but received undefined.',
      ],
      [
        () => new FirSyn(SIZE, undefined as unknown as FirSynOptions),
        'TypeError',
        'Expected samples of shape (W,) or (W, 3) for kernel but received undefined.',
      ],
      [
        () => make([1, NaN]),
        'RangeError',
        'Expected finite numbers for kernel[1] but received NaN.',
      ],
      [
        () =>
          make([
            [1, 2, 3],
            [4, 5, -Infinity],
          ]),
        'RangeError',
        'Expected finite numbers for kernel[1, 2] but received -Infinity.',
      ],
      [
        () => make(5),
        'RangeError',
        'Expected shape (*,) or (*, 3) for kernel but received shape ().',
      ],
      [
        () => make([]),
        'RangeError',
        'Expected shape (*,) or (*, 3) for kernel but received shape (0,).',
      ],
      [
        () => make([[1, 2]]),
        'RangeError',
        'Expected shape (*,) or (*, 3) for kernel but received shape (1, 2).',
      ],
      [
        () => make('1' as unknown as number),
        'TypeError',
        "Expected nested arrays or { data, shape } for kernel but received '1'.",
      ],
    ];
    for (const [run, name, message] of cases) assert.throws(run, { name, message });
    const module = make([1, 2]);
    assert.throws(() => (module.kernel = [1, Infinity]), /finite numbers for kernel\[1\]/);
    assert.throws(() => (module.kernel = [[1, 2]]), /shape \(1, 2\)/);
    assert.deepEqual(module.kernel.data, Float64Array.of(1, 2));
  });

  it('refuses the options of other kernels, and says why', () => {
    assert.throws(
      () => make([1], { method: 'recursive' }),
      /'auto' or 'fft' or 'direct' for method but received 'recursive'/,
    );
    assert.throws(() => make([1], { noise: 'state' }), {
      code: 'ERR_EXPSYN_ARGUMENT_VALUE',
      argument: 'noise',
      message:
        "Expected 'output' or 'input' for noise but received 'state'; these synapses have no current of their " +
        "own that could remember noise, so use 'input', which later steps remember as they do the input.",
    });
    for (const name of ['windowTaus', 'maxWindowLength'] as const) {
      const why = 'Infinity, because the window is as long as the kernel,';
      assert.throws(() => make([1], { [name]: 10 }), {
        message: `Expected ${why} for ${name} but received 10.`,
      });
      const module = make([1, 2, 3], { [name]: Infinity });
      assert.throws(() => (module[name] = 2), RangeError);
      assert.equal(module[name], Infinity);
      assert.equal(module.windowLength, 3);
    }
    assert.throws(() => make([1], { tau: 1 } as object), /an option 'tau'/);
  });

  it('is freed with the kernel it had: memory of samples is counted, once for equal columns', () => {
    const before = stats().memory;
    // Direct sums need the samples in another order, those of eight synapses side by side.
    const module = make(samplesOf(100_000, SIZE), { method: 'direct' });
    assert.equal(module.plan(1).windowLength, 100_000);
    const given = stats().memory - before;
    assert.ok(given >= 100_000 * SIZE * 8 && given < 100_000 * SIZE * 8 + 100_000, `${given}`);
    module.evolveSync(rasterOf(1, SIZE, 1));
    const own = stats().memory - before - given;
    assert.ok(own >= 100_000 * 8 * 8 && own < 100_000 * 8 * 8 + 100_000, `${own}`);
    module.kernel = samplesOf(100_000);
    module.evolveSync(rasterOf(1, SIZE, 1));
    const shared = stats().memory - before;
    assert.ok(shared >= 2 * 100_000 * 8 && shared < 2 * 100_000 * 8 + 100_000, `${shared}`);
    module.kernel = [1];
    assert.ok(stats().memory - before < 100_000);
  });

  it('runs in streams as in one call', async () => {
    const input = rasterOf(100, SIZE, 3);
    const kernel = samplesOf(31, SIZE);
    const output: number[] = [];
    const chunks = [0, 50, 51, 200].map((begin, i, all) => input.data.subarray(begin, all[i + 1]));
    for await (const part of iterate(make(kernel), chunks, { type: 'float64' })) {
      output.push(...part);
    }
    const expected = directFir(kernel, new Float64Array(30 * SIZE), input);
    assert.ok(relativeError(Float64Array.from(output), expected) <= TOLERANCE.float64);
  });

  it('can be aborted, and goes on from where it was', async () => {
    const module = make(samplesOf(20_000, SIZE), { method: 'direct' });
    module.evolveSync(rasterOf(5, SIZE, 1));
    const { inputs } = module;
    const stop = new AbortController();
    const run = module.evolve(rasterOf(20_000, SIZE, 2), { signal: stop.signal });
    setImmediate(() => {
      stop.abort();
    });
    await assert.rejects(run, { name: 'AbortError' });
    assert.deepEqual(module.inputs, inputs);
    assert.equal(module.step, 5);
  });

  it('computes the same bits in workers, which may end at any time', async () => {
    const [kernel, input] = [samplesOf(300, SIZE), rasterOf(2000, SIZE, 5)];
    const expected = make(kernel).evolveSync(input).output.data;
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { FirSyn } = require(workerData.root);
      const module = new FirSyn(3, { kernel: workerData.kernel });
      module.evolve(workerData.input).then(({ output }) => {
        parentPort.postMessage(output.data);
        module.kernel = { data: new Float64Array(30000).fill(1), shape: [30000] };
        module.method = 'direct';
        module.evolve({ data: new Uint8Array(300000), shape: [100000, 3] });
      });
    `;
    const workers = [1, 2, 3].map(() => startWorker(script, { root: ROOT, kernel, input }));
    for (const data of await Promise.all(workers.map(messageOf<Float64Array>))) {
      assertSameBits(data, expected);
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  it('takes transferred and shared input', async () => {
    const kernel = samplesOf(9);
    const { data, shape } = rasterOf(64, SIZE, 4);
    const expected = make(kernel).evolveSync({ data, shape }).output.data;
    const shared = new Float64Array(new SharedArrayBuffer(data.byteLength));
    shared.set(data);
    const transferred = data.slice();
    const runs = [
      make(kernel).evolve({ data: shared, shape }),
      make(kernel).evolve({ data: transferred, shape }, { transfer: true }),
    ];
    assert.equal(transferred.length, 0);
    for (const { output } of await Promise.all(runs)) assertSameBits(output.data, expected);
  });
});

/** The newest `count` steps of a raster, or all that there are after as many zeros. */
function lastSteps({ data }: NdArray, count: number): Float64Array {
  const padded = new Float64Array(count * SIZE + data.length);
  padded.set(data, count * SIZE);
  return padded.subarray(padded.length - count * SIZE);
}
