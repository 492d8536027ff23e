/** Synapses whose response is a falling ramp: a kernel without a recursion. */
import type * as Package from '../../../lib/index';
import { positive } from '../../../lib/errors/checks';
import type { KernelDefinition } from '../../../lib/modules/kernel-definition';
import type { SynapsesClass } from '../../../lib/modules/restore';

const TRIANGLE: KernelDefinition = {
  name: 'triangle',
  className: 'TriangleSyn',
  description: '1 - t / (width dt), as long as that is positive',
  parameters: [
    {
      name: 'width',
      family: 'widths',
      unit: 'steps',
      summary: 'length of the ramp',
      default: 20,
      check: positive,
    },
  ],
  state: [{ name: 'inputs', kind: 'inputs' }],
  methods: ['fft', 'direct'],
  remembersNoise: false,
  windowTaus: Infinity,
};

/** w[k] = 1 - k / width as long as that is positive, and 0 afterwards. */
export function makeTriangleSyn({ Synapses, Session }: typeof Package): SynapsesClass {
  return class TriangleSyn extends Synapses {
    static readonly definition = TRIANGLE;

    constructor(size: Package.Size, options: object = {}) {
      super(TRIANGLE, Session, size, options);
    }
  };
}
