/** What is specific to alpha and double-exponential synapses. */
import assert from 'node:assert/strict';

import { AlphaSyn, Constant, DoubleExpSyn } from '../../lib/index';
import { relativeError } from '../support/oracle';

const impulse = (steps: number, size = 1) => ({
  data: Uint8Array.from({ length: steps * size }, (_, i) => (i < size ? 1 : 0)),
  shape: [1, steps, size],
});

describe('AlphaSyn', () => {
  it('peaks at 1 after one tau', () => {
    const { data } = new AlphaSyn(1, { tau: 0.02 }).evolveSync(impulse(100)).output;
    assert.equal(data.indexOf(Math.max(...data)), 19);
    assert.ok(Math.abs((data[19] ?? 0) - 1) < 1e-13);
  });

  it('is the limit of DoubleExpSyn', () => {
    const input = impulse(300, 2);
    const alpha = new AlphaSyn(2, { tau: [0.005, 0.03] });
    const equal = new DoubleExpSyn(2, { tauRise: [0.005, 0.03], tauDecay: [0.005, 0.03] });
    assert.deepEqual(equal.evolveSync(input).output, alpha.evolveSync(input).output);
    const tauRise = [0.005 * (1 - 1e-9), 0.03 * (1 - 1e-9)];
    const near = new DoubleExpSyn(2, { tauRise, tauDecay: [0.005, 0.03] });
    assert.ok(
      relativeError(
        near.evolveSync(input).output.data,
        alpha.resetState().evolveSync(input).output.data,
      ) < 1e-8,
    );
  });

  it('has a default tau, and regenerates its kernel when tau is assigned', () => {
    const module = new AlphaSyn(2);
    assert.deepEqual(module.tau.data, Float64Array.of(0.005, 0.005));
    assert.equal(module.windowLength, Infinity);
    module.tau = [0.01, 0.02];
    const again = new AlphaSyn(2, { tau: [0.01, 0.02] });
    assert.deepEqual(
      module.evolveSync(impulse(50, 2)).output,
      again.evolveSync(impulse(50, 2)).output,
    );
    assert.throws(() => new AlphaSyn(2, { tauRise: 0.01 } as never), /tau/);
  });
});

describe('DoubleExpSyn', () => {
  it('refuses a rise time above the decay time, wherever it comes from, and changes nothing', () => {
    const refused = {
      name: 'RangeError',
      code: 'ERR_EXPSYN_ARGUMENT_VALUE',
      message:
        /^Expected at most the synapse's tauDecay, 0\.01, for tauRise(\[1\])? but received 0\.02/,
    };
    const wrong = { tauRise: [0.001, 0.02], tauDecay: 0.01 };
    assert.throws(() => new DoubleExpSyn(2, wrong), refused);
    assert.throws(
      () => new DoubleExpSyn(2, { ...wrong, tauRise: new Constant([0.001, 0.02]) }),
      refused,
    );
    const module = new DoubleExpSyn(2, { tauRise: [0.001, 0.002], tauDecay: 0.01 });
    assert.throws(() => {
      module.tauRise = [0.001, 0.02];
    }, refused);
    assert.throws(() => {
      module.tauDecay = 0.0015;
    }, /tauDecay, 0\.0015, for tauRise\[1\] but received 0\.002; to change both, give both to setAttributes/);
    assert.throws(() => module.setAttributes({ tauRise: [0.001, 0.02] }), refused);
    assert.deepEqual(module.tauRise.data, Float64Array.of(0.001, 0.002));
    assert.deepEqual(module.tauDecay.data, Float64Array.of(0.01));
  });

  it('takes both times at once in any order, and returns to the first ones', () => {
    const module = new DoubleExpSyn(1, { tauRise: [0.001], tauDecay: [0.002] });
    module.setAttributes({ tauRise: [0.05], tauDecay: [0.06] });
    module.setAttributes({ tauDecay: [0.003], tauRise: [0.002] });
    assert.deepEqual([...module.tauRise.data, ...module.tauDecay.data], [0.002, 0.003]);
    module.setAttributes({ tauRise: [0.05], tauDecay: [0.06] });
    module.resetParameters();
    assert.deepEqual([...module.tauRise.data, ...module.tauDecay.data], [0.001, 0.002]);
  });

  it("remembers noise 'state' in its current alone, by every method and in any calls", () => {
    const options = {
      tauRise: 0.02,
      tauDecay: 0.05,
      noiseStd: 1,
      noise: 'state',
      seed: 3,
    } as const;
    const silence = { data: new Uint8Array(400 * 3), shape: [1, 400, 3] };
    for (const dtype of ['float64', 'float32'] as const) {
      // Without input, the current is an autoregressive process of the decay alone.
      const white = new DoubleExpSyn(3, { ...options, dtype, noise: 'output' }).evolveSync(silence)
        .output.data;
      const expected = Float64Array.from(white);
      for (let i = 3; i < expected.length; i++) {
        expected[i] = (expected[i] ?? 0) + (expected[i - 3] ?? 0) * Math.exp(-1e-3 / 0.05);
      }
      for (const method of ['fft', 'recursive'] as const) {
        const module = new DoubleExpSyn(3, { ...options, method, dtype });
        const whole = module.evolveSync(silence);
        assert.ok(
          relativeError(whole.output.data, expected) < (dtype === 'float32' ? 2e-6 : 1e-13),
        );
        assert.deepEqual(whole.output.data.slice(-3), whole.state.isyn.data);
        assert.deepEqual([...whole.state.rising.data], [0, 0, 0]);
        const session = new DoubleExpSyn(3, { ...options, method, dtype }).session({ seed: 3 });
        const parts: number[] = [];
        for (let step = 0; step < 400; step += 25) {
          parts.push(
            ...session.evolveSync({ data: new Uint8Array(75), shape: [1, 25, 3] }).output.data,
          );
        }
        assert.ok(relativeError(parts, expected) < (dtype === 'float32' ? 2e-6 : 1e-13));
      }
    }
  });

  it('goes on exactly from what was saved', () => {
    const make = () =>
      new DoubleExpSyn(2, { tauRise: [0.002, 0.01], tauDecay: 0.03, dtype: 'float32' });
    const input = impulse(40, 2);
    const whole = make();
    whole.evolveSync(input);
    const restored = DoubleExpSyn.fromJSON(JSON.stringify(whole));
    assert.deepEqual(restored.state(), whole.state());
    assert.deepEqual(restored.evolveSync(input), whole.evolveSync(input));
  });
});
