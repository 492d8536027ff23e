/** IEEE 754 half floats: a sign, 5 bits of exponent, 10 bits of fraction. */

const NAN = 0x7e00;
const INFINITE = 0x7c00;
/** Halfway from the largest half float to what would follow it. */
const TOO_LARGE = 65520;
const SMALLEST_NORMAL = 2 ** -14;
const SMALLEST = 2 ** -24;

/** The half float that is nearest to a number; of two, the one with an even fraction. */
export function roundToHalf(value: number): number {
  const size = Math.abs(value);
  if (!(size < TOO_LARGE)) return size >= TOO_LARGE ? Math.sign(value) * Infinity : NaN;
  const step = size < SMALLEST_NORMAL ? SMALLEST : 2 ** (exponentOf(size) - 10);
  const rounded = roundToEven(size / step) * step;
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

/** The bits of the half float that is nearest to a number. */
export function bitsOfHalf(value: number): number {
  const half = roundToHalf(value);
  if (Number.isNaN(half)) return NAN;
  const sign = half < 0 || Object.is(half, -0) ? 0x8000 : 0;
  const size = Math.abs(half);
  if (size === Infinity) return sign | INFINITE;
  if (size < SMALLEST_NORMAL) return sign | (size / SMALLEST);
  const exponent = exponentOf(size);
  return sign | ((exponent + 15) << 10) | ((size / 2 ** exponent - 1) * 1024);
}

/** Of the largest power of two that is not above a number. */
function exponentOf(size: number): number {
  // A logarithm just below a whole number may be rounded to it.
  const exponent = Math.floor(Math.log2(size));
  return 2 ** exponent > size ? exponent - 1 : exponent;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
