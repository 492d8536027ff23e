/** What calls return is data: it survives whatever copies data, and nobody else writes to it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';

import { ExpSyn, stats, type ExpSynOptions, type NdArray } from '../../lib/index';
import { assertSameBits } from '../support/bits';

const SIZE = 12;
const OPTIONS: ExpSynOptions = { tau: 0.02, noiseStd: 0.1, seed: 3 };
const raster = (...shape: number[]) => ({
  data: Float64Array.from(
    { length: shape.reduce((product, size) => product * size, 1) },
    (_, i) => (i % 5) - 1,
  ),
  shape,
});

/** Fails unless all of it is data of its own: plain objects and arrays with memory that is no other's. */
function assertPlain(value: unknown, place = 'result', buffers = new Set<unknown>()): void {
  if (typeof value !== 'object' || value === null) {
    assert.notEqual(typeof value, 'function', place);
    return;
  }
  if (ArrayBuffer.isView(value)) {
    assert.equal(value.buffer.byteLength, value.byteLength, `memory of ${place}`);
    assert.ok(!buffers.has(value.buffer), place);
    buffers.add(value.buffer);
    return;
  }
  const prototype = Array.isArray(value) ? Array.prototype : Object.prototype;
  assert.equal(Object.getPrototypeOf(value), prototype, place);
  for (const key of Reflect.ownKeys(value)) {
    if (Array.isArray(value) && key === 'length') continue;
    const descriptor = Object.getOwnPropertyDescriptor(value, key);
    assert.ok(descriptor !== undefined && 'value' in descriptor, `${place}.${String(key)}`);
    assert.equal(descriptor.enumerable, true, `${place}.${String(key)}`);
    assertPlain(descriptor.value, `${place}.${String(key)}`, buffers);
  }
}

/** Arrays of a result as JSON writes them. */
const inJson = (array: NdArray) =>
  Object.fromEntries(
    Object.entries(array).map(([key, value]) => [
      key,
      ArrayBuffer.isView(value) ? Object.fromEntries((value as Float64Array).entries()) : value,
    ]),
  );

const MODULES: [string, ExpSynOptions][] = [
  ['float64', OPTIONS],
  ['float32', { ...OPTIONS, dtype: 'float32' }],
  ['rockpool', { ...OPTIONS, compat: 'rockpool' }],
];

describe('a result', () => {
  for (const [name, options] of MODULES) {
    for (const evolve of ['evolve', 'evolveSync'] as const) {
      it(`of ${evolve}() is data that any copy keeps, ${name}`, async () => {
        for (const shape of [[1, SIZE], [40, SIZE], [3, 7, SIZE], [0, SIZE], [0, 2, SIZE], [5]]) {
          const module = new ExpSyn(SIZE, options);
          const result = await module[evolve](raster(...shape));
          assertPlain(result);
          assert.deepEqual(Object.keys(result), ['output', 'state', 'record']);
          assert.deepEqual(result.state, { isyn: module.isyn, step: module.step });
          assert.equal(
            result.state.isyn.data[Symbol.toStringTag].toLowerCase(),
            `${module.dtype}array`,
          );
          assert.deepEqual({ ...result }, result);
          assert.deepEqual(structuredClone(result), result);
          const { port1, port2 } = new MessageChannel();
          port1.postMessage(result);
          const [received] = (await once(port2, 'message')) as unknown[];
          port1.close();
          assert.deepEqual(received, result);
          assert.deepEqual(JSON.parse(JSON.stringify(result)), {
            output: inJson(result.output),
            state: { isyn: inJson(result.state.isyn), step: module.step },
            record: {
              ...result.record,
              windowLength: module.windowLength,
            },
          });
        }
      });
    }

    it(`goes on from its copy as from itself, ${name}`, () => {
      const module = new ExpSyn(SIZE, options);
      const { state } = module.evolveSync(raster(9, SIZE));
      const itself = new ExpSyn(SIZE, options).setAttributes(state);
      const expected = itself.evolveSync(raster(4, SIZE)).output.data;
      for (const copy of [{ ...state }, structuredClone(state)]) {
        const set = new ExpSyn(SIZE, options).setAttributes(copy);
        assertSameBits(set.evolveSync(raster(4, SIZE)).output.data, expected);
        const given = new ExpSyn(SIZE, options);
        assertSameBits(given.evolveSync(raster(4, SIZE), { state: copy }).output.data, expected);
      }
    });
  }

  it('is not the state of its module: what is written into it changes nothing', async () => {
    const module = new ExpSyn(SIZE, OPTIONS);
    const twin = new ExpSyn(SIZE, OPTIONS);
    const results = [module.evolveSync(raster(3, SIZE)), await module.evolve(raster(3, SIZE))];
    twin.evolveSync(raster(3, SIZE));
    twin.evolveSync(raster(3, SIZE));
    for (const { state, output } of results) {
      state.isyn.data.fill(1e9);
      output.data.fill(1e9);
      (state.isyn.shape as number[])[0] = 99;
      state.step = 77;
    }
    assertSameBits(module.isyn.data, twin.isyn.data);
    assert.deepEqual(module.isyn.shape, [SIZE]);
    // What is handed over takes nothing away either.
    const { state } = module.evolveSync(raster(1, SIZE));
    structuredClone(state.isyn.data.buffer, { transfer: [state.isyn.data.buffer as ArrayBuffer] });
    twin.evolveSync(raster(1, SIZE));
    assertSameBits(
      module.evolveSync(raster(2, SIZE)).output.data,
      twin.evolveSync(raster(2, SIZE)).output.data,
    );
  });

  it('keeps the state of its moment, whatever runs later', () => {
    const module = new ExpSyn(SIZE, OPTIONS);
    const first = module.evolveSync(raster(3, SIZE));
    const kept = structuredClone(first);
    for (let i = 0; i < 100; i++) module.evolveSync(raster(1, SIZE));
    module.resetState();
    assert.deepEqual(first, kept);
  });

  it('of a session, and of many, is data but for the sessions in it', async () => {
    const module = new ExpSyn(SIZE, OPTIONS);
    const session = module.session();
    for (const result of [
      session.evolveSync(raster(2, SIZE)),
      await session.evolve(raster(2, SIZE)),
    ]) {
      assertPlain(result);
      assert.deepEqual(structuredClone(result), result);
    }
    const input = raster(2, 3, SIZE);
    const sessions = [session, module.session()];
    const good = module.evolveSessionsSync(sessions, input);
    assertPlain(good);
    assert.deepEqual(structuredClone(good), good);
    input.data[40] = NaN;
    const { failures, ...rest } = await module.evolveSessions(sessions, input);
    assertPlain(rest);
    const [failure] = structuredClone(failures);
    assert.equal(failure?.item, 1);
    assert.equal(failure.error.message, failures[0]?.error.message);
    assert.ok(failure.error instanceof RangeError);
    // A session stays where its memory is.
    assert.deepEqual(failure.session, {});
    assert.equal(failures[0]?.session, sessions[1]);
  });

  it('of other questions is data too', () => {
    const module = new ExpSyn(SIZE, OPTIONS);
    for (const values of [
      module.parameters(),
      module.state(),
      module.simulationParameters(),
      module.attributesNamed(['tau', 'isyn', 'dt']),
      module.tau,
      module.isyn,
      module.session().isyn,
      module.toJSON(),
      module.session().toJSON(),
      stats(),
    ]) {
      assertPlain(values);
      assert.deepEqual(structuredClone(values), values);
      assert.ok(JSON.stringify(values).length > 2);
    }
  });
});
