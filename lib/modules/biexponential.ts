/** The alpha function and the double exponential: kernels that rise before they decay. */
import { positive } from '../errors/checks';
import type { KernelDefinition } from './kernel-definition';

const STATE = [
  { name: 'isyn', kind: 'number' },
  { name: 'rising', kind: 'number' },
] as const;

export const ALPHA: KernelDefinition = {
  name: 'alpha',
  className: 'AlphaSyn',
  description: '(t / tau) exp(1 - t / tau)',
  parameters: [
    {
      name: 'tau',
      family: 'taus',
      unit: 's',
      summary: 'time constant, which is the time to the peak',
      default: 5e-3,
      check: positive,
    },
  ],
  state: STATE,
  methods: ['fft', 'recursive'],
  remembersNoise: true,
  windowTaus: Infinity,
};

export const DOUBLE_EXPONENTIAL: KernelDefinition = {
  name: 'double-exp',
  className: 'DoubleExpSyn',
  description: 'c (exp(-t / tauDecay) - exp(-t / tauRise)), of peak 1',
  parameters: [
    {
      name: 'tauRise',
      family: 'taus',
      unit: 's',
      summary: 'rise time constant',
      default: 2e-3,
      check: positive,
    },
    {
      name: 'tauDecay',
      family: 'taus',
      unit: 's',
      summary: 'decay time constant',
      default: 10e-3,
      check: positive,
    },
  ],
  ordered: ['tauRise', 'tauDecay'],
  state: STATE,
  methods: ['fft', 'recursive'],
  remembersNoise: true,
  windowTaus: Infinity,
};
