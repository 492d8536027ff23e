/** The classes of synapses that exist for tests only. */
import type * as Package from '../../../lib/index';
import type { SynapsesClass } from '../../../lib/modules/restore';
import { makeOscillationSyn } from './oscillation-syn';
import { makeTriangleSyn } from './triangle-syn';

export const testSynapses = (library: typeof Package): SynapsesClass[] => [
  makeOscillationSyn(library),
  makeTriangleSyn(library),
];
