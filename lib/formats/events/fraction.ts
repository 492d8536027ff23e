/** Fractions of whole numbers, exact: what the units of times and the lengths of steps stand for. */

/** In lowest terms, with a denominator above 0. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Doubles of at most so many digits are the decimal numbers that they are written as. */
const DECIMAL_DIGITS = 15;
/** A significand has 53 bits; more than 64 leave room for rounding once. */
const QUOTIENT_BITS = 66;

export function makeFraction(numerator: bigint, denominator: bigint): Fraction {
  const sign = denominator < 0n ? -1n : 1n;
  const divisor = sign * greatestCommonDivisor(numerator, denominator);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

function greatestCommonDivisor(one: bigint, other: bigint): bigint {
  let [a, b] = [one < 0n ? -one : one, other < 0n ? -other : other];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

export function divide(one: Fraction, other: Fraction): Fraction {
  return makeFraction(one.numerator * other.denominator, one.denominator * other.numerator);
}

/** A number as a decimal has it: `digits`, perhaps with a point, times ten to the power. */
export function decimalFraction(digits: string, power = 0): Fraction {
  const [whole = '', decimals = ''] = digits.split('.');
  const numerator = BigInt(whole + decimals);
  const exponent = power - decimals.length;
  const scale = 10n ** BigInt(Math.abs(exponent));
  return exponent < 0 ? makeFraction(numerator, scale) : makeFraction(numerator * scale, 1n);
}

/**
 * The fraction that a finite double stands for: 0.001 is 1/1000, and 1/30000 is that. If a decimal
 * number of at most 15 digits has this double, it is that number; else it is the fraction of the
 * smallest terms that has this double. Whole numbers are themselves.
 */
export function fractionOf(value: number): Fraction {
  if (value < 0) {
    const { numerator, denominator } = fractionOf(-value);
    return { numerator: -numerator, denominator };
  }
  if (Number.isInteger(value)) return makeFraction(BigInt(value), 1n);
  const [, whole = '', decimals = '', power = '0'] =
    /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  if ((whole + decimals).replace(/^0+/, '').length <= DECIMAL_DIGITS) {
    return decimalFraction(`${whole}.${decimals}`, Number(power));
  }
  const exact = exactFractionOf(value);
  const { numerator: gap, denominator: perGap } = exactFractionOf(spacingOf(value) / 2);
  const { numerator, denominator } = exact;
  return simplestBetween(
    makeFraction(numerator * perGap - gap * denominator, denominator * perGap),
    makeFraction(numerator * perGap + gap * denominator, denominator * perGap),
  );
}

/** The very number that a finite double is. */
function exactFractionOf(value: number): Fraction {
  let denominator = 1n;
  for (; !Number.isInteger(value); value *= 2) denominator *= 2n;
  return makeFraction(BigInt(value), denominator);
}

/** How far a positive double is from the one below it. */
function spacingOf(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigUint64(0, view.getBigUint64(0) - 1n);
  return value - view.getFloat64(0);
}

/** The fraction of the smallest terms from `low` to `high`, both positive, by continued fractions. */
function simplestBetween(low: Fraction, high: Fraction): Fraction {
  const whole = low.numerator / low.denominator;
  if (whole * low.denominator === low.numerator) return { numerator: whole, denominator: 1n };
  if ((whole + 1n) * high.denominator <= high.numerator) {
    return { numerator: whole + 1n, denominator: 1n };
  }
  const part = ({ numerator, denominator }: Fraction): Fraction => ({
    numerator: denominator,
    denominator: numerator - whole * denominator,
  });
  const { numerator, denominator } = simplestBetween(part(high), part(low));
  return { numerator: whole * numerator + denominator, denominator: numerator };
}

/** The nearest double. */
export function toNumber({ numerator, denominator }: Fraction): number {
  if (numerator < 0n) return -toNumber({ numerator: -numerator, denominator });
  const shift = QUOTIENT_BITS - (bitsOf(numerator) - bitsOf(denominator));
  const dividend = numerator << BigInt(Math.max(0, shift));
  const divisor = denominator << BigInt(Math.max(0, -shift));
  const quotient = dividend / divisor;
  // A last bit for what the division leaves, so that the number is rounded once.
  const sticky = quotient * divisor === dividend ? quotient : quotient | 1n;
  const half = Math.trunc(shift / 2);
  return Number(sticky) * 2 ** -half * 2 ** -(shift - half);
}

function bitsOf(value: bigint): number {
  return value.toString(16).length * 4;
}

/** `1/30000`, or `5` for a whole number. */
export function formatFraction({ numerator, denominator }: Fraction): string {
  return denominator === 1n ? `${numerator}` : `${numerator}/${denominator}`;
}

/** What formatFraction() wrote. */
export function parseFraction(text: string): Fraction {
  const [numerator = '', denominator = '1'] = text.split('/');
  return makeFraction(BigInt(numerator), BigInt(denominator));
}
