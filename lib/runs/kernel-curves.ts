/** The kernels of a run as curves over time, for pictures. */
import type { ComputedBy } from '../modules/kernel-definition';
import { kernelNamed } from '../modules/kernels';
import { decodeNumbers } from '../modules/json';
import type { Job } from './job';
import {
  decodeInfinity,
  encodeInfinity,
  longestTimeConstants,
  settingsOfChannels,
} from './settings';
import { synapsesOf, windowOf } from './synapses';

/** The samples of some kernels, (K, C) in row-major order. */
export interface KernelCurves {
  data: Float64Array;
  timesteps: number;
  columns: number;
  /** What sort of kernels they are. */
  kernel: string;
  /** Seconds between two samples; sample k is that of the time (k + 1) dt after a spike. */
  dt: number;
  /** Whether dt times the sum of a column is 1 s, so that the samples have the unit 1/s. */
  isArea: boolean;
}

/** A curve ends after this many of the longest time constant. */
const TAUS = 6;
/** Curves of more steps have larger ones. */
const MOST_STEPS = 20_000;
/** Steps of a kernel that has neither an end nor a time constant. */
const STEPS_WITHOUT_END = 1000;

/**
 * The kernels of some channels, or the one that all channels share.
 *
 * @param channels Their numbers in the whole run.
 */
export async function kernelCurves(
  job: Pick<Job, 'settings' | 'windowLength'>,
  channels: readonly number[],
): Promise<KernelCurves> {
  const { settings } = job;
  const { parameters, samples } = settings;
  const isShared =
    (samples?.shape.length ?? 1) === 1 &&
    Object.values(parameters).every(({ length }) => length === 1);
  const own = (isShared ? [0] : channels).map((channel) =>
    settingsOfChannels(settings, channel, channel + 1),
  );
  const steps = Math.max(...own.map((one) => countSteps({ ...job, settings: one })));
  const stride = samples === undefined ? Math.ceil(steps / MOST_STEPS) : 1;
  const timesteps = Math.ceil(steps / stride);
  const data = new Float64Array(timesteps * own.length);
  for (const [column, one] of own.entries()) {
    const curve =
      samples === undefined
        ? await response({ ...job, settings: one }, stride, timesteps)
        : scaledSamples(one);
    curve.forEach((value, step) => {
      data[step * own.length + column] = value;
    });
  }
  const isArea = settings.normalise === 'area';
  const { kernel, dt } = settings;
  return { data, timesteps, columns: own.length, kernel, dt: stride * dt, isArea };
}

/** The steps that one channel's curve shows. */
function countSteps({ settings, windowLength }: Pick<Job, 'settings' | 'windowLength'>): number {
  if (settings.samples !== undefined) return settings.samples.shape[0] ?? 1;
  const taus = longestTimeConstants(settings);
  const steps = taus === undefined ? STEPS_WITHOUT_END : (TAUS * Math.max(...taus)) / settings.dt;
  return Math.ceil(Math.max(1, Math.min(steps, decodeInfinity(windowLength), 2 ** 52)));
}

/** What a spike in step 0 gives, in steps of `stride` of the run's own. */
async function response(
  { settings, windowLength }: Pick<Job, 'settings' | 'windowLength'>,
  stride: number,
  timesteps: number,
): Promise<Float64Array> {
  const { kernel } = settings;
  const methods: readonly ComputedBy[] = kernelNamed(kernel).methods;
  const length = decodeInfinity(windowLength);
  const own = Math.max(1, Math.round(length / stride));
  const synapses = await synapsesOf(
    {
      ...settings,
      dt: stride * settings.dt,
      dtype: 'float64',
      method: methods.find((method) => method !== 'fft') ?? 'auto',
      noiseStd: 0,
    },
    1,
    { window: windowOf(kernel, encodeInfinity(own)) },
  );
  const spike = new Uint8Array(timesteps);
  spike[0] = 1;
  const { output } = synapses.evolveSync({ data: spike, shape: [timesteps, 1] });
  return Float64Array.from(output.data);
}

/** Samples as they are scaled in the run. */
function scaledSamples({ samples, normalise, dt }: Job['settings']): Float64Array {
  const decoded = decodeNumbers(samples, 'samples');
  if (typeof decoded === 'number') return Float64Array.of(decoded);
  if (normalise === 'peak') return decoded.data;
  const area = dt * decoded.data.reduce((sum, value) => sum + value, 0);
  return decoded.data.map((value) => value / area);
}
