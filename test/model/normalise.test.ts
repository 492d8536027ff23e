/** Synapses whose samples are scaled to an area of 1 s. */
import assert from 'node:assert/strict';

import { ExpSyn, type ExpSynOptions } from '../../lib/index';
import { randomNumbers, relativeError, TOLERANCE } from '../support/oracle';

const DTYPES = ['float64', 'float32'] as const;
const METHODS = ['fft', 'recursive', 'auto'] as const;

/** 1 / (sum_k w[k] dt) for w[k] = exp(-(k + 1) dt / tau), k < W, from the small terms to the large. */
function gainOf(tau: number, dt: number, length: number): number {
  if (length === Infinity) return Math.expm1(dt / tau) / dt;
  let sum = 0;
  for (let k = length - 1; k >= 0; k--) sum += Math.exp((-(k + 1) * dt) / tau);
  return 1 / (sum * dt);
}

function channel(data: ArrayLike<number>, n: number, size: number): Float64Array {
  return Float64Array.from({ length: data.length / size }, (_, t) => data[t * size + n] ?? NaN);
}

describe("normalise: 'area'", () => {
  it('gives the currents of the peak times the gain, by every path', () => {
    const random = randomNumbers(4);
    for (const dtype of DTYPES) {
      for (const size of [1, 3, 7, 8, 17, 64]) {
        for (const timesteps of [1, 5, 63, 2100]) {
          for (const windowTaus of [0.5, 10, Infinity]) {
            const tau = Float64Array.from({ length: size }, () => 10 ** (-3.2 + 2 * random()));
            const options: ExpSynOptions = { tau, dtype, windowTaus };
            const bytes = Uint8Array.from({ length: timesteps * size }, () =>
              random() < 0.3 ? 2 : 0,
            );
            const signed = Float64Array.from(bytes, (count) => count * (random() - 0.5));
            for (const data of [bytes, signed, Float32Array.from(signed)]) {
              const input = { data, shape: [1, timesteps, size] };
              for (const method of METHODS) {
                const peak = new ExpSyn(size, { ...options, method, dtype: 'float64' });
                const area = new ExpSyn(size, { ...options, method, normalise: 'area' });
                const expected = peak.evolveSync(input).output.data;
                const actual = area.evolveSync(input).output.data;
                for (let n = 0; n < size; n++) {
                  const gain = gainOf(tau[n] ?? NaN, 1e-3, peak.windowLength);
                  const scaled = channel(expected, n, size).map((value) => value * gain);
                  const error = relativeError(channel(actual, n, size), scaled);
                  assert.ok(
                    error <= 2 * TOLERANCE[dtype],
                    `${method} N=${size} T=${timesteps}: ${error}`,
                  );
                }
              }
            }
          }
        }
      }
    }
  });

  it('holds for a column that every synapse receives', () => {
    for (const size of [3, 40]) {
      const options = { tau: 0.013, normalise: 'area' } as const;
      const column = Uint8Array.from({ length: 500 }, (_, t) => (t % 7 === 0 ? 1 : 0));
      const wide = Uint8Array.from(
        { length: 500 * size },
        (_, i) => column[Math.floor(i / size)] ?? 0,
      );
      const of = (data: Uint8Array, width: number) =>
        new ExpSyn(size, options).evolveSync({ data, shape: [1, 500, width] }).output.data;
      assert.deepEqual(of(column, 1), of(wide, size));
    }
  });

  it('makes the response to one spike add up to 1 s, from time constants of 1e-3 steps to 1e6', () => {
    for (const dtype of DTYPES) {
      for (const steps of [1e-3, 0.01, 0.02, 0.1, 1, 20, 1e3, 1e4]) {
        for (const windowTaus of [0.3, 1, 40, Infinity]) {
          const module = new ExpSyn(2, { tau: steps * 1e-3, windowTaus, dtype, normalise: 'area' });
          const timesteps = Math.max(2, Math.min(module.windowLength, Math.ceil(60 * steps)));
          const input = new Uint8Array(timesteps * 2);
          input[1] = 1;
          for (const method of METHODS) {
            module.resetState();
            module.method = method;
            const { output } = module.evolveSync({ data: input, shape: [1, timesteps, 2] });
            const area = channel(output.data, 1, 2).reduce((sum, value) => sum + value * 1e-3, 0);
            const bound = dtype === 'float32' ? 1e-5 : 1e-11;
            assert.ok(
              Math.abs(area - 1) < bound,
              `tau ${steps}, ${windowTaus}, ${method}: ${area}`,
            );
            assert.ok(channel(output.data, 0, 2).every((value) => value === 0));
          }
        }
      }
    }
  });

  it('is 1 / W at each step for time constants far longer than the window', () => {
    for (const tau of [1e3, 1e9, 1e300]) {
      const module = new ExpSyn(1, { tau, maxWindowLength: 50, normalise: 'area' });
      const input = {
        data: Uint8Array.from({ length: 60 }, (_, t) => (t === 0 ? 1 : 0)),
        shape: [60],
      };
      const { data } = module.evolveSync(input).output;
      data.forEach((value, t) => {
        const expected = t < 50 ? 1000 / 50 : 0;
        assert.ok(Math.abs(value - expected) <= 1e-3, `${tau}: ${value} at ${t}`);
      });
    }
  });

  it('rolls over in calls of any length, in sessions too', () => {
    const random = randomNumbers(9);
    const data = Uint8Array.from({ length: 3000 * 5 }, () => (random() < 0.1 ? 1 : 0));
    const options = {
      tau: [0.001, 0.02, 0.3, 5, 0.00002],
      windowTaus: Infinity,
      normalise: 'area',
    } as const;
    const whole = new ExpSyn(5, options).evolveSync({ data, shape: [1, 3000, 5] }).output.data;
    const session = new ExpSyn(5, options).session();
    const parts: number[] = [];
    for (let step = 0; step < 3000;) {
      const steps = Math.min(1 + Math.floor(40 * random()), 3000 - step);
      const part = data.subarray(step * 5, (step + steps) * 5);
      parts.push(...session.evolveSync({ data: part, shape: [1, steps, 5] }).output.data);
      step += steps;
    }
    for (let n = 0; n < 5; n++) {
      assert.ok(relativeError(channel(parts, n, 5), channel(whole, n, 5)) <= 1e-12);
    }
  });

  it('takes effect when it is assigned, and is saved', () => {
    const module = new ExpSyn(1, { tau: 0.02 });
    const input = { data: Uint8Array.of(1), shape: [1] };
    const [peak = NaN] = module.evolveSync(input).output.data;
    module.resetState();
    module.normalise = 'area';
    const [area = NaN] = module.evolveSync(input).output.data;
    assert.ok(Math.abs(area / peak / gainOf(0.02, 1e-3, 200) - 1) < 1e-12);
    const restored = ExpSyn.fromJSON(JSON.stringify(module));
    assert.equal(restored.normalise, 'area');
    assert.deepEqual(restored.resetState().isyn.data, Float64Array.of(0));
    assert.deepEqual(restored.evolveSync(input).output.data, Float64Array.of(area));
    assert.throws(() => {
      module.normalise = 'sum' as never;
    }, /Expected 'peak' or 'area' for normalise but received 'sum'/);
  });
});
