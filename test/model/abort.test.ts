/** Calls that are aborted, and short calls beside long ones. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';

import { ExpSyn, stats } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { spikes } from '../support/oracle';

/** Noise on two million steps of sixteen synapses: some 20 ms of both processors and more. */
const LONG = { data: new Uint8Array(2e6), shape: [2e6] };
const LONG_OPTIONS = { dtype: 'float32', noiseStd: 1, seed: 1, windowTaus: Infinity } as const;
const longModule = () => new ExpSyn(16, LONG_OPTIONS);
const SHORT = { data: spikes(30 * 16, 0.1, 1), shape: [30, 16] };

/** Calls of as many modules. */
function pendingLong(count: number): Record<string, Promise<unknown>> {
  const names = Array.from({ length: count }, (_, i) => `long ${i}`);
  return Object.fromEntries(names.map((name) => [name, longModule().evolve(LONG)]));
}

/** The names of promises in the order in which they settle, with what they reject with. */
function settled(promises: Record<string, Promise<unknown>>): Promise<[string, unknown][]> {
  const order: [string, unknown][] = [];
  return Promise.all(
    Object.entries(promises).map(([name, promise]) =>
      promise.then(
        () => order.push([name, undefined]),
        (error: unknown) => order.push([name, error]),
      ),
    ),
  ).then(() => order);
}

