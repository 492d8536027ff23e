/** The state: roll-over, batches, empty calls, starting from a given one, and saving it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

import { ROOT } from '../support/processes';
import { Constant, ExpSyn, type ExpSynOptions } from '../../lib/index';
import { spikes } from '../support/oracle';

const size = 3;
const input = (timesteps: number, seed = 1, batches?: number) => ({
  data: spikes((batches ?? 1) * timesteps * size, 0.2, seed),
  shape: batches === undefined ? [timesteps, size] : [batches, timesteps, size],
});

describe('state', () => {
  it('rolls over from call to call, and back to zero by resetState()', () => {
    const module = new ExpSyn(size);
    const { output, state } = module.evolveSync(input(50));
    assert.deepEqual(state.isyn.data, output.data.slice(-size));
    assert.deepEqual(module.isyn, state.isyn);
    const silent = module.evolveSync({ data: new Uint8Array(size), shape: [1, size] });
    silent.output.data.forEach((value, n) => {
      const expected = (state.isyn.data[n] ?? NaN) * Math.exp(-0.1);
      assert.ok(Math.abs(value - expected) < 1e-15);
    });
    module.resetState();
    assert.deepEqual(module.isyn.data, new Float64Array(size));
    assert.deepEqual(module.evolveSync(input(50)).output, output);
  });

  it('has shape (N,) until a batch of more than one has run, then (B, N)', () => {
    const module = new ExpSyn(size);
    assert.deepEqual(module.isyn.shape, [3]);
    module.evolveSync(input(5, 1, 1));
    assert.deepEqual(module.isyn.shape, [3]);
    module.evolveSync(input(5, 1, 4));
    assert.deepEqual(module.isyn.shape, [4, 3]);
    module.evolveSync(input(5, 2, 4));
    assert.throws(() => module.evolveSync(input(5)), /Expected 4 batch items/);
    module.resetState();
    assert.deepEqual(module.isyn.shape, [3]);
    module.evolveSync(input(5));
  });

  it('of shape (N,) is given to every item of a batch', () => {
    const module = new ExpSyn(size);
    module.isyn = [1, 2, 3];
    const silence = { data: new Uint8Array(2 * size), shape: [2, 1, size] };
    const { output } = module.evolveSync(silence);
    assert.deepEqual(output.data.slice(0, size), output.data.slice(size));
    assert.ok(Math.abs((output.data[5] ?? NaN) - 3 * Math.exp(-0.1)) < 1e-15);
  });

  it('is untouched by empty calls', async () => {
    const module = new ExpSyn(size, { noiseStd: 1 });
    module.evolveSync(input(5, 1, 4));
    const before = module.toJSON();
    for (const shape of [[0, size], [4, 0, size], [0, 7, size], [0, 0, 1], [0], [2, 0, size]]) {
      const empty = { data: new Float64Array(0), shape };
      const { output, state } = module.evolveSync(empty);
      assert.equal(output.data.length, 0);
      assert.equal(output.shape.length, 3);
      assert.equal(output.shape[2], size);
      assert.deepEqual(state.isyn, module.isyn);
      await module.evolve(empty);
      assert.deepEqual(module.toJSON(), before);
    }
    assert.deepEqual(new ExpSyn(2).evolveSync([]).output.shape, [1, 0, 2]);
  });

  it('may be passed in with a call', () => {
    const reference = new ExpSyn(size, { noiseStd: 0.1, seed: 1 });
    const first = reference.evolveSync(input(20));
    const second = reference.evolveSync(input(30, 2));
    const other = new ExpSyn(size, { noiseStd: 0.1, seed: 1 });
    other.evolveSync(input(5, 9, 4));
    const resumed = other.evolveSync(input(30, 2), { state: first.state });
    assert.deepEqual(resumed, second);
    assert.deepEqual(other.isyn, reference.isyn);
    assert.equal(other.step, 50);
    other.evolveSync(input(1), { state: { isyn: [7, 7, 7] } });
    assert.equal(other.step, 51);
  });

  it('keeps item 0 alone, with its noise, when compatibility is asked for', () => {
    const module = new ExpSyn(size, { compat: 'rockpool', noiseStd: 1 });
    const { output } = module.evolveSync(input(10, 1, 4));
    assert.deepEqual(module.isyn.shape, [3]);
    assert.deepEqual(module.isyn.data, output.data.slice(9 * size, 10 * size));
    module.evolveSync(input(10, 1, 2));
  });

  it('of a float32 module is float32', () => {
    const module = new ExpSyn(size, { dtype: 'float32' });
    const { output, state } = module.evolveSync(input(10));
    assert.ok(output.data instanceof Float32Array);
    assert.ok(state.isyn.data instanceof Float32Array);
    assert.deepEqual(state.isyn.data, output.data.slice(-size));
    module.isyn = [0.1, 0.2, 0.3];
    assert.equal(module.isyn.data[0], Math.fround(0.1));
  });

  it('broadcasts (T,) and a last axis of 1 to every channel', () => {
    const one = spikes(40, 0.2, 3);
    const wide = Uint8Array.from({ length: 40 * size }, (_, i) => one[Math.floor(i / size)] ?? 0);
    for (const method of ['fft', 'recursive'] as const) {
      const options = { method, tau: [0.01, 0.02, 0.05] };
      const expected = new ExpSyn(size, options).evolveSync({ data: wide, shape: [40, size] });
      for (const shape of [[40], [40, 1], [1, 40, 1]]) {
        const { output } = new ExpSyn(size, options).evolveSync({ data: one, shape });
        assert.deepEqual(output, expected.output);
      }
    }
  });
});

describe('saving', () => {
  const hostile: ExpSynOptions = {
    tau: new Constant([0.01, 1 / 3, 123.456]),
    dt: 0.1 + 0.2,
    windowTaus: Infinity,
    noiseStd: 1e-3,
    noise: 'state',
    seed: Number.MAX_SAFE_INTEGER,
    nonFinite: 'propagate',
    name: 'a "name"',
  };

  it('carries everything through JSON exactly', () => {
    for (const options of [{}, hostile, { tau: 0.02, dtype: 'float32' as const }]) {
      const module = new ExpSyn(size, options);
      module.evolveSync(input(17, 5, 2));
      const restored = ExpSyn.fromJSON(JSON.stringify(module));
      assert.deepEqual(restored.toJSON(), module.toJSON());
      assert.deepEqual(restored.isyn, module.isyn);
      assert.deepEqual(restored.parameters(), module.parameters());
      assert.deepEqual(restored.simulationParameters(), module.simulationParameters());
      assert.deepEqual(restored.evolveSync(input(9, 6, 2)), module.evolveSync(input(9, 6, 2)));
      assert.equal(restored.step, 26);
    }
  });

  it('carries what JSON has no numbers for', () => {
    const module = new ExpSyn(4, { nonFinite: 'propagate' });
    module.isyn = [NaN, Infinity, -Infinity, -0];
    const restored = ExpSyn.fromJSON(JSON.parse(JSON.stringify(module)));
    assert.deepEqual([...restored.isyn.data], [NaN, Infinity, -Infinity, -0]);
  });

  it('continues in another process to the bit', () => {
    const module = new ExpSyn(size, { noiseStd: 0.1, tau: [0.01, 0.1, 1] });
    module.evolveSync(input(100));
    const script = `
      const { ExpSyn } = require(${JSON.stringify(ROOT)});
      const module = ExpSyn.fromJSON(process.argv[1]);
      const { data } = module.evolveSync({ data: new Uint8Array(${30 * size}).fill(1), shape: [30, ${size}] }).output;
      process.stdout.write(Buffer.from(data.buffer).toString('hex'));`;
    const hex = execFileSync(process.execPath, ['-e', script, JSON.stringify(module)]).toString();
    const ones = { data: new Uint8Array(30 * size).fill(1), shape: [30, size] };
    const { output } = module.evolveSync(ones);
    assert.equal(hex, Buffer.from(output.data.buffer as ArrayBuffer).toString('hex'));
  });

  it('refuses what it did not write, with one sentence', () => {
    const good = new ExpSyn(size).toJSON();
    const bad: unknown[] = [
      null,
      [],
      {},
      { ...good, class: 'Other' },
      { ...good, version: 2 },
      { ...good, extra: 1 },
      { ...good, tau: undefined },
      { ...good, tau: { shape: [4], data: [1, 1, 1, 1] } },
      { ...good, tau: { shape: [3], data: [1, 1] } },
      { ...good, tau: { shape: [3], data: [1, 1, '1'] } },
      { ...good, isyn: { shape: [2, 2], data: [0, 0, 0, 0] } },
      { ...good, isyn: { shape: 3, data: [0, 0, 0] } },
      { ...good, dt: 0 },
      { ...good, seed: -1 },
      { ...good, step: 0.5 },
      { ...good, size: 2 ** 53 },
      { ...good, method: 'magic' },
    ];
    for (const json of bad) {
      assert.throws(
        () => ExpSyn.fromJSON(json),
        (error) =>
          (error instanceof TypeError || error instanceof RangeError) &&
          /^Expected .+ but received .+\.$/.test(error.message),
        JSON.stringify(json),
      );
    }
    assert.throws(() => ExpSyn.fromJSON('{'), {
      name: 'TypeError',
      message: "Expected the text of a JSON object for json but received '{'.",
    });
  });
});
