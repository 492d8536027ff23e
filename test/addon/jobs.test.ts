/** The addon's own calls on other threads, without the library around them. */
import assert from 'node:assert/strict';

import { stats } from '../../lib/index';
import { native, type Synapses } from '../../lib/native/native';
import { newSynapses, nextId } from '../support/native-calls';

const SIZE = 16;

describe("the addon's calls on other threads", () => {
  const quiet = newSynapses(SIZE);
  const noisy = newSynapses(SIZE, { noiseScale: 1 });

  interface Call {
    id: number;
    output: Float64Array;
    nextState: Float64Array;
    ended: Promise<unknown>;
  }

  /** A call whose arrays are made now, and that is started by the function that is returned. */
  function prepare(
    steps: number,
    {
      id = nextId(),
      input = new Float64Array(steps * SIZE).fill(1),
      synapses = quiet,
    }: { id?: number; input?: Float64Array; synapses?: Synapses } = {},
  ): () => Call {
    const output = new Float64Array(steps * SIZE);
    const state = new Float64Array(2 * SIZE);
    const nextState = new Float64Array(2 * SIZE);
    return () => {
      const ended = synapses.evolveAsync(
        input,
        output,
        state,
        nextState,
        1,
        0,
        0,
        0,
        0,
        undefined,
        id,
      );
      return { id, output, nextState, ended };
    };
  }

  function evolve(...call: Parameters<typeof prepare>): Call {
    return prepare(...call)();
  }

  /** Keeps every thread of the addon busy until the function that is returned is called. */
  function occupy(): () => Promise<void> {
    const steps = 200_000;
    const input = new Float64Array(steps * SIZE).fill(1);
    // All arrays first: making them takes longer than computing a call.
    const prepared = Array.from({ length: 16 }, () => prepare(steps, { input, synapses: noisy }));
    const calls = prepared.map((start) => start());
    return async () => {
      for (const { id } of calls) native.cancel(id, false);
      await Promise.all(calls.map(({ ended }) => ended));
    };
  }

  it('have a number that no other pending one has', async () => {
    const first = evolve(1000);
    assert.throws(() => evolve(1000, { id: first.id }), {
      name: 'TypeError',
      message: 'Expected a number that no other call has.',
    });
    assert.equal(await first.ended, -1);
    // Its number is free when it is over.
    const again = evolve(1000, { id: first.id });
    assert.equal(await again.ended, -1);
    assert.deepEqual(again.output, first.output);
  });

  it('are not disturbed by the end of one that is over, or that never was', async () => {
    const first = evolve(10);
    native.cancel(2 ** 52, true);
    assert.equal(await first.ended, -1);
    native.cancel(first.id, true);
    native.cancel(first.id, false);
    assert.equal(await evolve(10).ended, -1);
  });

  it('settle at once when they are cancelled before they begin, and never begin', async () => {
    const start = prepare(300_000);
    const end = occupy();
    const call = start();
    native.cancel(call.id, false);
    assert.equal(await call.ended, undefined);
    // A second time, and of one that others of the queue come after.
    native.cancel(call.id, true);
    const later = evolve(300_000);
    await end();
    assert.equal(await later.ended, -1);
    assert.ok(call.output.every((value) => value === 0));
    assert.ok(call.nextState.every((value) => value === 0));
    assert.equal(stats().running, 0);
  });

  it('settle soon when they are cancelled while they run', async () => {
    // On a busy machine, some may be over before they are cancelled.
    for (let attempt = 0; ; attempt++) {
      const call = evolve(1_000_000, { synapses: noisy });
      while (stats().running === 0) await new Promise(setImmediate);
      native.cancel(call.id, true);
      const end = await call.ended;
      assert.deepEqual([stats().running, stats().queued], [0, 0]);
      if (end !== undefined && attempt < 10) continue;
      assert.equal(end, undefined);
      assert.equal(call.output.at(-1), 0);
      assert.ok(call.nextState.every((value) => value === 0));
      return;
    }
  });

  it('settle in the order in which they end, each with its own result', async () => {
    const order: number[] = [];
    const calls = Array.from({ length: 200 }, (_, i) => {
      const input = new Float64Array(5 * SIZE).fill(i);
      if (i % 3 === 0) input[i % 80] = NaN;
      const call = evolve(5, { input });
      void call.ended.then(() => order.push(i));
      return call;
    });
    const ends = await Promise.all(calls.map(({ ended }) => ended));
    assert.deepEqual(
      ends,
      calls.map((_, i) => (i % 3 === 0 ? i % 80 : -1)),
    );
    assert.equal(new Set(order).size, 200);
    calls.forEach(({ output }, i) => {
      if (i % 3 !== 0) assert.ok(Math.abs((output[0] ?? 0) - i * Math.exp(-0.05)) < 1e-9);
    });
  });
});
