/** The state between calls is more precise than double, whatever carries it and whatever the dtype. */
import assert from 'node:assert/strict';

import { ExpSyn, type ExpSynOptions, type SynapticCurrent } from '../../lib/index';
import { iterate } from '../../lib/streams';
import { assertSameBits } from '../support/bits';
import { relativeError, TOLERANCE } from '../support/oracle';

const DT = 1e-3;
/** In steps. */
const TAUS = [20, 1000, 1e5, 1e6, 1e9];
const SIZE = TAUS.length;
const STEPS = 60000;
/** A constant: all roundings lean to the same side. */
const DRIVE = 0.5000211;

/** The geometric sum of a constant drive, from a state of `isyn`. */
function closedForm(steps: number, isyn = 0): Float64Array {
  const output = new Float64Array(steps * SIZE);
  TAUS.forEach((tau, n) => {
    // sum_{k=1..t} a^k = a (1 - a^t) / (1 - a)
    const lost = -Math.expm1(-1 / tau);
    for (let t = 0; t < steps; t++) {
      const decay = -(t + 1) / tau;
      const sum = (-Math.expm1(decay) / lost) * (1 - lost);
      output[t * SIZE + n] = DRIVE * sum + isyn * Math.exp(decay);
    }
  });
  return output;
}

const expected = closedForm(STEPS);

function assertClose(actual: ArrayLike<number>, dtype: 'float64' | 'float32'): void {
  for (let n = 0; n < SIZE; n++) {
    const channel = (array: ArrayLike<number>) =>
      Array.from({ length: array.length / SIZE }, (_, t) => array[t * SIZE + n] ?? NaN);
    const error = relativeError(channel(actual), channel(expected.subarray(0, actual.length)));
    assert.ok(error < TOLERANCE[dtype], `tau of ${TAUS[n]} steps: ${error}`);
  }
}

const drive = (steps: number) => ({
  data: new Float64Array(steps * SIZE).fill(DRIVE),
  shape: [steps, SIZE],
});

for (const dtype of ['float64', 'float32'] as const) {
  const options: ExpSynOptions = {
    tau: TAUS.map((tau) => tau * DT),
    dt: DT,
    windowTaus: Infinity,
    dtype,
    method: 'recursive',
  };

  describe(`calls of one step, ${dtype}`, () => {
    const one = drive(1);
    const whole = new Float64Array(STEPS * SIZE);
    const fill = (next: (step: number) => ArrayLike<number>) => {
      for (let step = 0; step < STEPS; step++) whole.set(Array.from(next(step)), step * SIZE);
      assertClose(whole, dtype);
    };

    it('of a module', () => {
      const module = new ExpSyn(SIZE, options);
      fill(() => module.evolveSync(one).output.data);
    });

    it('of a module without a state of its own: what a result gave is given to the next call', () => {
      const module = new ExpSyn(SIZE, options);
      let state: { isyn?: SynapticCurrent; step?: number } = {};
      fill(() => {
        const result = module.evolveSync(one, { state });
        ({ state } = result);
        return result.output.data;
      });
    });

    it('of a session, alone and together with others', () => {
      const module = new ExpSyn(SIZE, options);
      const alone = module.session();
      const [first, second] = [module.session(), module.session()];
      const two = { data: new Float64Array(2 * SIZE).fill(DRIVE), shape: [2, 1, SIZE] };
      fill(() => {
        const { data } = alone.evolveSync(one).output;
        const both = module.evolveSessionsSync([first, second], two).output.data;
        assertSameBits(both.subarray(0, SIZE), data);
        assertSameBits(both.subarray(SIZE), data);
        return data;
      });
    });

    it('by transforms', () => {
      const module = new ExpSyn(SIZE, { ...options, method: 'fft' });
      for (let step = 0; step < 3000; step++) {
        whole.set(Array.from(module.evolveSync(one).output.data), step * SIZE);
      }
      const rest = module.evolveSync(drive(STEPS - 3000)).output.data;
      whole.set(Array.from(rest), 3000 * SIZE);
      assertClose(whole, dtype);
    });

    it('of a stream', async () => {
      const module = new ExpSyn(SIZE, options);
      const chunks = Array.from({ length: 2000 }, () => new Uint8Array(one.data.buffer));
      let step = 0;
      for await (const output of iterate(module, chunks, { type: 'float64' })) {
        whole.set(Array.from(output), step++ * SIZE);
      }
      assertClose(whole.subarray(0, step * SIZE), dtype);
    });
  });

  describe(`a state that is saved, ${dtype}`, () => {
    const started = () => {
      const module = new ExpSyn(SIZE, options);
      for (let call = 0; call < 100; call++) module.evolveSync(drive(7));
      return module;
    };
    const more = drive(500);

    it('goes on to the bit, from JSON, by setAttributes() and by assigning isyn', () => {
      const module = started();
      const { correction } = module.isyn;
      assert.ok(correction?.some((value) => value !== 0));
      const restored = ExpSyn.fromJSON(JSON.stringify(module));
      const set = new ExpSyn(SIZE, options).setAttributes(module.state());
      const assigned = new ExpSyn(SIZE, options);
      assigned.isyn = module.isyn;
      const output = module.evolveSync(more).output.data;
      for (const other of [restored, set, assigned]) {
        assertSameBits(other.evolveSync(more).output.data, output);
        assert.deepEqual(other.isyn, module.isyn);
      }
    });

    it('goes on to the bit in a session', () => {
      const module = new ExpSyn(SIZE, options);
      const session = module.session();
      for (let call = 0; call < 100; call++) session.evolveSync(drive(7));
      const restored = module.restoreSession(JSON.stringify(session));
      const begun = module.session({ isyn: session.isyn, step: session.step });
      const { data } = session.evolveSync(more).output;
      assertSameBits(restored.evolveSync(more).output.data, data);
      assertSameBits(begun.evolveSync(more).output.data, data);
      assert.deepEqual(restored.isyn, session.isyn);
    });

    it('keeps each item of a batch', () => {
      const module = new ExpSyn(SIZE, options);
      const batch = { data: new Float64Array(3 * SIZE), shape: [3, 1, SIZE] };
      batch.data.forEach((_, i) => (batch.data[i] = DRIVE * (1 + Math.floor(i / SIZE))));
      const twins = [1, 2, 3].map(() => new ExpSyn(SIZE, options));
      for (let step = 0; step < 200; step++) {
        const output = module.evolveSync(batch).output.data;
        twins.forEach((twin, item) => {
          const data = batch.data.slice(item * SIZE, (item + 1) * SIZE);
          const own = twin.evolveSync({ data, shape: [1, SIZE] }).output.data;
          assertSameBits(output.slice(item * SIZE, (item + 1) * SIZE), own);
        });
      }
      const last = { ...batch, data: batch.data.slice(0, SIZE), shape: [1, 1, SIZE] };
      const rockpool = new ExpSyn(SIZE, { ...options, compat: 'rockpool' });
      rockpool.evolveSync(batch);
      assert.deepEqual(rockpool.isyn.shape, [SIZE]);
      const [first] = [1].map(() => new ExpSyn(SIZE, options));
      first?.evolveSync(last);
      assert.deepEqual(rockpool.isyn, first?.isyn);
    });
  });
}

