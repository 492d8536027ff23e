/** Whatever the addon is given, it computes or refuses: nothing crashes. */
import assert from 'node:assert/strict';

import { ExpSyn, stats } from '../../lib/index';
import {
  native,
  type CallDetails,
  type EvolveArguments,
  type EvolveSessionsArguments,
  type Kernel,
  type Native,
  type NativeEventClock,
  type NativeTimeSurvey,
  type Synapses,
} from '../../lib/native/native';
import { collectGarbage, detach, LENGTH, raster, SIZE, STEPS } from '../support/buffers';
import { newKernel, newSynapses, nextId, SETTINGS } from '../support/native-calls';

type Function = (...values: unknown[]) => unknown;

const detached = new Float64Array(LENGTH);
detach(detached.buffer);
const junk = [
  undefined,
  null,
  -1,
  NaN,
  1.5,
  2 ** 40,
  2 ** 53,
  Infinity,
  'text',
  7n,
  Symbol('symbol'),
  true,
  {},
  [],
  () => 1,
  new ArrayBuffer(8),
  new DataView(new ArrayBuffer(8)),
  new Uint8Array(3),
  new Float64Array(LENGTH - 1),
  new Float64Array(LENGTH + 1),
  detached,
  new Proxy({}, {}),
  new ExpSyn(1),
  newKernel(2),
  newSynapses(2),
  new native.SessionTable(2, 2, undefined),
];
const isRefusal = (error: unknown) => error instanceof TypeError || error instanceof RangeError;

/** A call that works, and what has it do its work. */
interface GoodCall {
  call: (...values: never[]) => unknown;
  /** Makes the receiver and the arguments anew. */
  make: () => { receiver?: unknown; values: unknown[] };
}

const newTable = () => {
  const table = new native.SessionTable(SIZE, 2, undefined);
  native.openSession(table, 1);
  return table;
};
/** Events in place of the raster, which is then their times. */
const details = (): CallDetails => ({
  timesteps: STEPS,
  columns: SIZE,
  every: 1,
  reduce: 0,
  partial: undefined,
  partialSteps: 0,
  lengths: undefined,
  resets: undefined,
  resetEnds: undefined,
  channels: new Uint8Array(LENGTH),
  values: undefined,
  batches: undefined,
  dt: 1,
  isOutsideDropped: true,
  isExact: false,
});
const evolveArguments = (): Required<EvolveArguments> => [
  raster(),
  new Float64Array(LENGTH),
  new Float64Array(2 * SIZE),
  new Float64Array(2 * SIZE),
  1,
  0,
  0,
  0,
  0,
  details(),
];
const sessionsArguments = (): Required<EvolveSessionsArguments> => [
  newTable(),
  0,
  raster(),
  new Float64Array(LENGTH),
  details(),
];
const states = () => new Float64Array(2 * SIZE);

const { evolve, evolveSessions } = newSynapses(SIZE);
const { evolveAsync, evolveSessionsAsync, methodFor, lacksFftw } = newSynapses(1);
const newClock = () => new native.EventClock(1000, 1e-3, 5, 0.5, false, 100);
const newSurvey = () => new native.TimeSurvey();
const { stepsOf, isEarly } = newClock();
const { add } = newSurvey();
type WithoutArguments =
  'instructionSet' | 'readLoad' | 'takeFftwWarning' | 'TimeSurvey' | 'largestSingle' | 'tolerance';
