/**
 * How the time of an event becomes a step, for lists of every format and all that reads them.
 *
 * An event belongs to step floor(position), where position = (time - start) / dt, but a position that is
 * less than a tolerance below the beginning of a step belongs to that step. The tolerance is 1e-3 of a
 * step: clocks that add dt up, times that are taken relative to a trial, and times that are rounded to a
 * decimal place are a little early. It is larger where the times themselves are rounded by more:
 *
 * - Times in double precision far from zero: 2^-51 of the time, which rounding may have taken from it.
 * - Lists in which every time is equal to its own rounding to single precision: half the spacing of
 *   single precision at the largest time, and what rounding dt to single precision makes of that time.
 *   Lists that show that nothing was rounded are excepted: integers of integer types, whole numbers up
 *   to 2^24, and at least 32 different times that are all multiples of twice that spacing. Of times that
 *   were rounded, half would be odd multiples of the spacing.
 *
 * Half precision is taken as it is: what it loses is as much as a step.
 *
 * The tolerance is at most half a step. An event then belongs to the step whose beginning is nearest.
 */
import { divide, fractionOf, makeFraction, parseFraction, toNumber } from './fraction';
import type { Elements } from '../elements';
import type { TimeScale } from '../event-options';

/** How exact the times of a list are. */
export type TimePrecision =
  | { kind: 'exact' | 'double' }
  | {
      kind: 'single';
      /** The largest magnitude of a time, in the unit of the times. */
      largest: number;
    };

/** Of a step. */
const TOLERANCE = 1e-3;
/** What a position loses by rounding, relative to its size, is less than half of this. */
const POSITION_ERROR = 2 ** -50;
/** What a time in double precision has lost by rounding, and a position by few steps of arithmetic. */
const STORED_ERROR = 2 ** -51;
/** Of a step; more, and events move to the step after the next one. */
const MAX_TOLERANCE = 0.5;
/** Single precision holds every whole number up to this one. */
const MAX_EXACT_WHOLE = 2 ** 24;
/** So many different times would not all be even multiples of a spacing that they were rounded to. */
const ENOUGH_TIMES = 32;

/**
 * Finds out how exact the times of a list are. All times have to be shown, until one of them decides.
 * Their order makes no difference.
 */
export class TimeSurvey {
  #isSingle = true;
  #isWhole = true;
  #largest = 0;
  /** The largest power of two of which every time is a multiple; all are multiples of Infinity. */
  #grid = Infinity;
  /** Different times, until there are enough. */
  readonly #different = new Set<number>();

