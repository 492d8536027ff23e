/** Synapses whose response is a double exponential. */
import type { ArrayInput, NdArray } from '../arrays/arrays';
import type { Dtype, FloatsOf } from '../arrays/element-types';
import { DOUBLE_EXPONENTIAL } from './biexponential';
import type { SynapsesEvolution } from './module-call';
import type { Constant, Initial } from './parameters';
import { restoreSynapses } from './restore';
import { Session } from './session';
import type { StateArray, SynapticCurrent } from './state';
import { Synapses, type Size, type SynapsesOptions } from './synapses';

/** The options of double-exponential synapses. */
export type DoubleExpSynOptions<D extends Dtype = Dtype> = SynapsesOptions<D> & {
  /** Rise time constants in seconds, as tauDecay; at most that of the synapse. Default 0.002 each. */
  tauRise?: Initial | Constant<Initial>;
  /** Decay time constants in seconds: one for each synapse, (N,), or one for all, (). Default 0.01 each. */
  tauDecay?: Initial | Constant<Initial>;
};

/**
 * The state of double-exponential synapses, each variable (N,) or (B, N): isyn, and the inputs so far, which decay with
 * tauRise before they reach it.
 */
export type DoubleExpSynVariables<D extends Dtype = Dtype> = Record<
  'isyn' | 'rising',
  StateArray<FloatsOf<D>>
>;

/** What a call of double-exponential synapses returns. */
export type DoubleExpSynEvolution<D extends Dtype = Dtype> = SynapsesEvolution<
  D,
  DoubleExpSynVariables<D>
>;

/**
 * N synapses whose response to one spike is a double exponential, with a peak of 1 over continuous time:
 *
 *     output[b,t,n] = sum_{k < W} w_n[k] input[b,t-k,n] + what the state before the call still adds
 *     w_n[k] = c_n (exp(-s / tauDecay_n) - exp(-s / tauRise_n)),  s = (k+1) dt
 *
 * evaluated, with a = exp(-dt / tauDecay) and b = exp(-dt / tauRise), as
 *
 *     isyn <- isyn a + w[0] (rising + input),   rising <- (rising + input) b
 *
 * where nothing cancels, however close the two time constants are; equal ones give the alpha function. The
 * time constants and dt are in seconds; isyn and the output, (B, T, N), and rising have the unit of the
 * input. The kernel is not cut unless `windowTaus` says so; any chunks then give one call's answer, to
 * rounding. With `normalise: 'area'`, w is scaled so that its sum times dt is 1 s.
 */
export class DoubleExpSyn<D extends Dtype = 'float64'> extends Synapses<
  D,
  DoubleExpSynVariables<D>,
  DoubleExpSynSession<D>
> {
  /** @internal */
  static readonly definition = DOUBLE_EXPONENTIAL;

  constructor(size: Size, options: DoubleExpSynOptions<D> = {}) {
    super(DoubleExpSyn.definition, DoubleExpSynSession, size, options);
  }

  /**
   * The module that toJSON() described, given its result or the text of it. resetParameters() of the new
   * module returns to the time constants of that moment.
   */
  static fromJSON(json: unknown): DoubleExpSyn<Dtype> {
    return restoreSynapses<DoubleExpSyn<Dtype>>(DoubleExpSyn, json);
  }

  /**
   * Rise time constants in seconds, (N,), or () for one that all synapses share. None may be above the decay
   * time constant of its synapse; setAttributes() assigns both at once.
   */
  get tauRise(): NdArray<Float64Array> {
    return this.read('tauRise') as NdArray<Float64Array>;
  }
  set tauRise(value: ArrayInput) {
    this.assign('tauRise', value);
  }

  /** Decay time constants in seconds, (N,), or () for one that all synapses share. */
  get tauDecay(): NdArray<Float64Array> {
    return this.read('tauDecay') as NdArray<Float64Array>;
  }
  set tauDecay(value: ArrayInput) {
    this.assign('tauDecay', value);
  }

  /** The synaptic current after the last settled call, (N,) or, after a batch of B > 1, (B, N). */
  get isyn(): SynapticCurrent<FloatsOf<D>> {
    return this.read('isyn') as SynapticCurrent<FloatsOf<D>>;
  }
  set isyn(value: ArrayInput) {
    this.assign('isyn', value);
  }

  /** The inputs so far, which decay with tauRise before they reach the current, as isyn. */
  get rising(): StateArray<FloatsOf<D>> {
    return this.read('rising') as StateArray<FloatsOf<D>>;
  }
  set rising(value: ArrayInput) {
    this.assign('rising', value);
  }
}

/** A session of double-exponential synapses. */
export class DoubleExpSynSession<D extends Dtype = Dtype> extends Session<D, DoubleExpSyn<D>> {
  // By super, because an accessor can be called on an object that is no session.

  /** The synaptic current after the last settled call, (N,). */
  get isyn(): SynapticCurrent<FloatsOf<D>> {
    return super.variable('isyn') as SynapticCurrent<FloatsOf<D>>;
  }
  set isyn(value: ArrayInput) {
    super.assign('isyn', value);
  }

  /** The inputs so far, which decay with tauRise before they reach the current, (N,). */
  get rising(): StateArray<FloatsOf<D>> {
    return super.variable('rising') as StateArray<FloatsOf<D>>;
  }
  set rising(value: ArrayInput) {
    super.assign('rising', value);
  }
}
