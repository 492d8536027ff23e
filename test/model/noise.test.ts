/** Noise: its size, where it goes, and that it is always the same noise. */
import assert from 'node:assert/strict';

import { ExpSyn, type ExpSynOptions, type NdArray, type NoisePlacement } from '../../lib/index';
import { relativeError, spikes } from '../support/oracle';

const PLACEMENTS: NoisePlacement[] = ['output', 'state', 'input'];

/** A part of a (B, T, N) array: items from b, channels from n. */
function partOf(
  { data, shape }: NdArray,
  [b, batches]: readonly [number, number],
  [n, synapses]: readonly [number, number],
): NdArray {
  const [, timesteps = 0, size = 0] = shape;
  const part = Float64Array.from({ length: batches * timesteps * synapses }, (_, index) => {
    const row = Math.floor(index / synapses) + b * timesteps;
    return data[row * size + n + (index % synapses)] ?? NaN;
  });
  return { data: part, shape: [batches, timesteps, synapses] };
}

/** The noise of a silent run of N channels: (T, N). */
function noiseOf(options: ExpSynOptions, timesteps: number, size: number): Float64Array {
  const module = new ExpSyn(size, { noiseStd: 1, dt: 1e-3, tau: 0.01, seed: 1, ...options });
  const silence = { data: new Uint8Array(timesteps * size), shape: [timesteps, size] };
  return module.evolveSync(silence).output.data as Float64Array;
}

/** Correlation of a (T, N) field with itself `lag` steps and `across` channels on. */
function correlation(field: Float64Array, size: number, lag: number, across = 0): number {
  let [sum, squares, count] = [0, 0, 0];
  const timesteps = field.length / size;
  for (let t = 0; t + lag < timesteps; t++) {
    for (let n = 0; n + across < size; n++) {
      const a = field[t * size + n] ?? NaN;
      sum += a * (field[(t + lag) * size + n + across] ?? NaN);
      squares += a * a;
      count++;
    }
  }
  assert.ok(count > 0);
  return sum / squares;
}

