/**
 * Hostile and mistaken arguments: each gets one clear sentence that names the argument, and changes
 * nothing. Every row is tried by evolve() and evolveSync().
 */
import assert from 'node:assert/strict';
import vm from 'node:vm';

import { ExpSyn, type ExpSynError } from '../../lib/index';

type Expectation = [kind: 'TypeError' | 'RangeError', message: RegExp | string];

/** One sentence that says what was expected, for which argument, and what came. */
const SENTENCE = /^Expected [^\n]+ for [^\n]+ but received [^\n]+\.$/;

const VALUE_CODES = [
  'ERR_EXPSYN_ARGUMENT_VALUE',
  'ERR_EXPSYN_NON_FINITE',
  'ERR_EXPSYN_STEP_LIMIT',
  'ERR_EXPSYN_OUT_OF_MEMORY',
];

function check(error: unknown, [kind, message]: Expectation): true {
  assert.ok(error instanceof Error, String(error));
  assert.equal(error.name, kind, error.message);
  assert.match(error.message, SENTENCE);
  if (typeof message === 'string') assert.equal(error.message, message);
  else assert.match(error.message, message);
  const { code, argument } = error as ExpSynError;
  const codes = kind === 'TypeError' ? ['ERR_EXPSYN_ARGUMENT_TYPE'] : VALUE_CODES;
  assert.ok(codes.includes(code), `${code}: ${error.message}`);
  assert.ok(error.message.includes(` for ${argument}`), `${argument}: ${error.message}`);
  return true;
}

const NOT_NUMBERS: [unknown, string][] = [
  ['1', "'1'"],
  [null, 'null'],
  [true, 'true'],
  [1n, 'the bigint 1n'],
  [Symbol('s'), 'Symbol(s)'],
  [() => 1, 'a function'],
  [{}, 'an object'],
  [[1], 'an array of length 1'],
  [new Float64Array(1), 'a Float64Array of length 1'],
  [new Date(1), 'an object'],
];

const NUMERIC = {
  dt: { bad: [0, -0, -1, NaN, Infinity, -Infinity] },
  maxWindowLength: { bad: [0, -1, NaN, -Infinity] },
  windowTaus: { bad: [0, -1, NaN, -Infinity] },
  noiseStd: { bad: [-1, NaN, Infinity, -Infinity] },
  seed: { bad: [-1, 0.5, 2 ** 53, NaN, Infinity] },
  threads: { bad: [0, -1, 0.5, 2 ** 53, NaN, -Infinity] },
} as const;

const WORDS = {
  noise: "'output' or 'state' or 'input'",
  method: "'auto' or 'fft' or 'recursive'",
  dtype: "'float64' or 'float32'",
  nonFinite: "'throw' or 'propagate'",
  compat: "'none' or 'rockpool'",
} as const;

