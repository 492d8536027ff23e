/** Objects that run code of their own, lie, or change while they are read: nothing may crash. */
import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';

import { ExpSyn, type EvolveOptions, type RasterInput, type TypedArray } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import {
  BYTES,
  collectGarbage,
  detach,
  EXPECTED,
  LENGTH,
  newModule,
  raster,
  rasterIn,
  resizable,
  SHAPE,
  SIZE,
  STEPS,
  type Resizable,
} from '../support/buffers';

describe('hostile objects', () => {
  /** Getters of an object that run `attack` before they return what the object holds. */
  function trapped<Target extends object>(
    target: Target,
    attack: () => void,
    key?: string,
  ): Target {
    return new Proxy(target, {
      get: (object, property, receiver) => {
        if (key === undefined || property === key) attack();
        return Reflect.get(object, property, receiver) as unknown;
      },
    });
  }

  /** Does a call, which may succeed with an output that `check` likes, or be refused. */
  async function attempt(
    call: (module: ExpSyn) => unknown,
    check = (output: TypedArray) => assertSameBits(output, EXPECTED),
  ): Promise<'done' | 'refused'> {
    const module = newModule();
    const before = JSON.stringify({ ...module.toJSON(), seed: 0 });
    let result: { output: { data: TypedArray } };
    try {
      result = (await call(module)) as typeof result;
    } catch (error) {
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
      assert.equal(JSON.stringify({ ...module.toJSON(), seed: 0 }), before);
      return 'refused';
    }
    check(result.output.data);
    return 'done';
  }

  type Call = (module: ExpSyn, input: RasterInput, options?: EvolveOptions) => unknown;
  /** A call whose input and output are arrays that `dress` has got at. */
  function attemptDressed(
    call: Call,
    dress: (array: Float64Array) => Float64Array,
  ): Promise<'done' | 'refused'> {
    return attempt(async (module) => {
      const input = { data: dress(raster()), shape: SHAPE };
      const out = dress(new Float64Array(LENGTH));
      const { output } = (await call(module, input, { out })) as {
        output: { data: Float64Array };
      };
      // The result holds the caller's array, lies included.
      return { output: { data: new Float64Array(output.data) } };
    });
  }

  const CALLS: [string, Call][] = [
    ['evolveSync()', (module, input, options) => module.evolveSync(input, options)],
    ['evolve()', (module, input, options) => module.evolve(input, options)],
    [
      'evolve() with transfer',
      (module, input, options) =>
        module.evolve(input, Object.assign(options ?? {}, { transfer: true })),
    ],
  ];

  for (const [name, call] of CALLS) {
    it(`${name}: getters that take the input's memory away`, async () => {
      const attacks: ((data: Float64Array, take: () => void) => [RasterInput, EvolveOptions])[] = [
        (data, take) => [trapped({ data, shape: SHAPE }, take, 'data'), {}],
        (data, take) => [trapped({ data, shape: SHAPE }, take, 'shape'), {}],
        (data, take) => [{ data, shape: trapped([...SHAPE], take, '0') }, {}],
        (data, take) => [{ data, shape: trapped([...SHAPE], take, 'length') }, {}],
        (data, take) => [{ data, shape: SHAPE }, trapped<EvolveOptions>({ state: {} }, take)],
        (data, take) => [{ data, shape: SHAPE }, { state: trapped({ step: 0 }, take) }],
        (data, take) => [
          { data, shape: SHAPE },
          { state: { isyn: trapped(new Array<number>(SIZE).fill(0), take, '0') } },
        ],
        (data, take) => [
          { data, shape: SHAPE },
          {
            state: {
              isyn: trapped({ data: new Float64Array(SIZE), shape: [SIZE] }, take, 'shape'),
            },
          },
        ],
      ];
      for (const attack of attacks) {
        for (const kind of ['detach', 'shrink'] as const) {
          const buffer = kind === 'shrink' ? resizable(BYTES) : new ArrayBuffer(BYTES);
          const data = rasterIn(buffer);
          const take = () => {
            if (data.length === 0) return;
            if (kind === 'shrink') (buffer as Resizable).resize(0);
            else detach(buffer);
            collectGarbage();
          };
          const [input, options] = attack(data, take);
          assert.equal(await attempt((module) => call(module, input, options)), 'refused');
          assert.equal(data.length, 0);
        }
      }
    });

    it(`${name}: getters that take the output's memory away`, async () => {
      const attacks: ((
        out: Float64Array,
        take: () => void,
      ) => [(data: Float64Array) => RasterInput, EvolveOptions])[] = [
        (out, take) => [(data) => trapped({ data, shape: SHAPE }, take), { out }],
        (out, take) => [
          (data) => ({ data, shape: SHAPE }),
          { out: trapped({ data: out, shape: [1, ...SHAPE] }, take, 'shape') },
        ],
        (out, take) => [
          (data) => ({ data, shape: trapped([...SHAPE], take, '1') }),
          trapped<EvolveOptions>({ out }, () => undefined),
        ],
      ];
      for (const attack of attacks) {
        const out = new Float64Array(LENGTH);
        const take = () => {
          if (out.length > 0) detach(out.buffer);
          collectGarbage();
        };
        const [input, options] = attack(out, take);
        const done = await attempt((module) => call(module, input(raster()), options));
        assert.equal(done, 'refused');
      }
    });

    it(`${name}: typed arrays that lie about themselves`, async () => {
      const lies: PropertyDescriptorMap[] = [
        { length: { value: 1e9 } },
        { length: { value: 0 } },
        { byteLength: { value: 1e12 }, byteOffset: { value: -4096 } },
        { buffer: { value: new ArrayBuffer(8) } },
        { buffer: { value: null }, constructor: { value: null } },
        { constructor: { value: { [Symbol.species]: () => new Float64Array(1) } } },
        { BYTES_PER_ELEMENT: { value: 0 }, [Symbol.toStringTag]: { value: 'Uint8Array' } },
        { [Symbol.iterator]: { value: null }, slice: { value: null }, set: { value: null } },
        { subarray: { value: () => new Float64Array(0) }, fill: { value: null } },
      ];
      const takingAway = (array: Float64Array): PropertyDescriptorMap => {
        const get = () => {
          detach(Reflect.get(Float64Array.prototype, 'buffer', array));
          return undefined;
        };
        const keys = [
          'buffer',
          'length',
          'byteOffset',
          'byteLength',
          'constructor',
          'set',
          'slice',
        ];
        return Object.fromEntries(keys.map((key) => [key, { get }]));
      };
      for (const lie of [...lies, takingAway]) {
        const dress = (array: Float64Array) =>
          Object.defineProperties(array, typeof lie === 'function' ? lie(array) : lie);
        assert.equal(await attemptDressed(call, dress), 'done');
      }
    });

    it(`${name}: subclasses, and arrays and buffers with other prototypes`, async () => {
      class Lying extends Float64Array {
        static get [Symbol.species](): Float64ArrayConstructor {
          throw new Error('species was asked for');
        }
        override get length(): number {
          return 1e9;
        }
        override get buffer(): ArrayBuffer {
          throw new Error('buffer was asked for');
        }
        override get byteOffset(): number {
          return 2 ** 40;
        }
        override [Symbol.iterator](): never {
          throw new Error('the iterator was asked for');
        }
      }
      const dresses: ((array: Float64Array) => Float64Array)[] = [
        (array) => new Lying(array.buffer as ArrayBuffer),
        (array) => Object.setPrototypeOf(array, Uint8Array.prototype) as Float64Array,
        (array) => Object.setPrototypeOf(array, null) as Float64Array,
        (array) => {
          Object.setPrototypeOf(array.buffer, null);
          return array;
        },
        (array) => {
          Object.defineProperties(array.buffer, {
            resizable: {
              get: () => {
                throw new Error('resizable was asked for');
              },
            },
            byteLength: { value: -1 },
            constructor: { value: null },
            slice: { value: null },
          });
          return array;
        },
      ];
      for (const dress of dresses) {
        assert.equal(await attemptDressed(call, dress), 'done');
      }
    });

    it(`${name}: arrays of another realm`, async () => {
      const foreign = () =>
        runInNewContext(
          `({ data: new Float64Array(n), out: new Float64Array(n), shape: [${SHAPE.join()}] })`,
          { n: LENGTH },
        ) as { data: Float64Array; out: Float64Array; shape: number[] };
      const done = await attempt((module) => {
        const { data, out, shape } = foreign();
        data.set(raster());
        return call(module, { data, shape }, { out });
      });
      assert.equal(done, 'done');
      const nested = runInNewContext('[[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]') as number[][];
      const expected = newModule().evolveSync([...nested]).output.data;
      const read = await attempt(
        (module) => call(module, nested),
        (output) => assertSameBits(output, expected),
      );
      assert.equal(read, 'done');
    });

    it(`${name}: proxies, revoked or around an array`, async () => {
      const revoked = <Target extends object>(target: Target): Target => {
        const { proxy, revoke } = Proxy.revocable(target, {});
        revoke();
        return proxy;
      };
      const good = () => ({ data: raster(), shape: SHAPE });
      const attacks: [unknown, EvolveOptions][] = [
        [revoked(good()), {}],
        [revoked([[1]]), {}],
        [[revoked([1])], {}],
        [{ data: revoked(raster()), shape: SHAPE }, {}],
        [{ data: raster(), shape: revoked(SHAPE) }, {}],
        [{ data: new Proxy(raster(), {}), shape: SHAPE }, {}],
        [new Proxy(raster(), {}), {}],
        [good(), { out: revoked(new Float64Array(1)) }],
        [good(), { out: new Proxy(new Float64Array(LENGTH), {}) }],
        [good(), { out: { data: revoked(raster()), shape: SHAPE } }],
        [good(), { state: revoked({}) }],
        [good(), { state: { isyn: revoked(raster()) } }],
        [good(), { state: { isyn: revoked([1]) } }],
        [{ data: new DataView(new ArrayBuffer(BYTES)), shape: SHAPE }, {}],
        [{ data: new ArrayBuffer(BYTES), shape: SHAPE }, {}],
        [{ data: { length: LENGTH, buffer: new ArrayBuffer(BYTES) }, shape: SHAPE }, {}],
      ];
      for (const [input, options] of attacks) {
        const done = await attempt((module) => call(module, input as RasterInput, options));
        assert.equal(done, 'refused');
      }
      if (name !== 'evolve() with transfer') {
        const done = await attempt((module) => call(module, good(), revoked({})));
        assert.equal(done, 'refused');
      }
    });

    it(`${name}: nested arrays that change while they are read`, async () => {
      const ofLength = <Target extends object>(target: Target, length: () => number) =>
        new Proxy(target, {
          get: (object, key): unknown => (key === 'length' ? length() : Reflect.get(object, key)),
        });
      const attacks: (() => unknown)[] = [
        () => {
          const rows = [
            [1, 1, 1, 1, 1],
            [1, 1, 1, 1, 1],
          ];
          return rows.map((row) => trapped(row, () => (rows.length = 1), '0'));
        },
        () => {
          const row = [1, 1, 1, 1, 1];
          return [trapped(row, () => (row.length = 2), '1'), [1, 1, 1, 1, 1]];
        },
        () => {
          const row = [1, 1, 1, 1, 1];
          return [trapped(row, () => row.push(1), '1'), row];
        },
        () => {
          let length = 5;
          return [ofLength([1, 1, 1, 1, 1], () => length++)];
        },
        () => ofLength([[1]], () => 2 ** 31),
        () => ofLength([[1]], () => -1),
        () => {
          const cycle: unknown[] = [];
          cycle.push(cycle);
          return cycle;
        },
      ];
      for (const attack of attacks) {
        const input = attack() as RasterInput;
        // Whatever is read of it consists of ones.
        const first = newModule().evolveSync([[1]]).output.data[0];
        await attempt(
          (module) => call(module, input),
          (output) => assert.ok(output.length > 0 && output[0] === first),
        );
      }
    });
  }

  it('getters that set tau: the call has the one or the other, throughout', async () => {
    const expectedFor = (tau: number) =>
      new ExpSyn(SIZE, { tau: new Float64Array(SIZE).fill(tau) }).evolveSync({
        data: raster(),
        shape: SHAPE,
      }).output.data;
    for (const [name, call] of CALLS) {
      const module = newModule();
      let tau = 0.01;
      const setTau = () => {
        tau += 0.001;
        module.tau = new Float64Array(SIZE).fill(tau);
        collectGarbage();
      };
      const input = trapped({ data: raster(), shape: SHAPE }, setTau);
      const { output } = (await call(module, input, {})) as { output: { data: Float64Array } };
      assertSameBits(output.data, expectedFor(tau), name);
    }
  });

  it('getters that make a call of their own: one after the other', async () => {
    const good = () => ({ data: raster(), shape: SHAPE });
    const both = newModule();
    both.evolveSync(good());
    const expected = both.evolveSync(good()).output.data;

    const outer = newModule();
    let isFirst = true;
    const input = trapped(good(), () => {
      if (isFirst) {
        isFirst = false;
        outer.evolveSync(good());
      }
    });
    assertSameBits(outer.evolveSync(input).output.data, expected);
    assert.equal(outer.step, 2 * STEPS);

    const asynchronous = newModule();
    const inner: Promise<unknown>[] = [];
    const again = trapped(good(), () => {
      if (inner.length === 0) inner.push(asynchronous.evolve(good()));
    });
    assertSameBits((await asynchronous.evolve(again)).output.data, expected);
    await Promise.all(inner);
    assert.equal(asynchronous.step, 2 * STEPS);

    const mixed = newModule();
    const late: Promise<unknown>[] = [];
    const third = trapped(good(), () => late.push(mixed.evolve(good())));
    assert.throws(() => mixed.evolveSync(third), /^Error: Expected no pending evolve\(\)/);
    await Promise.all(late);
    assert.equal(mixed.step, late.length * STEPS);
  });

  it('getters that throw: their own error comes through, and nothing has changed', async () => {
    class Own extends Error {}
    const fail = () => {
      throw new Own();
    };
    const attacks: [RasterInput, EvolveOptions][] = [
      [{ data: raster(), shape: trapped([...SHAPE], fail, '1') }, {}],
      [[trapped([1, 1, 1, 1, 1], fail, '3')], {}],
      [{ data: raster(), shape: SHAPE }, { out: trapped({ data: raster(), shape: SHAPE }, fail) }],
      [{ data: raster(), shape: SHAPE }, { state: trapped({ step: 1 }, fail) }],
      [{ data: raster(), shape: SHAPE }, { state: { isyn: trapped([1], fail, '0') } }],
      [{ data: raster(), shape: SHAPE }, new Proxy({}, { ownKeys: fail })],
    ];
    for (const [input, options] of attacks) {
      const module = newModule();
      const before = JSON.stringify(module);
      assert.throws(() => module.evolveSync(input, options), Own);
      await assert.rejects(module.evolve(input, options), Own);
      assert.equal(JSON.stringify(module), before);
      assertSameBits(module.evolveSync({ data: raster(), shape: SHAPE }).output.data, EXPECTED);
    }
  });

  it('assigned values: memory that goes away, lies and getters', () => {
    const module = newModule();
    const before = JSON.stringify(module);
    const assignments: ((values: Float64Array, take: () => void) => unknown)[] = [
      (values, take) => trapped({ data: values, shape: [SIZE] }, take, 'shape'),
      (values, take) => ({ data: values, shape: trapped([SIZE], take, '0') }),
      (values, take) => ({ data: values, shape: trapped([SIZE], take, 'length') }),
    ];
    for (const assignment of assignments) {
      for (const name of ['tau', 'isyn']) {
        const values = new Float64Array(SIZE).fill(0.5);
        const value = assignment(values, () => {
          if (values.length > 0) detach(values.buffer);
        });
        assert.throws(() => module.setAttributes({ [name]: value }), RangeError);
        assert.equal(JSON.stringify(module), before);
      }
    }
    const lying = Object.defineProperties(new Float64Array(SIZE).fill(0.25), {
      length: { value: 1e9 },
      buffer: { value: null },
      [Symbol.iterator]: { value: null },
    });
    module.tau = lying;
    module.isyn = lying;
    assert.deepEqual([...module.tau.data], new Array(SIZE).fill(0.25));
    assert.deepEqual([...module.isyn.data], new Array(SIZE).fill(0.25));
    const constructed = new ExpSyn(SIZE, {
      tau: (shape) => {
        collectGarbage();
        return new Float64Array(shape[0] ?? 0).fill(0.25);
      },
    });
    assert.deepEqual(constructed.tau, module.tau);
  });
});