describe('a signal', () => {
  it('that is aborted before the call takes nothing', async () => {
    const module = new ExpSyn(16);
    const data = Float64Array.from(SHORT.data);
    const reason = new Error('no more');
    const options = { signal: AbortSignal.abort(reason), transfer: true };
    await assert.rejects(module.evolve({ data, shape: SHORT.shape }, options), reason);
    assert.equal(data.length, 480);
    assert.equal(module.step, 0);
    // Even something that is no error, as the platform has it.
    const odd = module.evolve(SHORT, { signal: AbortSignal.abort('odd') });
    assert.deepEqual(await settled({ odd }), [['odd', 'odd']]);
    await assert.rejects(module.evolve(SHORT, { signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  });

  it('ends a call that runs, and the module is as if it had not been made', async () => {
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

  it('ends a call that waits for another of its module, at once', async () => {
    const module = longModule();
    const first = module.evolve(LONG);
    const controller = new AbortController();
    const second = module.evolve(LONG, { signal: controller.signal });
    const third = module.evolve(SHORT);
    await turn();
    controller.abort();
    const order = await settled({ first, second, third });
    assert.deepEqual(
      order.map(([name]) => name),
      ['second', 'first', 'third'],
    );
    assert.equal(module.step, 2e6 + 30);
    assert.equal((await third).record.firstStep, 2e6);
  }).timeout(20000);

  it('ends a call that waits for a thread, at once', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const busy = pendingLong(6);
    const module = longModule();
    const waiting = module.evolve(LONG, { signal });
    await turn();
    controller.abort();
    const order = await settled({ waiting, ...busy });
    const [[name, error] = []] = order;
    assert.equal(name, 'waiting');
    assert.match(String(error), /AbortError/);
    assert.equal(order.length, 7);
    assert.equal(module.step, 0);
  }).timeout(20000);

  it('ends a call in the middle of a long transform', async () => {
    // One transform of 2^21 points after another, none of which can be stopped.
    const options = { method: 'fft', tau: 1000, maxWindowLength: 1e9, threads: 1 } as const;
    const module = new ExpSyn(1, options);
    const input = { data: new Float64Array(2 ** 20).fill(1), shape: [2 ** 20] };
    const controller = new AbortController();
    const call = module.evolve(input, { signal: controller.signal });
    // Started when the call is aborted, and free to go on beside what is left of it.
    const behind = module.evolve({ data: new Float64Array(1), shape: [1] });
    while (stats().running === 0) await turn();
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
    assert.equal(module.step, 0);
    // The transform that cannot be stopped, and perhaps the call behind it.
    assert.ok(stats().running >= 1, `${stats().running}`);
    await behind;
    assert.equal(module.step, 1);
  }).timeout(20000);

  it('of which an event is dispatched without its being aborted, ends nothing', async () => {
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

  it('that a subscriber aborts as the call is announced, ends it at once', async () => {
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
      assert.equal(bytes, 2e6 + 4 * 16 * 2e6, 'the place of the first alone');
      const order = await settled({ first, second });
      assert.deepEqual(order, [
        ['second', reason],
        ['first', undefined],
      ]);
      assert.equal(target.step, 2e6);
    }
  }).timeout(20000);

  it('may be a deadline', async () => {
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

  it('that is aborted too late, or never, changes nothing', async () => {
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

  it('is a signal, and for evolve() only', async () => {
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

  it('may be shared by many calls, some of which are over', async () => {
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

/** A signal as others make them: no AbortSignal, but the properties of one. */
class OtherSignal {
  aborted = false;
  reason: unknown = undefined;
  readonly listeners: (() => void)[] = [];
  nAdded = 0;

  addEventListener(type: 'abort', listener: () => void): void {
    assert.equal(type, 'abort');
    this.nAdded++;
    this.listeners.push(listener);
  }

  removeEventListener(type: 'abort', listener: () => void): void {
    assert.equal(type, 'abort');
    const at = this.listeners.indexOf(listener);
    assert.ok(at >= 0, 'a listener that had been added');
    this.listeners.splice(at, 1);
  }

  abort(reason?: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.listeners]) listener();
  }
}

describe('a signal of another kind', () => {
  const targets = () => {
    const module = longModule();
    return [module, module.session()] as const;
  };

  it('ends a call that runs or waits, with its reason, and is listened to no more', async () => {
    for (const target of targets()) {
      const signal = new OtherSignal();
      const reason = new Error('enough');
      const first = target.evolve(LONG, { signal });
      const second = target.evolve(LONG, { signal });
      const behind = target.evolve(SHORT);
      await turn();
      await turn();
      assert.equal(signal.nAdded, 1, 'one listener for all calls');
      signal.abort(reason);
      for (const call of [first, second]) await assert.rejects(call, (error) => error === reason);
      await behind;
      assert.equal(target.step, 30);
      assert.equal(signal.listeners.length, 0);
    }
  }).timeout(20000);

  it('that is aborted already takes nothing', async () => {
    for (const target of targets()) {
      const signal = new OtherSignal();
      signal.abort('odd');
      const data = Float64Array.from(SHORT.data);
      const odd = target.evolve({ data, shape: SHORT.shape }, { signal, transfer: true });
      assert.deepEqual(await settled({ odd }), [['odd', 'odd']]);
      assert.equal(data.length, 480);
      assert.equal(target.step, 0);
    }
    const signal = new OtherSignal();
    signal.abort();
    await assert.rejects(new ExpSyn(16).evolve(SHORT, { signal }), { name: 'AbortError' });
  });

  it('that is never aborted changes nothing, and is forgotten', async () => {
    for (const target of targets()) {
      const signal = new OtherSignal();
      for (let i = 0; i < 5; i++) await target.evolve(SHORT, { signal });
      assert.equal(target.step, 150);
      assert.equal(signal.listeners.length, 0);
      const bad = { data: new Float64Array(16).fill(NaN), shape: [1, 16] };
      await assert.rejects(target.evolve(bad, { signal }), /NaN/);
      await assert.rejects(target.evolve([[1, 2]], { signal }), RangeError);
      assert.equal(signal.listeners.length, 0);
      // An event without an abort.
      const call = target.evolve(LONG, { signal });
      await turn();
      for (const listener of [...signal.listeners]) listener();
      await call;
      // It may be used again.
      signal.abort(new Error('later'));
      await assert.rejects(target.evolve(SHORT, { signal }), /later/);
      signal.aborted = false;
      await target.evolve(SHORT, { signal });
      assert.equal(signal.listeners.length, 0);
    }
  }).timeout(20000);

  it('of sessions ends a gathered call', async () => {
    const module = longModule();
    const sessions = [module.session(), module.session()];
    const signal = new OtherSignal();
    const call = module.evolveSessions(sessions, { ...LONG, shape: [2, 1e6, 1] }, { signal });
    await turn();
    signal.abort(new Error('enough'));
    await assert.rejects(call, /enough/);
    assert.deepEqual(
      sessions.map(({ step }) => step),
      [0, 0],
    );
    assert.equal(signal.listeners.length, 0);
  }).timeout(20000);

  it('may throw, lie or call back: the call ends or goes on, and nothing breaks', async () => {
    const oops = new Error('oops');
    const fail = () => {
      throw oops;
    };
    const hostile = (change: (signal: OtherSignal) => object) => {
      const signal = new OtherSignal();
      return Object.defineProperties(signal, change(signal) as PropertyDescriptorMap);
    };
    /** A property whose getter throws when it is read the nth time. */
    const failingAt = (nth: number, result: unknown) => {
      let n = 0;
      return { get: () => (++n >= nth ? fail() : result) };
    };
    type Outcome = 'done' | 'oops' | 'enough';
    const rows: [string, Outcome, () => OtherSignal][] = [
      ['aborted throws', 'oops', () => hostile(() => ({ aborted: { get: fail } }))],
      ['aborted throws later', 'oops', () => hostile(() => ({ aborted: failingAt(3, false) }))],
      [
        'reason throws',
        'oops',
        () => hostile(() => ({ aborted: { value: true }, reason: { get: fail } })),
      ],
      [
        'addEventListener throws',
        'oops',
        () => hostile(() => ({ addEventListener: { value: fail } })),
      ],
      [
        'addEventListener cannot be read',
        'oops',
        () => hostile(() => ({ addEventListener: { get: fail } })),
      ],
      [
        'removeEventListener throws',
        'done',
        () => hostile(() => ({ removeEventListener: { value: fail } })),
      ],
      [
        'nothing listens',
        'done',
        () =>
          hostile(() => ({
            addEventListener: { value: () => undefined },
            removeEventListener: { value: () => undefined },
          })),
      ],
      [
        'aborts as it is listened to',
        'enough',
        () =>
          hostile((signal) => ({
            addEventListener: {
              value: (type: 'abort', listener: () => void) => {
                OtherSignal.prototype.addEventListener.call(signal, type, listener);
                signal.abort(new Error('enough'));
                listener();
              },
            },
          })),
      ],
      [
        'is aborted between',
        'enough',
        () =>
          hostile((signal) => ({
            addEventListener: {
              value: () => {
                signal.aborted = true;
                signal.reason = new Error('enough');
              },
            },
            removeEventListener: { value: () => undefined },
          })),
      ],
    ];
    for (const [name, expected, make] of rows) {
      for (const target of targets()) {
        const outcome = await target.evolve(SHORT, { signal: make() }).then(
          () => 'done',
          (error: unknown) => (error as Error).message,
        );
        assert.equal(outcome, expected, name);
        assert.equal(target.step, expected === 'done' ? 30 : 0, name);
        // The target is free, and goes on.
        target.evolveSync(SHORT);
        await target.evolve(SHORT);
      }
    }
    const { queued, running, bytes } = stats();
    assert.deepEqual({ queued, running, bytes }, { queued: 0, running: 0, bytes: 0 });
  });

  it('runs its code when its call has its place', async () => {
    const module = longModule();
    const session = module.session();
    const errors: unknown[] = [];
    const later: Promise<unknown>[] = [];
    const signal = new OtherSignal();
    signal.addEventListener = () => {
      for (const attack of [
        () => session.evolveSync(SHORT),
        () => session.resetState(),
        () => (session.step = 7),
        () => module.evolveSync(SHORT),
      ]) {
        try {
          attack();
        } catch (error) {
          errors.push((error as { code: unknown }).code);
        }
      }
      session.close();
      later.push(module.session().evolve(SHORT));
    };
    signal.removeEventListener = () => undefined;
    const twin = module.session({ seed: session.seed });
    const expected = twin.evolveSync(SHORT).output.data;
    const { output } = await session.evolve(SHORT, { signal });
    assertSameBits(output.data, expected);
    // The module itself had nothing pending.
    assert.deepEqual(errors, Array(3).fill('ERR_EXPSYN_PENDING'));
    await Promise.all(later);
    assert.equal(session.isClosed, true);
  });

  it('is a proxy of a signal as well, or one that wraps it', async () => {
    const controller = new AbortController();
    const wrapper = {
      get aborted() {
        return controller.signal.aborted;
      },
      get reason(): unknown {
        return controller.signal.reason as unknown;
      },
      addEventListener: (type: 'abort', listener: () => void) => {
        controller.signal.addEventListener(type, listener);
      },
      removeEventListener: (type: 'abort', listener: () => void) => {
        controller.signal.removeEventListener(type, listener);
      },
    };
    const module = longModule();
    const calls = Array.from({ length: 20 }, () => module.evolve(LONG, { signal: wrapper }));
    assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
    controller.abort();
    for (const call of calls) await assert.rejects(call, { name: 'AbortError' });
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    assert.equal(module.step, 0);
  });
});

describe("a caller's array", () => {
  /** An output of which a part is in `out` already, but not the rest. */
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

  it('may be gone before it is full', async () => {
    const { module, out, call } = await halfFilled({});
    structuredClone(out.buffer, { transfer: [out.buffer] });
    await assert.rejects(call, { message: /2097152 elements for options\.out but received 0; it/ });
    assert.equal(module.step, 0);
  });
});

describe('a short call', () => {
  it('does not wait for long ones that run or are queued', async () => {
    const long = pendingLong(5);
    await turn();
    const module = new ExpSyn(16);
    const expected = new ExpSyn(16).evolveSync(SHORT).output.data;
    let nShort = 0;
    const short = (async () => {
      // One after the other: each would wait for a long one.
      for (; nShort < 3; nShort++) {
        module.resetState();
        assertSameBits((await module.evolve(SHORT)).output.data, expected);
      }
    })();
    const order = await settled({ short, ...long });
    const place = order.findIndex(([name]) => name === 'short');
    // Two processors work on the long ones; the second of these has not even begun.
    assert.ok(place <= 1, `short calls came back after ${place} long ones`);
    assert.equal(nShort, 3);
  }).timeout(20000);

  it('is also the step of thousands of sessions', async () => {
    const module = new ExpSyn(64);
    const sessions = Array.from({ length: 4000 }, () => module.session());
    const long = pendingLong(availableParallelism());
    await turn();
    const input = { data: new Uint8Array(4000 * 64), shape: [4000, 1, 64] };
    const order = await settled({ ...long, gathered: module.evolveSessions(sessions, input) });
    assert.equal(order[0]?.[0], 'gathered');
  }).timeout(20000);
});
