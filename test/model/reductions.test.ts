/** What of the output is kept: `every` and `reduce`. */
import assert from 'node:assert/strict';

import {
  AlphaSyn,
  DoubleExpSyn,
  ExpSyn,
  FirSyn,
  type Dtype,
  type Reduce,
  type Synapses,
} from '../../lib/index';
import { randomNumbers } from '../support/oracle';

const REDUCTIONS: Reduce[] = ['last', 'mean', 'peak'];

function randomRaster(batches: number, timesteps: number, size: number, seed = 1) {
  const random = randomNumbers(seed);
  const data = Float32Array.from({ length: batches * timesteps * size }, () =>
    random() < 0.1 ? 2 * random() - 1 : 0,
  );
  return { data, shape: [batches, timesteps, size] };
}

/** The full output (T, N) from step 0 on, reduced. */
function reduced(full: ArrayLike<number>, size: number, every: number, reduce: Reduce): number[] {
  const kept: number[] = [];
  const groups = Math.floor(full.length / size / every);
  for (let group = 0; group < groups; group++) {
    for (let synapse = 0; synapse < size; synapse++) {
      const values = Array.from(
        { length: every },
        (_, step) => full[(group * every + step) * size + synapse] ?? NaN,
      );
      const last = values.at(-1) ?? NaN;
      const mean = values.reduce((sum, value) => sum + value, 0) / every;
      const peak = values.reduce((most, value) =>
        Math.abs(value) > Math.abs(most) ? value : most,
      );
      kept.push({ last, mean, peak }[reduce]);
    }
  }
  return kept;
}

function assertReduced(found: ArrayLike<number>, expected: number[], reduce: Reduce, dtype: Dtype) {
  assert.equal(found.length, expected.length);
  const bound = reduce === 'mean' ? { float64: 1e-14, float32: 1e-6 }[dtype] : 0;
  expected.forEach((value, index) => {
    assert.ok(Math.abs((found[index] ?? NaN) - value) <= bound * (1 + Math.abs(value)));
  });
}

const KERNELS: [string, (size: number, options: object) => Synapses][] = [
  ['ExpSyn', (size, options) => new ExpSyn(size, options)],
  ['ExpSyn, uncut', (size, options) => new ExpSyn(size, { ...options, windowTaus: Infinity })],
  ['AlphaSyn', (size, options) => new AlphaSyn(size, options)],
  ['DoubleExpSyn, cut', (size, options) => new DoubleExpSyn(size, { ...options, windowTaus: 2 })],
  ['FirSyn', (size, options) => new FirSyn(size, { ...options, kernel: [1, -0.5, 0.25, 3] })],
];

