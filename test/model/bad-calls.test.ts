/**
 * Wrong inputs and options of calls: the error names the argument, and nothing changes. Each row of
 * the tables is tried with evolve() and with evolveSync().
 */
import assert from 'node:assert/strict';
import vm from 'node:vm';

import { ExpSyn } from '../../lib/index';
import { check, type Expectation } from '../support/argument-errors';

describe('bad calls', () => {
  const good = { data: new Uint8Array(6), shape: [3, 2] };
  const big = 2 ** 53;

  function detached(): { data: Float64Array; shape: number[] } {
    const data = new Float64Array(6);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    return { data, shape: [3, 2] };
  }

  function revoked(): object {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  }

  const inputs: [unknown, Expectation][] = [
    [undefined, ['TypeError', / for input but received undefined/]],
    [null, ['TypeError', / for input but received null/]],
    [5, ['TypeError', / for input but received 5/]],
    ['spikes', ['TypeError', / for input but received 'spikes'/]],
    [() => [], ['TypeError', / for input but received a function/]],
    [new Uint8Array(6), ['TypeError', /a Uint8Array of length 6; give its shape as well\.$/]],
    [new ArrayBuffer(6), ['TypeError', / for input but received an object/]],
    [new DataView(new ArrayBuffer(6)), ['TypeError', / for input but received an object/]],
    [{}, ['TypeError', / for input but received an object/]],
    [{ data: new Uint8Array(6) }, ['TypeError', / for input but received an object/]],
    [{ shape: [3, 2] }, ['TypeError', / for input but received an object/]],
    [Object.create(good), ['TypeError', / for input but received an object/]],
    [{ data: [1, 2], shape: [1, 2] }, ['TypeError', / for input\.data but received an array/]],
    [{ data: 'ab', shape: [1, 2] }, ['TypeError', / for input\.data but received 'ab'/]],
    [{ data: new DataView(new ArrayBuffer(6)), shape: [3, 2] }, ['TypeError', / input\.data /]],
    [{ data: good.data, shape: 6 }, ['TypeError', / for input\.shape but received 6/]],
    [{ data: good.data, shape: '3,2' }, ['TypeError', / for input\.shape but received '3,2'/]],
    [{ data: good.data, shape: { length: 2 } }, ['TypeError', / for input\.shape /]],
    [{ data: good.data, shape: [] }, ['RangeError', /^Expected 1 elements/]],
    [{ data: new Uint8Array(1), shape: [] }, ['RangeError', / for input but received shape \(\)/]],
    [{ data: good.data, shape: [3, 2.5] }, ['RangeError', / for input\.shape\[1\] but .* 2\.5/]],
    [{ data: good.data, shape: [-3, 2] }, ['RangeError', / for input\.shape\[0\] but .* -3/]],
    [{ data: good.data, shape: [NaN, 2] }, ['RangeError', / for input\.shape\[0\] but .* NaN/]],
    [{ data: good.data, shape: ['3', 2] }, ['TypeError', / for input\.shape\[0\] but .* '3'/]],
    [{ data: good.data, shape: [3n, 2] }, ['TypeError', / for input\.shape\[0\] but .* 3n/]],
    [{ data: good.data, shape: [big, 2] }, ['RangeError', / for input\.shape\[0\] but /]],
    [{ data: good.data, shape: [big - 1, 2] }, ['RangeError', / for input\.data but received 6/]],
    [{ data: good.data, shape: [2 ** 26, 2 ** 26, 2] }, ['RangeError', / input\.data but .* 6/]],
    [{ data: good.data, shape: [1, 1, 3, 2] }, ['RangeError', /at most 3 axes for input\.shape/]],
    [{ data: good.data, shape: [4, 2] }, ['RangeError', /^Expected 8 elements, as shape \(4, 2\)/]],
    [{ data: good.data, shape: [2, 2] }, ['RangeError', /^Expected 4 elements, as shape \(2, 2\)/]],
    [{ data: good.data, shape: [2, 3] }, ['RangeError', / for input but received shape \(2, 3\)/]],
    [{ data: new Uint8Array(0), shape: [big - 1, 0] }, ['RangeError', / for input but received/]],
    [detached(), ['RangeError', /^Expected 6 elements.* received 0; the buffer may be detached/]],
    [
      [[1, 0], [1]],
      ['RangeError', /length 2, .* for input\[1\] but received one of length 1/],
    ],
    [
      [[1, 0], 1],
      ['TypeError', /an array of length 2 for input\[1\] but received 1/],
    ],
    [
      [
        [1, 0],
        [1, '0'],
      ],
      ['TypeError', /a number for input\[1\]\[1\] but received '0'/],
    ],
    [
      [
        [1, 0],
        [1, null],
      ],
      ['TypeError', /a number for input\[1\]\[1\] but received null/],
    ],
    [
      [
        [1, 0],
        [1, true],
      ],
      ['TypeError', /a number for input\[1\]\[1\] but received true/],
    ],
    [[[[[1]]]], ['RangeError', /at most 3 axes for input /]],
    [[[1, 2, 3]], ['RangeError', / for input but received shape \(1, 3\)/]],
    [new Array(2), ['TypeError', /a number for input\[0\] but received undefined/]],
    [[[1, NaN]], ['RangeError', /finite numbers for input but received NaN at \[0, 1\];/]],
    [
      [
        [
          [1, 1],
          [-Infinity, 1],
        ],
      ],
      ['RangeError', /received -Infinity at \[0, 1, 0\];/],
    ],
    [
      [1, Infinity],
      ['RangeError', /received Infinity at \[1\];/],
    ],
  ];

  const wideOut = (out: unknown) => ({ out });
  const options: [unknown, Expectation][] = [
    [null, ['TypeError', /an object for options but received null/]],
    [7, ['TypeError', /an object for options but received 7/]],
    [{ output: 1 }, ['TypeError', /received an option 'output'/]],
    [wideOut(5), ['TypeError', / for options\.out but received 5/]],
    [wideOut(null), ['TypeError', / for options\.out but received null/]],
    [wideOut([0, 0, 0, 0, 0, 0]), ['RangeError', / for options\.out but received shape \(6,\)/]],
    [
      wideOut(new Float32Array(6)),
      ['TypeError', /a Float64Array for options\.out but received a Fl/],
    ],
    [wideOut(new Uint8Array(6)), ['TypeError', /a Float64Array for options\.out /]],
    [
      wideOut(new Float64Array(5)),
      ['RangeError', /^Expected 6 elements.* options\.out\.data .* 5/],
    ],
    [wideOut(detached().data), ['RangeError', /detached/]],
    [
      wideOut({ data: new Float64Array(6), shape: [3, 2] }),
      ['RangeError', /shape \(1, 3, 2\) for options\.out but received shape \(3, 2\)/],
    ],
    [{ state: 3 }, ['TypeError', /an object for options\.state but received 3/]],
    [{ state: [1, 2] }, ['TypeError', /an object for options\.state but received an array/]],
    [{ state: { Isyn: 1 } }, ['TypeError', /received an option 'Isyn'/]],
    [
      { state: { isyn: [1] } },
      ['RangeError', / for options\.state\.isyn but received shape \(1,\)/],
    ],
    [{ state: { isyn: [1, NaN] } }, ['RangeError', /numbers for options\.state\.isyn\.data\[1\]/]],
    [{ state: { isyn: 'x' } }, ['TypeError', / for options\.state\.isyn /]],
    [
      {
        state: {
          isyn: [
            [1, 1],
            [1, 1],
          ],
        },
      },
      ['RangeError', /^Expected 2 batch items/],
    ],
    [{ state: { step: -1 } }, ['RangeError', / for options\.state\.step but received -1/]],
    [{ state: { step: big - 1 } }, ['RangeError', /an absolute step below 2\^53 after the call/]],
    [{ transfer: 1 }, ['TypeError', /true or false for options\.transfer but received 1/]],
  ];

  async function tryCall(input: unknown, option: unknown, expected: Expectation): Promise<void> {
    const module = new ExpSyn(2, { noiseStd: 0.1 });
    module.evolveSync([[1, 0]]);
    const before = JSON.stringify(module);
    assert.throws(
      () => module.evolveSync(input as never, option as never),
      (error) => check(error, expected),
    );
    assert.equal(JSON.stringify(module), before);
    // evolve() rejects; it never throws.
    const promise = module.evolve(input as never, option as never);
    await assert.rejects(promise, (error) => check(error, expected));
    assert.equal(JSON.stringify(module), before);
    module.evolveSync([[1, 0]]);
  }

  inputs.forEach(([input, expected], row) => {
    it(`input ${row}: ${String(expected[1])}`, () => tryCall(input, {}, expected));
  });
  options.forEach(([option, expected], row) => {
    it(`options ${row}: ${String(expected[1])}`, () => tryCall(good, option, expected));
  });

  it('a revoked proxy is refused as any argument', async () => {
    const module = new ExpSyn(2);
    const expected: Expectation = ['TypeError', /but received a revoked Proxy/];
    const refused = (error: unknown) => check(error, expected);
    for (const input of [
      revoked(),
      [revoked()],
      [[1, 1], revoked()],
      { data: revoked(), shape: [3, 2] },
      { data: good.data, shape: revoked() },
    ]) {
      assert.throws(() => module.evolveSync(input as never), refused);
      await assert.rejects(module.evolve(input as never), refused);
    }
    for (const options of [
      revoked(),
      { out: revoked() },
      { state: revoked() },
      { state: { isyn: revoked() } },
      { origin: revoked() },
      { signal: revoked() },
    ]) {
      await assert.rejects(module.evolve(good, options), refused);
    }
    assert.throws(() => new ExpSyn(2, revoked()), refused);
    assert.throws(() => new ExpSyn(2, { tau: revoked() as never }), refused);
    assert.throws(() => new ExpSyn(revoked() as never), refused);
    assert.throws(() => module.setAttributes(revoked()), refused);
    assert.throws(() => module.attributesNamed(revoked() as never), refused);
    assert.throws(() => ExpSyn.fromJSON(revoked()), refused);
    assert.throws(() => module.session(revoked()), refused);
    assert.throws(() => module.restoreSession(revoked()), refused);
    assert.throws(() => module.evolveSessionsSync(revoked() as never, good), refused);
    assert.throws(() => module.evolveSessionsSync([revoked() as never], good), refused);
  });

  it("a getter's own error is passed on, and nothing changes", async () => {
    class Own extends Error {}
    const module = new ExpSyn(2);
    const before = JSON.stringify(module);
    const hostile = (key: string) =>
      Object.defineProperty({ ...good }, key, {
        enumerable: true,
        get: () => {
          throw new Own();
        },
      });
    for (const key of ['data', 'shape']) {
      assert.throws(() => module.evolveSync(hostile(key)), Own);
      await assert.rejects(module.evolve(hostile(key)), Own);
    }
    for (const key of ['out', 'state']) {
      const option = hostile(key) as Record<string, unknown>;
      delete option['data'];
      delete option['shape'];
      assert.throws(() => module.evolveSync(good, option), Own);
    }
    assert.equal(JSON.stringify(module), before);
  });

  it('arrays of another realm are accepted', () => {
    const foreign = vm.runInNewContext(
      '({ data: Uint8Array.of(1, 0, 0, 1), shape: [2, 2] })',
    ) as typeof good;
    const own = { data: Uint8Array.of(1, 0, 0, 1), shape: [2, 2] };
    assert.deepEqual(
      new ExpSyn(2).evolveSync(foreign).output.data,
      new ExpSyn(2).evolveSync(own).output.data,
    );
  });

  it('an output that does not fit the memory is an error, not a crash', async () => {
    // One input channel drives all synapses, so only the output is large: 2^44 elements.
    const module = new ExpSyn(2 ** 22);
    const input = { data: new Uint8Array(2 ** 22), shape: [2 ** 22] };
    const expected: Expectation = ['RangeError', /a size that fits the memory for output/];
    assert.throws(
      () => module.evolveSync(input),
      (error) => check(error, expected),
    );
    await assert.rejects(module.evolve(input), (error) => check(error, expected));
  });

  it('a window longer than any transform is cut to the length of the call', () => {
    const module = new ExpSyn(1, { method: 'fft', tau: 1e9, maxWindowLength: Infinity });
    assert.equal(module.windowLength, 1e13);
    const { output } = module.evolveSync([[1], [0]]);
    assert.ok(Math.abs((output.data[1] ?? NaN) - 1) < 1e-11);
  });
});
