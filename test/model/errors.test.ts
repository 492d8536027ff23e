/** What programs can tell errors apart by, and sessions that cannot go further. */
import assert from 'node:assert/strict';

import {
  ExpSyn,
  OverloadError,
  setLimits,
  stats,
  type ErrorCode,
  type ExpSynError,
  type ExpSynSession,
  type NdArray,
} from '../../lib/index';
import { native } from '../../lib/native/native';
import { iterate, nodeTransform, webTransform } from '../../lib/streams';
import { assertSameBits } from '../support/bits';

const LAST = Number.MAX_SAFE_INTEGER;

/** What an error says to programs, but for the parts of its message, which it must have as data. */
function detailsOf(error: unknown): Record<string, unknown> {
  assert.ok(error instanceof Error, String(error));
  assert.match(error.message, /^Expected .*\.$/);
  const { expected, received, advice, ...rest } = Object.assign({}, error) as Partial<ExpSynError>;
  const end = ` but received ${received}${advice === undefined ? '' : `; ${advice}`}.`;
  if (rest.code === 'ERR_EXPSYN_ARGUMENT_TYPE' || received !== undefined) {
    assert.ok(error.message.startsWith(`Expected ${expected}`), error.message);
    assert.ok(error.message.endsWith(end), error.message);
  }
  return { ...rest, name: error.name };
}

function thrown(call: () => unknown): Record<string, unknown> {
  try {
    call();
  } catch (error) {
    return detailsOf(error);
  }
  return assert.fail('nothing was thrown');
}

async function rejected(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return detailsOf(error);
  }
  return assert.fail('nothing was rejected');
}

const type = (argument: string) => ({
  name: 'TypeError',
  code: 'ERR_EXPSYN_ARGUMENT_TYPE',
  argument,
});
const value = (argument: string) => ({
  name: 'RangeError',
  code: 'ERR_EXPSYN_ARGUMENT_VALUE',
  argument,
});

