/** Sessions: independent states with the parameters of one module. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { inspect } from 'node:util';

import fc from 'fast-check';

import {
  ExpSyn,
  ExpSynSession,
  stats,
  type ExpSynOptions,
  type NdArray,
  type CallOptions,
} from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { collectGarbage, turn } from '../support/buffers';
import { ROOT } from '../support/processes';
import { assertSameState, at, chunk, NOISY, SIZE, TAU } from '../support/sessions';

describe('a session', () => {
  it('has the output of a module with its seed and state', async () => {
    for (const options of [
      NOISY,
      { ...NOISY, noise: 'state' },
      { ...NOISY, noise: 'input', dtype: 'float32' },
      { ...NOISY, method: 'fft', windowTaus: Infinity },
      { ...NOISY, compat: 'rockpool' },
    ] satisfies ExpSynOptions[]) {
      const module = new ExpSyn(SIZE, options);
      for (const seed of [0, 7, 2 ** 53 - 1]) {
        const session = module.session({ seed });
        const twin = new ExpSyn(SIZE, { ...options, seed });
        for (const timesteps of [1, 0, 700, 2]) {
          const expected = twin.evolveSync(chunk(timesteps, seed % 89)).output;
          const { output, record } = session.evolveSync(chunk(timesteps, seed % 89));
          assertSameBits(output.data, expected.data);
          assert.deepEqual(output.shape, [1, timesteps, SIZE]);
          assert.equal(record.windowLength, module.windowLength);
        }
        const run = await session.evolve(chunk(50, 3));
        assertSameBits(run.output.data, (await twin.evolve(chunk(50, 3))).output.data);
        assertSameState(session, twin);
      }
      assert.equal(module.step, 0);
      assert.deepEqual([...module.isyn.data], [0, 0, 0, 0, 0]);
    }
  });

  it('does not affect other sessions, in any order of calls', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 0, max: 9 }))), (calls) => {
        const module = new ExpSyn(SIZE, NOISY);
        const sessions = [0, 1, 2, 3].map((seed) => module.session({ seed }));
        const twins = [0, 1, 2, 3].map((seed) => new ExpSyn(SIZE, { ...NOISY, seed }));
        calls.forEach(([which, timesteps], i) => {
          const session = sessions[which];
          const expected = twins[which]?.evolveSync(chunk(timesteps, i)).output.data;
          assert.ok(session !== undefined && expected !== undefined);
          assertSameBits(session.evolveSync(chunk(timesteps, i)).output.data, expected);
        });
        sessions.forEach((session, i) => {
          assertSameState(session, at(twins, i));
        });
      }),
      { numRuns: 30 },
    );
  });

  it('uses new parameters of its module from the next call on', async () => {
    const module = new ExpSyn(SIZE, { tau: TAU });
    const session = module.session();
    const twin = new ExpSyn(SIZE, { tau: TAU });
    const before = session.evolve(chunk(2000, 1));
    const queued = session.evolve(chunk(20, 2));
    module.tau = [0.1, 0.1, 0.2, 0.2, 0.3];
    const after = session.evolve(chunk(20, 3));
    const expected = [twin.evolveSync(chunk(2000, 1)), twin.evolveSync(chunk(20, 2))];
    twin.tau = module.tau;
    expected.push(twin.evolveSync(chunk(20, 3)));
    const runs = await Promise.all([before, queued, after]);
    runs.forEach((run, i) => {
      assertSameBits(run.output.data, expected[i]?.output.data as Float64Array);
    });
    assertSameState(session, twin);
  });

  it('continues in another process, bit for bit', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const module = new ExpSyn(SIZE, { ...NOISY, dtype, noise: 'state' });
      const session = module.session({ seed: 3 });
      session.evolveSync(chunk(300, 1));
      const saved = JSON.stringify([module, session]);
      const script = `
        const { ExpSyn } = require(${JSON.stringify(join(ROOT, 'dist'))});
        const [module, session] = JSON.parse(process.argv[1]);
        const restored = ExpSyn.fromJSON(module).restoreSession(session);
        const data = new Float64Array(JSON.parse(process.argv[2]));
        restored.evolveSync({ data, shape: [200, ${SIZE}] });
        console.log(JSON.stringify(restored));`;
      const input = JSON.stringify([...chunk(200, 2).data]);
      const printed = execFileSync(process.execPath, ['-e', script, saved, input]);
      session.evolveSync(chunk(200, 2));
      assert.equal(printed.toString().trim(), JSON.stringify(session));
      assertSameState(module.restoreSession(printed.toString()), session);
    }
  });

  it('continues from a saved state that contains a NaN', () => {
    const module = new ExpSyn(SIZE, { tau: TAU, nonFinite: 'propagate', windowTaus: Infinity });
    const session = module.session();
    session.evolveSync({ data: Float64Array.of(NaN, 1, 1, 1, 1), shape: [1, SIZE] });
    module.nonFinite = 'throw';
    const saved = [module, session].map((target) => JSON.stringify(target));
    const restored = ExpSyn.fromJSON(saved[0]).restoreSession(saved[1]);
    assertSameState(restored, session);
    const { output } = restored.evolveSync(chunk(3, 1));
    assertSameBits(output.data, session.evolveSync(chunk(3, 1)).output.data);
  });

  it('starts from the state and seed that it is given', () => {
    const module = new ExpSyn(SIZE, { tau: TAU });
    const session = module.session({ isyn: [1, 2, 3, 4, 5], step: 9, seed: 1 });
    assert.deepEqual([...session.isyn.data, session.step, session.seed], [1, 2, 3, 4, 5, 9, 1]);
    assert.equal(session.module, module);
    assert.deepEqual([session.sizeIn, session.sizeOut], [SIZE, SIZE]);
    session.isyn = new Float32Array(SIZE).fill(0.5);
    session.step = 3;
    session.seed = 2;
    assert.deepEqual(
      [...session.isyn.data, session.step, session.seed],
      [0.5, 0.5, 0.5, 0.5, 0.5, 3, 2],
    );
    assert.match(inspect(session), /^ExpSynSession \(5,\) \{.*step: 3,\s+seed: 2/s);
    session.isyn.data[0] = 99;
    assert.equal(session.isyn.data[0], 0.5);
    assert.equal(session.resetState(), session);
    assert.deepEqual([...session.isyn.data, session.step, session.seed], [0, 0, 0, 0, 0, 0, 2]);
    assert.notEqual(module.session().seed, module.session().seed);
  });

  it('is as it was after a call that fails or is aborted', async () => {
    const module = new ExpSyn(SIZE, NOISY);
    const session = module.session({ seed: 1 });
    session.evolveSync(chunk(10, 1));
    const before = JSON.stringify(session);
    const bad = chunk(10, 1);
    bad.data[23] = NaN;
    const refusal = /finite numbers for input but received NaN at \[4, 3\]/;
    assert.throws(() => session.evolveSync(bad), refusal);
    await assert.rejects(session.evolve(bad), refusal);
    const out = new Float64Array(10 * SIZE);
    const detached = session.evolve(chunk(10, 1), { out });
    structuredClone(out.buffer, { transfer: [out.buffer] });
    await assert.rejects(detached, /detached or resized/);
    const controller = new AbortController();
    const long = { data: new Uint8Array(4e6), shape: [4e6] };
    const running = session.evolve(long, { signal: controller.signal });
    const waiting = session.evolve(long, { signal: controller.signal });
    const behind = session.evolve(chunk(10, 2));
    await turn();
    controller.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(running, /enough/);
    const twin = module.restoreSession(before);
    assertSameBits((await behind).output.data, twin.evolveSync(chunk(10, 2)).output.data);
    assertSameState(session, twin);
  });

  it('refuses wrong calls and values in one sentence', async () => {
    const module = new ExpSyn(SIZE);
    const session = module.session();
    const refuses = (make: () => unknown, message: RegExp) => {
      assert.throws(
        make,
        (error: Error) => message.test(error.message) && error.message.endsWith('.'),
      );
    };
    refuses(() => module.session({ seed: -1 }), /options\.seed but received -1/);
    refuses(() => module.session({ isyn: [1, 2] }), /shape \(5,\).*options\.isyn/);
    refuses(
      () =>
        module.session({
          isyn: [
            [1, 2, 3, 4, 5],
            [1, 2, 3, 4, 5],
          ],
        }),
      /shape \(5,\)/,
    );
    refuses(() => module.session({ step: 0.5 }), /options\.step/);
    refuses(() => module.session({ sed: 1 } as object), /only seed, isyn, step/);
    refuses(() => session.evolveSync(chunk(2, 1), { state: {} } as object), /only out, transfer/);
    refuses(
      () => session.evolveSync({ data: new Uint8Array(20), shape: [2, 2, 5] }),
      /1 batch items/,
    );
    refuses(() => (session.isyn = [1, 2]), /shape \(5,\) for isyn but received shape \(2,\)/);
    refuses(() => Reflect.construct(ExpSynSession, []), /sessions of a module.*session\(\)/);
    const long = new Proxy([session], {
      get: (target, key) => (key === 'length' ? 5e9 : (Reflect.get(target, key) as unknown)),
    });
    refuses(
      () => module.evolveSessionsSync(long, chunk(1, 1)),
      /fewer than 2\^31 sessions for sessions but received length 5000000000/,
    );
    refuses(() => (session.isyn = 1), /shape \(5,\) for isyn but received shape \(\)/);
    refuses(() => (session.isyn = [NaN, 0, 0, 0, 0]), /NaN/);
    refuses(() => (session.step = -1), /step/);
    refuses(() => module.restoreSession('{'), /text of a JSON object/);
    refuses(() => module.restoreSession({}), /'ExpSynSession' for json\.class/);
    refuses(() => module.restoreSession({ ...session.toJSON(), size: 6 }), /json\.size/);
    refuses(() => module.restoreSession({ ...session.toJSON(), dtype: 'float32' }), /json\.dtype/);
    refuses(() => module.restoreSession({ ...session.toJSON(), isyn: 1 }), /json\.isyn/);
    refuses(() => module.restoreSession({ ...session.toJSON(), step: '1' }), /json\.step/);
    session.step = Number.MAX_SAFE_INTEGER - 3;
    refuses(() => session.evolveSync(chunk(4, 1)), /absolute step below 2\^53/);
    await assert.rejects(session.evolve(chunk(4, 1)), /absolute step below 2\^53/);
    session.evolveSync(chunk(3, 1));
    assert.equal(session.step, Number.MAX_SAFE_INTEGER);
    session.resetState();
    const pending = session.evolve(chunk(2000, 1));
    refuses(() => session.evolveSync(chunk(1, 1)), /no pending evolve\(\)/);
    refuses(() => (session.isyn = [0, 0, 0, 0, 0]), /no pending evolve\(\).*isyn/);
    refuses(() => (session.seed = 1), /no pending evolve\(\).*seed/);
    refuses(() => session.resetState(), /no pending evolve\(\).*resetState/);
    await pending;
    session.evolveSync(chunk(1, 1));
  });

  it('transfers nothing if it refuses the call', async () => {
    const module = new ExpSyn(SIZE, { tau: TAU });
    const [closed, late, session] = [module.session(), module.session(), module.session()];
    closed.close();
    late.step = 2 ** 53 - 1;
    const batch = new ExpSyn(SIZE, { tau: TAU });
    batch.isyn = { data: new Float64Array(SIZE * 3), shape: [3, SIZE] };
    const old = new ExpSyn(SIZE, { tau: TAU });
    old.step = 2 ** 53 - 1;
    type Call = (input: NdArray, options: CallOptions) => Promise<unknown>;
    const refusals: [RegExp, number[], Call][] = [
      [/open session/, [2, SIZE], (input, options) => closed.evolve(input, options)],
      [/step below 2\^53/, [2, SIZE], (input, options) => late.evolve(input, options)],
      [
        /different sessions/,
        [2, 1, SIZE],
        (input, options) => module.evolveSessions([session, session], input, options),
      ],
      [
        /1 batch items/,
        [2, 1, SIZE],
        (input, options) => module.evolveSessions([session], input, options),
      ],
      [/3 batch items/, [2, 1, SIZE], (input, options) => batch.evolve(input, options)],
      [/step below 2\^53/, [2, SIZE], (input, options) => old.evolve(input, options)],
    ];
    for (const [message, shape, call] of refusals) {
      const data = new Float64Array(SIZE * 2);
      const out = new Float64Array(SIZE * 2);
      await assert.rejects(call({ data, shape }, { out, transfer: true }), { message });
      assert.deepEqual([data.length, out.length], [SIZE * 2, SIZE * 2], `${message}`);
    }
  });

  it('closes once, after its pending calls', async () => {
    const module = new ExpSyn(SIZE, { tau: TAU });
    const session = module.session();
    const pending = session.evolve(chunk(3000, 1));
    session.close();
    session.close();
    assert.equal(session.isClosed, true);
    assert.match(inspect(session), /closed$/);
    const others = Array.from({ length: 20 }, () => module.session());
    const expected = new ExpSyn(SIZE, { tau: TAU }).evolveSync(chunk(3000, 1)).output;
    assertSameBits((await pending).output.data, expected.data);
    for (const other of others) assert.deepEqual([...other.isyn.data], [0, 0, 0, 0, 0]);
    const closed = /an open session for .* but it has been closed/;
    assert.throws(() => session.isyn, closed);
    assert.throws(() => session.step, closed);
    assert.throws(() => session.evolveSync(chunk(1, 1)), closed);
    assert.throws(() => JSON.stringify(session), closed);
    await assert.rejects(session.evolve(chunk(1, 1)), closed);
    await assert.rejects(module.evolveSessions([session], chunk(1, 1)), closed);
    await turn();
    // The place of the closed session in the table belongs to another session now.
    const next = module.session({ isyn: [9, 9, 9, 9, 9] });
    assert.throws(() => session.isyn, closed);
    assert.deepEqual([...next.isyn.data], [9, 9, 9, 9, 9]);
  });

  it('keeps its state while others come and go, and collected ones release their memory', async () => {
    const module = new ExpSyn(1000, { tau: 0.02 });
    const kept = module.session({ isyn: new Float64Array(1000).fill(2) });
    let nCollected = 0;
    const collected = new FinalizationRegistry(() => {
      nCollected++;
    });
    const fill = () => {
      for (let i = 0; i < 2000; i++) {
        const session = module.session();
        session.evolveSync({ data: new Uint8Array(1000).fill(1), shape: [1, 1000] });
        collected.register(session, undefined);
      }
    };
    const memory: number[] = [];
    for (let round = 0; round < 8; round++) {
      fill();
      // V8 may tell of what it has collected some turns later. Some sessions may live for longer.
      for (let i = 0; i < 200 && nCollected < 2000 * (round + 1) - 100; i++) {
        collectGarbage();
        await turn();
      }
      await turn();
      memory.push(stats().memory);
    }
    // Without reuse, each of the later rounds would have taken 32 MB.
    const grown = ((memory.at(-1) ?? 0) - (memory[1] ?? 0)) / 1e6;
    assert.ok(grown < 20, `${grown} MB`);
    assert.equal(new Set(kept.isyn.data).size, 1);
    assert.equal(kept.isyn.data[0], 2);
  });
});
