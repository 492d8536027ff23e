/** Reduces arrays of any length to what a picture of limited size can show. */
import type { Range } from '../formats/raster-source';

/** Numbers of shape (T, columns) in row-major order; the first T * columns elements count. */
export interface TimeSeries {
  data: ArrayLike<number | bigint>;
  timesteps: number;
  columns: number;
}

/** Values of shape (rows, bins) in row-major order: row 0 holds the first channels. */
export interface Grid {
  values: Float64Array;
  rows: number;
  bins: number;
  /** Time steps in a bin; the last bin may hold fewer. */
  stepsPerBin: number;
  /** Channels in a row; the last row may hold fewer. */
  channelsPerRow: number;
}

/** How a bin of a grid combines its elements. */
export type Combination = 'peak' | 'sum';

/**
 * Combines neighbouring time steps, and channels where there are many, into a grid of limited size.
 *
 * @param how 'peak' keeps the value of largest magnitude, with its sign; a bin with a value that is
 *   not finite is NaN. 'sum' adds the values.
 */
export function reduceToGrid(
  { data, timesteps, columns }: TimeSeries,
  how: Combination,
  maxRows: number,
  maxBins: number,
): Grid {
  const stepsPerBin = Math.ceil(timesteps / maxBins);
  const channelsPerRow = Math.ceil(columns / maxRows);
  const bins = Math.ceil(timesteps / stepsPerBin);
  const rows = Math.ceil(columns / channelsPerRow);
  const values = new Float64Array(rows * bins);
  for (let step = 0; step < timesteps; step++) {
    const bin = Math.floor(step / stepsPerBin);
    for (let channel = 0; channel < columns; channel++) {
      const index = Math.floor(channel / channelsPerRow) * bins + bin;
      const value = Number(data[step * columns + channel]);
      const kept = values[index] ?? NaN;
      if (how === 'sum') values[index] = kept + value;
      else if (!Number.isFinite(value)) values[index] = NaN;
      else if (Math.abs(value) > Math.abs(kept)) values[index] = value;
    }
  }
  return { values, rows, bins, stepsPerBin, channelsPerRow };
}

/** The largest magnitude of the finite values, 0 when there are none. */
export function largestMagnitude(values: Float64Array): number {
  return values.reduce((most, value) => {
    const size = Math.abs(value);
    return size > most && size < Infinity ? size : most;
  }, 0);
}

/** A point of a trace: a time in steps and a value; NaN where there is no finite one. */
export interface TracePoint {
  step: number;
  value: number;
}

/**
 * One channel's values from step `begin` to the one before `end`, thinned so that no extreme is lost: of each bin
 * the smallest and the largest value, in the order in which they come.
 */
export function traceOf(
  { data, columns }: TimeSeries,
  channel: number,
  { begin, end }: Range,
  maxBins: number,
): TracePoint[] {
  const at = (step: number): TracePoint => {
    const value = Number(data[step * columns + channel]);
    return { step, value: Number.isFinite(value) ? value : NaN };
  };
  const stepsPerBin = Math.ceil((end - begin) / maxBins);
  const points: TracePoint[] = [];
  for (let first = begin; first < end; first += stepsPerBin) {
    let lowest = at(first);
    let highest = lowest;
    for (let step = first + 1; step < Math.min(first + stepsPerBin, end); step++) {
      const point = at(step);
      if (point.value < lowest.value || Number.isNaN(lowest.value)) lowest = point;
      if (point.value > highest.value || Number.isNaN(highest.value)) highest = point;
    }
    if (lowest === highest) points.push(lowest);
    else points.push(...(lowest.step < highest.step ? [lowest, highest] : [highest, lowest]));
  }
  return points;
}

/** Magnitudes of one column, shape (T,); 0 for values that are not finite. */
export function magnitudesOf(
  { data, timesteps, columns }: TimeSeries,
  channel: number,
): Float64Array {
  const magnitudes = new Float64Array(timesteps);
  for (let step = 0; step < timesteps; step++) {
    const size = Math.abs(Number(data[step * columns + channel]));
    if (size < Infinity) magnitudes[step] = size;
  }
  return magnitudes;
}

/** Mean magnitude of each column's finite values, shape (columns,). */
export function meanMagnitudes({ data, timesteps, columns }: TimeSeries): Float64Array {
  const sums = new Float64Array(columns);
  for (let step = 0; step < timesteps; step++) {
    for (let channel = 0; channel < columns; channel++) {
      const size = Math.abs(Number(data[step * columns + channel]));
      if (size < Infinity) sums[channel] = (sums[channel] ?? 0) + size;
    }
  }
  return sums.map((sum) => sum / timesteps);
}
