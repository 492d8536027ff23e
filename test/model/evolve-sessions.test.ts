/** evolveSessions(): one call for many sessions. */
import assert from 'node:assert/strict';

import { ExpSyn, type ExpSynSession } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { turn } from '../support/buffers';
import { assertSameState, at, batchOf, chunk, NOISY, SIZE, TAU } from '../support/sessions';

describe('evolveSessions()', () => {
  it('gives each session the output of a call of its own', async () => {
    for (const [count, timesteps] of [
      [1, 1],
      [2, 1],
      [3, 7],
      [40, 1],
      [300, 3],
      [3, 40000],
      [2, 0],
      [0, 1],
    ] as const) {
      for (const dtype of ['float32', 'float64'] as const) {
        const module = new ExpSyn(SIZE, { ...NOISY, dtype });
        const open = () => Array.from({ length: count }, (_, seed) => module.session({ seed }));
        const [alone, together, async] = [open(), open(), open()];
        const inputs = alone.map((_, i) => chunk(timesteps, i));
        const input = batchOf(inputs);
        if (count === 0) input.shape = [0, timesteps, SIZE];
        for (let round = 0; round < 2; round++) {
          const run = module.evolveSessionsSync(together, input);
          const other = await module.evolveSessions(async, input);
          assert.deepEqual(run.output.shape, [count, timesteps, SIZE]);
          assert.deepEqual([run.failures, other.failures], [[], []]);
          assertSameBits(run.output.data, other.output.data);
          alone.forEach((session, i) => {
            const { data } = session.evolveSync(at(inputs, i)).output;
            const item = run.output.data.subarray(i * data.length, (i + 1) * data.length);
            assertSameBits(item, data);
          });
        }
        alone.forEach((session, i) => {
          assertSameState(at(together, i), session);
          assertSameState(at(async, i), session);
        });
      }
    }
  });

  it('gives the same whatever the sizes of earlier calls, a refused one and a batch among them', () => {
    const module = new ExpSyn(SIZE, NOISY);
    const open = () => Array.from({ length: 40 }, (_, seed) => module.session({ seed }));
    const [alone, together] = [open(), open()];
    const closed = module.session();
    closed.close();
    for (const count of [1, 40, 2, 1, 30, 40]) {
      const inputs = alone.slice(0, count).map((_, i) => chunk(1, 100 * count + i));
      const input = batchOf(inputs);
      const { output } = module.evolveSessionsSync(together.slice(0, count), input);
      inputs.forEach((own, i) => {
        const expected = at(alone, i).evolveSync(own).output.data;
        assertSameBits(output.data.subarray(i * SIZE, (i + 1) * SIZE), expected);
      });
      assert.throws(() => module.evolveSessionsSync([at(together, 0), closed], input));
      module.evolveSync(batchOf(Array.from({ length: 3 }, () => chunk(1, count))));
    }
    alone.forEach((session, i) => {
      assertSameState(at(together, i), session);
    });
  });

  it('fails only the sessions whose items are not finite', async () => {
    const module = new ExpSyn(SIZE, NOISY);
    const twins = [0, 1, 2, 3].map((seed) => module.session({ seed }));
    const inputs = [0, 1, 2, 3].map((i) => chunk(6, i));
    const bad = batchOf(inputs);
    bad.data[1 * 30 + 11] = NaN;
    bad.data[3 * 30] = -Infinity;
    bad.data[3 * 30 + 1] = NaN;
    twins.forEach((twin, i) => {
      if (i % 2 === 0) twin.evolveSync(at(inputs, i));
    });
    for (const evolve of ['evolveSessions', 'evolveSessionsSync'] as const) {
      const sessions = [0, 1, 2, 3].map((seed) => module.session({ seed }));
      const { failures } = await module[evolve](sessions, bad);
      assert.deepEqual(
        failures.map(({ item, session, error }) => [item, session, error.message]),
        [
          [1, sessions[1], /.*/],
          [3, sessions[3], /.*/],
        ].map(([item, session], i) => [
          item,
          session,
          `Expected finite numbers for input but received ${['NaN', '-Infinity'][i]} at ` +
            `[${['1, 2, 1', '3, 0, 0'][i]}]; set nonFinite to 'propagate' to let it through.`,
        ]),
      );
      sessions.forEach((session, i) => {
        assertSameState(session, at(twins, i));
      });
    }
    module.nonFinite = 'propagate';
    const { failures } = module.evolveSessionsSync(twins, bad);
    assert.deepEqual(failures, []);
    assert.ok(Number.isNaN(twins[1]?.isyn.data[1]));
  });

  it('names the only session, or each of several, if no session of a call can be moved on', async () => {
    for (const count of [1, 3]) {
      for (const evolve of ['evolveSessions', 'evolveSessionsSync'] as const) {
        const module = new ExpSyn(SIZE, NOISY);
        const sessions = Array.from({ length: count }, (_, seed) => module.session({ seed }));
        const inputs = sessions.map((_, i) => chunk(6, i));
        const bad = batchOf(inputs);
        sessions.forEach((session, i) => {
          if (i === 0) session.step = Number.MAX_SAFE_INTEGER;
          else bad.data[i * 30] = NaN;
        });
        const before = sessions.map((session) => session.toJSON());
        const { failures } = await module[evolve](sessions, bad);
        assert.deepEqual(
          failures.map(({ item, session, error }) => [item, session, error.code]),
          sessions.map((session, i) => [
            i,
            session,
            i === 0 ? 'ERR_EXPSYN_STEP_LIMIT' : 'ERR_EXPSYN_NON_FINITE',
          ]),
        );
        assert.deepEqual(
          sessions.map((session) => session.toJSON()),
          before,
        );
      }
    }
  });

  it('waits for the pending calls of its sessions, and later calls wait for it', async () => {
    const module = new ExpSyn(SIZE, NOISY);
    const [a, b, c] = [0, 1, 2].map((seed) => module.session({ seed })) as [
      ExpSynSession,
      ExpSynSession,
      ExpSynSession,
    ];
    const twins = [0, 1, 2].map((seed) => module.session({ seed })) as [
      ExpSynSession,
      ExpSynSession,
      ExpSynSession,
    ];
    const sessions = [a, b, c] as const;
    const first = a.evolve(chunk(9000, 1));
    const both = module.evolveSessions([b, a], batchOf([chunk(5, 2), chunk(5, 3)]));
    const last = b.evolve(chunk(7, 4));
    const free = c.evolve(chunk(1, 5));
    assert.throws(() => module.evolveSessionsSync([c, b], batchOf([chunk(1, 1), chunk(1, 1)])));
    await Promise.all([first, both, last, free]);
    twins[0].evolveSync(chunk(9000, 1));
    twins[1].evolveSync(chunk(5, 2));
    twins[0].evolveSync(chunk(5, 3));
    twins[1].evolveSync(chunk(7, 4));
    twins[2].evolveSync(chunk(1, 5));
    sessions.forEach((session, i) => {
      assertSameState(session, at(twins, i));
    });
  });

  it('leaves all sessions as they were if it is aborted', async () => {
    const module = new ExpSyn(16, { dtype: 'float32', noiseStd: 1, windowTaus: Infinity });
    const sessions = [0, 1, 2].map((seed) => module.session({ seed }));
    const before = JSON.stringify(sessions);
    const controller = new AbortController();
    const input = { data: new Uint8Array(3e6), shape: [3, 1e6, 1] };
    const call = module.evolveSessions(sessions, input, { signal: controller.signal });
    await turn();
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
    assert.equal(JSON.stringify(sessions), before);
    await module.evolveSessions(sessions, { data: new Uint8Array(3), shape: [3, 1, 1] });
  });

  it('fills an array of the caller, also that of the input', () => {
    const module = new ExpSyn(SIZE, { tau: TAU });
    const sessions = [module.session(), module.session()];
    const input = batchOf([chunk(400, 1), chunk(400, 2)]);
    const expected = module.evolveSessionsSync([module.session(), module.session()], input).output;
    const { output } = module.evolveSessionsSync(sessions, input, { out: input.data });
    assert.equal(output.data, input.data);
    assertSameBits(input.data, expected.data);
  });

  it('keeps the input of failed sessions, so that they can repeat the step', async () => {
    for (const timesteps of [1, 3, 400]) {
      const module = new ExpSyn(SIZE, { tau: TAU });
      const good = chunk(timesteps, 1);
      const bad = chunk(timesteps, 2);
      bad.data[bad.data.length - 1] = NaN;
      const alone = { data: bad.data.slice(), shape: bad.shape };
      const session = module.session();
      const message = new RegExp(`but received NaN at \\[${timesteps - 1}, ${SIZE - 1}\\]`);
      assert.throws(() => session.evolveSync(alone, { out: alone.data }), { message });
      assertSameBits(alone.data, bad.data);
      await assert.rejects(session.evolve(alone, { out: alone.data }), { message });
      assertSameBits(alone.data, bad.data);
      const input = batchOf([good, bad, good]);
      const sessions = [module.session(), session, module.session()];
      const { failures } = module.evolveSessionsSync(sessions, input, { out: input.data });
      assert.deepEqual(
        failures.map(({ item }) => item),
        [1],
      );
      const expected = module.session().evolveSync(good).output.data;
      const filled = batchOf([
        { ...good, data: Float64Array.from(expected) },
        bad,
        { ...good, data: Float64Array.from(expected) },
      ]);
      assertSameBits(input.data, filled.data);
      assert.equal(session.step, 0);
      alone.data[alone.data.length - 1] = 0;
      session.evolveSync(alone, { out: alone.data });
      assert.equal(session.step, timesteps);
    }
  });

  it('refuses wrong lists of sessions and changes nothing', async () => {
    const module = new ExpSyn(SIZE);
    const other = new ExpSyn(SIZE).session();
    const [a, b] = [module.session(), module.session()];
    const input = batchOf([chunk(1, 1), chunk(1, 1)]);
    const twice = /different sessions for sessions but received the same one again at \[1\]/;
    for (const [sessions, message] of [
      [[a, a], twice],
      [[a, other], /a session of this module for sessions\[1\]/],
      [[a, {}], /a session of this module for sessions\[1\] but received an object/],
      [[a, undefined], /sessions\[1\] but received undefined/],
      [[a], /1 batch items, one a session, for input but received 2/],
      [[], /0 batch items/],
      [new Set([a, b]), /an array of sessions/],
    ] as const) {
      assert.throws(() => module.evolveSessionsSync(sessions as never, input), message);
      await assert.rejects(module.evolveSessions(sessions as never, input), message);
    }
    // The getter closes a session while the call reads its options.
    const options = {
      get transfer() {
        b.close();
        return false;
      },
    };
    assert.throws(() => module.evolveSessionsSync([a, b], input, options), /sessions\[1\].*closed/);
    assert.equal(a.step, 0);
  });
});
