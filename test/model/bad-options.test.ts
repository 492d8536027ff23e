/** Wrong values of options and attributes: the error names the attribute, and nothing changes. */
import assert from 'node:assert/strict';

import { ExpSyn } from '../../lib/index';
import { check, type Expectation } from '../support/argument-errors';

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

function escape(text: string): string {
  return text.replace(/[()[\]{}.*+?^$|\\]/g, '\\$&');
}

describe('bad options', () => {
  for (const [name, { bad }] of Object.entries(NUMERIC)) {
    it(`${name}: values out of range or of other types`, () => {
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
      // An assignment takes fewer shapes than the constructor, and its message names only those.
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

  it('option names and objects', () => {
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
    // Options on a prototype are ignored.
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
