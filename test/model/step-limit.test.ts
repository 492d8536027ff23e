/** The largest absolute step, 2^53 - 1, that a call may leave behind. */
import assert from 'node:assert/strict';

import { ExpSyn, type NdArray } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { detailsOf } from '../support/error-details';

const LAST = Number.MAX_SAFE_INTEGER;

describe('step 2^53', () => {
  const SIZE = 3;
  const raster = (items: number, timesteps: number) => ({
    data: Float64Array.from({ length: items * timesteps * SIZE }, (_, i) => (i % 7) - 2),
    shape: [items, timesteps, SIZE],
  });
  const itemOf = ({ data, shape }: NdArray, item: number) => {
    const length = (shape[1] ?? 0) * SIZE;
    return data.slice(item * length, (item + 1) * length);
  };
  const limit = (name: string, step: number, timesteps: number, advice: string) => ({
    name: 'RangeError',
    message:
      `Expected an absolute step below 2^53 after the call for ${name} but received ` +
      `${step} + ${timesteps}; ${advice}.`,
    code: 'ERR_EXPSYN_STEP_LIMIT',
    argument: name,
    step,
    timesteps,
  });
  const withoutMessage = ({ message, ...details }: ReturnType<typeof limit>) => {
    assert.ok(message);
    return details;
  };
  const ofSession = (step: number, timesteps: number) =>
    limit('session.step', step, timesteps, 'reset the session');

  it('is not passed by a call of a module or of a session', async () => {
    const module = new ExpSyn(SIZE);
    const session = module.session({ step: LAST - 3, seed: 1 });
    module.step = LAST - 3;
    const input = raster(1, 4);
    const before = JSON.stringify([module, session]);
    const ofModule = limit('step', LAST - 3, 4, 'reset the state');
    const out = new Float64Array(4 * SIZE).fill(7);
    assert.throws(() => module.evolveSync(input, { out }), ofModule);
    await assert.rejects(module.evolve(input, { out }), ofModule);
    assert.throws(() => session.evolveSync(input, { out }), ofSession(LAST - 3, 4));
    await assert.rejects(session.evolve(input, { out, transfer: true }), ofSession(LAST - 3, 4));
    assert.ok(out.every((element) => element === 7));
    assert.equal(JSON.stringify([module, session]), before);
    session.evolveSync({ data: new Uint8Array(0), shape: [1, 0, SIZE] });
    session.evolveSync(raster(1, 3));
    assert.equal(session.step, LAST);
  });

  it('is checked when the call runs, after the calls before it', async () => {
    const session = new ExpSyn(SIZE).session({ step: LAST - 5 });
    const out = new Float64Array(4 * SIZE).fill(7);
    const [first, second] = await Promise.allSettled([
      session.evolve(raster(1, 3)),
      session.evolve(raster(1, 4), { out }),
    ]);
    assert.equal(first.status, 'fulfilled');
    assert.equal(second.status, 'rejected');
    const expected = ofSession(LAST - 2, 4);
    assert.deepEqual(detailsOf(second.reason), withoutMessage(expected));
    assert.equal(String(second.reason), `RangeError: ${expected.message}`);
    assert.ok(out.every((element) => element === 7));
    assert.equal(session.step, LAST - 2);
  });

  for (const dtype of ['float64', 'float32'] as const) {
    for (const evolve of ['evolveSessions', 'evolveSessionsSync'] as const) {
      it(`fails only the sessions that would pass it in ${evolve}(), ${dtype}`, async () => {
        const module = new ExpSyn(SIZE, { dtype, noiseStd: 0.2 });
        const open = (steps: number[]) =>
          steps.map((step, seed) => module.session({ step, seed, isyn: [1, 2, 3] }));
        const steps = [LAST, 5, LAST - 3, LAST - 4, LAST - 1];
        const [sessions, alone] = [open(steps), open(steps)];
        const before = sessions.map((session) => JSON.stringify(session));
        const input = raster(5, 4);
        // Not finite: an input of a session that would pass the limit, and one of session 1.
        input.data[2 * 4 * SIZE] = NaN;
        input.data[1 * 4 * SIZE + 5] = Infinity;
        const { output, failures } = await module[evolve](sessions, input);
        assert.deepEqual(
          failures.map(({ item, session, error }) => [
            item,
            sessions.indexOf(session),
            detailsOf(error),
          ]),
          [0, 1, 2, 4].map((item) => {
            if (item === 1) {
              const place = { argument: 'input', index: [1, 1, 2], value: Infinity };
              return [item, item, { name: 'RangeError', code: 'ERR_EXPSYN_NON_FINITE', ...place }];
            }
            return [item, item, withoutMessage(ofSession(steps[item] ?? 0, 4))];
          }),
        );
        assert.equal(failures[3]?.error.message, ofSession(LAST - 1, 4).message);
        const twin = alone[3]?.evolveSync({
          data: itemOf(input, 3),
          shape: [4, SIZE],
        });
        assertSameBits(itemOf(output, 3), twin?.output.data ?? new Float64Array());
        sessions.forEach((session, i) => {
          const expected = i === 3 ? JSON.stringify(alone[3]) : before[i];
          assert.equal(JSON.stringify(session), expected);
        });
        // All of them would pass it.
        const last = open([LAST, LAST - 1]);
        const { failures: all } = await module[evolve](last, raster(2, 2));
        assert.deepEqual(
          all.map(({ item }) => item),
          [0, 1],
        );
        assert.deepEqual((await module[evolve](last, raster(2, 0))).failures, []);
      });
    }

    it(`keeps the input of failed sessions if out is the same memory, ${dtype}`, async () => {
      const Type = dtype === 'float64' ? Float64Array : Float32Array;
      const module = new ExpSyn(SIZE, { dtype });
      for (const memory of ['sync', 'own', 'shared'] as const) {
        const given = raster(4, 5);
        const bytes = given.data.length * Type.BYTES_PER_ELEMENT;
        const buffer = memory === 'shared' ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
        const data = new Type(buffer as ArrayBuffer);
        data.set(given.data);
        data[5 * SIZE + 1] = NaN;
        const input = { data, shape: given.shape };
        const before = data.slice();
        const sessions = [0, 0, LAST, 0].map((step) => module.session({ step }));
        const call = memory === 'sync' ? 'evolveSessionsSync' : 'evolveSessions';
        const { output, failures } = await module[call](sessions, input, { out: data });
        assert.deepEqual(
          failures.map(({ item }) => item),
          [1, 2],
        );
        assert.equal(output.data, data);
        const expected = module.session().evolveSync({
          data: itemOf({ data: before, shape: given.shape }, 3),
          shape: [5, SIZE],
        });
        for (const item of [1, 2]) {
          assertSameBits(itemOf(output, item), itemOf({ ...input, data: before }, item), memory);
        }
        assertSameBits(itemOf(output, 3), expected.output.data, memory);
      }
    });
  }

  it('is checked when a call of evolveSessions() runs', async () => {
    const module = new ExpSyn(SIZE);
    const [a, b] = [module.session({ step: LAST - 5 }), module.session()];
    const first = a.evolve(raster(1, 3));
    const both = module.evolveSessions([a, b], raster(2, 3));
    await first;
    const { failures } = await both;
    assert.equal(failures.length, 1);
    assert.equal(failures[0]?.session, a);
    assert.equal(failures[0].error.step, LAST - 2);
    assert.deepEqual([a.step, b.step], [LAST - 2, 3]);
  });
});