describe('every and reduce', () => {
  for (const [name, make] of KERNELS) {
    it(`keep of the output what its reduction has: ${name}`, () => {
      for (const dtype of ['float64', 'float32'] as Dtype[]) {
        for (const [timesteps, size] of [
          [5, 3],
          [200, 7],
          [1030, 3],
          [130, 70],
        ] as const) {
          const methods = timesteps > 100 ? ['auto', 'fft'] : ['auto'];
          for (const method of methods) {
            for (const noise of name === 'FirSyn' ? ['output'] : ['output', 'state']) {
              for (const noiseStd of [0, 0.3]) {
                const options = { dtype, method, noise, noiseStd, seed: 4 };
                const raster = randomRaster(1, timesteps, size);
                const full = make(size, options).evolveSync(raster);
                for (const every of [1, 2, 3, 64, 100, Infinity]) {
                  for (const reduce of REDUCTIONS) {
                    const found = make(size, options).evolveSync(raster, { every, reduce });
                    const expected =
                      every === Infinity ? [] : reduced(full.output.data, size, every, reduce);
                    assertReduced(found.output.data, expected, reduce, dtype);
                    assert.deepEqual(found.output.shape, [1, expected.length / size, size]);
                    assert.deepEqual(found.state, full.state);
                  }
                }
              }
            }
          }
        }
      }
    });

    it(`go on from call to call: ${name}`, async () => {
      const size = 5;
      const options = { seed: 3, noiseStd: 0.2 };
      const lengths = [1, 2, 13, 0, 64, 5, 1, 1, 200, 33, 70];
      const rasters = lengths.map((length, index) => randomRaster(1, length, size, index + 1));
      const owners = [
        () => make(size, options),
        () => make(size, options).session({ seed: 3 }),
      ] as const;
      for (const owner of owners) {
        const whole = owner();
        const full = rasters.flatMap((raster) => [...whole.evolveSync(raster).output.data]);
        for (const every of [3, 7, 50]) {
          for (const reduce of REDUCTIONS) {
            const expected = reduced(full, size, every, reduce);
            const sync = owner();
            const found = rasters.flatMap((raster) => [
              ...sync.evolveSync(raster, { every, reduce }).output.data,
            ]);
            assertReduced(found, expected, reduce, 'float64');
            const other = owner();
            const results = await Promise.all(
              rasters.map((raster) => other.evolve(raster, { every, reduce })),
            );
            const together = results.flatMap(({ output }) => [...output.data]);
            assertReduced(together, expected, reduce, 'float64');
          }
        }
      }
    });
  }

  it('go on where they were saved, in the midst of a group', () => {
    const rasters = [13, 1, 64, 5, 70].map((length, index) => randomRaster(1, length, 5, index));
    for (const reduce of REDUCTIONS) {
      const whole = new ExpSyn(5);
      const full = rasters.flatMap((raster) => [...whole.evolveSync(raster).output.data]);
      const expected = reduced(full, 5, 50, reduce);
      let module = new ExpSyn(5);
      const other = new ExpSyn(5);
      let session = other.session({ seed: 1 });
      const found: number[][] = [[], []];
      for (const raster of rasters) {
        found[0]?.push(...module.evolveSync(raster, { every: 50, reduce }).output.data);
        found[1]?.push(...session.evolveSync(raster, { every: 50, reduce }).output.data);
        module = ExpSyn.fromJSON(JSON.stringify(module)) as ExpSyn;
        session = other.restoreSession(JSON.stringify(session));
      }
      for (const each of found) assertReduced(each, expected, reduce, 'float64');
    }
    const saved = new ExpSyn(2);
    saved.evolveSync(
      { data: Uint8Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] },
      { every: 5, reduce: 'peak' },
    );
    const json = JSON.parse(JSON.stringify(saved)) as { group: object };
    for (const [changed, message] of [
      [
        { every: 1 },
        /^Expected a whole number from 2 to 9007199254740991 for json\.group\.every but received 1\.$/,
      ],
      [{ reduce: 'sum' }, /^Expected 'last' or 'mean' or 'peak' for json\.group\.reduce but/],
      [{ steps: 4 }, /^Expected at most 3 for json\.group\.steps but received 4\.$/],
      [{ values: 3 }, /^Expected shape \(B, 2\) for json\.group\.values but received 3\.$/],
      [{ values: { shape: [1, 3], data: [1, 2, 3] } }, /but received shape \(1, 3\)\.$/],
      [{ values: { shape: [1, 2], data: [1] } }, /^Expected 2 elements, as shape/],
      [{ other: 1 }, /other/],
    ] as const) {
      const wrong = { ...json, group: { ...json.group, ...changed } };
      assert.throws(() => ExpSyn.fromJSON(wrong), { message });
    }
  });

  it('begin anew where the step is assigned', () => {
    const raster = { data: Uint8Array.of(1, 1, 1), shape: [3, 1] };
    const options = { every: 5, reduce: 'mean' } as const;
    for (const make of [() => new ExpSyn(1), () => new ExpSyn(1).session({ seed: 1 })]) {
      const [fresh, used] = [make(), make()];
      used.evolveSync({ data: Uint8Array.of(9, 9, 9), shape: [3, 1] }, options);
      used.resetState();
      for (const owner of [fresh, used]) owner.step = 3;
      const [expected, found] = [fresh, used].map((owner) => owner.evolveSync(raster, options));
      assert.deepEqual(found?.output, expected?.output);
    }
  });

  it('begin anew where the step is assigned that it is at', () => {
    const ones = { data: Uint8Array.of(1, 1, 1), shape: [3, 1] };
    const options = { every: 5, reduce: 'mean' } as const;
    for (const make of [() => new ExpSyn(1), () => new ExpSyn(1).session({ seed: 1 })]) {
      const [whole, assigned] = [make(), make()];
      for (const owner of [whole, assigned]) owner.evolveSync(ones, options);
      assigned.step = 3;
      const full = make();
      const { data } = full.evolveSync({ data: new Uint8Array(5).fill(1), shape: [5, 1] }).output;
      const meanFrom = (first: number) =>
        data.slice(first).reduce((sum, value) => sum + value, 0) / (5 - first);
      const [ofWhole, ofAssigned] = [whole, assigned].map(
        (owner) => owner.evolveSync(ones, options).output.data[0] ?? NaN,
      );
      assert.ok(Math.abs((ofWhole ?? NaN) - meanFrom(0)) < 1e-12);
      assert.ok(Math.abs((ofAssigned ?? NaN) - meanFrom(3)) < 1e-12);
    }
  });

  it('go on after items that have run to the end, and not after shorter ones', () => {
    const raster = randomRaster(2, 7, 3);
    const options = { every: 10, reduce: 'mean' } as const;
    const after = (lengths?: readonly number[]) => {
      const module = new ExpSyn(3);
      module.evolveSync(raster, { ...options, ...(lengths && { lengths }) });
      return module.evolveSync(raster, options).output;
    };
    assert.deepEqual(after([7, 7]), after());
    const module = new ExpSyn(3);
    module.evolveSync(raster, { lengths: [7, 6] });
    assert.deepEqual(after([7, 6]), module.evolveSync(raster, options).output);
  });

  it('go on from a state without batch items to each item', () => {
    const options = { every: 10, reduce: 'peak' } as const;
    const one = randomRaster(1, 7, 3);
    const three = randomRaster(3, 7, 3);
    const module = new ExpSyn(3);
    module.evolveSync(one, options);
    const found = module.evolveSync(three, options).output.data;
    for (let item = 0; item < 3; item++) {
      const alone = new ExpSyn(3);
      alone.evolveSync(one, options);
      const own = { data: three.data.slice(item * 21, (item + 1) * 21), shape: [7, 3] };
      const expected = alone.evolveSync(own, options).output.data;
      assert.deepEqual(found.slice(item * 3, (item + 1) * 3), expected);
    }
  });

  it('leave that of the first item where its state is left', () => {
    const options = { every: 10, reduce: 'mean' } as const;
    const raster = randomRaster(2, 7, 3);
    const first = { data: raster.data.slice(0, 21), shape: [7, 3] };
    const module = new ExpSyn(3, { compat: 'rockpool' });
    module.evolveSync(raster, options);
    const alone = new ExpSyn(3);
    alone.evolveSync(first, options);
    const expected = alone.evolveSync(first, options).output;
    assert.deepEqual(module.evolveSync(first, options).output, expected);
  });

  it('are the same at any number of threads, where long runs are cut in time', () => {
    const raster = randomRaster(1, 60_000, 20);
    for (const reduce of REDUCTIONS) {
      const each = [1, 2].map(
        (threads) =>
          new ExpSyn(20, { threads, tau: 5e-3 }).evolveSync(raster, { every: 7, reduce }).output,
      );
      assert.deepEqual(each[0], each[1]);
      const full = new ExpSyn(20, { tau: 5e-3 }).evolveSync(raster).output.data;
      assertReduced(each[0]?.data ?? [], reduced(full, 20, 7, reduce), reduce, 'float64');
    }
  });

  it('keep what a value that is not finite leaves, as the full output has it', () => {
    const raster = randomRaster(1, 300, 4);
    raster.data[4 * 100 + 1] = Infinity;
    raster.data[4 * 150 + 2] = NaN;
    for (const [name, make] of KERNELS) {
      const options = { nonFinite: 'propagate' };
      const full = make(4, options).evolveSync(raster).output.data;
      const found = make(4, options).evolveSync(raster, { every: 10 }).output.data;
      assert.deepEqual([...found], reduced(full, 4, 10, 'last'), name);
      const { data } = make(4, options).evolveSync(raster, { every: 10, reduce: 'peak' }).output;
      const peaks = reduced(full, 4, 10, 'peak');
      data.forEach((value, index) => {
        if (Number.isFinite(value)) assert.equal(value, peaks[index]);
      });
    }
  });

  it('are known by calls of many sessions, which have to agree on what is kept', () => {
    const module = new ExpSyn(2);
    const sessions = [0, 10].map((step) => module.session({ seed: 1, step }));
    const raster = randomRaster(2, 12, 2);
    const { output } = module.evolveSessionsSync(sessions, raster, { every: 5, reduce: 'mean' });
    assert.deepEqual(output.shape, [2, 2, 2]);
    const uneven = [0, 3].map((step) => module.session({ seed: 1, step }));
    const kept =
      /^Expected 2 steps that are kept, as the first session has, for sessions\[1\] but received 3; give sessions at the same step modulo options\.every\.$/;
    assert.throws(() => module.evolveSessionsSync(uneven, raster, { every: 5 }), { message: kept });
    const late = [12, 2].map((step) => module.session({ seed: 1, step }));
    module.evolveSessionsSync(late, randomRaster(2, 1, 2), { every: 5, reduce: 'mean' });
    const [first = assert.fail()] = late;
    const other = module.session({ step: 3 });
    const known =
      /^Expected 1 known steps of the group that has begun, as the first session has, for sessions\[1\] but received 0; advance it in a call of its own\.$/;
    assert.throws(
      () => module.evolveSessionsSync([first, other], raster, { every: 5, reduce: 'mean' }),
      { message: known },
    );
  });

  it('take an output of the steps that are kept', async () => {
    const module = new ExpSyn(2);
    const raster = randomRaster(1, 9, 2);
    const out = new Float64Array(4);
    assert.equal(module.evolveSync(raster, { every: 4, out }).output.data, out);
    const shared = new Float64Array(new SharedArrayBuffer(3 * 2 * 8));
    const { output } = await module.evolve(raster, { every: 4, out: shared.subarray(0, 4) });
    assert.deepEqual(output.shape, [1, 2, 2]);
    const message =
      /^Expected 6 elements, as shape \(1, 3, 2\) says, for options\.out\.data but received 4\.$/;
    assert.throws(() => module.evolveSync(randomRaster(1, 10, 2), { every: 4, out }), { message });
    assert.equal(module.step, 18);
  });

  it('refuse numbers and words that they do not have', () => {
    const module = new ExpSyn(1);
    for (const every of [0, -1, 1.5, NaN, '2']) {
      assert.throws(
        () => module.evolveSync([1], { every: every as number }),
        /Expected a whole number of at least 1, or Infinity, for options\.every/,
      );
    }
    assert.throws(
      () => module.evolveSync([1], { reduce: 'sum' as Reduce }),
      /Expected 'last' or 'mean' or 'peak' for options\.reduce but received 'sum'\.$/,
    );
  });
});
