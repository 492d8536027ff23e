/** The numbers of FirSyn against the definition in twice the precision, by every path. */
import assert from 'node:assert/strict';

import { FirSyn, type Dtype, type NdArray } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { directFir, rasterOf, samplesOf } from '../support/fir';
import { TOLERANCE } from '../support/oracle';

const METHODS = ['fft', 'direct', 'auto'] as const;
const DTYPES = ['float64', 'float32'] as const;

type Floats = NdArray<Float64Array>;

/** Samples and inputs as calls of this dtype see them. */
function seenBy(dtype: Dtype, { data, shape }: Floats): Floats {
  return { data: dtype === 'float32' ? data.map(Math.fround) : data, shape };
}

/**
 * The largest error, each channel's relative to the largest response to absolute values that it has: what a
 * sum of signed numbers can be held to.
 */
function worstError(actual: ArrayLike<number>, kernel: Floats, input: Floats): number {
  const [, size = 0] = input.shape;
  const [length = 0] = kernel.shape;
  const past = new Float64Array(length * size);
  const expected = directFir(kernel, past, input);
  const absolute = directFir({ ...kernel, data: kernel.data.map(Math.abs) }, past, {
    ...input,
    data: input.data.map(Math.abs),
  });
  const scales = new Float64Array(size);
  absolute.forEach((value, i) => (scales[i % size] = Math.max(scales[i % size] ?? 0, value)));
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] ?? NaN) - (expected[i] ?? NaN));
    if (error !== 0) worst = Math.max(worst, error / (scales[i % size] ?? NaN));
    if (Number.isNaN(error)) return Infinity;
  }
  return worst;
}

/** Lengths of calls: all at once, one by one, and of many lengths. */
const CHUNKS: Record<string, (steps: number) => number[]> = {
  whole: (steps) => [steps],
  single: (steps) => Array.from({ length: steps }, () => 1),
  mixed: (steps) => {
    const lengths: number[] = [];
    for (let left = steps, next = 1; left > 0; next = (next * 7) % 61) {
      lengths.push(Math.min(next, left));
      left -= next;
    }
    return lengths;
  },
};

