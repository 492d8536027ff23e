/** What must hold for any shape, chunking, tau, dtype, method and view. */
import assert from 'node:assert/strict';
import fc from 'fast-check';

import { ExpSyn, type Dtype, type ExpSynOptions, type TypedArray } from '../../lib/index';
import { directSum, randomNumbers, relativeError, TOLERANCE } from '../support/oracle';

const dtypes = fc.constantFrom<Dtype>('float64', 'float32');
const methods = fc.constantFrom('auto', 'fft', 'recursive');
const taus = fc.array(fc.double({ min: -4, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 });

const INPUT_TYPES = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

/** Small whole numbers in an array of any type, as a view that starts somewhere in its buffer. */
function inputOf(type: (typeof INPUT_TYPES)[number], size: number, offset: number, seed: number) {
  const random = randomNumbers(seed);
  const data = new type(new ArrayBuffer((size + offset) * type.BYTES_PER_ELEMENT)).subarray(offset);
  for (let i = 0; i < size; i++) {
    const count = random() < 0.2 ? Math.floor(1 + 5 * random()) : 0;
    data[i] = typeof data[0] === 'bigint' ? BigInt(count) : count;
  }
  return data as TypedArray;
}

describe('properties', () => {
  it('every method, dtype, input type and offset computes the direct sum', () => {
    fc.assert(
      fc.property(
        fc.record({
          logTau: taus,
          batches: fc.integer({ min: 1, max: 3 }),
          timesteps: fc.integer({ min: 1, max: 300 }),
          windowTaus: fc.constantFrom(0.01, 1, 10, 50, Infinity),
          maxWindowLength: fc.constantFrom(1, 2, 33, 100, 1e6),
          dtype: dtypes,
          method: methods,
          type: fc.constantFrom(...INPUT_TYPES),
          offset: fc.integer({ min: 0, max: 5 }),
          seed: fc.nat(),
        }),
        (c) => {
          const tau = c.logTau.map((exponent) => 10 ** exponent);
          const module = new ExpSyn(tau.length, {
            tau,
            dtype: c.dtype,
            method: c.method as 'auto',
            windowTaus: c.windowTaus,
            maxWindowLength: c.maxWindowLength,
          });
          const random = randomNumbers(c.seed + 1);
          const isyn = Array.from({ length: tau.length }, () => Math.fround(random()));
          module.isyn = isyn;
          const data = inputOf(c.type, c.batches * c.timesteps * tau.length, c.offset, c.seed);
          const { output } = module.evolveSync({
            data,
            shape: [c.batches, c.timesteps, tau.length],
          });
          const expected = directSum({
            input: Array.from(data, Number),
            batches: c.batches,
            timesteps: c.timesteps,
            tau,
            dt: 1e-3,
            windowLength: module.windowLength,
            isyn: Array.from({ length: c.batches }, () => isyn).flat(),
          });
          assert.ok(relativeError(output.data, expected) <= TOLERANCE[c.dtype]);
          // The state is the output's last step, to the bit.
          for (let b = 0; b < c.batches; b++) {
            const end = (b + 1) * c.timesteps * tau.length;
            assert.deepEqual(
              module.isyn.data.slice(b * tau.length, (b + 1) * tau.length),
              output.data.slice(end - tau.length, end),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('with an unlimited window, any chunks give the same answer as one call', () => {
    fc.assert(
      fc.property(
        taus,
        fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 1, maxLength: 8 }),
        methods,
        dtypes,
        fc.nat(),
        (logTau, chunks, method, dtype, seed) => {
          const tau = logTau.map((exponent) => 10 ** exponent);
          const size = tau.length;
          const options: ExpSynOptions = { tau, dtype, method: method };
          options.windowTaus = Infinity;
          const timesteps = chunks.reduce((a, b) => a + b, 0);
          const data = inputOf(Float64Array, timesteps * size, 0, seed);
          const whole = new ExpSyn(size, options).evolveSync({ data, shape: [timesteps, size] });
          const module = new ExpSyn(size, options);
          const parts: number[] = [];
          let start = 0;
          for (const chunk of chunks) {
            const part = data.subarray(start * size, (start + chunk) * size);
            parts.push(...module.evolveSync({ data: part, shape: [chunk, size] }).output.data);
            start += chunk;
          }
          assert.ok(relativeError(parts, whole.output.data) <= TOLERANCE[dtype]);
          assert.equal(module.step, timesteps);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('a channel does not see its neighbours', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 30 }),
        fc.integer({ min: 1, max: 400 }),
        fc.constantFrom('fft', 'recursive'),
        fc.nat(),
        (size, timesteps, method, seed) => {
          const options: ExpSynOptions = { method: method, tau: 0.02 };
          const data = inputOf(Float64Array, timesteps * size, 0, seed) as Float64Array;
          const before = new ExpSyn(size, options).evolveSync({ data, shape: [timesteps, size] });
          const loud = seed % size;
          for (let t = 0; t < timesteps; t++) data[t * size + loud] = 1e200 * (t + 1);
          const after = new ExpSyn(size, options).evolveSync({ data, shape: [timesteps, size] });
          before.output.data.forEach((value, i) => {
            if (i % size !== loud) assert.equal(after.output.data[i], value);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('asynchronous and synchronous calls give the same bits', async () => {
    await fc.assert(
      fc.asyncProperty(
        taus,
        fc.integer({ min: 1, max: 500 }),
        fc.constantFrom('fft', 'recursive'),
        dtypes,
        fc.constantFrom('output', 'state', 'input'),
        async (logTau, timesteps, method, dtype, noise) => {
          const tau = logTau.map((exponent) => 10 ** exponent);
          const options: ExpSynOptions = {
            tau,
            dtype,
            method: method,
            noise: noise,
            noiseStd: 0.5,
            seed: 7,
          };
          const data = inputOf(Uint8Array, timesteps * tau.length, 0, timesteps);
          const input = { data, shape: [timesteps, tau.length] };
          const sync = new ExpSyn(tau.length, options).evolveSync(input);
          const async_ = await new ExpSyn(tau.length, options).evolve(input);
          assert.deepEqual(async_, sync);
        },
      ),
      { numRuns: 60 },
    );
  });
});