describe('noise', () => {
  it('has the standard deviation of a Wiener process after one second', () => {
    for (const dt of [1e-3, 1e-4]) {
      const noise = noiseOf({ noiseStd: 3, dt, tau: 0.01 }, 5000, 40);
      const variance = noise.reduce((sum, value) => sum + value * value, 0) / noise.length;
      // Five standard errors of the variance of 200,000 samples.
      assert.ok(Math.abs(variance / (9 * dt) - 1) < 5 * Math.sqrt(2 / noise.length));
    }
  });

  it('is normally distributed', () => {
    const noise = noiseOf({}, 4000, 50).sort();
    const n = noise.length;
    let distance = 0;
    noise.forEach((value, i) => {
      distance = Math.max(distance, Math.abs(normalCumulative(value / Math.sqrt(1e-3)) - i / n));
    });
    assert.ok(distance < 1.95 / Math.sqrt(n), `${distance}`);
  });

  it('is white on the output, and decays with tau in the state and on the input', () => {
    const [timesteps, size] = [6000, 40];
    const bound = 6 / Math.sqrt(timesteps * size);
    const decay = Math.exp(-0.1);
    const windowTaus = Infinity;
    const white = noiseOf({ noise: 'output', windowTaus }, timesteps, size);
    for (const lag of [1, 2, 3, 10]) assert.ok(Math.abs(correlation(white, size, lag)) < bound);
    for (const noise of ['state', 'input'] as const) {
      const field = noiseOf({ noise, windowTaus }, timesteps, size);
      // The error of a correlation grows with the memory of the process, here about ten steps.
      for (const lag of [1, 2, 5]) {
        const measured = correlation(field, size, lag);
        assert.ok(Math.abs(measured - decay ** lag) < 4 * bound, `${noise} ${lag} ${measured}`);
      }
      assert.ok(Math.abs(correlation(field, size, 0, 1)) < 4 * bound);
      const variance = field.reduce((sum, value) => sum + value * value, 0) / field.length;
      const gain = noise === 'input' ? decay ** 2 : 1;
      const expected = (1e-3 * gain) / (1 - decay ** 2);
      assert.ok(Math.abs(variance / expected - 1) < 0.05, `${noise} ${variance / expected}`);
    }
    assert.ok(Math.abs(correlation(white, size, 0, 1)) < bound);
  });

  it('is the same to the bit whatever the chunks', () => {
    const size = 5;
    for (const dtype of ['float64', 'float32'] as const) {
      const options: ExpSynOptions = { dtype, noise: 'output', windowTaus: Infinity };
      const whole = noiseOf(options, 300, size);
      const module = new ExpSyn(size, { noiseStd: 1, seed: 1, ...options });
      let step = 0;
      for (const chunk of [1, 1, 7, 64, 100, 127]) {
        const silence = { data: new Uint8Array(chunk * size), shape: [chunk, size] };
        const { output } = module.evolveSync(silence);
        assert.deepEqual(output.data, whole.slice(step * size, (step + chunk) * size));
        step += chunk;
      }
      assert.equal(step, 300);
    }
  });

  it('is the same whatever the method, for every placement', () => {
    const size = 6;
    const data = spikes(2 * 800 * size, 0.05, 3);
    for (const noise of PLACEMENTS) {
      const [fft, recursive] = (['fft', 'recursive'] as const).map((method) =>
        new ExpSyn(size, { noise, method, noiseStd: 0.3, seed: 11, tau: 0.03 }).evolveSync({
          data,
          shape: [2, 800, size],
        }),
      );
      assert.ok(fft !== undefined && recursive !== undefined);
      assert.ok(relativeError(fft.output.data, recursive.output.data) < 1e-12);
    }
  });

  it('continues over calls as in one run, for every placement', () => {
    const size = 3;
    const data = spikes(400 * size, 0.05, 4);
    for (const noise of PLACEMENTS) {
      const options: ExpSynOptions = { noise, noiseStd: 0.3, seed: 5, windowTaus: Infinity };
      const whole = new ExpSyn(size, options).evolveSync({ data, shape: [400, size] });
      const module = new ExpSyn(size, options);
      const parts: number[] = [];
      for (let t = 0; t < 400; t += 57) {
        const chunk = data.subarray(t * size, Math.min(t + 57, 400) * size);
        const input = { data: chunk, shape: [chunk.length / size, size] };
        parts.push(...module.evolveSync(input).output.data);
      }
      assert.ok(relativeError(parts, whole.output.data) < 1e-12, noise);
    }
  });

  it('differs between batch items, channels and seeds', () => {
    const run = (seed: number) =>
      new ExpSyn(2, { noiseStd: 1, seed }).evolveSync({
        data: new Uint8Array(2 * 10 * 2),
        shape: [2, 10, 2],
      }).output.data;
    const values = [...run(1), ...run(2)];
    assert.equal(new Set(values).size, values.length);
    assert.deepEqual(run(1), run(1));
  });

  it('on the output stays out of the state, unless compatibility is asked for', () => {
    const input = { data: spikes(50 * 2, 0.3, 1), shape: [50, 2] };
    const clean = new ExpSyn(2);
    clean.evolveSync(input);
    const noisy = new ExpSyn(2, { noiseStd: 1 });
    const { output } = noisy.evolveSync(input);
    assert.deepEqual(noisy.isyn, clean.isyn);
    assert.notDeepEqual(output.data.slice(-2), clean.isyn.data);
    for (const options of [{ compat: 'rockpool' }, { noise: 'state' }, { noise: 'input' }]) {
      const module = new ExpSyn(2, { noiseStd: 1, ...(options as ExpSynOptions) });
      const run = module.evolveSync(input);
      assert.deepEqual(module.isyn.data, run.output.data.slice(-2));
    }
  });

  it('draws a seed that can be read back, and repeats after resetState() unless reseeded', () => {
    const first = new ExpSyn(4, { noiseStd: 1 });
    assert.ok(Number.isSafeInteger(first.seed) && first.seed >= 0);
    assert.notEqual(first.seed, new ExpSyn(4).seed);
    const silence = { data: new Uint8Array(40), shape: [10, 4] };
    const { output } = first.evolveSync(silence);
    const again = new ExpSyn(4, { noiseStd: 1, seed: first.seed }).evolveSync(silence);
    assert.deepEqual(again.output, output);
    assert.notDeepEqual(first.evolveSync(silence).output, output);
    assert.equal(first.step, 20);
    first.resetState();
    assert.equal(first.step, 0);
    assert.deepEqual(first.evolveSync(silence).output, output);
    first.resetState();
    first.seed = 3;
    assert.notDeepEqual(first.evolveSync(silence).output, output);
  });

  it('of a part of a raster is that of the whole, by origin', async () => {
    const [batches, timesteps, size] = [5, 300, 37];
    const data = spikes(batches * timesteps * size, 0.2, 3);
    const input = { data: Float64Array.from(data), shape: [batches, timesteps, size] };
    const tau = Float64Array.from({ length: size }, (_, n) => 0.004 + 0.001 * n);
    for (const method of ['recursive', 'fft'] as const) {
      for (const noise of PLACEMENTS) {
        const options = { method, noise, noiseStd: 2, seed: 77, windowTaus: Infinity } as const;
        const whole = new ExpSyn(size, { ...options, tau }).evolveSync(input).output;
        for (const [batch, count] of [
          [0, 5],
          [2, 1],
          [3, 2],
        ] as const) {
          for (const [synapse, width] of [
            [0, 37],
            [4, 1],
            [8, 16],
            [36, 1],
            [20, 17],
          ] as const) {
            const module = new ExpSyn(width, {
              ...options,
              tau: tau.slice(synapse, synapse + width),
            });
            const part = partOf(input, [batch, count], [synapse, width]);
            const wanted = partOf(whole, [batch, count], [synapse, width]).data;
            const origin = { batch, synapse };
            assert.deepEqual(module.evolveSync(part, { origin }).output.data, wanted);
            module.resetState();
            assert.deepEqual((await module.evolve(part, { origin })).output.data, wanted);
          }
        }
      }
    }
  });

  it('refuses an origin that is none', () => {
    const module = new ExpSyn(4, { noiseStd: 1 });
    const input = { data: new Uint8Array(4), shape: [1, 4] };
    for (const [origin, pattern] of [
      [{ synapse: 3 }, /Expected a multiple of 4 for options\.origin\.synapse but received 3/],
      [{ synapse: -4 }, /options\.origin\.synapse/],
      [{ batch: 0.5 }, /options\.origin\.batch/],
      [{ batch: 2 ** 32 }, /Expected fewer than 2\^32 batch items/],
      [{ synapse: 2 ** 32 }, /Expected fewer than 2\^32 synapses/],
      [{ item: 1 }, /item/],
      [7, /options\.origin/],
    ] as const) {
      assert.throws(() => module.evolveSync(input, { origin: origin as object }), pattern);
    }
    assert.equal(module.step, 0);
  });
});

/** The normal distribution function, by the series around 0 or the continued fraction far out. */
function normalCumulative(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (Math.abs(x) < 5) {
    let [term, sum] = [x, x];
    for (let k = 1; Math.abs(term) > 1e-17; k++) sum += term *= (x * x) / (2 * k + 1);
    return 0.5 + density * sum;
  }
  return x > 0 ? 1 - density / x : density / -x;
}