  /** @returns Whether more times can change the answer. */
  add(times: ArrayLike<number>): boolean {
    for (let index = 0; this.#isSingle && index < times.length; index++) {
      const time = times[index] ?? NaN;
      this.#isSingle = Math.fround(time) === time;
      this.#isWhole &&= Number.isInteger(time);
      this.#largest = Math.max(this.#largest, Math.abs(time));
      if (!this.#isSingle) break;
      // Only a bit below the grid makes it finer.
      if (time % this.#grid !== 0) this.#grid = Math.min(this.#grid, lowestBitOf(time));
      if (this.#different.size < ENOUGH_TIMES) this.#different.add(time);
    }
    return this.#isSingle;
  }

  get precision(): TimePrecision {
    return this.#isSingle && !this.#isExact
      ? { kind: 'single', largest: this.#largest }
      : { kind: 'double' };
  }

  /** Whether times that single precision holds show that it has rounded none of them. */
  get #isExact(): boolean {
    if (this.#isWhole && this.#largest <= MAX_EXACT_WHOLE) return true;
    const isMany = this.#different.size >= ENOUGH_TIMES;
    return isMany && this.#grid >= 2 * spacingAt(this.#largest);
  }
}

/** Turns times into steps. */
export class EventClock {
  /** Of a step, at position 0. */
  readonly tolerance: number;
  /** The start in the unit of the times: the nearest whole number, and the rest. */
  readonly #whole: number;
  readonly #rest: number;
  readonly #stepsPerUnit: number;
  readonly #timeUnit: number;
  readonly #isExact: boolean;
  readonly #singleTolerance: number;

  constructor({ dt, timeUnit, start = '0' }: TimeScale, precision: TimePrecision) {
    const unit = fractionOf(timeUnit);
    this.#stepsPerUnit = toNumber(divide(unit, fractionOf(dt)));
    this.#timeUnit = timeUnit;
    const origin = divide(parseFraction(start), unit);
    this.#whole = Math.round(toNumber(origin));
    const rest = origin.numerator - BigInt(this.#whole) * origin.denominator;
    this.#rest = toNumber(makeFraction(rest, origin.denominator));
    this.#isExact = precision.kind === 'exact';
    this.#singleTolerance =
      precision.kind === 'single' ? singleError(precision.largest, dt / timeUnit) : 0;
    this.tolerance = this.#toleranceAt(0, 0);
  }

  /**
   * Times relative to the start, in their own unit, all but what the start has beyond a whole number.
   * Nothing is lost near the start, whatever the size of the times.
   */
  offsetsOf(times: Elements): ArrayLike<number> {
    if (times instanceof BigInt64Array || times instanceof BigUint64Array) {
      const whole = BigInt(this.#whole);
      const offsets = new Float64Array(times.length);
      for (let index = 0; index < offsets.length; index++) {
        offsets[index] = Number((times[index] ?? 0n) - whole);
      }
      return offsets;
    }
    if (this.#whole === 0) return times;
    const offsets = new Float64Array(times.length);
    for (let index = 0; index < offsets.length; index++) {
      offsets[index] = (times[index] ?? NaN) - this.#whole;
    }
    return offsets;
  }

  /**
   * The step of an event, which may be negative; NaN or infinite for a time that is. It never decreases
   * with time.
   *
   * @param offset Of offsetsOf().
   */
  stepOf(offset: number): number {
    const position = (offset - this.#rest) * this.#stepsPerUnit;
    const step = Math.floor(position);
    // The difference is exact.
    return step + 1 - position <= this.#toleranceAt(position, offset) ? step + 1 : step;
  }

  /** Whether an event lies before the step that it belongs to, within the tolerance. */
  isEarly(offset: number): boolean {
    return Math.floor((offset - this.#rest) * this.#stepsPerUnit) < this.stepOf(offset);
  }

  /** The time that an offset stands for, in seconds. */
  secondsOf(offset: number): number {
    return (offset + this.#whole) * this.#timeUnit;
  }

  #toleranceAt(position: number, offset: number): number {
    const error = Math.abs(position) * POSITION_ERROR;
    const time = Math.abs(offset) + (this.#isExact ? 0 : Math.abs(this.#whole));
    const stored = time * this.#stepsPerUnit * STORED_ERROR;
    return Math.min(
      // A time that is earlier by exactly 1e-3 of a step, however it is rounded, is outside: clocks in
      // microseconds have such times in steps of a millisecond.
      Math.max(TOLERANCE - error, stored, this.#singleTolerance + error),
      MAX_TOLERANCE,
    );
  }
}

/** How early a time up to `largest` may be by single precision, in steps of the unit of the times. */
function singleError(largest: number, step: number): number {
  // A clock in single precision multiplies by this in place of dt.
  const shortfall = Math.max(0, 1 - Math.fround(step) / step);
  return (spacingAt(largest) / 2 + largest * shortfall) / step;
}

/** How far the next number of single precision is from one of them that is not negative. */
function spacingAt(value: number): number {
  const next = new Float32Array(1);
  next[0] = value;
  const bits = new Int32Array(next.buffer);
  bits[0] = (bits[0] ?? 0) + 1;
  return next[0] - value;
}

/** The largest power of two of which a number of single precision other than 0 is a multiple. */
function lowestBitOf(value: number): number {
  const single = new Float32Array(1);
  single[0] = value;
  const [bits = 0] = new Int32Array(single.buffer);
  const exponent = (bits >>> 23) & 0xff;
  const significand = (bits & 0x7fffff) | (exponent === 0 ? 0 : 0x800000);
  const lowest = significand & -significand;
  return lowest * 2 ** (Math.max(exponent, 1) - 150);
}
