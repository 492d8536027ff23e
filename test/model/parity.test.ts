/** Recorded answers of the reference implementation. */
import assert from 'node:assert/strict';

import { ExpSyn, type Dtype, type ExpSynOptions } from '../../lib/index';
import {
  goldenArray,
  goldenCases,
  relativeError,
  TOLERANCE,
  type GoldenCase,
} from '../support/oracle';

function moduleFor(golden: GoldenCase, options: ExpSynOptions): ExpSyn<Dtype> {
  const { tau, dt, max_window_length: maxWindowLength } = golden.options;
  return new ExpSyn(golden.shape, {
    ...(tau === undefined ? {} : { tau }),
    ...(dt === undefined ? {} : { dt }),
    ...(maxWindowLength === undefined ? {} : { maxWindowLength }),
    ...options,
  });
}

async function replay(golden: GoldenCase, options: ExpSynOptions, isAsync: boolean): Promise<void> {
  const dtype = options.dtype ?? 'float64';
  const module = moduleFor(golden, options);
  assert.equal(module.windowLength, golden.window_length);
  for (const call of golden.calls) {
    if (call.set_tau !== undefined) module.tau = call.set_tau;
    if (call.set_isyn !== undefined) module.isyn = call.set_isyn;
    if (call.reset_state === true) module.resetState();
    if (call.window_length !== undefined) assert.equal(module.windowLength, call.window_length);
    const input = goldenArray(call.input);
    const { output, record } = isAsync ? await module.evolve(input) : module.evolveSync(input);
    const expected = goldenArray(call.output);
    assert.deepEqual(output.shape, expected.shape);
    assert.ok(
      relativeError(output.data, expected.data as Float64Array) <= TOLERANCE[dtype],
      `${call.output}: ${relativeError(output.data, expected.data as Float64Array)}`,
    );
    assert.ok(['fft', 'recursive'].includes(record.method));
    if (options.method !== 'auto') assert.equal(record.method, options.method);
    const isyn = goldenArray(call.isyn);
    assert.deepEqual(module.isyn.shape, isyn.shape);
    const peak = Math.max(...Array.from(expected.data as Float64Array, Math.abs));
    isyn.data.forEach((value, i) => {
      const error = Math.abs(Number(value) - (module.isyn.data[i] ?? NaN));
      assert.ok(error <= TOLERANCE[dtype] * peak, `${call.isyn}[${i}]`);
    });
  }
}

describe('parity with the reference', () => {
  for (const golden of goldenCases()) {
    for (const dtype of ['float64', 'float32'] as const) {
      for (const method of ['fft', 'recursive', 'auto'] as const) {
        it(`${golden.name}, ${dtype}, ${method}`, async () => {
          await replay(golden, { dtype, method, compat: 'rockpool' }, false);
          await replay(golden, { dtype, method, compat: 'rockpool' }, true);
        });
      }
    }
  }

  it('keeps a state for each batch item when compatibility is not asked for', () => {
    const golden = goldenCases().find(({ name }) => name === 'batched_rollover');
    assert.ok(golden !== undefined);
    const module = moduleFor(golden, {});
    const alone = [0, 1, 2].map(() => moduleFor(golden, {}));
    for (const call of golden.calls.slice(0, 2)) {
      const input = goldenArray(call.input);
      const { output } = module.evolveSync(input);
      assert.deepEqual(module.isyn.shape, [3, 3]);
      const perItem = input.data.length / 3;
      alone.forEach((one, b) => {
        const item = input.data.slice(b * perItem, (b + 1) * perItem);
        const { output: expected } = one.evolveSync({ data: item, shape: [perItem / 3, 3] });
        assert.deepEqual(output.data.slice(b * perItem, (b + 1) * perItem), expected.data);
      });
    }
    // Two items after a batch of three: whose state would they have?
    const last = golden.calls[2];
    assert.ok(last !== undefined);
    assert.throws(() => module.evolveSync(goldenArray(last.input)), {
      name: 'RangeError',
      message:
        'Expected 3 batch items, as isyn of shape (3, 3) holds, for input but received 2; ' +
        'reset the state, or pass one in with the call.',
    });
  });

  it('samples the window as arange does', () => {
    const lengths: [number, number][] = [
      [0.029, 291],
      [0.01, 100],
      [0.0001, 1],
      [1e-9, 1],
      [1e6, 1e6],
    ];
    for (const [tau, length] of lengths) {
      assert.equal(new ExpSyn(1, { tau }).windowLength, length);
    }
    assert.equal(new ExpSyn(1, { windowTaus: Infinity }).windowLength, Infinity);
    assert.equal(new ExpSyn(1, { windowTaus: 5 }).windowLength, 50);
    assert.equal(new ExpSyn(1, { maxWindowLength: 40 }).windowLength, 40);
  });
});