type Methods = keyof Synapses | keyof NativeEventClock | keyof NativeTimeSurvey;
const GOOD_CALLS: Record<Exclude<keyof Native | Methods, WithoutArguments>, GoodCall> = {
  Kernel: {
    call: (...values) => Reflect.construct(native.Kernel, values) as unknown,
    make: () => ({ values: ['exp', 2, [new Float64Array(2).fill(1)], 1e-3, 10, 1e6, 'peak'] }),
  },
  Synapses: {
    call: (...values) => Reflect.construct(native.Synapses, values) as unknown,
    make: () => ({ values: [newKernel(2), SETTINGS] }),
  },
  SessionTable: {
    call: (...values) => Reflect.construct(native.SessionTable, values) as unknown,
    make: () => ({ values: [2, 2] }),
  },
  EventClock: {
    call: (...values) => Reflect.construct(native.EventClock, values) as unknown,
    make: () => ({ values: [1000, 1e-3, 5, 0.5, false, 100] }),
  },
  stepsOf: {
    call: stepsOf,
    make: () => ({ receiver: newClock(), values: [raster(), new Float64Array(LENGTH)] }),
  },
  isEarly: {
    call: isEarly,
    make: () => ({ receiver: newClock(), values: [BigInt64Array.of(1n)] }),
  },
  add: { call: add, make: () => ({ receiver: newSurvey(), values: [raster()] }) },
  methodFor: {
    call: methodFor,
    make: () => ({ receiver: newSynapses(SIZE), values: [10, false] }),
  },
  lacksFftw: {
    call: lacksFftw,
    make: () => ({ receiver: newSynapses(SIZE), values: [10, false] }),
  },
  fftw: { call: native.fftw, make: () => ({ values: ['float32'] }) },
  evolve: {
    call: evolve,
    make: () => ({ values: evolveArguments() }),
  },
  evolveAsync: {
    call: evolveAsync,
    make: () => ({ receiver: newSynapses(SIZE), values: [...evolveArguments(), nextId()] }),
  },
  evolveSessions: {
    call: evolveSessions,
    make: () => ({ values: sessionsArguments() }),
  },
  evolveSessionsAsync: {
    call: evolveSessionsAsync,
    make: () => ({
      receiver: newSynapses(SIZE),
      values: [...sessionsArguments(), states(), nextId()],
    }),
  },
  describeKernel: { call: native.describeKernel, make: () => ({ values: [newKernel(2)] }) },
  releaseKernel: { call: native.releaseKernel, make: () => ({ values: [newKernel(2)] }) },
  openSession: { call: native.openSession, make: () => ({ values: [newTable(), 1] }) },
  closeSession: { call: native.closeSession, make: () => ({ values: [newTable(), 0] }) },
  readSession: { call: native.readSession, make: () => ({ values: [newTable(), 0, states()] }) },
  writeSession: {
    call: native.writeSession,
    make: () => ({ values: [newTable(), 0, states(), 5, 6] }),
  },
  commitSessions: {
    call: native.commitSessions,
    make: () => ({ values: [newTable(), Int32Array.of(0), states(), 1] }),
  },
  countEvents: {
    call: native.countEvents,
    make: () => ({
      values: [
        new Float64Array(LENGTH),
        new Uint8Array(LENGTH),
        new Float32Array(LENGTH),
        new Uint8Array(LENGTH),
        1,
        false,
        1,
        SIZE,
        new Float64Array(LENGTH),
      ],
    }),
  },
  cancel: { call: native.cancel, make: () => ({ values: [nextId(), true] }) },
  acquire: { call: native.acquire, make: () => ({ values: [0] }) },
  release: { call: native.release, make: () => ({ values: [0, 'done', 0] }) },
  setLimits: {
    call: native.setLimits,
    make: () => ({ values: [stats().limits.calls, stats().limits.bytes, true] }),
  },
};

