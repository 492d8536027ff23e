/** The modules that plan and compute a job. */
import type { Dtype } from '../arrays/element-types';
import { CommandError } from '../errors/command-errors';
import type { ExpSynError } from '../errors/error-codes';
import { asCommandError } from '../errors/fftw-missing';
import { beforeWords, message, option, type Message } from '../errors/message';
import type { Range } from '../formats/raster-source';
import type { CallRecord, Synapses } from '../index';
import { decodeNumbers } from '../modules/json';
import { kernelNamed } from '../modules/kernels';
import type { Job } from './job';
import {
  decodeInfinity,
  settingsOfChannels,
  type Encoded,
  type UnseededSettings,
} from './settings';

type SynapsesClass = new (size: number, options: object) => Synapses<Dtype>;

/** Loads the native addon only when it is needed: help must work without it. */
async function loadClass(kernel: string): Promise<SynapsesClass> {
  const library: Partial<Record<string, unknown>> = await import('../index.js');
  return library[kernelNamed(kernel).className] as SynapsesClass;
}

/** The synapses of a run as a whole, of which it can be asked what it would do. */
export async function synapsesOf(
  { kernel, parameters, samples, ...options }: UnseededSettings,
  size: number,
  more: { threads?: number; window?: object } = {},
): Promise<Synapses<Dtype>> {
  const { samples: described } = kernelNamed(kernel);
  const each = Object.entries(parameters).map(([name, values]) => {
    return [name, values.length === size ? values : new Float64Array(size).fill(values[0] ?? NaN)];
  });
  try {
    const Class = await loadClass(kernel);
    return new Class(size, {
      ...options,
      windowTaus: decodeInfinity(options.windowTaus),
      maxWindowLength: decodeInfinity(options.maxWindowLength),
      ...more.window,
      ...(more.threads !== undefined && { threads: more.threads }),
      ...(Object.fromEntries(each) as object),
      ...(described && samples && { [described.name]: decodeNumbers(samples, described.name) }),
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new CommandError(wordRefusal(error as ExpSynError), { cause: error });
  }
}

/** The sentence about a refused parameter, such as tauRise[3], which is an option of the run. */
function wordRefusal({ argument = '', expected, received, message: text }: ExpSynError): Message {
  const [, name, channel] = /^(\w+)(?:\[(\d+)\])?$/.exec(argument) ?? [];
  if (name === undefined || expected === undefined || received === undefined) return [text];
  const place = channel === undefined ? '' : ` of channel ${channel}`;
  return message`Expected ${beforeWords(expected)} for ${option(name)}${place} but received ${received}.`;
}

/**
 * What a call of so many steps would do.
 *
 * @throws CommandError when that needs FFTW, which is missing.
 */
export function planCall(synapses: Synapses<Dtype>, timesteps: number): CallRecord {
  try {
    return synapses.plan(timesteps);
  } catch (error) {
    throw asCommandError(error);
  }
}

/** The version of FFTW that computes a run here; undefined if none does. */
export async function fftwOf({
  method,
  settings,
}: Pick<Job, 'method' | 'settings'>): Promise<string | undefined> {
  if (method !== 'fft') return undefined;
  const { fftw } = await import('../index.js');
  return fftw()[settings.dtype]?.version;
}

/** The synapses of some channels, with the window and the method of the whole. */
export async function synapsesOfShard(
  { settings, windowLength, method }: Job,
  { begin, end }: Range,
  threads: number,
): Promise<Synapses<Dtype>> {
  return synapsesOf({ ...settingsOfChannels(settings, begin, end), method }, end - begin, {
    threads,
    window: windowOf(settings.kernel, windowLength),
  });
}

/** The options that make a window of that length. Samples are a window themselves. */
export function windowOf(kernel: string, windowLength: Encoded): object {
  if (kernelNamed(kernel).samples !== undefined) return {};
  return windowLength === 'Infinity'
    ? { windowTaus: Infinity }
    : { windowTaus: Number.MAX_VALUE, maxWindowLength: windowLength };
}
