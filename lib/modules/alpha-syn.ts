/** Synapses whose response is an alpha function. */
import type { ArrayInput, NdArray } from '../arrays/arrays';
import type { Dtype, FloatsOf } from '../arrays/element-types';
import { ALPHA } from './biexponential';
import type { SynapsesEvolution } from './module-call';
import type { Constant, Initial } from './parameters';
import { restoreSynapses } from './restore';
import { Session } from './session';
import type { StateArray, SynapticCurrent } from './state';
import { Synapses, type Size, type SynapsesOptions } from './synapses';

/** The options of alpha synapses. */
export type AlphaSynOptions<D extends Dtype = Dtype> = SynapsesOptions<D> & {
  /** Time constants in seconds: one for each synapse, (N,), or one for all, (). Default 0.005 each. */
  tau?: Initial | Constant<Initial>;
};

/**
 * The state of alpha synapses, each variable (N,) or (B, N): isyn, and the inputs so far, which decay with
 * tau before they reach it.
 */
export type AlphaSynVariables<D extends Dtype = Dtype> = Record<
  'isyn' | 'rising',
  StateArray<FloatsOf<D>>
>;

/** What a call of alpha synapses returns. */
export type AlphaSynEvolution<D extends Dtype = Dtype> = SynapsesEvolution<D, AlphaSynVariables<D>>;

/**
 * N synapses whose response to one spike is an alpha function, which rises for one tau and then decays:
 *
 *     output[b,t,n] = sum_{k < W} w_n[k] input[b,t-k,n] + what the state before the call still adds
 *     w_n[k] = (s / tau_n) exp(1 - s / tau_n),  s = (k+1) dt
 *
 * evaluated, with a = exp(-dt / tau), as
 *
 *     isyn <- isyn a + w[0] (rising + input),   rising <- (rising + input) a
 *
 * tau and dt are in seconds; isyn and the output, (B, T, N), and rising have the unit of the input. The
 * kernel is not cut unless `windowTaus` says so; any chunks then give one call's answer, to rounding. With
 * `normalise: 'area'`, w is scaled so that its sum times dt is 1 s.
 */
export class AlphaSyn<D extends Dtype = 'float64'> extends Synapses<
  D,
  AlphaSynVariables<D>,
  AlphaSynSession<D>
> {
  /** @internal */
  static readonly definition = ALPHA;

  constructor(size: Size, options: AlphaSynOptions<D> = {}) {
    super(AlphaSyn.definition, AlphaSynSession, size, options);
  }

  /**
   * The module that toJSON() described, given its result or the text of it. resetParameters() of the new
   * module returns to the tau of that moment.
   */
  static fromJSON(json: unknown): AlphaSyn<Dtype> {
    return restoreSynapses<AlphaSyn<Dtype>>(AlphaSyn, json);
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

  /** The inputs so far, which decay with tau before they reach the current, as isyn. */
  get rising(): StateArray<FloatsOf<D>> {
    return this.read('rising') as StateArray<FloatsOf<D>>;
  }
  set rising(value: ArrayInput) {
    this.assign('rising', value);
  }
}

/** A session of alpha synapses. */
export class AlphaSynSession<D extends Dtype = Dtype> extends Session<D, AlphaSyn<D>> {
  // By super, because an accessor can be called on an object that is no session.

  /** The synaptic current after the last settled call, (N,). */
  get isyn(): SynapticCurrent<FloatsOf<D>> {
    return super.variable('isyn') as SynapticCurrent<FloatsOf<D>>;
  }
  set isyn(value: ArrayInput) {
    super.assign('isyn', value);
  }

  /** The inputs so far, which decay with tau before they reach the current, (N,). */
  get rising(): StateArray<FloatsOf<D>> {
    return super.variable('rising') as StateArray<FloatsOf<D>>;
  }
  set rising(value: ArrayInput) {
    super.assign('rising', value);
  }
}
