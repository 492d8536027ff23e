/** What the elements of an input are like: spikes or not, how many, and at what rate. */
import type { TimeSeries } from './reduction';
import { counted } from './words';

/** What the input of a run is like. */
export interface InputSummary {
  /** Whether every element can be a spike count: a whole number from 0 to 2^53 - 1. */
  isSpikes: boolean;
  isSigned: boolean;
  /** Elements other than 0. */
  nonZeros: number;
  nonFinite: number;
  /** Sum of the elements: the number of spikes, where they are counts. */
  total: number;
  /** Sum of their magnitudes, which no current exceeds without noise. */
  magnitude: number;
}

/** One pass over every element. */
export function summarizeInput({ data, timesteps, columns }: TimeSeries): InputSummary {
  const summary: InputSummary = {
    isSpikes: true,
    isSigned: false,
    nonZeros: 0,
    nonFinite: 0,
    total: 0,
    magnitude: 0,
  };
  const size = timesteps * columns;
  for (let index = 0; index < size; index++) {
    const value = Number(data[index]);
    if (value === 0) continue;
    summary.nonZeros++;
    summary.total += value;
    summary.magnitude += Math.abs(value);
    if (value < 0) summary.isSigned = true;
    if (!Number.isFinite(value)) summary.nonFinite++;
    if (!(value >= 0 && Number.isSafeInteger(value))) summary.isSpikes = false;
  }
  return summary;
}

/** Spikes in a second of the average channel; 0 where there are no samples. */
export function meanRate(spikes: number, samples: number, dt: number): number {
  return samples > 0 ? spikes / samples / dt : 0;
}

/**
 * A number of spikes and their rate, in words. Sums beyond 2^53 are rounded, and a rate beyond the
 * largest double is left out.
 */
export function describeSpikes(spikes: number, samples: number, dt: number): string[] {
  const rate = meanRate(spikes, samples, dt);
  return [
    Number.isSafeInteger(spikes)
      ? counted(spikes, 'spike')
      : `about ${spikes.toPrecision(3)} spikes`,
    ...(Number.isFinite(rate) ? [`mean rate ${Number(rate.toPrecision(3))} spikes/s`] : []),
  ];
}
