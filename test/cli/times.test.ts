/** Times with units. */
import assert from 'node:assert/strict';

import { UsageError } from '../../lib/errors/command-errors';
import { parseTime, parseTimes } from '../../lib/cli/options/times';
import { formatTime, formatTimeRange } from '../../lib/figure/words';

describe('times', () => {
  const parsed: [text: string, seconds: number][] = [
    ['20ms', 0.02],
    ['29ms', 0.029],
    ['0.1 ms', 0.0001],
    [' 2.5\tms ', 0.0025],
    ['100us', 0.0001],
    ['7\u00b5s', 0.000007],
    ['7\u03bcs', 0.000007],
    ['1s', 1],
    ['.5s', 0.5],
    ['5.s', 5],
    ['0.02', 0.02],
    ['1e-3', 0.001],
    ['2e-2s', 0.02],
    ['1e3ms', 1],
    ['1e+1us', 0.00001],
    ['2E-2', 0.02],
    ['2.000000000000000000E-02', 0.02],
    ['1E+1ms', 0.01],
  ];
  for (const [text, seconds] of parsed) {
    it(`reads '${text}' as ${seconds} s`, () => {
      assert.equal(parseTime(text, '--dt'), seconds);
    });
  }

  const refused = [
    '',
    ' ',
    'ms',
    '20 m',
    '20m',
    '20sec',
    '20MS',
    '-5ms',
    '+5ms',
    '0',
    '0ms',
    'NaN',
  ];
  for (const text of [
    ...refused,
    'Infinity',
    '1e400',
    '1e-400',
    '5ms 5ms',
    '1,5ms',
    '0x10',
    '1e',
  ]) {
    it(`refuses '${text}'`, () => {
      assert.throws(
        () => parseTime(text, '--dt'),
        (error) =>
          error instanceof UsageError &&
          error.message ===
            `Expected a time above zero, such as 20ms, 0.5s or 100us, for --dt but received '${text}'.`,
      );
    });
  }

  it('reads lists', () => {
    assert.deepEqual(parseTimes('5ms', '--tau'), Float64Array.of(0.005));
    assert.deepEqual(parseTimes('5ms, 20ms,0.1', '--tau'), Float64Array.of(0.005, 0.02, 0.1));
    assert.throws(() => parseTimes('5ms,', '--tau'), UsageError);
    assert.throws(() => parseTimes('', '--tau'), UsageError);
  });

  it('writes times in the unit that suits them', () => {
    const written: [seconds: number, text: string][] = [
      [0, '0 s'],
      [1, '1 s'],
      [90, '90 s'],
      [0.02, '20 ms'],
      [0.029, '29 ms'],
      [0.001, '1 ms'],
      [0.0005, '500 \u00b5s'],
      [0.0123456, '12.35 ms'],
    ];
    for (const [seconds, text] of written) assert.equal(formatTime(seconds), text);
    assert.equal(formatTime(0.0123456, 2), '12 ms');
    assert.equal(formatTimeRange(Float64Array.of(0.02, 0.005, 0.1)), '5 ms to 100 ms');
    assert.equal(formatTimeRange(Float64Array.of(0.02, 0.02)), '20 ms');
  });
});
