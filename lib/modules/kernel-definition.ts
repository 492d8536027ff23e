/** A kernel as TypeScript describes it: its parameters and its state. The core computes its samples. */
import type { Check } from '../errors/checks';
import type { ComputedBy, Normalisation } from '../native/native';

export type { ComputedBy, Normalisation };

/** One parameter of a kernel: a number for each synapse, or one for all. */
export interface KernelParameter {
  /** As an option, an attribute and in JSON, e.g. 'tau'. */
  readonly name: string;
  /** What sort of quantity it is; 'taus' are time constants, which notes and pictures of runs show. */
  readonly family: string;
  /** The unit of its numbers, if they have one. */
  readonly unit?: 's' | 'Hz' | 'steps';
  /** In a few words, for the command line's help and the docs. */
  readonly summary: string;
  /** The value of each synapse, unless another is given. */
  readonly default: number;
  /** Checks one number. */
  readonly check: Check<number>;
}

/** The samples of a kernel that is given by them: an array (W,) for all synapses or (W, N). */
export interface KernelSamples {
  /** As an option, an attribute and in JSON, e.g. 'kernel'. */
  readonly name: string;
  /** What sort of quantity it is. */
  readonly family: string;
  /** In a few words, for the command line's help and the docs. */
  readonly summary: string;
}

/**
 * One variable of a kernel's state, by the name that it has as an attribute, in results and in JSON.
 *
 * A kernel with a recursion has a 'number' for each number that the recursion carries, in its order; the
 * first is the synaptic current. A kernel without one has its last 'inputs', and nothing else.
 */
export interface StateVariable {
  readonly name: string;
  readonly kind: 'number' | 'inputs';
}

/** A kernel, as a class of synapses describes it. */
export interface KernelDefinition {
  /** The name in the core's registry. */
  readonly name: string;
  /** The name of the class of synapses, which lib/index.ts exports and JSON holds. */
  readonly className: string;
  /** Its value at the time t after a spike, in one line for the command line's help. */
  readonly description: string;
  /** In the order in which the core takes them. */
  readonly parameters: readonly KernelParameter[];
  /** Two parameters of which the first may not be above the second, for any synapse. */
  readonly ordered?: readonly [string, string];
  /**
   * Given if the kernel is its samples, which have no default. Its window is as long as they are, so that
   * `windowTaus` and `maxWindowLength` do not apply.
   */
  readonly samples?: KernelSamples;
  readonly state: readonly StateVariable[];
  /** The methods by which it can be computed: 'recursive' or, without a recursion, 'direct'; and 'fft'. */
  readonly methods: readonly ComputedBy[];
  /**
   * Whether noise that is added to the current acts on later steps, which `noise: 'state'` needs;
   * noise_memory() in the core.
   */
  readonly remembersNoise: boolean;
  /** The default length of the window, in units of the largest time constant; Infinity does not cut it. */
  readonly windowTaus: number;
}

/** The names of the parameters of a kernel, its samples among them. */
export function parameterNamesOf({ parameters, samples }: KernelDefinition): string[] {
  return [...parameters, ...(samples === undefined ? [] : [samples])].map(({ name }) => name);
}
