/** Calls on one module: their order, and what each of them sees. */
import assert from 'node:assert/strict';

import { ExpSyn, type ExpSynOptions } from '../../lib/index';
import { spikes } from '../support/oracle';

const size = 4;
const input = (timesteps: number, seed: number) => ({
  data: spikes(timesteps * size, 0.2, seed),
  shape: [timesteps, size],
});

describe('order of calls', () => {
  it('is the order in which they were made, however long each takes', async () => {
    const options: ExpSynOptions = { tau: [0.01, 0.02, 0.05, 0.1], noiseStd: 0.1, seed: 1 };
    const lengths = [20000, 1, 5000, 3, 1, 10000, 2];
    const one = new ExpSyn(size, options);
    const expected = lengths.map((timesteps, i) => one.evolveSync(input(timesteps, i)));
    const many = new ExpSyn(size, options);
    const settled: number[] = [];
    const runs = lengths.map(async (timesteps, i) => {
      const run = await many.evolve(input(timesteps, i));
      settled.push(i);
      return run;
    });
    assert.deepEqual(await Promise.all(runs), expected);
    assert.deepEqual(settled, [0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(many.toJSON(), one.toJSON());
  });

  it('each sees the parameters as they were when it was made', async () => {
    const module = new ExpSyn(size, { tau: 0.01, noiseStd: 0 });
    const twin = new ExpSyn(size, { tau: 0.01, noiseStd: 0 });
    const expected = [twin.evolveSync(input(3000, 1))];
    const runs = [module.evolve(input(3000, 1))];
    for (const change of [
      { tau: 0.05 },
      { dt: 5e-4 },
      { windowTaus: 3 },
      { maxWindowLength: 20 },
      { noiseStd: 1, seed: 4 },
      { noise: 'input' as const },
      { method: 'fft' as const },
      { compat: 'rockpool' as const },
    ]) {
      Object.assign(module, change);
      Object.assign(twin, change);
      runs.push(module.evolve(input(300, 2)));
      expected.push(twin.evolveSync(input(300, 2)));
    }
    assert.deepEqual(await Promise.all(runs), expected);
    assert.deepEqual(module.toJSON(), twin.toJSON());
  });

  it('an assigned state counts for the next call, and is not undone by an earlier one', async () => {
    const module = new ExpSyn(size, { noiseStd: 0.1, seed: 1 });
    const twin = new ExpSyn(size, { noiseStd: 0.1, seed: 1 });
    const first = module.evolve(input(5000, 1));
    twin.evolveSync(input(5000, 1));
    module.isyn = [1, 2, 3, 4];
    twin.isyn = [1, 2, 3, 4];
    assert.deepEqual([...module.isyn.data], [1, 2, 3, 4]);
    await first;
    // The step moved on, the assigned isyn stayed.
    assert.deepEqual(module.toJSON(), twin.toJSON());
    const second = module.evolve(input(5000, 2));
    module.resetState();
    const third = module.evolve(input(10, 3));
    assert.deepEqual((await second).output, twin.evolveSync(input(5000, 2)).output);
    twin.resetState();
    assert.deepEqual((await third).output, twin.evolveSync(input(10, 3)).output);
    assert.deepEqual(module.toJSON(), twin.toJSON());
  });

  it('a call that fails leaves the state to the next as it was', async () => {
    const module = new ExpSyn(size, { seed: 1 });
    const twin = new ExpSyn(size, { seed: 1 });
    const bad = { data: new Float64Array(100 * size).fill(NaN, 17), shape: [100, size] };
    const runs = [
      module.evolve(input(50, 1)),
      module.evolve(bad),
      module.evolve([[1]] as never, { out: new Float32Array(4) }),
      module.evolve(input(50, 2)),
    ];
    const results = await Promise.allSettled(runs);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    twin.evolveSync(input(50, 1));
    assert.throws(() => twin.evolveSync(bad), {
      message:
        'Expected finite numbers for input but received NaN at [4, 1]; ' +
        "set nonFinite to 'propagate' to let it through.",
    });
    twin.evolveSync(input(50, 2));
    assert.deepEqual(module.toJSON(), twin.toJSON());
  });

  it('a batch that does not fit the state of the call before it is refused in turn', async () => {
    const module = new ExpSyn(1);
    const results = await Promise.allSettled([
      module.evolve({ data: new Uint8Array(20), shape: [2, 10, 1] }),
      module.evolve({ data: new Uint8Array(30), shape: [3, 10, 1] }),
      module.evolve({ data: new Uint8Array(20), shape: [2, 10, 1] }),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(module.isyn.shape, [2, 1]);
    assert.equal(module.step, 20);
  });

  it('evolveSync() does not overtake a pending evolve()', async () => {
    const module = new ExpSyn(size);
    const pending = module.evolve(input(2000, 1));
    assert.throws(() => module.evolveSync(input(1, 2)), /await it first/);
    await pending;
    module.evolveSync(input(1, 2));
    assert.equal(module.step, 2001);
  });

  it('modules do not wait for each other', async () => {
    const slow = new ExpSyn(64);
    const order: string[] = [];
    const long = slow
      .evolve({ data: new Uint8Array(200000 * 64), shape: [200000, 64] })
      .then(() => order.push('long'));
    const tick = new ExpSyn(size).evolve(input(1, 1)).then(() => order.push('tick'));
    await Promise.all([long, tick]);
    assert.deepEqual(order, ['tick', 'long']);
  });

  it('a promise that nobody handles before it settles is not reported twice', async () => {
    const reported: unknown[] = [];
    const onReport = (error: unknown) => reported.push(error);
    process.on('unhandledRejection', onReport);
    const module = new ExpSyn(size);
    const results = Promise.allSettled([module.evolve(null as never), module.evolve(input(1, 1))]);
    await results;
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', onReport);
    assert.deepEqual(reported, []);
  });

  it("fills the caller's array, and returns it", async () => {
    const module = new ExpSyn(size);
    const twin = new ExpSyn(size);
    const expected = twin.evolveSync(input(30, 1)).output.data;
    const out = new Float64Array(30 * size);
    const { output } = await module.evolve(input(30, 1), { out });
    assert.equal(output.data, out);
    assert.deepEqual(out, expected);
    const again = new Float64Array(30 * size);
    const sync = module.evolveSync(input(30, 2), { out: { data: again, shape: [1, 30, size] } });
    assert.equal(sync.output.data, again);
    assert.deepEqual(again, twin.evolveSync(input(30, 2)).output.data);
  });
});