describe('the code of an error', () => {
  it('says whether the kind or the value of an argument is wrong, and which', async () => {
    const module = new ExpSyn(2);
    const session = module.session();
    const input = { data: new Uint8Array(2), shape: [1, 2] };
    const rows: [() => unknown, object][] = [
      [() => new ExpSyn('2' as never), type('shape')],
      [() => new ExpSyn(0), value('shape')],
      [() => new ExpSyn([1, 2]), value('shape')],
      [() => new ExpSyn(2, { Tau: 1 } as object), type('options')],
      [() => new ExpSyn(2, { dt: 0 }), value('dt')],
      [() => new ExpSyn(2, { dt: '1' as never }), type('dt')],
      [() => new ExpSyn(2, { tau: [0.1, -1] }), value('tau[1]')],
      [() => new ExpSyn(2, { tau: [0.1] }), value('tau')],
      [() => new ExpSyn(2, { method: 'slow' as never }), value('method')],
      [() => module.setAttributes({ Tau: 1 }), type('the name of an attribute')],
      [() => (module.isyn = [1, 2, 3]), value('isyn')],
      [() => module.parameters(1 as never), type('family')],
      [() => module.attributesNamed(1 as never), type('names')],
      [() => ExpSyn.fromJSON('{'), type('json')],
      [() => ExpSyn.fromJSON({ class: 'ExpSyn', version: 2 }), type('json.version')],
      [() => ExpSyn.fromJSON({ ...module.toJSON(), dt: -1 }), value('dt')],
      [() => module.session({ seed: -1 }), value('options.seed')],
      [() => module.restoreSession({}), type('json.class')],
      [() => (session.step = 0.5), value('step')],
      [() => session.evolveSync({ ...input, shape: [2, 2] }), value('input.data')],
      [() => module.evolveSync(new Uint8Array(2) as never), type('input')],
      [() => module.evolveSync({ ...input, shape: [2] }, { out: 3 as never }), type('options.out')],
      [() => module.evolveSync(input, { out: new Float64Array(3) }), value('options.out.data')],
      [() => module.evolveSync(input, { transfer: true }), value('options.transfer')],
      [() => module.evolveSync(input, { signal: AbortSignal.abort() }), value('options.signal')],
      [() => module.evolveSync(input, { origin: { synapse: 1 } }), value('options.origin.synapse')],
      [
        () => module.evolveSessionsSync([session, session], { ...input, shape: [2, 1, 1] }),
        value('sessions'),
      ],
      [() => module.evolveSessionsSync(1 as never, input), type('sessions')],
      [() => module.evolveSessionsSync([{}] as never, input), type('sessions[0]')],
      [
        () => {
          setLimits({ calls: 0 });
        },
        value('limits.calls'),
      ],
      [() => webTransform(module, { steps: 0 }), value('options.steps')],
      [() => nodeTransform({} as never), type('target')],
      [() => webTransform(module, { signal: {} as never }), type('options.signal')],
    ];
    for (const [call, expected] of rows) assert.deepEqual(thrown(call), expected);
    const chunks = iterate(module, ['text'] as never);
    assert.deepEqual(await rejected(chunks.next()), type('a chunk'));
    const rest = iterate(module, [new Uint8Array(3)]);
    await rest.next();
    assert.deepEqual(await rejected(rest.next()), value('the stream'));
  });

  it('says where a NaN or infinity stands', async () => {
    const found = (argument: string, index: number[], number: number) => ({
      name: 'RangeError',
      code: 'ERR_EXPSYN_NON_FINITE',
      argument,
      index,
      value: number,
    });
    const module = new ExpSyn(3);
    const at = (flat: number, number: number, shape: number[]) => {
      const data = new Float32Array(12);
      data[flat] = number;
      return { data, shape };
    };
    for (const [flat, number, shape, index] of [
      [11, NaN, [2, 2, 3], [1, 1, 2]],
      [4, -Infinity, [4, 3], [1, 1]],
      [0, Infinity, [12], [0]],
      [7, NaN, [2, 6, 1], [1, 1, 0]],
    ] as const) {
      const input = at(flat, number, [...shape]);
      const expected = found('input', [...index], number);
      assert.deepEqual(
        thrown(() => module.evolveSync(input)),
        expected,
      );
      assert.deepEqual(await rejected(module.evolve(input)), expected);
    }
    const session = module.session();
    assert.deepEqual(
      await rejected(session.evolve(at(5, NaN, [4, 3]))),
      found('input', [1, 2], NaN),
    );
    const { failures } = module.evolveSessionsSync(
      [module.session(), session],
      at(9, Infinity, [2, 2, 3]),
    );
    assert.deepEqual(
      failures.map(({ item, error }) => [item, detailsOf(error)]),
      [[1, found('input', [1, 1, 0], Infinity)]],
    );
    assert.deepEqual(
      thrown(() => (module.isyn = [0, 0, NaN])),
      found('isyn', [2], NaN),
    );
    const isyn = { data: Float64Array.of(0, 0, 0, 0, NaN, 0), shape: [2, 3] };
    assert.deepEqual(
      thrown(() => module.evolveSync([[1]], { state: { isyn } })),
      found('options.state.isyn', [1, 1], NaN),
    );
    assert.deepEqual(
      thrown(() => module.session({ isyn: [NaN, 0, 0] })),
      found('options.isyn', [0], NaN),
    );
  });

  it('says that a call is pending, or the session closed', async () => {
    const module = new ExpSyn(2);
    const session = module.session();
    const input = { data: new Uint8Array(20_000), shape: [10_000, 2] };
    const pending = (argument: string) => ({ name: 'Error', code: 'ERR_EXPSYN_PENDING', argument });
    const calls = [module.evolve(input), session.evolve(input)];
    assert.deepEqual(
      thrown(() => module.evolveSync(input)),
      pending('evolveSync()'),
    );
    const two = { ...input, shape: [2, 5000, 2] };
    const rows: [string, () => unknown][] = [
      ['evolveSync()', () => session.evolveSync(input)],
      ['evolveSync()', () => module.evolveSessionsSync([session], input)],
      ['sessions[1]', () => module.evolveSessionsSync([module.session(), session], two)],
      ['isyn', () => (session.isyn = [0, 0])],
      ['step', () => (session.step = 0)],
      ['seed', () => (session.seed = 0)],
      ['resetState()', () => session.resetState()],
    ];
    for (const [argument, call] of rows) assert.deepEqual(thrown(call), pending(argument));
    await Promise.all(calls);
    session.close();
    const closed = (argument: string) => ({ name: 'Error', code: 'ERR_EXPSYN_CLOSED', argument });
    const closedRows: [string, () => unknown][] = [
      ['isyn', () => session.isyn],
      ['step', () => session.step],
      ['resetState()', () => session.resetState()],
      ['evolveSync()', () => session.evolveSync(input)],
      ['sessions[0]', () => module.evolveSessionsSync([session], input)],
      ['sessions[1]', () => module.evolveSessionsSync([module.session(), session], two)],
    ];
    for (const [argument, call] of closedRows) assert.deepEqual(thrown(call), closed(argument));
    for (const call of [() => (session.seed = 1), () => session.toJSON()]) {
      assert.equal(thrown(call)['code'], 'ERR_EXPSYN_CLOSED');
    }
    const both = module.evolveSessions([module.session(), session], [[[1]], [[1]]]);
    assert.deepEqual(await rejected(both), closed('sessions[1]'));
  });

  it('says that the process has too much to do', async () => {
    const { limits } = stats();
    setLimits({ calls: 1 });
    try {
      const module = new ExpSyn(2);
      const first = module.evolve([[1, 1]]);
      const refused = module.evolve([[1, 1]]);
      await assert.rejects(refused, OverloadError);
      const details = await rejected(refused);
      assert.deepEqual(details, { name: 'OverloadError', code: 'ERR_EXPSYN_OVERLOAD' });
      await first;
    } finally {
      setLimits(limits);
    }
  });

  it('says that memory has run out, whoever asked for it', async () => {
    const expected = (argument: string) => ({
      name: 'RangeError',
      code: 'ERR_EXPSYN_OUT_OF_MEMORY',
      argument,
    });
    // One column for all synapses: the input is small, the output would have 2^44 elements.
    const module = new ExpSyn(2 ** 22);
    const input = { data: new Uint8Array(2 ** 22), shape: [2 ** 22] };
    assert.deepEqual(
      thrown(() => module.evolveSync(input)),
      expected('output'),
    );
    assert.deepEqual(await rejected(module.evolve(input)), expected('output'));
    const row = new Proxy([1], {
      get: (target, key) => (key === 'length' ? 2 ** 50 : (Reflect.get(target, key) as unknown)),
    });
    assert.deepEqual(
      thrown(() => new ExpSyn(1).evolveSync(row)),
      expected('input'),
    );
  });

  it('is that of a native error too', () => {
    const errors = [
      thrown(() => {
        native.releaseKernel({} as never);
      }),
      thrown(() => new native.Kernel('exp', 1, [new Float32Array(1)] as never, 1, 1, 1)),
      thrown(() => new native.Kernel('exp', 1, [new Float64Array(1)], '1' as never, 1, 1)),
      thrown(() => new native.Synapses({} as never, {} as never)),
      thrown(() => new native.SessionTable(0, 2)),
      thrown(() => {
        native.commitSessions(new native.SessionTable(1, 2), 0, [] as never, 1);
      }),
      thrown(() => native.readSession(new native.SessionTable(1, 2), 5, undefined)),
    ];
    for (const error of errors) {
      assert.deepEqual(error, { name: 'TypeError', code: 'ERR_EXPSYN_INTERNAL' });
    }
  });

  it('is none where a getter of the caller or a reason of a signal speaks', async () => {
    const own = new Error('mine');
    const module = new ExpSyn(2);
    const input = {
      data: new Uint8Array(2),
      get shape(): number[] {
        throw own;
      },
    };
    await assert.rejects(module.evolve(input), (error) => error === own);
    const signal = AbortSignal.abort(own);
    await assert.rejects(module.evolve([[1, 1]], { signal }), (error) => error === own);
    assert.equal('code' in own, false);
  });

  it('has a type, of which every code is one', () => {
    // Fails to compile where one is missing.
    const codes: Record<ErrorCode, string> = {
      ERR_EXPSYN_ARGUMENT_TYPE: 'TypeError',
      ERR_EXPSYN_ARGUMENT_VALUE: 'RangeError',
      ERR_EXPSYN_NON_FINITE: 'RangeError',
      ERR_EXPSYN_STEP_LIMIT: 'RangeError',
      ERR_EXPSYN_OUT_OF_MEMORY: 'RangeError',
      ERR_EXPSYN_OVERLOAD: 'OverloadError',
      ERR_EXPSYN_PENDING: 'Error',
      ERR_EXPSYN_CLOSED: 'Error',
      ERR_EXPSYN_ADDON: 'Error',
      ERR_EXPSYN_INTERNAL: 'any',
    };
    try {
      new ExpSyn(2, { tau: -1 });
      assert.fail();
    } catch (error) {
      const { code, argument } = error as ExpSynError;
      assert.equal(codes[code], (error as Error).name);
      assert.equal(argument, 'tau');
    }
  });
});

