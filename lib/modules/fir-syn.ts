/** Synapses whose response is given by its samples. */
import type { ArrayInput, NdArray } from '../arrays/arrays';
import type { Dtype } from '../arrays/element-types';
import { FINITE_RESPONSE } from './finite-response';
import type { SynapsesEvolution } from './module-call';
import type { Constant, Initial } from './parameters';
import { restoreSynapses, type SynapsesClass } from './restore';
import { Session } from './session';
import type { StateArray } from './state';
import { Synapses, type Size, type SynapsesOptions } from './synapses';

/** The options of synapses that are given by their samples. Their window is the kernel. */
export type FirSynOptions<D extends Dtype = Dtype> = Omit<
  SynapsesOptions<D>,
  'windowTaus' | 'maxWindowLength'
> & {
  /**
   * The samples of the response, W of them for each synapse, (W, N), or for all, (W,): finite numbers of any
   * sign. Sample k is the weight of the input of k steps before.
   */
  kernel: Initial | Constant<Initial>;
};

/**
 * The state of these synapses: their last W - 1 inputs, the newest first, (W - 1, N) or (B, W - 1, N). Before
 * the first call it may be shorter, (0, N); inputs that it lacks are 0.
 */
export type FirSynVariables = Record<'inputs', StateArray<Float64Array>>;

/** What a call of these synapses returns. */
export type FirSynEvolution<D extends Dtype = Dtype> = SynapsesEvolution<D, FirSynVariables>;

/**
 * N synapses whose response is a kernel of W samples, such as a measured potential or a smoothing window:
 * finite impulse responses.
 *
 *     output[b,t,n] = sum_{k < W} kernel[k,n] input[b,t-k,n]
 *
 * where the inputs before the call are the state. dt does not enter, unless `normalise` is 'area': then the
 * samples of each synapse are scaled so that dt times their sum is 1 s. Samples whose sum is 0 cannot be: they
 * are refused.
 *
 * The kernel may be assigned at any time, also one of another length. The next call goes on from those of
 * the last inputs that the new kernel can still use; those that it never had are 0.
 */
export class FirSyn<D extends Dtype = 'float64'> extends Synapses<
  D,
  FirSynVariables,
  FirSynSession<D>
> {
  /** @internal */
  static readonly definition = FINITE_RESPONSE;

  constructor(size: Size, options: FirSynOptions<D>) {
    super(FirSyn.definition, FirSynSession, size, options);
  }

  /**
   * The module that toJSON() described, given its result or the text of it. resetParameters() of the new
   * module returns to the kernel of that moment.
   */
  static fromJSON(json: unknown): FirSyn<Dtype> {
    return restoreSynapses(FirSyn as SynapsesClass<FirSyn<Dtype>>, json);
  }

  /** The samples of the response, (W,) or (W, N), before any scaling. */
  get kernel(): NdArray<Float64Array> {
    return this.read('kernel') as NdArray<Float64Array>;
  }
  set kernel(value: ArrayInput) {
    this.assign('kernel', value);
  }

  /**
   * The last W - 1 inputs after the last settled call, the newest first: (W - 1, N) or, after a batch of
   * B > 1, (B, W - 1, N). A state of another number of inputs may be assigned.
   */
  get inputs(): StateArray<Float64Array> {
    return this.read('inputs') as StateArray<Float64Array>;
  }
  set inputs(value: ArrayInput) {
    this.assign('inputs', value);
  }
}

/** A session of such synapses. */
export class FirSynSession<D extends Dtype = Dtype> extends Session<D, FirSyn<D>> {
  // By super, because an accessor can be called on an object that is no session.

  /** The last W - 1 inputs after the last settled call, the newest first, (W - 1, N). */
  get inputs(): StateArray<Float64Array> {
    return super.variable('inputs') as StateArray<Float64Array>;
  }
  set inputs(value: ArrayInput) {
    super.assign('inputs', value);
  }
}
