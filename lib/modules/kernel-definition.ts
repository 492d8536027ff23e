/** What TypeScript knows of a kernel: its parameters and its state. The kernel itself is in the core. */
import type { Check } from '../errors/checks';

/** How a run is computed. */
export type ComputedBy = 'fft' | 'recursive';

/** One parameter of a kernel: a number for each synapse, or one for all. */
export interface KernelParameter {
  /** As an option, an attribute and in JSON, e.g. 'tau'. */
  readonly name: string;
  /** What sort of quantity it is, e.g. 'taus'. */
  readonly family: string;
  /** The unit of its numbers, if they have one. */
  readonly unit?: 's';
  /** In a few words, for the command line's help and the docs. */
  readonly summary: string;
  /** The value of each synapse, unless another is given. */
  readonly default: number;
  /** Checks one number. */
  readonly check: Check<number>;
}

/**
 * One variable of a kernel's state. It is some of the planes in which the core carries the state, each
 * with a number for every synapse of every batch item.
 */
export interface StateVariable {
  /** As an attribute, in results and in JSON, e.g. 'isyn'. */
  readonly name: string;
  /** The first plane that holds it. */
  readonly plane: number;
  /**
   * The plane of its corrections: what rounding the variable to the module's dtype left out. Without
   * one, the variable is shown in double precision.
   */
  readonly correction?: number;
}

/** A kernel, as a class of synapses describes it. */
export interface KernelDefinition {
  /** The name in the core's registry. */
  readonly name: string;
  /** The name of the class of synapses, which JSON holds. */
  readonly className: string;
  /** In the order in which the core takes them. */
  readonly parameters: readonly KernelParameter[];
  readonly state: readonly StateVariable[];
  /** The methods by which it can be computed. */
  readonly methods: readonly ComputedBy[];
  /** The default length of the window, in units of the largest time constant. */
  readonly windowTaus: number;
}
