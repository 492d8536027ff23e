/**
 * How the time of an event becomes a step, for lists of every format: by the clock of the core, which
 * native/core/event_clock.h describes, with the start and the units as exact fractions.
 */
import { native, type NativeEventClock, type NativeTimeSurvey } from '../../native/native';
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

/**
 * Finds out how exact the times of a list of floats are. All times have to be shown, until one of them
 * decides. Their order makes no difference.
 */
export class TimeSurvey {
  readonly #survey: NativeTimeSurvey = new native.TimeSurvey();

  /** @returns Whether more times can change the answer. */
  add(times: Elements): boolean {
    return this.#survey.add(times);
  }

  get precision(): TimePrecision {
    const largest = this.#survey.largestSingle();
    return largest > 0 ? { kind: 'single', largest } : { kind: 'double' };
  }
}

/** Turns times into steps. */
export class EventClock {
  /** Of a step, at position 0. */
  readonly tolerance: number;
  readonly #clock: NativeEventClock;
  readonly #timeUnit: number;

  constructor({ dt, timeUnit, start = '0' }: TimeScale, precision: TimePrecision) {
    const unit = fractionOf(timeUnit);
    const origin = divide(parseFraction(start), unit);
    const whole = Math.round(toNumber(origin));
    const rest = origin.numerator - BigInt(whole) * origin.denominator;
    this.#clock = new native.EventClock(
      toNumber(divide(unit, fractionOf(dt))),
      dt / timeUnit,
      whole,
      toNumber(makeFraction(rest, origin.denominator)),
      precision.kind === 'exact',
      precision.kind === 'single' ? precision.largest : 0,
    );
    this.#timeUnit = timeUnit;
    this.tolerance = this.#clock.tolerance();
  }

  /**
   * The steps of events, which may be negative; NaN or infinite for times that are. A step never decreases
   * with the time.
   */
  stepsOf(times: Elements): Float64Array {
    const steps = new Float64Array(times.length);
    this.#clock.stepsOf(times, steps);
    return steps;
  }

  /** Whether an event lies before the step that it belongs to, within the tolerance. */
  isEarly(time: Elements): boolean {
    return this.#clock.isEarly(time);
  }

  /** A time in seconds. */
  secondsOf(time: number): number {
    return time * this.#timeUnit;
  }
}