describe('the correction of a state', () => {
  it('is absent where there is none, and must fit', () => {
    const module = new ExpSyn(2);
    assert.deepEqual(module.isyn, { data: new Float64Array(2), shape: [2] });
    const isyn: SynapticCurrent = { data: Float64Array.of(1, 2), shape: [2] };
    const assign = (correction: unknown) => {
      module.isyn = { ...isyn, correction } as SynapticCurrent;
    };
    assign([1e-17, 0]);
    const { isyn: assigned } = module;
    assert.deepEqual(assigned, { ...isyn, correction: Float64Array.of(1e-17, 0) });
    module.isyn = isyn;
    assert.deepEqual(Object.keys(module.isyn), ['data', 'shape']);
    for (const correction of [[1], [1, NaN], [1, Infinity], 'x', {}, [1, 2, 3]]) {
      assert.throws(() => {
        assign(correction);
      }, /isyn\.correction/);
    }
    assert.deepEqual(module.isyn, isyn);
  });

  it('is less than the rounding of the dtype, whatever module it comes from', () => {
    const single = new ExpSyn(1, { dtype: 'float32', tau: 0.5 });
    single.evolveSync({ data: new Float32Array(50).fill(0.3), shape: [50, 1] });
    const { data, correction } = single.isyn;
    const double = new ExpSyn(1, { tau: 0.5 });
    double.isyn = single.isyn;
    assert.equal(double.isyn.data[0], (data[0] ?? NaN) + (correction?.[0] ?? NaN));
    double.isyn = { data: Float64Array.of(1), shape: [1], correction: [1e20] } as never;
    assert.deepEqual(double.isyn.data, Float64Array.of(1e20));
    assert.deepEqual(double.isyn.correction, Float64Array.of(1));
  });

  it('keeps what single precision cannot show of a state that is assigned', () => {
    const single = new ExpSyn(1, { dtype: 'float32' });
    single.isyn = [0.1];
    const { data, correction } = single.isyn;
    assert.deepEqual(data, Float32Array.of(0.1));
    assert.equal((data[0] ?? NaN) + (correction?.[0] ?? NaN), 0.1);
    single.isyn = [1e39];
    assert.deepEqual(single.isyn.data, Float32Array.of(Infinity));
    assert.equal(single.isyn.correction, undefined);
  });
});
