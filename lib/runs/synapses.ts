/** The module that computes a job, or some of its channels. */
import { CommandError } from '../errors/command-errors';
import type { Range } from '../formats/raster-source';
import type { Dtype, ExpSyn, ExpSynOptions } from '../index';
import { decodeInfinity, type Job, type SynapseSettings } from './job';

/** Loads the native addon only when it is needed: help must work without it. */
async function loadExpSyn(): Promise<typeof ExpSyn> {
  try {
    return (await import('../index.js')).ExpSyn;
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

type GivenSettings = Omit<SynapseSettings, 'seed'> & { seed?: number | undefined };

function optionsOf({ seed, ...settings }: GivenSettings): ExpSynOptions {
  return {
    ...settings,
    ...(seed !== undefined && { seed }),
    windowTaus: decodeInfinity(settings.windowTaus),
    maxWindowLength: decodeInfinity(settings.maxWindowLength),
  };
}

/** What follows from the settings: the window in steps, and a seed where none is given. */
export async function describeSynapses(
  settings: GivenSettings,
  size: number,
): Promise<{ windowLength: number; seed: number }> {
  const { windowLength, seed } = await make(size, optionsOf(settings));
  return { windowLength, seed };
}

/** The method that is faster for calls of so many steps, unless the settings name one. */
export async function chooseMethod(
  settings: SynapseSettings,
  size: number,
  timesteps: number,
): Promise<'fft' | 'recursive'> {
  if (settings.method !== 'auto') return settings.method;
  const synapses = await make(size, optionsOf(settings));
  // The choice depends on the shape alone; a batch of no items costs nothing.
  const { record } = synapses.evolveSync({ data: new Uint8Array(0), shape: [0, timesteps, size] });
  return record.method;
}

/** The synapses of some channels, with the window and method of the whole. */
export async function makeSynapses(
  job: Job,
  channels: Range,
  threads: number,
): Promise<ExpSyn<Dtype>> {
  const { settings, windowLength, method } = job;
  const options = optionsOf(settings);
  const tau =
    settings.tau.length === 1 ? settings.tau : settings.tau.slice(channels.begin, channels.end);
  const window =
    windowLength === 'Infinity'
      ? { windowTaus: Infinity }
      : { windowTaus: Number.MAX_VALUE, maxWindowLength: windowLength };
  const size = channels.end - channels.begin;
  return make(size, { ...options, ...window, tau, method, threads });
}

async function make(size: number, options: ExpSynOptions): Promise<ExpSyn<Dtype>> {
  const Class = await loadExpSyn();
  const tau = options.tau as number[];
  const each = tau.length === size ? tau : new Float64Array(size).fill(tau[0] ?? NaN);
  try {
    return new Class(size, { ...options, tau: each });
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new CommandError(error.message, { cause: error });
  }
}
