/** Fractions and rates as times, and the exact fractions behind them. */
import assert from 'node:assert/strict';

import { parseClockTime, parseMoment, parsePeriod, parseTime } from '../../lib/cli/options/times';
import { UsageError } from '../../lib/errors/command-errors';
import {
  divide,
  formatFraction,
  fractionOf,
  makeFraction,
  parseFraction,
  toNumber,
} from '../../lib/formats/events/fraction';
import { randomNumbers } from '../support/oracle';

function refuses(parse: () => unknown, pattern: RegExp): void {
  assert.throws(parse, (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

describe('periods', () => {
  const periods: [text: string, seconds: number][] = [
    ['1/30000', 1 / 30000],
    ['1 / 30000', 1 / 30000],
    ['1/30000 s', 1 / 30000],
    ['1/30 ms', 1 / 30000],
    ['100/3us', 1 / 30000],
    ['1e3/3e7', 1 / 30000],
    ['30kHz', 1 / 30000],
    ['30 kHz', 1 / 30000],
    ['30khz', 1 / 30000],
    ['30000Hz', 1 / 30000],
    ['0.03MHz', 1 / 30000],
    ['3e4 Hz', 1 / 30000],
    ['24414.0625Hz', 1 / 24414.0625],
    ['1/24414.0625', 1 / 24414.0625],
    ['44100Hz', 1 / 44100],
    ['1MHz', 1e-6],
    ['1ms', 1e-3],
    ['100ns', 1e-7],
    ['0.02', 0.02],
  ];
  for (const [text, seconds] of periods) {
    it(`reads '${text}' as ${seconds} s`, () => {
      assert.equal(parsePeriod(text, '--dt'), seconds);
    });
  }

  const refused = ['0Hz', '30mHz', 'kHz', '-30kHz', '1/0', '1/', '/3', '0/5', '1/2/3'];
  for (const text of [...refused, '1/30kHz', '1/-3', '1e999Hz']) {
    it(`refuses '${text}'`, () => {
      refuses(
        () => parsePeriod(text, '--time-unit'),
        /^Expected a time above zero or a rate, such as 1ms, 1\/30000 or 30kHz, for --time-unit but/,
      );
    });
  }

  it('takes fractions, but no rates, for what is no period', () => {
    assert.equal(parseTime('1/50', '--tau'), 0.02);
    assert.equal(parseMoment('1/3s', '--from'), 1 / 3);
    refuses(() => parseTime('50Hz', '--tau'), /^Expected a time above zero, such as 20ms/);
  });

  it('reads points on any clock without rounding', () => {
    for (const [text, fraction] of [
      ['0s', '0'],
      ['-500ms', '-1/2'],
      ['+2', '2'],
      ['1700000000123456789ns', '1700000000123456789/1000000000'],
      ['1700000000.123456789', '1700000000123456789/1000000000'],
      ['51000000000001/30000', '51000000000001/30000'],
    ] as const) {
      assert.equal(formatFraction(parseClockTime(text, '--start')), fraction);
    }
    for (const text of ['', '-', '--5', 'yesterday', '30kHz', '1/0', '1e999', 'Infinity']) {
      refuses(() => parseClockTime(text, '--start'), /^Expected a time such as 0s, .* for --start/);
    }
  });
});

describe('fractions', () => {
  it('are those that numbers are meant as', () => {
    for (const [value, text] of [
      [0, '0'],
      [5, '5'],
      [-2.5, '-5/2'],
      [0.001, '1/1000'],
      [2.9e-5, '29/1000000'],
      [1e21, '1000000000000000000000'],
      [1 / 3, '1/3'],
      [1 / 30000, '1/30000'],
      [1 / 44100, '1/44100'],
      [7 / 30000, '7/30000'],
      [2 ** 60 + 256, '1152921504606847232'],
    ] as const) {
      assert.equal(formatFraction(fractionOf(value)), text);
    }
  });

  it('become the nearest number again, whatever their size', () => {
    const random = randomNumbers(1);
    for (let i = 0; i < 5000; i++) {
      const value = (random() - 0.5) * 10 ** (60 * random() - 30);
      assert.equal(toNumber(fractionOf(value)), value);
      const [a, b] = [1, 2].map(() => 1 + Math.floor(random() * 2 ** (53 * random())));
      assert.ok(a !== undefined && b !== undefined);
      assert.equal(toNumber(makeFraction(BigInt(a), BigInt(b))), a / b);
    }
    for (const value of [5e-324, 2 ** -1022, Number.MAX_VALUE, -Number.MAX_VALUE]) {
      assert.equal(toNumber(fractionOf(value)), value);
    }
  });

  it('are in lowest terms, and texts', () => {
    assert.equal(formatFraction(makeFraction(6n, -4n)), '-3/2');
    const quotient = divide(parseFraction('1/30000'), parseFraction('1/1000'));
    assert.deepEqual(quotient, { numerator: 1n, denominator: 30n });
    assert.deepEqual(parseFraction('-7'), { numerator: -7n, denominator: 1n });
  });
});
