/** Calls that are aborted by an object with the properties of an AbortSignal. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';

import { ExpSyn, stats } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { LONG, longModule, settled, SHORT } from '../support/long-calls';

/** A signal that is not an AbortSignal but has the properties of one. */
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
    assert.ok(at >= 0, 'the listener was added before');
    this.listeners.splice(at, 1);
  }

  abort(reason?: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.listeners]) listener();
  }
}

describe('evolve() with a signal of another class', () => {
  const targets = () => {
    const module = longModule();
    return [module, module.session()] as const;
  };

  it('stops running and waiting calls with its reason, and removes the listener', async () => {
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

  it('leaves input and state alone if the signal is aborted before the call', async () => {
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

  it('removes its listener if the signal is never aborted', async () => {
    for (const target of targets()) {
      const signal = new OtherSignal();
      for (let i = 0; i < 5; i++) await target.evolve(SHORT, { signal });
      assert.equal(target.step, 150);
      assert.equal(signal.listeners.length, 0);
      const bad = { data: new Float64Array(16).fill(NaN), shape: [1, 16] };
      await assert.rejects(target.evolve(bad, { signal }), /NaN/);
      await assert.rejects(target.evolve([[1, 2]], { signal }), RangeError);
      assert.equal(signal.listeners.length, 0);
      // An event although the signal is not aborted.
      const call = target.evolve(LONG, { signal });
      await turn();
      for (const listener of [...signal.listeners]) listener();
      await call;
      // The signal may be used again.
      signal.abort(new Error('later'));
      await assert.rejects(target.evolve(SHORT, { signal }), /later/);
      signal.aborted = false;
      await target.evolve(SHORT, { signal });
      assert.equal(signal.listeners.length, 0);
    }
  }).timeout(20000);

  it('stops a call of evolveSessions()', async () => {
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

  it('survives a signal that throws, lies or calls back', async () => {
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
        'ignores its listeners',
        'done',
        () =>
          hostile(() => ({
            addEventListener: { value: () => undefined },
            removeEventListener: { value: () => undefined },
          })),
      ],
      [
        'aborts inside addEventListener',
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
        'is aborted inside addEventListener, without an event',
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
        // The target has no pending call and can run others.
        target.evolveSync(SHORT);
        await target.evolve(SHORT);
      }
    }
    const { queued, running, bytes } = stats();
    assert.deepEqual({ queued, running, bytes }, { queued: 0, running: 0, bytes: 0 });
  });

  it('runs code of the signal only once the call is queued', async () => {
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

  it('accepts an object that wraps an AbortSignal', async () => {
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
