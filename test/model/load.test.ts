/** What is pending in the process: limits, counters, and events. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { ROOT, runScript } from '../support/processes';
import { ExpSyn, OverloadError, setLimits, stats, type CallEvent } from '../../lib/index';
import { collectGarbage } from '../support/buffers';

const SIZE = 16;
const SHORT = { data: new Uint8Array(10 * SIZE), shape: [10, SIZE] };
const SHORT_COLUMN = { data: new Uint8Array(10), shape: [10] };
const SHORT_BYTES = 10 * SIZE * 9;
/** Some 20 ms of computing and more. */
const LONG = { data: new Uint8Array(2e6), shape: [2e6] };
const LONG_BYTES = 2e6 + 2e6 * SIZE * 4;
const longModule = () =>
  new ExpSyn(SIZE, { dtype: 'float32', noiseStd: 1, windowTaus: Infinity, threads: 1 });

/** What `counted` has counted since `before`. */
function difference(before: ReturnType<typeof stats>): Record<string, number> {
  const now = stats();
  return Object.fromEntries(
    (['done', 'failed', 'aborted', 'rejected'] as const).map((key) => [
      key,
      now[key] - before[key],
    ]),
  );
}

describe('the load of the process', () => {
  const limits = stats().limits;
  afterEach(async () => {
    setLimits(limits);
    // What was aborted may still be on its way to the end.
    while (stats().running > 0) await turn();
    const { queued, running, bytes } = stats();
    assert.deepEqual({ queued, running, bytes }, { queued: 0, running: 0, bytes: 0 });
  });

  it('has limits from the start', () => {
    assert.equal(limits.calls, 65_536);
    assert.ok(limits.bytes > 2 ** 27 && limits.bytes < 2 ** 50, `${limits.bytes}`);
  });

  it('has limits where the runtime does not tell how much memory there is', async () => {
    const { output, errors } = await runScript(
      `const os = require('node:os');
      os.totalmem = process.constrainedMemory = () => { throw new Error('forbidden'); };
      const { stats } = require(${JSON.stringify(ROOT)});
      console.log(stats().limits.bytes);`,
      { isBare: true },
    );
    assert.deepEqual({ output, errors }, { output: `${2 ** 30}\n`, errors: '' });
  });

  it('counts a call no more that was aborted while it waited', async () => {
    for (const open of [() => longModule(), () => longModule().session()]) {
      const before = stats();
      const target = open();
      const first = target.evolve(LONG);
      const controller = new AbortController();
      const waiting = target.evolve(LONG, { signal: controller.signal });
      controller.abort();
      await assert.rejects(waiting, { name: 'AbortError' });
      const { queued, running, bytes } = stats();
      assert.deepEqual({ calls: queued + running, bytes }, { calls: 1, bytes: LONG_BYTES });
      assert.equal(difference(before)['aborted'], 1);
      await first;
      assert.deepEqual(difference(before), { done: 1, failed: 0, aborted: 1, rejected: 0 });
    }
  });

  it('counts calls as queued beside what is left of aborted ones', async () => {
    // A transform that cannot be stopped at once.
    const module = new ExpSyn(1, { method: 'fft', tau: 1000, maxWindowLength: 1e9, threads: 1 });
    const input = { data: new Float64Array(2 ** 20), shape: [2 ** 20] };
    const controller = new AbortController();
    const call = module.evolve(input, { signal: controller.signal });
    while (stats().running === 0) await turn();
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
    const calls = [1, 2, 3].map(() => module.evolve(SHORT_COLUMN));
    const { queued, running } = stats();
    // The first of the calls may have begun; what is left of the aborted one computes.
    assert.equal(queued + running, 3 + 1);
    await Promise.all(calls);
  });

  it('is told when a call has its place: a subscriber may do anything', async () => {
    const module = new ExpSyn(2, { tau: [0.02, 0.03] });
    const session = module.session();
    const input = () => ({ data: new Uint8Array([1, 0]), shape: [1, 2] });
    const twin = new ExpSyn(2, { tau: [0.02, 0.03] });
    const own = input();
    const inner: Promise<unknown>[] = [];
    const meddle = (): void => {
      unsubscribe('expsyn:queued', meddle);
      module.tau = module.tau.data.map((tau) => tau * 1.1);
      structuredClone(own.data, { transfer: [own.data.buffer] });
      inner.push(module.evolve(input()));
    };
    subscribe('expsyn:queued', meddle);
    const { output } = await module.evolve(own);
    assert.deepEqual(output, twin.evolveSync(input()).output);
    await Promise.all(inner);
    assert.equal(module.step, 2);
    const again = (): void => {
      unsubscribe('expsyn:queued', again);
      module.tau = module.tau.data.map((tau) => tau * 1.1);
    };
    subscribe('expsyn:queued', again);
    await session.evolve(input());
    subscribe('expsyn:queued', again);
    await module.evolveSessions([session], { data: new Uint8Array([1, 0]), shape: [1, 1, 2] });
    assert.equal(session.step, 2);
  });

  it('is counted from when a call is made until it settles', async () => {
    const before = stats();
    const module = longModule();
    const other = new ExpSyn(SIZE);
    const calls = [module.evolve(LONG), module.evolve(LONG), other.evolve(SHORT)];
    calls.push(other.session().evolve(SHORT) as never);
    const during = stats();
    assert.equal(during.queued + during.running, 4);
    assert.equal(during.bytes, 2 * LONG_BYTES + 2 * SHORT_BYTES);
    await Promise.all(calls);
    const after = stats();
    assert.deepEqual(difference(before), { done: 4, failed: 0, aborted: 0, rejected: 0 });
    assert.ok(after.seconds.running > before.seconds.running);
    const pending = after.seconds.pending - before.seconds.pending;
    assert.ok(pending >= after.seconds.running - before.seconds.running, `${pending}`);
    // On the calling thread, nothing is pending.
    other.evolveSync(SHORT);
    assert.equal(difference(before)['done'], 4);
  });

  it('tells how calls end', async () => {
    const before = stats();
    const module = longModule();
    const controller = new AbortController();
    const { signal } = controller;
    const session = module.session();
    const bad = { data: new Float64Array(SIZE).fill(NaN), shape: [1, SIZE] };
    const running = module.evolve(LONG, { signal });
    const waiting = module.evolve(LONG, { signal });
    const gathered = module.evolveSessions([session], LONG, { signal });
    const refused = [new ExpSyn(SIZE).evolve(bad), module.session().evolve(bad)];
    // Refused before anything is pending.
    await assert.rejects(module.evolve({ data: new Uint8Array(3), shape: [2] }));
    await assert.rejects(module.evolveSessions([session, session], SHORT), /batch items/);
    controller.abort();
    const ends = await Promise.allSettled([running, waiting, gathered, ...refused]);
    assert.deepEqual(
      ends.map((end) => (end.status === 'rejected' ? (end.reason as Error).name : end.status)),
      ['AbortError', 'AbortError', 'AbortError', 'RangeError', 'RangeError'],
    );
    await module.evolve(SHORT);
    assert.deepEqual(difference(before), { done: 1, failed: 2, aborted: 3, rejected: 0 });
  });

  it('beyond its limits rejects at once, and changes nothing', async () => {
    const before = stats();
    const module = longModule();
    const twin = longModule();
    twin.seed = module.seed;
    setLimits({ calls: 2 });
    assert.deepEqual(stats().limits, { calls: 2, bytes: limits.bytes });
    const calls = [module.evolve(LONG), module.evolve(LONG)];
    const data = Float64Array.from(SHORT.data);
    await assert.rejects(
      module.evolve({ data, shape: SHORT.shape }, { transfer: true }),
      (error) => {
        assert.ok(error instanceof OverloadError);
        assert.equal(error.code, 'ERR_EXPSYN_OVERLOAD');
        assert.equal(error.name, 'OverloadError');
        assert.match(error.message, /^Expected at most 2 calls and \d+ bytes .* setLimits\(\)\.$/);
        return true;
      },
    );
    assert.equal(data.length, 160);
    await assert.rejects(module.session().evolve(SHORT), OverloadError);
    // Not refused: it waits for nobody.
    module.session().evolveSync(SHORT);
    await Promise.all(calls);
    setLimits({ calls: Infinity, bytes: LONG_BYTES + SHORT_BYTES });
    const large = module.evolve(LONG);
    const small = module.evolve(SHORT);
    await assert.rejects(module.evolve(SHORT), OverloadError);
    await Promise.all([large, small]);
    // One alone is never refused, or it could never run.
    setLimits({ calls: 1, bytes: 1 });
    await module.evolve(SHORT);
    for (let i = 0; i < 3; i++) twin.evolveSync(LONG);
    for (let i = 0; i < 2; i++) twin.evolveSync(SHORT);
    assert.deepEqual(module.toJSON(), twin.toJSON());
    assert.deepEqual(difference(before), { done: 5, failed: 0, aborted: 0, rejected: 3 });
  });

  it('takes limits that make sense, and no others', () => {
    for (const bad of [
      { calls: 0 },
      { bytes: -1 },
      { calls: 1.5 },
      { bytes: NaN },
      { call: 1 },
      7,
    ]) {
      assert.throws(() => {
        setLimits(bad as object);
      }, /^(TypeError|RangeError): Expected .*\.$/);
    }
    assert.deepEqual(stats().limits, limits);
    setLimits({});
    assert.deepEqual(stats().limits, limits);
  });

  it('is told to subscribers', async () => {
    const events: [string, CallEvent][] = [];
    const names = ['queued', 'done', 'failed', 'aborted', 'rejected'].map((key) => `expsyn:${key}`);
    const listener = (event: unknown, name: string | symbol) => {
      events.push([String(name).slice(7), event as CallEvent]);
    };
    names.forEach((name) => {
      subscribe(name, listener);
    });
    try {
      const module = longModule();
      await module.evolve(SHORT);
      const controller = new AbortController();
      const call = module.evolve(LONG, { signal: controller.signal });
      setLimits({ calls: 1 });
      await assert.rejects(module.evolve(SHORT), OverloadError);
      controller.abort();
      await assert.rejects(call);
      const bad = { data: new Float64Array(SIZE).fill(NaN), shape: [1, SIZE] };
      await assert.rejects(module.evolve(bad));
    } finally {
      names.forEach((name) => {
        unsubscribe(name, listener);
      });
    }
    assert.deepEqual(
      events.map(([name, { shape, bytes, dtype, method, error }]) => [
        name,
        shape.join(),
        bytes,
        dtype,
        method,
        (error as Error | undefined)?.name,
      ]),
      [
        ['queued', '1,10,16', 800, 'float32', 'recursive', undefined],
        ['done', '1,10,16', 800, 'float32', 'recursive', undefined],
        ['queued', '1,2000000,16', LONG_BYTES, 'float32', 'recursive', undefined],
        ['rejected', '1,10,16', 800, 'float32', 'recursive', 'OverloadError'],
        ['aborted', '1,2000000,16', LONG_BYTES, 'float32', 'recursive', 'AbortError'],
        ['queued', '1,1,16', 192, 'float32', 'recursive', undefined],
        ['failed', '1,1,16', 192, 'float32', 'recursive', 'RangeError'],
      ],
    );
    assert.ok(events.every(([name, { seconds }]) => seconds > 0 === !/queued|rejected/.test(name)));
  });

  it('is told of as many ends as beginnings, also when calls are refused', async () => {
    const ended = { queued: 0, done: 0, failed: 0, aborted: 0 };
    const keys = ['queued', 'done', 'failed', 'aborted'] as const;
    const listeners = keys.map((key) => {
      const count = (): void => {
        ended[key]++;
      };
      subscribe(`expsyn:${key}`, count);
      return () => unsubscribe(`expsyn:${key}`, count);
    });
    try {
      const module = new ExpSyn(SIZE);
      const [session, closed, late] = [module.session(), module.session(), module.session()];
      closed.close();
      late.step = 2 ** 53 - 1;
      const aborted = AbortSignal.abort();
      const calls = [
        session.evolve(SHORT),
        closed.evolve(SHORT),
        late.evolve(SHORT),
        session.evolve(SHORT, { signal: aborted }),
        module.evolveSessions([session, session], { ...SHORT, shape: [2, 5, SIZE] }),
        module.evolveSessions([session], { ...SHORT, shape: [2, 5, SIZE] }),
        module.evolve(SHORT, { state: { isyn: { data: new Float64Array(32), shape: [2, 16] } } }),
        module.evolve(SHORT),
        module.evolve({ data: new Float64Array(SIZE).fill(NaN), shape: [1, SIZE] }),
      ];
      const outcomes = await Promise.allSettled(calls);
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 2);
      const { queued, done, failed, aborted: left } = ended;
      assert.equal(queued, done + failed + left, JSON.stringify(ended));
      assert.deepEqual(ended, { queued: 3, done: 2, failed: 1, aborted: 0 });
    } finally {
      for (const stop of listeners) stop();
    }
  });

  it('counts the memory of kernels, spectra and sessions', async () => {
    // What other tests have left would otherwise go in between.
    for (let i = 0; i < 3; i++) {
      collectGarbage();
      await turn();
    }
    const before = stats().memory;
    const since = () => stats().memory - before;
    // Different for each synapse, so that none share a spectrum.
    const tau = Float64Array.from({ length: 200 }, (_, n) => 0.1 + n * 1e-4);
    const module = new ExpSyn(200, { tau, method: 'fft' });
    assert.equal(since(), 0);
    await module.evolve({ data: new Uint8Array(5000), shape: [5000] });
    const held = since();
    assert.ok(held > 200 * 2000 * 8, `${held}`);
    module.tau = tau.map((value) => value / 2);
    assert.equal(since(), 0, 'they go with their kernels');
    const sessions = Array.from({ length: 1000 }, () => module.session());
    // Two numbers of state a synapse.
    assert.ok(since() > 1000 * 200 * 16 && since() < 1100 * 200 * 16 + 1e5, `${since()}`);
    module.evolveSessionsSync(sessions, { data: new Uint8Array(2e5), shape: [1000, 1, 200] });
    assert.ok(since() > 2000 * 200 * 16, 'their next states are counted as well');
    sessions.forEach((session) => {
      session.close();
    });
  });

  it('is that of all threads, and goes with the worker that made it', async () => {
    const before = stats();
    setLimits({ calls: 50_000 });
    const script = `
      const { ExpSyn, stats } = require(${JSON.stringify(join(ROOT, 'dist'))});
      const { parentPort } = require('node:worker_threads');
      const module = new ExpSyn(16, { noiseStd: 1, windowTaus: Infinity });
      for (let i = 0; i < 10; i++) void module.evolve({ data: new Uint8Array(4e6), shape: [4e6] });
      parentPort.postMessage(stats());`;
    const worker = new Worker(script, { eval: true });
    const [inside] = (await once(worker, 'message')) as [ReturnType<typeof stats>];
    // Its loading the package has not set the limits anew.
    assert.equal(inside.limits.calls, 50_000);
    assert.equal(inside.queued + inside.running, 10);
    assert.ok(stats().bytes > 10 * 4e6 * SIZE * 8 - 1e9);
    await worker.terminate();
    await turn();
    assert.equal(stats().bytes, 0);
    const { aborted } = difference(before);
    assert.ok(aborted !== undefined && aborted >= 9 && aborted <= 10, `${aborted}`);
  });
});
