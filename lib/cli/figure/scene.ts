/** What the picture of a run shows: which batch item, unit of time, channels and stretch of time. */
import { CommandError } from '../../errors';
import type { Stimulus } from '../example-raster';
import {
  largestMagnitude,
  magnitudesOf,
  meanMagnitudes,
  summarizeInput,
  type InputSummary,
  type TimeSeries,
} from '../reduction';

/** What there is to draw. */
export interface Recording {
  /** (T,), (T, N) or (B, T, N), where a last axis of 1 stands for all channels. */
  input: { data: ArrayLike<number | bigint>; shape: readonly number[] };
  /** Synaptic currents, (B, T, N). */
  output: { data: Float64Array | Float32Array; shape: readonly number[] };
  /** Time constants in seconds, shape (N,). */
  tau: Float64Array;
  /** Length of a time step in seconds. */
  dt: number;
  /** What to call the recording. */
  name: string;
  stimuli?: readonly Stimulus[];
}

/** Everything that the panels have in common. */
export interface Scene {
  input: TimeSeries;
  summary: InputSummary;
  output: TimeSeries;
  tau: Float64Array;
  dt: number;
  unit: TimeUnit;
  stimuli: readonly Stimulus[];
  /** The channels whose currents are drawn as traces. */
  channels: number[];
  closeUp: Stretch;
}

interface TimeUnit {
  name: string;
  /** How many of it make a second. */
  perSecond: number;
}

/** Time steps from `begin` to the one before `end`. */
export interface Stretch {
  begin: number;
  end: number;
}

const MAX_TRACES = 4;
/** The close-up lasts for so many of the longest tau among its channels. */
const CLOSE_UP_TAUS = 10;
const MIN_CLOSE_UP_STEPS = 100;

/** @throws CommandError when there is nothing to draw. */
export function prepareScene(recording: Recording): Scene {
  const { dt, tau } = recording;
  const output = firstItem(recording.output);
  const input = firstItem(recording.input);
  if (output.timesteps === 0 || output.columns === 0) {
    throw new CommandError('Expected at least one time step and one channel to draw.');
  }
  const channels = chooseChannels(output, tau);
  return {
    input,
    summary: summarizeInput(input),
    output,
    tau,
    dt,
    unit: chooseTimeUnit(output.timesteps * dt),
    stimuli: recording.stimuli ?? [],
    channels,
    closeUp: chooseCloseUp(output, channels, tau, dt),
  };
}

/** The first batch item; (T,) counts as (T, 1). */
function firstItem(array: {
  data: ArrayLike<number | bigint>;
  shape: readonly number[];
}): TimeSeries {
  const { data, shape } = array;
  if (shape.length === 1) return { data, timesteps: shape[0] ?? 0, columns: 1 };
  const isBatchEmpty = shape.length === 3 && shape[0] === 0;
  return { data, timesteps: isBatchEmpty ? 0 : (shape.at(-2) ?? 0), columns: shape.at(-1) ?? 0 };
}

function chooseTimeUnit(duration: number): TimeUnit {
  if (duration >= 600) return { name: 'min', perSecond: 1 / 60 };
  if (duration >= 1) return { name: 's', perSecond: 1 };
  return duration >= 1e-3 ? { name: 'ms', perSecond: 1e3 } : { name: 'µs', perSecond: 1e6 };
}

/** The most active channel of each quarter of the taus, those with the shortest first. */
function chooseChannels(output: TimeSeries, tau: Float64Array): number[] {
  const activity = meanMagnitudes(output);
  const sorted = Array.from(activity.keys()).sort((a, b) => (tau[a] ?? 0) - (tau[b] ?? 0) || a - b);
  const groups = Math.min(MAX_TRACES, sorted.length);
  return Array.from({ length: groups }, (_, group) => {
    const begin = Math.floor((group * sorted.length) / groups);
    const end = Math.floor(((group + 1) * sorted.length) / groups);
    return sorted
      .slice(begin, end)
      .reduce((best, channel) =>
        (activity[channel] ?? 0) > (activity[best] ?? 0) ? channel : best,
      );
  });
}

/**
 * The stretch in which the chosen channels are most active. Each is measured by the root of its
 * current relative to its peak, so that several active channels count for more than one.
 */
function chooseCloseUp(
  output: TimeSeries,
  channels: number[],
  tau: Float64Array,
  dt: number,
): Stretch {
  const { timesteps } = output;
  const longestTau = channels.reduce((most, channel) => Math.max(most, tau[channel] ?? 0), 0);
  const wanted = Math.max(MIN_CLOSE_UP_STEPS, Math.round((CLOSE_UP_TAUS * longestTau) / dt));
  const length = Math.min(timesteps, wanted);
  const activity = new Float64Array(timesteps);
  for (const channel of channels) {
    const current = magnitudesOf(output, channel);
    const peak = largestMagnitude(current) || 1;
    for (let step = 0; step < timesteps; step++) {
      activity[step] = (activity[step] ?? 0) + Math.sqrt((current[step] ?? 0) / peak);
    }
  }
  return busiestStretch(activity, length);
}

function busiestStretch(activity: Float64Array, length: number): Stretch {
  let sum = 0;
  let best = { begin: 0, sum: -Infinity };
  for (let step = 0; step < activity.length; step++) {
    sum += (activity[step] ?? 0) - (activity[step - length] ?? 0);
    const begin = step + 1 - length;
    // Round-off must not choose among stretches that are equal.
    if (begin >= 0 && sum > best.sum + 1e-9) best = { begin, sum };
  }
  return { begin: best.begin, end: best.begin + length };
}
