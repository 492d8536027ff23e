/** How events become counts in time steps. */
import { CommandError } from '../errors';

/** How a list of events is read. */
export interface BinningOptions {
  /** Length of a time step in seconds. */
  dt: number;
  /** Seconds in a unit of the times. */
  timeUnit: number;
  /** Length of the raster in seconds, and its number of channels; else up to the last event's. */
  duration?: number;
  channels?: number;
}

/** Times this close to the beginning of a step, relative to themselves, count as that beginning. */
const TOLERANCE = 2 ** -50;

/** Beyond it, steps are no whole numbers any more. */
const LAST_STEP = 2 ** 53;

/**
 * The step in which a time lies: floor(time * timeUnit / dt). A time that rounding has put just
 * before the beginning of a step, such as 0.003 s with steps of 0.001 s, belongs to that step.
 */
export function stepOf(time: number, { dt, timeUnit }: BinningOptions): number {
  const quotient = (time * timeUnit) / dt;
  const nearest = Math.round(quotient);
  return Math.abs(quotient - nearest) <= nearest * TOLERANCE ? nearest : Math.floor(quotient);
}

/** Collects the checks and the extent of a list of events. */
export class Extent {
  readonly #options: BinningOptions;
  readonly #name: string;
  #lastStep = -1;
  #lastChannel = -1;

  constructor(options: BinningOptions, name: string) {
    this.#options = options;
    this.#name = name;
  }

  /**
   * Checks an event and returns its step.
   *
   * @param place What to call the event in an error.
   */
  include(time: number, channel: number, place: () => string): number {
    const step = stepOf(time, this.#options);
    if (!(time >= 0 && step < LAST_STEP)) {
      throw new CommandError(
        `Expected times from 0 on in ${this.#name} but received ${time} at ${place()}.`,
      );
    }
    if (!(Number.isInteger(channel) && channel >= 0 && channel < 2 ** 32)) {
      throw new CommandError(
        `Expected whole numbers from 0 on as channels in ${this.#name} but received ${channel} at ` +
          `${place()}.`,
      );
    }
    if (step > this.#lastStep) this.#lastStep = step;
    if (channel > this.#lastChannel) this.#lastChannel = channel;
    return step;
  }

  /** T and N: as the options say, else such that every event is inside. */
  shape(): [timesteps: number, channels: number] {
    const { dt, duration, channels } = this.#options;
    const steps = duration === undefined ? undefined : Math.max(1, Math.round(duration / dt));
    if (this.#lastStep < 0 && (steps === undefined || channels === undefined)) {
      throw new CommandError(
        `Expected at least one event in ${this.#name}, or --duration and --channels, but received ` +
          'none of them.',
      );
    }
    if (steps !== undefined && this.#lastStep >= steps) {
      throw new CommandError(
        `Expected events within --duration, ${steps} steps, in ${this.#name} but received one in step ` +
          `${this.#lastStep}; give a longer one, or leave it out.`,
      );
    }
    if (channels !== undefined && this.#lastChannel >= channels) {
      throw new CommandError(
        `Expected channels below --channels, ${channels}, in ${this.#name} but received ` +
          `${this.#lastChannel}; give more, or leave it out.`,
      );
    }
    return [steps ?? this.#lastStep + 1, channels ?? this.#lastChannel + 1];
  }
}

const MOST_EVENTS = 2 ** 16 - 1;

/** Adds an event to the counts of a region, row-major (steps, width). */
export function countEvent(counts: Uint16Array, index: number, describe: () => string): void {
  const count = counts[index] ?? 0;
  if (count === MOST_EVENTS) {
    throw new CommandError(`Expected at most ${MOST_EVENTS} events ${describe()}.`);
  }
  counts[index] = count + 1;
}
