/** What the picture of a run shows: which batch item, unit of time, channels and close-up. */
import { CommandError } from '../errors/command-errors';
import type { Range } from '../formats/raster-source';
import type { KernelCurves } from '../runs/kernel-curves';
import { largestMagnitude, magnitudesOf, meanMagnitudes, type TimeSeries } from './reduction';
import { summarizeInput, type InputSummary } from './input-summary';

/** A stretch of time in which something was shown to the animal. */
export interface Stimulus {
  /** First and last moment in seconds. */
  start: number;
  end: number;
  /** From 0 (nothing) to 1 (the strongest). */
  strength: number;
}

/** A part of an array of shape (B, T, N): one batch item. */
export interface PartialArray extends TimeSeries {
  /** NumPy's name of the element type. */
  type: string;
}

/** What there is to draw: a raster, currents, or both. */
export interface Recording {
  /** One column stands for all channels. */
  input: PartialArray | undefined;
  output: PartialArray | undefined;
  /** Time constants of the channels that are drawn, in seconds. */
  tau: Float64Array | undefined;
  /** Length of a time step in seconds. */
  dt: number;
  /** What to call the recording. */
  name: string;
  /** Which batch item it is, and of how many. */
  item: number;
  batches: number;
  /** What the first row and column are in the whole array. */
  firstStep: number;
  firstChannel: number;
  /** Whether these are all of its steps. */
  isWhole: boolean;
  /** Columns to draw as traces; by default the most active ones. */
  traces?: readonly number[];
  stimuli?: readonly Stimulus[];
  /** The kernels of the traced channels, or the one of all channels. */
  kernels?: KernelCurves;
}

/** Everything that the panels have in common. */
export interface Scene {
  input: TimeSeries | undefined;
  summary: InputSummary | undefined;
  output: TimeSeries | undefined;
  timesteps: number;
  columns: number;
  tau: Float64Array | undefined;
  dt: number;
  firstStep: number;
  firstChannel: number;
  unit: TimeUnit;
  stimuli: readonly Stimulus[];
  /** The columns whose currents are drawn as traces. */
  channels: readonly number[];
  closeUp: Range;
}

interface TimeUnit {
  name: string;
  /** How many of it make a second. */
  perSecond: number;
}

const MAX_TRACES = 4;
/** The close-up lasts for so many of the longest tau among its channels. */
const CLOSE_UP_TAUS = 10;
const MIN_CLOSE_UP_STEPS = 100;

/** @throws CommandError when there is nothing to draw. */
export function prepareScene(recording: Recording): Scene {
  const { dt, tau, input, output, firstStep, firstChannel, stimuli = [] } = recording;
  const { timesteps = 0, columns = 0 } = output ?? input ?? {};
  if (timesteps === 0 || columns === 0) {
    throw new CommandError('Expected at least one time step and one channel to draw.');
  }
  const channels = output === undefined ? [] : (recording.traces ?? chooseChannels(output, tau));
  const begin = firstStep * dt;
  const end = begin + timesteps * dt;
  return {
    input,
    summary: input && summarizeInput(input),
    output,
    timesteps,
    columns,
    tau,
    dt,
    firstStep,
    firstChannel,
    unit: chooseTimeUnit(end),
    stimuli: stimuli.filter((stimulus) => stimulus.start < end && stimulus.end > begin),
    channels,
    closeUp:
      output === undefined
        ? { begin: 0, end: timesteps }
        : chooseCloseUp(output, channels, tau, dt),
  };
}

/** The unit in which a duration in seconds is shown. */
export function chooseTimeUnit(duration: number): TimeUnit {
  if (duration >= 600) return { name: 'min', perSecond: 1 / 60 };
  if (duration >= 1) return { name: 's', perSecond: 1 };
  return duration >= 1e-3 ? { name: 'ms', perSecond: 1e3 } : { name: 'µs', perSecond: 1e6 };
}

/** The most active channel of each quarter of the taus, those with the shortest first. */
export function chooseChannels(output: TimeSeries, tau: Float64Array | undefined): number[] {
  const activity = meanMagnitudes(output);
  const sorted = Array.from(activity.keys()).sort(
    (a, b) => (tau?.[a] ?? 0) - (tau?.[b] ?? 0) || a - b,
  );
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
 * The range of steps in which the chosen channels are most active. Each is measured by the root of its
 * current relative to its peak, so that several active channels count for more than one.
 */
function chooseCloseUp(
  output: TimeSeries,
  channels: readonly number[],
  tau: Float64Array | undefined,
  dt: number,
): Range {
  const { timesteps } = output;
  const longestTau = channels.reduce((most, channel) => Math.max(most, tau?.[channel] ?? 0), 0);
  const requested = Math.max(MIN_CLOSE_UP_STEPS, Math.round((CLOSE_UP_TAUS * longestTau) / dt));
  const length = Math.min(timesteps, requested);
  const activity = new Float64Array(timesteps);
  for (const channel of channels) {
    const current = magnitudesOf(output, channel);
    const peak = largestMagnitude(current) || 1;
    for (let step = 0; step < timesteps; step++) {
      activity[step] = (activity[step] ?? 0) + Math.sqrt((current[step] ?? 0) / peak);
    }
  }
  return busiestRange(activity, length);
}

function busiestRange(activity: Float64Array, length: number): Range {
  let sum = 0;
  let best = { begin: 0, sum: -Infinity };
  for (let step = 0; step < activity.length; step++) {
    sum += (activity[step] ?? 0) - (activity[step - length] ?? 0);
    const begin = step + 1 - length;
    // Round-off must not choose among equal ranges.
    if (begin >= 0 && sum > best.sum + 1e-9) best = { begin, sum };
  }
  return { begin: best.begin, end: best.begin + length };
}