describe('arguments of the addon', () => {
  it('are computed or refused whatever the details of a call are', async () => {
    const good = details();
    const names = Object.keys({ ...good, partial: 0, lengths: 0, resets: 0, resetEnds: 0 });
    for (const name of names) {
      let nRefused = 0;
      for (const value of junk) {
        const changed = { ...details(), [name]: value };
        try {
          const synapses = newSynapses(SIZE);
          const [input, output, state, nextState] = evolveArguments();
          synapses.evolve(input, output, state, nextState, 1, 0, 0, 0, 0, changed);
          await synapses.evolveAsync(
            input,
            output,
            state,
            nextState,
            1,
            0,
            0,
            0,
            0,
            changed,
            nextId(),
          );
        } catch (error) {
          assert.ok(isRefusal(error), String(error));
          nRefused++;
        }
      }
      assert.ok(nRefused >= 5, `${nRefused} refused for ${name}`);
    }
  });

  for (const [name, { call, make }] of Object.entries(GOOD_CALLS)) {
    it(`${name}: other types and lengths in any place are computed or refused`, async () => {
      const run = async (receiver: unknown, values: unknown[]): Promise<boolean> => {
        try {
          await Reflect.apply(call as Function, receiver, values);
          return true;
        } catch (error) {
          assert.ok(isRefusal(error), String(error));
          return false;
        }
      };
      const good = make();
      assert.ok(await run(good.receiver, good.values));
      for (let position = 0; position < good.values.length; position++) {
        let nRefused = 0;
        for (const value of junk) {
          const { receiver, values } = make();
          values[position] = value;
          if (!(await run(receiver, values))) nRefused++;
        }
        assert.ok(nRefused >= 10, `${nRefused} refused in place ${position}`);
      }
      assert.equal(await run(good.receiver, []), false);
      if (good.receiver === undefined) return;
      const others = junk.filter((value) => !(value instanceof native.Synapses));
      for (const receiver of [...others, Object.create(good.receiver)]) {
        assert.equal(await run(receiver, make().values), false);
      }
    });
  }

  it('need no number of steps: lengths that fit no number are refused', () => {
    const synapses = newSynapses(SIZE);
    for (const [position, length] of [
      [0, LENGTH - SIZE],
      [0, STEPS + 1],
      [1, LENGTH - 1],
      [2, SIZE],
      [3, SIZE],
    ] as const) {
      const call = evolveArguments().slice(0, 9) as EvolveArguments;
      call[position] = new Float64Array(length);
      assert.throws(() => synapses.evolve(...call), TypeError);
    }
    const call = evolveArguments().slice(0, 9) as EvolveArguments;
    call[1] = new Float32Array(LENGTH);
    assert.throws(() => synapses.evolve(...call), TypeError);
  });

  it('may be those of no batch item and of no step', () => {
    const synapses = newSynapses(SIZE);
    const none = new Float64Array(0);
    assert.equal(synapses.evolve(none, none, states(), none, 0, 0, 0, 0, 0), -1);
    const nextState = states();
    assert.equal(synapses.evolve(none, none, states(), nextState, 1, 0, 0, 0, 0), -1);
  });

  it('are no kernels that have been released, for any use', async () => {
    const kernel: Kernel = newKernel(SIZE);
    const synapses = new native.Synapses(kernel, SETTINGS);
    const pending = synapses.evolveAsync(...evolveArguments(), nextId());
    native.releaseKernel(kernel);
    native.releaseKernel(kernel);
    assert.equal(await pending, -1);
    assert.throws(() => native.describeKernel(kernel), TypeError);
    assert.throws(() => new native.Synapses(kernel, SETTINGS), TypeError);
    assert.throws(() => synapses.methodFor(10, false), TypeError);
    assert.throws(() => synapses.lacksFftw(10, false), TypeError);
    assert.throws(() => synapses.evolve(...evolveArguments()), TypeError);
    assert.throws(() => synapses.evolveAsync(...evolveArguments(), nextId()), TypeError);
    assert.throws(() => synapses.evolveSessions(...sessionsArguments()), TypeError);
  });

  it('are no number that a pending call has', async () => {
    const synapses = newSynapses(SIZE);
    const id = nextId();
    const pending = synapses.evolveAsync(...evolveArguments(), id);
    assert.throws(() => synapses.evolveAsync(...evolveArguments(), id), {
      name: 'TypeError',
      message: 'Expected a number that no other call has.',
    });
    assert.equal(await pending, -1);
  });

  it('may be given to a function whose synapses nobody holds any more', () => {
    const functions = Array.from({ length: 50 }, () => newSynapses(SIZE).evolve);
    const first = evolveArguments();
    newSynapses(SIZE).evolve(...first);
    collectGarbage();
    for (const own of functions) {
      const call = evolveArguments();
      assert.equal(own(...call), -1);
      assert.deepEqual(call[1], first[1]);
    }
  });

  it('are no sessions that are closed, or of another size', () => {
    const synapses = newSynapses(SIZE);
    const [, , input, output] = sessionsArguments();
    const table = newTable();
    assert.deepEqual(synapses.evolveSessions(table, 0, input, output), []);
    assert.equal(native.readSession(table, 0, undefined), STEPS);
    // Numbers of sessions that are not open are ignored.
    native.closeSession(table, 2 ** 40);
    native.commitSessions(table, Int32Array.of(-1, 7), new Float64Array(4 * SIZE), 1);
    const other = new native.SessionTable(SIZE + 1, 2, undefined);
    const number = native.openSession(other, 1);
    assert.throws(() => synapses.evolveSessions(other, number, input, output), TypeError);
    assert.equal(native.readSession(table, 0, undefined), STEPS);
    native.closeSession(table, 0);
    native.closeSession(table, 0);
    assert.throws(() => synapses.evolveSessions(table, 0, input, output), TypeError);
    assert.equal(native.openSession(table, 1), 0);
    assert.notEqual(native.openSession(table, 1), 0);
  });

  it('need new for what is made', () => {
    for (const name of ['Kernel', 'Synapses', 'SessionTable'] as const) {
      const make = native[name] as unknown as Function;
      assert.throws(() => make(...GOOD_CALLS[name].make().values), TypeError);
    }
  });

  it('count nothing where they are refused', () => {
    native.release(2 ** 50, 'done', 1);
    assert.deepEqual([stats().queued, stats().running, stats().bytes], [0, 0, 0]);
  });
});
