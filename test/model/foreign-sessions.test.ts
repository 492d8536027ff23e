/** Sessions of other modules, and proxies of sessions. */
import assert from 'node:assert/strict';

import { ExpSyn, ExpSynSession } from '../../lib/index';
import { iterate } from '../../lib/streams';

describe('a session of another module', () => {
  it('is refused by its index', async () => {
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
  it('is refused by every method and accessor, which the error names', async () => {
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

describe('an object that is no session', () => {
  it('is refused by accessors and methods that are called on it, which the error names', async () => {
    const { prototype } = ExpSynSession;
    const call = (method: 'evolve' | 'evolveSync'): unknown =>
      Reflect.apply(Reflect.get(prototype, method), {}, [[[1, 1]]]);
    const asked: [string, () => unknown][] = [
      ['isyn', () => Reflect.get(prototype, 'isyn', {})],
      ['isyn', () => Reflect.set(prototype, 'isyn', [1, 1], {})],
      ['step', () => Reflect.get(prototype, 'step', {})],
      ['step', () => Reflect.set(prototype, 'step', 1, {})],
      ['evolveSync()', () => call('evolveSync')],
    ];
    for (const [name, ask] of asked) {
      assert.throws(ask, {
        name: 'TypeError',
        message: `Expected a session for ${name} but received an object.`,
        code: 'ERR_EXPSYN_ARGUMENT_TYPE',
        argument: name,
      });
    }
    await assert.rejects(call('evolve') as Promise<unknown>, { argument: 'evolve()' });
  });
});