describe('a session of another module', () => {
  it('is named', async () => {
    const module = new ExpSyn(2);
    const other = new ExpSyn(2);
    const sessions = [0, 1, 2].map(() => module.session());
    const input = { data: new Uint8Array(8), shape: [4, 1, 2] };
    for (const [foreign, received] of [
      [other.session(), 'a session of another module'],
      [new Proxy(module.session(), {}), 'a Proxy; take the session itself'],
      [module, 'an object'],
      [Object.create(module.session()), 'an object'],
      [module.session().toJSON(), 'an object'],
      [3, '3'],
    ] as [unknown, string][]) {
      const message = `Expected a session of this module for sessions[3] but received ${received}.`;
      const given = [...sessions, foreign as ExpSynSession];
      assert.throws(() => module.evolveSessionsSync(given, input), { message });
      await assert.rejects(module.evolveSessions(given, input), {
        name: 'TypeError',
        message,
        code: 'ERR_EXPSYN_ARGUMENT_TYPE',
        argument: 'sessions[3]',
      });
    }
    sessions.forEach(({ step }) => {
      assert.equal(step, 0);
    });
  });
});

describe('a proxy of a session', () => {
  it('is refused by its own name, whatever is asked of it', async () => {
    const session = new ExpSyn(2).session();
    const proxy = new Proxy(session, {});
    const asked: [string, () => unknown][] = [
      ['module', () => proxy.module],
      ['module', () => proxy.sizeIn],
      ['isClosed', () => proxy.isClosed],
      ['isyn', () => proxy.isyn],
      ['isyn', () => (proxy.isyn = [1, 1])],
      ['step', () => proxy.step],
      ['step', () => (proxy.step = 1)],
      ['seed', () => proxy.seed],
      ['seed', () => (proxy.seed = 1)],
      ['evolveSync()', () => proxy.evolveSync([[1, 1]])],
      ['resetState()', () => proxy.resetState()],
      [
        'close()',
        () => {
          proxy.close();
        },
      ],
      ['toJSON()', () => JSON.stringify(proxy)],
    ];
    const sentence = (name: string) =>
      `Expected a session for ${name} but received a Proxy; take the session itself.`;
    for (const [name, ask] of asked) {
      assert.throws(ask, {
        name: 'TypeError',
        message: sentence(name),
        code: 'ERR_EXPSYN_ARGUMENT_TYPE',
        argument: name,
      });
    }
    await assert.rejects(proxy.evolve([[1, 1]]), { message: sentence('evolve()') });
    await assert.rejects(iterate(proxy, [new Uint8Array(2)]).next(), {
      message: sentence('module'),
    });
    assert.equal(session.step, 0);
    assert.equal(session.isClosed, false);
  });
});

