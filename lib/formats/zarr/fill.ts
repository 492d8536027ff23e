/** The value of elements whose chunk is not stored. */
import { CommandError } from '../../errors/command-errors';
import { bitsOfHalf } from './half-floats';
import { type Validator, TYPES } from './validator';

/** A number as JSON writes it. */
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Whole numbers with more digits fit no type. */
const MAX_DIGITS = 40;

/** A fill value of an array. */
export interface FillValue {
  /** As the document has it, however many digits that are; undefined where it has none. */
  readonly text: string | undefined;
  /**
   * The value, of the type as which elements are read.
   *
   * @throws CommandError when the array's type does not hold it.
   */
  get(): number | bigint;
}

/**
 * Reads a fill value. A number that does not fit is an error when the value is needed, which it is where
 * a chunk is missing; what is no value of a type at all is one at once.
 *
 * @param value The member of the document, and `source` its text.
 * @param type NumPy's name of the element type.
 */
export function readFill(
  { value, source }: { value: unknown; source: string | undefined },
  type: string,
  validator: Validator,
): FillValue {
  // Other writers leave the fill value out where no chunk is missing.
  if (value === null || value === undefined) {
    return { text: undefined, get: () => (isLong(type) ? 0n : 0) };
  }
  const text = source ?? JSON.stringify(value);
  const refuse = (advice = ''): CommandError => {
    return validator.refuseText(`a fill value of type ${type}`, text, advice);
  };
  const isFloat = type.startsWith('float');
  const isKind =
    typeof value === 'number' ||
    (type === 'bool' && typeof value === 'boolean') ||
    (isFloat && typeof value === 'string' && floatOfName(value, type) !== undefined);
  if (!isKind) throw refuse();
  const fill = isFloat ? floatOf(value, type) : integerOf(value, text, type);
  return {
    text,
    get: () => {
      if (fill !== undefined) return fill;
      throw refuse(', which is needed since a chunk is missing');
    },
  };
}

function isLong(type: string): boolean {
  return type === 'int64' || type === 'uint64';
}

function integerOf(value: unknown, text: string, type: string): number | bigint | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const integer = wholeNumberOf(text);
  if (integer === undefined) return undefined;
  const bits = type === 'bool' ? 1 : 8 * (TYPES[type]?.itemBytes ?? 0);
  const isSigned = type.startsWith('int');
  const held = isSigned ? BigInt.asIntN(bits, integer) : BigInt.asUintN(bits, integer);
  if (held !== integer) return undefined;
  return isLong(type) ? integer : Number(integer);
}

/** A whole number from its digits in JSON, exactly; undefined for a fraction. */
export function wholeNumberOf(text: string): bigint | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (whole === '') return undefined;
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return 0n;
  const shift = Number(exponent) - fraction.length;
  const zeros = /0*$/.exec(digits)?.[0].length ?? 0;
  if (shift < -zeros || digits.length + shift > MAX_DIGITS) return undefined;
  const shifted = shift < 0 ? digits.slice(0, shift) : digits + '0'.repeat(shift);
  return BigInt(sign + shifted);
}

function floatOf(value: unknown, type: string): number | undefined {
  if (typeof value === 'string') return floatOfName(value, type);
  if (typeof value !== 'number') return undefined;
  if (type === 'float16') {
    const bits = bitsOfHalf(value);
    return (bits & 0x7fff) === 0x7c00 ? undefined : bits;
  }
  const float = type === 'float32' ? Math.fround(value) : value;
  return Number.isFinite(float) ? float : undefined;
}

/** A value that no number of JSON is, or the bits of any value in hexadecimal digits. */
function floatOfName(value: string, type: string): number | undefined {
  const digits = Number(type.slice('float'.length)) / 4;
  if (new RegExp(`^0x[0-9a-fA-F]{${digits}}$`).test(value)) {
    if (type === 'float16') return Number(value);
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value) << BigInt(64 - 4 * digits));
    return type === 'float32' ? view.getFloat32(0) : view.getFloat64(0);
  }
  if (value !== 'NaN' && value !== 'Infinity' && value !== '-Infinity') return undefined;
  return type === 'float16' ? bitsOfHalf(Number(value)) : Number(value);
}
