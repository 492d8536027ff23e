/** How a list of events is read. */

/** What times are in, and what they are counted in. */
export interface TimeScale {
  /** Length of a step in seconds. */
  dt: number;
  /** Seconds per unit of the times. */
  timeUnit: number;
  /** The time at which step 0 begins, in seconds, as formatFraction() writes it; 0 by default. */
  start?: string;
}

/** How events become a raster. All numbers but the start are positive and finite. */
export interface EventOptions extends TimeScale {
  /**
   * Length of the raster in seconds; T is the nearest whole number of steps. An event in a later
   * step, one at the very end included, is outside. Without it the last event's step is the last.
   */
  duration?: number;
  /** N, a whole number; an event of a later channel is an error. */
  channels?: number;
  /** Of formats with several populations of units: the name of one. */
  population?: string;
  /** Of formats with labels of units: the label of those that are read, such as 'good'. */
  units?: string;
  /** Of formats with several arrays, the name of one; or those of times and of channels, with a comma between. */
  member?: string;
  /** Of cameras: how many columns and rows of pixels they have. */
  sensor?: readonly [width: number, height: number];
  /** What becomes of an event before the first step or after the last: an error, or nothing. */
  outside?: 'throw' | 'drop';
}
