/** Events, which may stand in place of an array. */
import type { TypedArray } from './element-types';

/** Numbers, one an event. */
export type EventNumbers = readonly number[] | TypedArray;

/**
 * Spikes as a list, in place of a raster: in any order; several events of one channel in one step add up.
 * An event belongs to step floor(time / dt); one that comes up to 1e-3 of a step before the beginning of a
 * step belongs to that step, and so does one that single precision may have rounded to before it.
 */
export interface EventList {
  /** When each event happens, in seconds from the beginning of the call's first step. */
  readonly times: EventNumbers;
  /** The channel of each event, 0 to N - 1. */
  readonly channels: EventNumbers;
  /** What each event adds to its step, 1 by default. */
  readonly values?: EventNumbers;
  /** The batch item of each event, 0 by default. */
  readonly batches?: EventNumbers;
  /** The shape of the raster that the events stand for, (T, N) or (B, T, N). */
  readonly shape: readonly number[];
}
