/** What a figure has to know about the synapses. */
import type { Dtype } from '../arrays/element-types';
import type { Synapses } from '../index';
import { decodeNumbers, type EncodedArray } from '../modules/json';
import { KERNELS } from '../modules/kernels';
import type { Job } from '../runs/job';
import { encodeInfinity, RUN_OPTIONS, type RunOptions } from '../runs/settings';

/** The settings of a module as those of a run; undefined if no run has its kernel. */
export function settingsOf(
  synapses: Synapses<Dtype>,
): Pick<Job, 'settings' | 'windowLength'> | undefined {
  const saved = synapses.toJSON() as unknown as Record<string, unknown>;
  const kernel = KERNELS.find(({ className }) => className === saved['class']);
  if (kernel === undefined) return undefined;
  const parameters = kernel.parameters.map(({ name }) => {
    const value = decodeNumbers(saved[name], name);
    return [name, typeof value === 'number' ? [value] : [...value.data]];
  });
  const samples = kernel.samples && saved[kernel.samples.name];
  return {
    settings: {
      kernel: kernel.name,
      parameters: Object.fromEntries(parameters) as Record<string, number[]>,
      ...(Object.fromEntries(
        RUN_OPTIONS.map((name) => [name, saved[name]]),
      ) as unknown as RunOptions),
      ...(samples !== undefined && { samples: samples as EncodedArray }),
    },
    windowLength: encodeInfinity(synapses.windowLength),
  };
}
