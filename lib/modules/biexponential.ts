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
  description: `a synapse whose response is an alpha function. In every time step, with a = exp(-dt / tau_n),
    isyn <- isyn * a + e * (dt / tau_n) * a * (rising + input)
    rising <- (rising + input) * a`,
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
  description: `a synapse whose response is a double exponential. In every time step, with
    a = exp(-dt / tauDecay_n) and b = exp(-dt / tauRise_n),
    isyn <- isyn * a + w_n[0] * (rising + input)
    rising <- (rising + input) * b`,
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