describe('bad options', () => {
  for (const [name, { bad }] of Object.entries(NUMERIC)) {
    it(`${name}: values out of range and of other types`, () => {
      const module = new ExpSyn(2);
      const before = JSON.stringify(module);
      const pattern = new RegExp(` for ${name} but received `);
      for (const value of bad) {
        const expected: Expectation = ['RangeError', pattern];
        assert.throws(
          () => new ExpSyn(2, { [name]: value }),
          (e) => check(e, expected),
        );
        assert.throws(
          () => Object.assign(module, { [name]: value }),
          (e) => check(e, expected),
        );
      }
      for (const [value, description] of NOT_NUMBERS) {
        const expected: Expectation = [
          'TypeError',
          new RegExp(pattern.source + escape(description)),
        ];
        assert.throws(
          () => new ExpSyn(2, { [name]: value }),
          (e) => check(e, expected),
        );
        assert.throws(
          () => Object.assign(module, { [name]: value }),
          (e) => check(e, expected),
        );
      }
      assert.equal(JSON.stringify(module), before);
    });
  }

  for (const [name, words] of Object.entries(WORDS)) {
    it(`${name}: other words and types`, () => {
      for (const value of ['', 'Auto', 'x'.repeat(1000)]) {
        const expected: Expectation = ['RangeError', new RegExp(`^Expected ${words} for ${name} `)];
        assert.throws(
          () => new ExpSyn(2, { [name]: value }),
          (e) => check(e, expected),
        );
      }
      for (const value of [1, null, [], {}, new String('auto'), true]) {
        const expected: Expectation = ['TypeError', new RegExp(`^Expected ${words} for ${name} `)];
        assert.throws(
          () => new ExpSyn(2, { [name]: value }),
          (e) => check(e, expected),
        );
      }
    });
  }

  it('tau', () => {
    const rows: [unknown, Expectation][] = [
      [0, ['RangeError', 'Expected a positive finite number for tau but received 0.']],
      [-0.01, ['RangeError', / for tau but received -0\.01/]],
      [NaN, ['RangeError', / for tau but received NaN/]],
      [Infinity, ['RangeError', / for tau but received Infinity/]],
      [
        [0.01, NaN],
        ['RangeError', / for tau\[1\] but received NaN/],
      ],
      [
        [0.01, -1],
        ['RangeError', / for tau\[1\] but received -1/],
      ],
      [Float64Array.of(0, 1), ['RangeError', / for tau\[0\] but received 0/]],
      [[0.01], ['RangeError', /^Expected shape \(2,\) or \(\) for tau but received shape \(1,\)/]],
      [
        [0.01, 1, 1],
        ['RangeError', / received shape \(3,\)/],
      ],
      [[], ['RangeError', / received shape \(0,\)/]],
      [[[0.01, 0.01]], ['RangeError', / received shape \(1, 2\)/]],
      [
        [0.01, '0.01'],
        ['TypeError', /a number for tau\[1\] but received '0.01'/],
      ],
      [
        [0.01, [1]],
        ['TypeError', /a number for tau\[1\] but received an array of length 1/],
      ],
      ['0.01', ['TypeError', / for tau but received '0.01'/]],
      [null, ['TypeError', / for tau but received null/]],
      [true, ['TypeError', / for tau but received true/]],
      [{}, ['TypeError', / for tau but received an object/]],
      [new Uint8Array(2), ['TypeError', / received a Uint8Array of length 2/]],
      [{ data: [1, 2], shape: [2] }, ['TypeError', /a typed array of numbers for tau\.data/]],
      [{ data: new Float64Array(3), shape: [2] }, ['RangeError', /^Expected 2 elements/]],
      [{ data: new BigInt64Array(2), shape: [2] }, ['TypeError', /BigInt64Array/]],
    ];
    const module = new ExpSyn(2);
    const before = JSON.stringify(module);
    for (const [tau, expected] of rows) {
      assert.throws(
        () => new ExpSyn(2, { tau } as never),
        (e) => check(e, expected),
      );
      // A shape that the module could have been made with is refused by its own name.
      const [type, pattern] = expected;
      const text = pattern instanceof RegExp ? pattern.source : '';
      const assigned: Expectation = [type, new RegExp(text.replace(' or \\(\\)', ''))];
      assert.throws(
        () => Object.assign(module, { tau }),
        (e) => check(e, text === '' ? expected : assigned),
      );
      assert.equal(JSON.stringify(module), before);
    }
  });

  it('shape', () => {
    const rows: [unknown, Expectation][] = [
      [0, ['RangeError', / for shape but received 0\./]],
      [-1, ['RangeError', / for shape but received -1\./]],
      [1.5, ['RangeError', / for shape but received 1\.5\./]],
      [NaN, ['RangeError', / for shape but received NaN\./]],
      [Infinity, ['RangeError', / for shape but received Infinity\./]],
      [2 ** 53, ['RangeError', / for shape but received 9007199254740992\./]],
      [2 ** 31, ['RangeError', / for shape but received 2147483648\./]],
      [[], ['RangeError', / for shape but received 0/]],
      [
        [2, 3],
        ['RangeError', /^Expected shape \(N,\) for shape but received shape \(2, 3\)/],
      ],
      [[0], ['RangeError', / for shape but received 0/]],
      [[2 ** 60], ['RangeError', / for shape\[0\] /]],
      ['4', ['TypeError', / for shape but received '4'/]],
      [null, ['TypeError', / for shape but received null/]],
      [undefined, ['TypeError', / for shape but received undefined/]],
      [
        [1, 2, 3, 4],
        ['RangeError', /at most 3 axes/],
      ],
    ];
    for (const [shape, expected] of rows) {
      assert.throws(
        () => new ExpSyn(shape as never),
        (e) => check(e, expected),
      );
    }
  });

  it('names and objects', () => {
    const rows: [unknown, Expectation][] = [
      [null, ['TypeError', /an object for options but received null/]],
      [3, ['TypeError', /an object for options but received 3/]],
      [[], ['TypeError', /an object for options but received an array of length 0/]],
      [{ Tau: 1 }, ['TypeError', /received an option 'Tau'; check its name\.$/]],
      [{ name: 3 }, ['TypeError', /a string for name but received 3/]],
      [new Map([['dt', 5]]), ['TypeError', /an object for options but received an object/]],
      [{ spikingInput: 1 }, ['TypeError', /true or false for spikingInput but received 1/]],
      [{ spikingOutput: 'no' }, ['TypeError', /true or false for spikingOutput/]],
    ];
    for (const [options, expected] of rows) {
      assert.throws(
        () => new ExpSyn(2, options as never),
        (e) => check(e, expected),
      );
    }
    // Options on a prototype are not options.
    const inherited = Object.create({ dt: 5, method: 'nonsense' }) as object;
    assert.equal(new ExpSyn(2, inherited).dt, 1e-3);
  });

  it('isyn and step', () => {
    const module = new ExpSyn(2);
    const before = JSON.stringify(module);
    const rows: [string, unknown, Expectation][] = [
      ['isyn', 1, ['RangeError', /shape \(2,\) or \(\*, 2\) for isyn but received shape \(\)/]],
      ['isyn', [1, 2, 3], ['RangeError', /received shape \(3,\)/]],
      ['isyn', [[]], ['RangeError', /received shape \(0,\)/]],
      ['isyn', { data: new Float64Array(0), shape: [0, 2] }, ['RangeError', /shape \(0, 2\)/]],
      ['isyn', [1, NaN], ['RangeError', /numbers for isyn\.data\[1\] but received NaN/]],
      ['isyn', 'x', ['TypeError', / for isyn but received 'x'/]],
      ['step', -1, ['RangeError', / for step but received -1/]],
      ['step', 1.5, ['RangeError', / for step but received 1\.5/]],
      ['step', 2 ** 53, ['RangeError', / for step but received 9007199254740992/]],
      ['step', '1', ['TypeError', / for step but received '1'/]],
    ];
    for (const [name, value, expected] of rows) {
      assert.throws(
        () => Object.assign(module, { [name]: value }),
        (e) => check(e, expected),
      );
      assert.equal(JSON.stringify(module), before);
    }
  });
});

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

  it('a revoked proxy is refused, wherever it stands', async () => {
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

  it("a getter's own error comes through, and nothing has changed", async () => {
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

  it('arrays of another realm are as good as any', () => {
    const foreign = vm.runInNewContext(
      '({ data: Uint8Array.of(1, 0, 0, 1), shape: [2, 2] })',
    ) as typeof good;
    const own = { data: Uint8Array.of(1, 0, 0, 1), shape: [2, 2] };
    assert.deepEqual(
      new ExpSyn(2).evolveSync(foreign).output.data,
      new ExpSyn(2).evolveSync(own).output.data,
    );
  });

  it('an output too large for the memory is an error, not a crash', async () => {
    // One column for all synapses: the input is small, the output would have 2^44 elements.
    const module = new ExpSyn(2 ** 22);
    const input = { data: new Uint8Array(2 ** 22), shape: [2 ** 22] };
    const expected: Expectation = ['RangeError', /a size that fits the memory for output/];
    assert.throws(
      () => module.evolveSync(input),
      (error) => check(error, expected),
    );
    await assert.rejects(module.evolve(input), (error) => check(error, expected));
  });

  it('a window longer than any transform counts only as far as the run reaches', () => {
    const module = new ExpSyn(1, { method: 'fft', tau: 1e9, maxWindowLength: Infinity });
    assert.equal(module.windowLength, 1e13);
    const { output } = module.evolveSync([[1], [0]]);
    assert.ok(Math.abs((output.data[1] ?? NaN) - 1) < 1e-11);
  });
});

function escape(text: string): string {
  return text.replace(/[()[\]{}.*+?^$|\\]/g, '\\$&');
}
