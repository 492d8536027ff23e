/** The kernel that is given by its samples: a finite impulse response. */
import type { KernelDefinition } from './kernel-definition';

export const FINITE_RESPONSE: KernelDefinition = {
  name: 'fir',
  className: 'FirSyn',
  description: 'its W samples, of shape (W,) or (W, N), one for each step',
  parameters: [],
  samples: {
    name: 'kernel',
    family: 'kernels',
    summary: 'samples of the response, of shape (W,) or (W, N)',
  },
  state: [{ name: 'inputs', kind: 'inputs' }],
  methods: ['fft', 'direct'],
  remembersNoise: false,
  windowTaus: Infinity,
};