describe('FirSyn is the sum of its definition', () => {
  const SIZE = 5;
  const STEPS = 300;

  for (const [name, kernelOf] of [
    ['the same samples for all', (length: number) => samplesOf(length)],
    ['samples of each synapse', (length: number) => samplesOf(length, SIZE)],
  ] as const) {
    for (const dtype of DTYPES) {
      it(`${name}, ${dtype}: in modules, sessions and gathered calls, cut in any way`, async () => {
        for (const length of [1, 2, 3, 31, 32, 127, 256, 299, 300, 301, 1009]) {
          const kernel = kernelOf(length);
          const input = seenBy(dtype, rasterOf(STEPS, SIZE, length));
          for (const method of METHODS) {
            for (const [cut, chunksOf] of Object.entries(CHUNKS)) {
              const module = new FirSyn(SIZE, { kernel, dtype, method });
              const [session, first, second] = [0, 1, 2].map(() => module.session());
              assert.ok(session && first && second);
              const outputs: number[][] = [[], [], []];
              let begin = 0;
              for (const steps of chunksOf(STEPS)) {
                const data = input.data.subarray(begin * SIZE, (begin + steps) * SIZE);
                const call = { data, shape: [steps, SIZE] };
                const run = begin % 3 === 0 ? await module.evolve(call) : module.evolveSync(call);
                outputs[0]?.push(...run.output.data);
                outputs[1]?.push(...session.evolveSync(call).output.data);
                const both = { data: Float64Array.of(...data, ...data), shape: [2, steps, SIZE] };
                const { output } = module.evolveSessionsSync([first, second], both);
                outputs[2]?.push(...output.data.subarray(data.length));
                begin += steps;
              }
              outputs.forEach((output, path) => {
                const error = worstError(output, kernel, input);
                const place = `W ${length}, ${method}, ${cut}, path ${path}: ${error}`;
                assert.ok(error <= TOLERANCE[dtype], place);
              });
            }
          }
        }
      }).timeout(60_000);
    }
  }

  it('is right for samples of every size, and for signed ones that cancel', () => {
    const kernels: Floats[] = [
      { data: Float64Array.of(1, -1), shape: [2] },
      { data: Float64Array.from({ length: 64 }, (_, k) => (-1) ** k * 1.5 ** -k), shape: [64] },
      { data: Float64Array.from({ length: 99 }, (_, k) => 10 ** (k % 9)), shape: [99] },
      {
        data: Float64Array.from({ length: 99 }, (_, k) => (k % 10 === 0 ? 1e9 : -1e-9)),
        shape: [99],
      },
      { data: samplesOf(77).data.map((value) => value * 1e-30), shape: [77] },
      { data: samplesOf(77).data.map((value) => value * 1e30), shape: [77] },
      { data: new Float64Array(50), shape: [50] },
    ];
    for (const [index, kernel] of kernels.entries()) {
      for (const dtype of DTYPES) {
        const input = seenBy(dtype, rasterOf(500, SIZE, 3));
        for (const method of METHODS) {
          const module = new FirSyn(SIZE, { kernel, dtype, method });
          const error = worstError(module.evolveSync(input).output.data, kernel, input);
          assert.ok(error <= TOLERANCE[dtype], `kernel ${index}, ${dtype}, ${method}: ${error}`);
        }
      }
    }
  });

  it('holds each channel to its own size, also 1e12 times its neighbour', () => {
    for (const dtype of DTYPES) {
      const input = seenBy(dtype, rasterOf(400, SIZE, 4));
      input.data.forEach((value, i) => (input.data[i] = value * 1e12 ** ((i % SIZE) % 2)));
      const samples = samplesOf(50, SIZE);
      const kernel = {
        ...samples,
        data: samples.data.map((value, i) => value * 1e12 ** (i % SIZE === 2 ? -1 : 0)),
      };
      for (const method of METHODS) {
        const module = new FirSyn(SIZE, { kernel, dtype, method });
        const { data } = module.evolveSync(seenBy(dtype, input)).output;
        const error = worstError(data, kernel, seenBy(dtype, input));
        assert.ok(error <= TOLERANCE[dtype], `${dtype}, ${method}: ${error}`);
      }
    }
  });

  it('is exactly 0 before the first input of a channel, and in a silent one', () => {
    const kernel = samplesOf(40, SIZE);
    const data = new Float64Array(200 * SIZE);
    data[120 * SIZE + 1] = 1e300;
    data[100 * SIZE + 3] = 1e-300;
    for (const method of METHODS) {
      const { output } = new FirSyn(SIZE, { kernel, method }).evolveSync({
        data,
        shape: [200, SIZE],
      });
      output.data.forEach((value, i) => {
        const [t, n] = [Math.floor(i / SIZE), i % SIZE];
        const isResponse = (n === 1 && t >= 120 && t < 160) || (n === 3 && t >= 100 && t < 140);
        if (!isResponse) assert.equal(value, 0, `${method}, ${t}, ${n}`);
      });
    }
  });

  it('has bits that do not depend on threads, or on how a call is made', async () => {
    const size = 37;
    const kernel = samplesOf(150, size);
    const input = rasterOf(4000, size, 6);
    for (const method of METHODS) {
      const options = { kernel, method, noiseStd: 0.1, noise: 'input', seed: 3 } as const;
      const expected = new FirSyn(size, { ...options, threads: 1 }).evolveSync(input).output.data;
      for (const threads of [2, 5, Infinity]) {
        const module = new FirSyn(size, { ...options, threads });
        assertSameBits((await module.evolve(input)).output.data, expected);
      }
    }
  });

  it('draws the same noise in calls of any length, which later steps remember', () => {
    const kernel = samplesOf(20);
    for (const noise of ['output', 'input'] as const) {
      const options = { kernel, noise, noiseStd: 0.5, seed: 9 } as const;
      const input = rasterOf(100, SIZE, 7);
      const whole = new FirSyn(SIZE, options).evolveSync(input).output.data;
      const module = new FirSyn(SIZE, options);
      const parts = [0, 1, 2, 3].flatMap((part) => {
        const data = input.data.subarray(part * 25 * SIZE, (part + 1) * 25 * SIZE);
        return Array.from(module.evolveSync({ data, shape: [25, SIZE] }).output.data);
      });
      const quiet = new FirSyn(SIZE, { kernel }).evolveSync(input).output.data;
      whole.forEach((value, i) => {
        assert.ok(Math.abs(value - (parts[i] ?? NaN)) <= 1e-13);
      });
      assert.ok(whole.some((value, i) => Math.abs(value - (quiet[i] ?? NaN)) > 1e-3));
      // Only noise in the input is a part of the state.
      const isRemembered = module.inputs.data.some(
        (value, i) => Math.floor(i / SIZE) === 0 && value !== input.data[99 * SIZE + i],
      );
      assert.equal(isRemembered, noise === 'input');
    }
  });

  describe('a NaN or infinity', () => {
    const kernel = { data: Float64Array.of(1, -2, 0.5, 4), shape: [4] };

    it('is refused by default, with its place, and changes nothing', async () => {
      const module = new FirSyn(SIZE, { kernel });
      module.evolveSync(rasterOf(3, SIZE, 1));
      const { inputs } = module;
      const input = rasterOf(10, SIZE, 2);
      input.data[4 * SIZE + 2] = NaN;
      const refusal = { code: 'ERR_EXPSYN_NON_FINITE', index: [4, 2] };
      for (const method of METHODS) {
        module.method = method;
        assert.throws(() => module.evolveSync(input), refusal);
        await assert.rejects(module.evolve(input), refusal);
        assert.deepEqual(module.inputs, inputs);
      }
    });

    it('goes through, if it may, for as long as the window holds it', () => {
      for (const value of [NaN, Infinity, -Infinity]) {
        for (const method of METHODS) {
          for (const dtype of DTYPES) {
            for (const chunk of [40, 1, 3]) {
              const input = rasterOf(40, SIZE, 3);
              const clean = new FirSyn(SIZE, { kernel, method, dtype });
              const expected = clean.evolveSync(input).output.data;
              input.data[10 * SIZE + 2] = value;
              const module = new FirSyn(SIZE, { kernel, method, dtype, nonFinite: 'propagate' });
              const actual: number[] = [];
              for (let begin = 0; begin < 40; begin += chunk) {
                const data = input.data.subarray(begin * SIZE, (begin + chunk) * SIZE);
                const call = { data, shape: [data.length / SIZE, SIZE] };
                actual.push(...module.evolveSync(call).output.data);
              }
              actual.forEach((found, i) => {
                const [t, n] = [Math.floor(i / SIZE), i % SIZE];
                const place = `${value}, ${method}, ${dtype}, chunks of ${chunk}: ${t}, ${n}`;
                if (n === 2 && t >= 10 && t < 14) {
                  assert.equal(found, value * (kernel.data[t - 10] ?? NaN), place);
                } else {
                  assert.ok(Math.abs(found - (expected[i] ?? NaN)) < 1e-5, place);
                }
              });
            }
          }
        }
      }
    });

    it('stays in a state that is saved, and is dropped with the inputs that hold it', () => {
      const options = { kernel, nonFinite: 'propagate' } as const;
      const module = new FirSyn(2, options);
      module.evolveSync({ data: Float64Array.of(NaN, Infinity, 1, 1), shape: [2, 2] });
      const restored = FirSyn.fromJSON(JSON.stringify(module));
      assert.deepEqual(restored.inputs.data, Float64Array.of(1, 1, NaN, Infinity, 0, 0));
      const next = { data: Float64Array.of(1, 1), shape: [1, 2] };
      assert.deepEqual(restored.evolveSync(next).output.data, Float64Array.of(NaN, Infinity));
      module.kernel = [1, 1];
      assert.deepEqual(module.evolveSync(next).output.data, Float64Array.of(2, 2));
    });
  });
});
