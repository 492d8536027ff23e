/** Synapses whose response is a damped oscillation: a kernel with two numbers of state. */
import type * as Package from '../../../lib/index';
import { positive } from '../../../lib/errors/checks';
import type { KernelDefinition } from '../../../lib/modules/kernel-definition';
import type { SynapsesClass } from '../../../lib/modules/restore';

const OSCILLATION: KernelDefinition = {
  name: 'oscillation',
  className: 'OscillationSyn',
  description: 'exp(-t / tau) cos(2 pi frequency t)',
  parameters: [
    {
      name: 'tau',
      family: 'taus',
      unit: 's',
      summary: 'time constant',
      default: 0.05,
      check: positive,
    },
    {
      name: 'frequency',
      family: 'frequencies',
      unit: 'Hz',
      summary: 'frequency',
      default: 20,
      check: positive,
    },
  ],
  state: [
    { name: 'isyn', kind: 'number' },
    { name: 'quadrature', kind: 'number' },
  ],
  methods: ['fft', 'recursive'],
  remembersNoise: true,
  windowTaus: Infinity,
};

/** w[k] = exp(-t / tau) cos(2 pi frequency t) with t = (k + 1) dt. */
export function makeOscillationSyn({ Synapses, Session }: typeof Package): SynapsesClass {
  return class OscillationSyn extends Synapses {
    static readonly definition = OSCILLATION;

    constructor(size: Package.Size, options: object = {}) {
      super(OSCILLATION, Session, size, options);
    }
  };
}
