/** Calls that are aborted by an AbortSignal. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';

import { ExpSyn, stats } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { LONG, longModule, pendingLong, settled, SHORT } from '../support/long-calls';

describe('evolve() with an AbortSignal', () => {
  it('leaves input and state alone if the signal is aborted before the call', async () => {
    const module = new ExpSyn(16);
    const data = Float64Array.from(SHORT.data);
    const reason = new Error('no more');
    const options = { signal: AbortSignal.abort(reason), transfer: true };
    await assert.rejects(module.evolve({ data, shape: SHORT.shape }, options), reason);
    assert.equal(data.length, 480);
    assert.equal(module.step, 0);
    // As in the platform, a reason need not be an error.
    const odd = module.evolve(SHORT, { signal: AbortSignal.abort('odd') });
    assert.deepEqual(await settled({ odd }), [['odd', 'odd']]);
    await assert.rejects(module.evolve(SHORT, { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  });

  it('stops a running call and leaves the module as it was before the call', async () => {
    const module = longModule();
    const same = longModule();
    await module.evolve(SHORT);
    same.evolveSync(SHORT);
    const controller = new AbortController();
    const reason = new Error('enough');
    const { signal } = controller;
    const call = module.evolve(LONG, { signal });
    const behind = module.evolve(SHORT);
    await turn();
    await turn();
    controller.abort(reason);
    const order = await settled({ call, behind });
    assert.deepEqual(order, [
      ['call', reason],
      ['behind', undefined],
    ]);
    const expected = same.evolveSync(SHORT);
    assertSameBits((await behind).output.data, expected.output.data);
    assertSameBits(module.isyn.data, same.isyn.data);
    assert.equal(module.step, 60);
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  }).timeout(20000);

  it('ends a call that fills shared memory even if that is full before the signal is seen', async () => {
    const module = new ExpSyn(16);
    const targets = [module, module.session()];
    for (const target of targets) {
      for (const timesteps of [0, 1, 30]) {
        const input = { data: new Uint8Array(timesteps * 16).fill(1), shape: [timesteps, 16] };
        const out = new Float64Array(new SharedArrayBuffer(timesteps * 16 * 8));
        const controller = new AbortController();
        const call = target.evolve(input, { out, signal: controller.signal });
        const reason = new Error(`after ${timesteps}`);
        controller.abort(reason);
        await assert.rejects(call, reason);
        assert.equal(target.step, 0);
        assert.ok(target.isyn.data.every((value) => value === 0));
        assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
      }
    }
  });

  it('stops a call that waits for another call of its module at once', async () => {
    const module = longModule();
    const first = module.evolve(LONG);
    const controller = new AbortController();
    const second = module.evolve(LONG, { signal: controller.signal });
    const third = module.evolve(SHORT);
    const order: [string, unknown][] = [];
    const all = settled({ first, second, third }, order);
    await turn();
    // On a busy machine, the first may be over by now.
    const next = order.length;
    controller.abort();
    await all;
    assert.equal(order[next]?.[0], 'second');
    assert.equal(order.at(-1)?.[0], 'third');
    assert.equal(module.step, 2e6 + 30);
    assert.equal((await third).record.firstStep, 2e6);
  }).timeout(20000);

  it('stops a call that waits for a thread at once', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const busy = pendingLong(6);
    const module = longModule();
    const waiting = module.evolve(LONG, { signal });
    const order: [string, unknown][] = [];
    const all = settled({ waiting, ...busy }, order);
    await turn();
    const next = order.length;
    controller.abort();
    await all;
    const [name, error] = order[next] ?? [];
    assert.equal(name, 'waiting');
    assert.match(String(error), /AbortError/);
    assert.equal(order.length, 7);
    assert.equal(module.step, 0);
  }).timeout(20000);

  it('stops a call in the middle of a long transform', async () => {
    // The call makes transforms of 2^21 points. A transform that runs cannot be stopped.
    const options = { method: 'fft', tau: 1000, maxWindowLength: 1e9, threads: 1 } as const;
    const module = new ExpSyn(1, options);
    const input = { data: new Float64Array(2 ** 20).fill(1), shape: [2 ** 20] };
    const controller = new AbortController();
    const call = module.evolve(input, { signal: controller.signal });
    // This call starts when the first one is aborted, while the first one's transform still runs.
    const behind = module.evolve({ data: new Float64Array(1), shape: [1] });
    while (stats().running === 0) await turn();
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
    assert.equal(module.step, 0);
    // The transform still runs, and perhaps the second call.
    assert.ok(stats().running >= 1, `${stats().running}`);
    await behind;
    assert.equal(module.step, 1);
  }).timeout(20000);

  it('ignores an abort event of a signal that is not aborted', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const module = longModule();
    const first = module.evolve(LONG, { signal });
    const second = module.evolve(SHORT, { signal });
    await turn();
    signal.dispatchEvent(new Event('abort'));
    await Promise.all([first, second]);
    assert.equal(module.step, 2e6 + 30);
  }).timeout(20000);

  it('leaves the module free as soon as every promise has settled', async () => {
    const module = longModule();
    const session = module.session();
    for (const target of [module, session]) {
      const controller = new AbortController();
      const { signal } = controller;
      const running = target.evolve(SHORT);
      const aborted = Array.from({ length: 5 }, () => target.evolve(SHORT, { signal }));
      controller.abort();
      await Promise.allSettled(aborted);
      assert.throws(() => target.evolveSync(SHORT), /no pending evolve/);
      await running;
      target.evolveSync(SHORT);
      await target.evolve(SHORT);
      assert.equal(target.step, 90);
    }
  });

  it('stops at once if a diagnostics subscriber aborts the signal', async () => {
    const module = longModule();
    for (const target of [module, module.session()]) {
      const first = target.evolve(LONG);
      const controller = new AbortController();
      const reason = new Error('not now');
      const abort = () => {
        controller.abort(reason);
      };
      subscribe('expsyn:queued', abort);
      const second = target.evolve(LONG, { signal: controller.signal });
      unsubscribe('expsyn:queued', abort);
      const { bytes } = stats();
      assert.equal(bytes, 2e6 + 4 * 16 * 2e6, 'only the first call holds memory');
      const order = await settled({ first, second });
      assert.deepEqual(order, [
        ['second', reason],
        ['first', undefined],
      ]);
      assert.equal(target.step, 2e6);
    }
  }).timeout(20000);

  it('accepts AbortSignal.timeout()', async () => {
    const modules = Array.from({ length: 8 }, longModule);
    const signal = AbortSignal.timeout(1);
    const outcomes = await Promise.allSettled(
      modules.map((module) => module.evolve(LONG, { signal })),
    );
    for (const [i, outcome] of outcomes.entries()) {
      assert.equal(outcome.status, 'rejected');
      assert.equal((outcome.reason as Error).name, 'TimeoutError');
      assert.equal(modules[i]?.step, 0);
    }
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  }).timeout(20000);

  it('ignores a signal that is aborted after the call, or never', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const module = new ExpSyn(16);
    const { output } = await module.evolve(SHORT, { signal });
    controller.abort();
    assertSameBits(output.data, new ExpSyn(16).evolveSync(SHORT).output.data);
    assert.equal(module.step, 30);
    const unused = new AbortController().signal;
    for (let i = 0; i < 100; i++) await module.evolve(SHORT, { signal: unused });
    assert.deepEqual(getEventListeners(unused, 'abort'), []);
    const empty = module.evolve({ data: [], shape: [0, 16] } as never, { signal });
    await assert.rejects(empty);
  });

  it('rejects values that are not signals, and evolveSync() takes no signal', async () => {
    const module = new ExpSyn(16);
    const { signal } = new AbortController();
    const listens = { addEventListener: () => undefined, removeEventListener: () => undefined };
    for (const wrong of [
      { aborted: true },
      { ...listens },
      { ...listens, aborted: 'no' },
      { ...listens, aborted: false, removeEventListener: undefined },
      { ...listens, aborted: false, addEventListener: {} },
      1,
      null,
      'abort',
      () => signal,
    ]) {
      await assert.rejects(module.evolve(SHORT, { signal: wrong as never }), {
        name: 'TypeError',
        code: 'ERR_EXPSYN_ARGUMENT_TYPE',
        message: /Expected an AbortSignal for options\.signal/,
      });
    }
    assert.throws(() => module.evolveSync(SHORT, { signal }), {
      name: 'RangeError',
      message: /options\.signal.*use evolve\(\)/,
    });
  });

  it('stops the pending ones of many calls that share a signal', async () => {
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const { signal } = controller;
      const modules = Array.from({ length: 10 }, longModule);
      const calls = modules.map((module, i) =>
        module.evolve(i % 2 === 0 ? SHORT : LONG, { signal }),
      );
      for (let i = 0; i < round; i++) await turn();
      controller.abort();
      const outcomes = await Promise.allSettled(calls);
      for (const [i, outcome] of outcomes.entries()) {
        const isDone = outcome.status === 'fulfilled';
        assert.equal(modules[i]?.step, isDone ? (i % 2 === 0 ? 30 : 2e6) : 0);
      }
    }
  }).timeout(60000);
});

describe('options.out of an asynchronous call', () => {
  /** A pending call that has filled the beginning of `out`, but not yet its end. */
  async function halfFilled(options: { signal?: AbortSignal }) {
    const module = new ExpSyn(16);
    const timesteps = 2 ** 17;
    const out = new Float64Array(timesteps * 16);
    const input = { data: new Uint8Array(timesteps).fill(1), shape: [timesteps] };
    const call = module.evolve(input, { ...options, out });
    while (out[0] === 0) await turn();
    assert.equal(out.at(-1), 0);
    return { module, out, call };
  }

  it('is filled while the event loop turns', async () => {
    const { out, call } = await halfFilled({});
    await call;
    assert.ok(out.every((current) => current > 0));
  });

  it('is filled no further when the call is aborted', async () => {
    const controller = new AbortController();
    const { module, out, call } = await halfFilled({ signal: controller.signal });
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
    assert.equal(out.at(-1), 0);
    assert.equal(module.step, 0);
  });

  it('may be detached before it is full', async () => {
    const { module, out, call } = await halfFilled({});
    structuredClone(out.buffer, { transfer: [out.buffer] });
    await assert.rejects(call, { message: /2097152 elements for options\.out but received 0; it/ });
    assert.equal(module.step, 0);
  });
});