describe('an array whose memory is gone', () => {
  it('is one without elements, wherever it is assigned', () => {
    const gone = () => {
      const data = new Float64Array(2);
      structuredClone(data.buffer, { transfer: [data.buffer] });
      return data;
    };
    const module = new ExpSyn(2);
    const session = module.session();
    const rows: [() => unknown, string][] = [
      [() => (module.isyn = gone()), 'isyn'],
      [() => (module.tau = gone()), 'tau'],
      [() => new ExpSyn(2, { tau: gone() }), 'tau'],
      [() => (session.isyn = gone()), 'isyn'],
      [() => module.session({ isyn: gone() }), 'options.isyn'],
      [() => module.evolveSync([[1, 1]], { state: { isyn: gone() } }), 'options.state.isyn'],
    ];
    for (const [call, argument] of rows) assert.deepEqual(thrown(call), value(argument));
    const shaped = { data: gone(), shape: [2] };
    assert.deepEqual(
      thrown(() => (module.isyn = shaped)),
      value('isyn.data'),
    );
  });
});

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

  it('is not passed by a module or a session alone', async () => {
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

  it('is noticed when the call runs, where others go before it', async () => {
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
      it(`fails its own sessions in ${evolve}(), ${dtype}`, async () => {
        const module = new ExpSyn(SIZE, { dtype, noiseStd: 0.2 });
        const open = (steps: number[]) =>
          steps.map((step, seed) => module.session({ step, seed, isyn: [1, 2, 3] }));
        const steps = [LAST, 5, LAST - 3, LAST - 4, LAST - 1];
        const [sessions, alone] = [open(steps), open(steps)];
        const before = sessions.map((session) => JSON.stringify(session));
        const input = raster(5, 4);
        // One that cannot go on, and one that could.
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
        // None that can.
        const last = open([LAST, LAST - 1]);
        const { failures: all } = await module[evolve](last, raster(2, 2));
        assert.deepEqual(
          all.map(({ item }) => item),
          [0, 1],
        );
        assert.deepEqual((await module[evolve](last, raster(2, 0))).failures, []);
      });
    }

    it(`leaves the input of those that failed where out is its memory, ${dtype}`, async () => {
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

  it('waits its turn in a gathered call, and fails when it runs', async () => {
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
