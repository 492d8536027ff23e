/** Exponential synapses. */
import type { ArrayInput, NdArray } from '../arrays/arrays';
import type { Dtype, FloatsOf } from '../arrays/element-types';
import { EXPONENTIAL } from './exponential';
import type { SynapsesEvolution } from './module-call';
import type { Constant, Initial } from './parameters';
import { restoreSynapses } from './restore';
import { Session } from './session';
import type { SynapticCurrent } from './state';
import { Synapses, type Size, type SynapsesOptions } from './synapses';

/** The options of exponential synapses. */
export type ExpSynOptions<D extends Dtype = Dtype> = SynapsesOptions<D> & {
  /** Time constants in seconds: one for each synapse, (N,), or one for all, (). Default 0.01 each. */
  tau?: Initial | Constant<Initial>;
};

/** The state of exponential synapses: isyn, (N,) or (B, N). */
export type ExpSynVariables<D extends Dtype = Dtype> = Record<'isyn', SynapticCurrent<FloatsOf<D>>>;

/** What a call of exponential synapses returns. */
export type ExpSynEvolution<D extends Dtype = Dtype> = SynapsesEvolution<D, ExpSynVariables<D>>;

/**
 * N exponential synapses.
 *
 *     isyn <- (isyn + input) * exp(-dt / tau)   (+ noise)
 *
 * evaluated as
 *
 *     output[b,t,n] = sum_{k < W} w_n[k] input[b,t-k,n] + isyn0[b,n] w_n[t]
 *     w_n[k] = exp(-(k+1) dt / tau_n)
 *
 * with the second term while t < W. tau and dt are in seconds; isyn and the output, (B, T, N), have the
 * unit of the input. The new state is the output's last step, without noise that is added to the output
 * alone.
 *
 * Model: the ExpSyn module of Rockpool.
 */
export class ExpSyn<D extends Dtype = 'float64'> extends Synapses<
  D,
  ExpSynVariables<D>,
  ExpSynSession<D>
> {
  /** @internal */
  static readonly definition = EXPONENTIAL;

  constructor(size: Size, options: ExpSynOptions<D> = {}) {
    super(ExpSyn.definition, ExpSynSession, size, options);
  }

  /**
   * The module that toJSON() described, given its result or the text of it. resetParameters() of the new
   * module returns to the tau of that moment.
   */
  static fromJSON(json: unknown): ExpSyn<Dtype> {
    return restoreSynapses<ExpSyn<Dtype>>(ExpSyn, json);
  }

  /** Time constants in seconds, (N,), or () for one that all synapses share. */
  get tau(): NdArray<Float64Array> {
    return this.read('tau') as NdArray<Float64Array>;
  }
  set tau(value: ArrayInput) {
    this.assign('tau', value);
  }

  /** The synaptic current after the last settled call, (N,) or, after a batch of B > 1, (B, N). */
  get isyn(): SynapticCurrent<FloatsOf<D>> {
    return this.read('isyn') as SynapticCurrent<FloatsOf<D>>;
  }
  set isyn(value: ArrayInput) {
    this.assign('isyn', value);
  }
}

/** A session of exponential synapses. */
export class ExpSynSession<D extends Dtype = Dtype> extends Session<D, ExpSyn<D>> {
  // By super, because an accessor can be called on an object that is no session.

  /** The synaptic current after the last settled call, (N,). */
  get isyn(): SynapticCurrent<FloatsOf<D>> {
    return super.variable('isyn') as SynapticCurrent<FloatsOf<D>>;
  }
  set isyn(value: ArrayInput) {
    super.assign('isyn', value);
  }
}
