/** The exponential kernel. */
import { positive } from '../errors/checks';
import type { KernelDefinition } from './kernel-definition';

export const EXPONENTIAL: KernelDefinition = {
  name: 'exp',
  className: 'ExpSyn',
  description: 'exp(-t / tau)',
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
