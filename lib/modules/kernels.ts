/**
 * The registry of kernels: what TypeScript knows of each, by name. It needs no addon, so that the command
 * line's help works without it.
 */
import { outOfRange, positive } from '../errors/checks';
import type { KernelDefinition } from './kernel-definition';

export const EXPONENTIAL: KernelDefinition = {
  name: 'exp',
  className: 'ExpSyn',
  parameters: [
    {
      name: 'tau',
      family: 'taus',
      unit: 's',
      summary: 'time constant',
      default: 10e-3,
      check: positive,
    },
  ],
  state: [{ name: 'isyn', kind: 'number' }],
  methods: ['fft', 'recursive'],
  remembersNoise: true,
  windowTaus: 10,
};

/** All kernels. Runs on files use the first unless they are told otherwise. */
export const KERNELS: readonly [KernelDefinition, ...KernelDefinition[]] = [EXPONENTIAL];

export function kernelNamed(name: string): KernelDefinition {
  const found = KERNELS.find((kernel) => kernel.name === name);
  if (found !== undefined) return found;
  const known = KERNELS.map((kernel) => `'${kernel.name}'`).join(' or ');
  throw outOfRange(known, 'kernel', `'${name}'`);
}
