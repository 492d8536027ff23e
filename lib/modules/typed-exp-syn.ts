/** ExpSyn with the types of its results by the options that it is made with. */
import { ExpSyn as ExpSynOfDtype } from './exp-syn';
import type { Dtype } from '../arrays/element-types';
import type { ExpSynOptions } from './exp-syn-options';

/** N exponential synapses; `ExpSyn` alone stands for those of any dtype. */
export type ExpSyn<D extends Dtype = Dtype> = ExpSynOfDtype<D>;

/** As the class, but without a dtype in the options it is 'float64' for TypeScript too. */
interface ExpSynConstructor {
  readonly prototype: ExpSyn;
  /** `shape` is the number of synapses, N or [N]. */
  new <D extends Dtype = 'float64'>(
    shape: number | readonly [number] | readonly number[],
    options?: ExpSynOptions<D>,
  ): ExpSyn<D>;
  /**
   * The module that toJSON() described, given its result or the text of it. resetParameters() of
   * the new module returns to the tau of that moment.
   */
  fromJSON(json: unknown): ExpSyn;
}

/**
 * N exponential synapses.
 *
 *     isyn <- (isyn + input) * exp(-dt / tau)   (+ noise)
 *
 * tau and dt are in seconds; the output has the unit of the input.
 */
export const ExpSyn: ExpSynConstructor = ExpSynOfDtype;
