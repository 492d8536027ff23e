/** The codes and data of errors, by which programs tell them apart. */
import assert from 'node:assert/strict';

import {
  ExpSyn,
  OverloadError,
  setLimits,
  stats,
  type ErrorCode,
  type ExpSynError,
} from '../../lib/index';
import { native } from '../../lib/native/native';
import { iterate, nodeTransform, webTransform } from '../../lib/streams';
import { detailsOf, rejected, thrown, typeError, valueError } from '../support/error-details';

describe('the code of an error', () => {
  it('says whether an argument has a wrong type or value, and which one', async () => {
    const module = new ExpSyn(2);
    const session = module.session();
    const input = { data: new Uint8Array(2), shape: [1, 2] };
    const rows: [() => unknown, object][] = [
      [() => new ExpSyn('2' as never), typeError('shape')],
      [() => new ExpSyn(0), valueError('shape')],
      [() => new ExpSyn([1, 2]), valueError('shape')],
      [() => new ExpSyn(2, { Tau: 1 } as object), typeError('options')],
      [() => new ExpSyn(2, { dt: 0 }), valueError('dt')],
      [() => new ExpSyn(2, { dt: '1' as never }), typeError('dt')],
      [() => new ExpSyn(2, { tau: [0.1, -1] }), valueError('tau[1]')],
      [() => new ExpSyn(2, { tau: [0.1] }), valueError('tau')],
      [() => new ExpSyn(2, { method: 'slow' as never }), valueError('method')],
      [() => module.setAttributes({ Tau: 1 }), typeError('the name of an attribute')],
      [() => (module.isyn = [1, 2, 3]), valueError('isyn')],
      [() => module.parameters(1 as never), typeError('family')],
      [() => module.attributesNamed(1 as never), typeError('names')],
      [() => ExpSyn.fromJSON('{'), typeError('json')],
      [() => ExpSyn.fromJSON({ class: 'ExpSyn', version: 2 }), typeError('json.version')],
      [() => ExpSyn.fromJSON({ ...module.toJSON(), dt: -1 }), valueError('dt')],
      [() => module.session({ seed: -1 }), valueError('options.seed')],
      [() => module.restoreSession({}), typeError('json.class')],
      [() => (session.step = 0.5), valueError('step')],
      [() => session.evolveSync({ ...input, shape: [2, 2] }), valueError('input.data')],
      [() => module.evolveSync(new Uint8Array(2) as never), typeError('input')],
      [
        () => module.evolveSync({ ...input, shape: [2] }, { out: 3 as never }),
        typeError('options.out'),
      ],
      [
        () => module.evolveSync(input, { out: new Float64Array(3) }),
        valueError('options.out.data'),
      ],
      [() => module.evolveSync(input, { transfer: true }), valueError('options.transfer')],
      [
        () => module.evolveSync(input, { signal: AbortSignal.abort() }),
        valueError('options.signal'),
      ],
      [
        () => module.evolveSync(input, { origin: { synapse: 1 } }),
        valueError('options.origin.synapse'),
      ],
      [
        () => module.evolveSessionsSync([session, session], { ...input, shape: [2, 1, 1] }),
        valueError('sessions'),
      ],
      [() => module.evolveSessionsSync(1 as never, input), typeError('sessions')],
      [() => module.evolveSessionsSync([{}] as never, input), typeError('sessions[0]')],
      [
        () => {
          setLimits({ calls: 0 });
        },
        valueError('limits.calls'),
      ],
      [() => webTransform(module, { steps: 0 }), valueError('options.steps')],
      [() => nodeTransform({} as never), typeError('target')],
      [() => webTransform(module, { signal: {} as never }), typeError('options.signal')],
    ];
    for (const [call, expected] of rows) assert.deepEqual(thrown(call), expected);
    const chunks = iterate(module, ['text'] as never);
    assert.deepEqual(await rejected(chunks.next()), typeError('a chunk'));
    const rest = iterate(module, [new Uint8Array(3)]);
    await rest.next();
    assert.deepEqual(await rejected(rest.next()), valueError('the stream'));
  });

  it('says at which index a NaN or infinity is', async () => {
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

  it('says that a call is pending or the session closed', async () => {
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

  it('says that the process has reached its limits', async () => {
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

  it('says that memory has run out, for an output and for an input', async () => {
    const expected = (argument: string) => ({
      name: 'RangeError',
      code: 'ERR_EXPSYN_OUT_OF_MEMORY',
      argument,
    });
    // One input channel drives all synapses, so only the output is large: 2^44 elements.
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

  it('is also set on errors of the addon', () => {
    const errors = [
      thrown(() => {
        native.releaseKernel({} as never);
      }),
      thrown(() => new native.Kernel('exp', 1, [new Float32Array(1)] as never, 1, 1, 1, 'peak')),
      thrown(() => new native.Kernel('exp', 1, [new Float64Array(1)], '1' as never, 1, 1, 'peak')),
      thrown(() => new native.Synapses({} as never, {} as never)),
      thrown(() => new native.SessionTable(0, 2, undefined)),
      thrown(() => {
        native.commitSessions(new native.SessionTable(1, 2, undefined), 0, [] as never, 1);
      }),
      thrown(() => native.readSession(new native.SessionTable(1, 2, undefined), 5, undefined)),
    ];
    for (const error of errors) {
      assert.deepEqual(error, { name: 'TypeError', code: 'ERR_EXPSYN_INTERNAL' });
    }
  });

  it('is not set on errors of a getter or of a signal, which are passed on', async () => {
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

  it('is a member of the type ErrorCode', () => {
    // Fails to compile if a code is missing.
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
      ERR_EXPSYN_FFTW_MISSING: 'Error',
      ERR_EXPSYN_FILE: 'Error',
      ERR_EXPSYN_FIGURE: 'Error',
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

describe('a detached array', () => {
  it('is treated as an array without elements, as any argument', () => {
    const detached = () => {
      const data = new Float64Array(2);
      structuredClone(data.buffer, { transfer: [data.buffer] });
      return data;
    };
    const module = new ExpSyn(2);
    const session = module.session();
    const rows: [() => unknown, string][] = [
      [() => (module.isyn = detached()), 'isyn'],
      [() => (module.tau = detached()), 'tau'],
      [() => new ExpSyn(2, { tau: detached() }), 'tau'],
      [() => (session.isyn = detached()), 'isyn'],
      [() => module.session({ isyn: detached() }), 'options.isyn'],
      [() => module.evolveSync([[1, 1]], { state: { isyn: detached() } }), 'options.state.isyn'],
    ];
    for (const [call, argument] of rows) assert.deepEqual(thrown(call), valueError(argument));
    const shaped = { data: detached(), shape: [2] };
    assert.deepEqual(
      thrown(() => (module.isyn = shaped)),
      valueError('isyn.data'),
    );
  });
});
