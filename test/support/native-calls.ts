/** Calls of the addon without the library around them. */
import { native, type Kernel, type Synapses, type SynapsesSettings } from '../../lib/native/native';

/** Settings of a float64 call without noise on one thread. */
export const SETTINGS: SynapsesSettings = {
  dtype: 'float64',
  method: 'recursive',
  noise: 'output',
  noiseScale: 0,
  nonFinite: 'throw',
  isStateNoisy: false,
  threads: 1,
};

/** A kernel of exponentials, in time steps of 1 ms; its window is 10 tau long. */
export const newKernel = (size: number, tau = 0.02): Kernel =>
  new native.Kernel('exp', size, [new Float64Array(size).fill(tau)], 1e-3, 10, Infinity, 'peak');

export const newSynapses = (size: number, settings: Partial<SynapsesSettings> = {}): Synapses =>
  new native.Synapses(newKernel(size), { ...SETTINGS, ...settings });

/** Numbers that the library does not give to its own calls. */
let lastId = 2 ** 40;
export const nextId = () => ++lastId;
