/** The options of exponential synapses, and what their methods take and return. */
import { readFloats, type ArrayInput, type NdArray } from '../arrays/arrays';
import type { Dtype, FloatsOf } from '../arrays/element-types';
import type { EncodedNumbers } from './json-numbers';
import type { Evolution } from './module';
import type {
  Compatibility,
  FixedOptions,
  Method,
  NoisePlacement,
  NonFinitePolicy,
  SimulationParameters,
} from './options';
import type { Constant } from './parameters';
import type { SynapticCurrent } from './state';

/** The initial value of a parameter, or a function of the shape (N,) that makes it. */
export type Initial = ArrayInput | ((shape: readonly number[]) => ArrayInput);

/** The options of exponential synapses. */
export interface ExpSynOptions<D extends Dtype = Dtype> extends Partial<
  SimulationParameters & FixedOptions<D>
> {
  /** Time constants in seconds: one a synapse, shape (N,), or one for all. Default 0.01 each. */
  tau?: Initial | Constant<Initial>;
}

/** The state of the synapses: isyn, (N,) or (B, N), and the absolute number of the next step. */
export interface ExpSynState<D extends Dtype = Dtype> {
  isyn: SynapticCurrent<FloatsOf<D>>;
  step: number;
}

/**
 * An AbortSignal, or any object that has these properties and calls the listener once `aborted` is true.
 * Without a `reason`, that is an AbortError.
 */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface EvolveOptions {
  /** Array that receives the output: B * T * N elements of the module's dtype. */
  out?: Float64Array | Float32Array | NdArray;
  /** State to start from instead of the module's own. */
  state?: { isyn?: ArrayInput; step?: number };
  /**
   * The place of the input's first batch item and synapse in a larger raster of which it is a part,
   * and whose noise it draws. `synapse` is a multiple of 4. Default 0 and 0.
   */
  origin?: { batch?: number; synapse?: number };
  /**
   * Only evolve(): take over the memory of input and out instead of copying it. Both are detached
   * at once; the result's output holds out's memory.
   */
  transfer?: boolean;
  /**
   * Only evolve(): ends the call when it is aborted. The promise rejects with the signal's reason,
   * the module is as if the call had not been made, and out's contents are undefined.
   */
  signal?: AbortSignalLike;
}

/** How a run was computed. */
export interface ExpSynRecord {
  method: 'fft' | 'recursive';
  /** Length of the window in steps, or Infinity. */
  windowLength: number;
  /** Absolute number of the first step. */
  firstStep: number;
}

export interface ExpSynEvolution<D extends Dtype = Dtype> extends Evolution {
  output: NdArray<FloatsOf<D>>;
  state: { isyn: SynapticCurrent<FloatsOf<D>>; step: number };
  record: ExpSynRecord & Record<string, unknown>;
}

/** What toJSON() returns: enough to continue in another process, exactly. */
export interface ExpSynJson {
  class: 'ExpSyn';
  version: 1;
  name: string;
  size: number;
  dtype: Dtype;
  spikingInput: boolean;
  spikingOutput: boolean;
  isTauConstant: boolean;
  tau: EncodedNumbers;
  dt: EncodedNumbers;
  maxWindowLength: EncodedNumbers;
  windowTaus: EncodedNumbers;
  noiseStd: EncodedNumbers;
  noise: NoisePlacement;
  seed: number;
  method: Method;
  threads: EncodedNumbers;
  nonFinite: NonFinitePolicy;
  compat: Compatibility;
  isyn: EncodedNumbers;
  step: number;
}

/** What toJSON() of a session returns. */
export interface ExpSynSessionJson {
  class: 'ExpSynSession';
  version: 1;
  size: number;
  dtype: Dtype;
  seed: number;
  isyn: EncodedNumbers;
  step: number;
}

/** The names in the JSON. */
export const JSON_KEYS = [
  'class',
  'version',
  'name',
  'size',
  'dtype',
  'spikingInput',
  'spikingOutput',
  'isTauConstant',
  'tau',
  'dt',
  'maxWindowLength',
  'windowTaus',
  'noiseStd',
  'noise',
  'seed',
  'method',
  'threads',
  'nonFinite',
  'compat',
  'isyn',
  'step',
] as const;

/** The initial function of tau: what the caller gave, or 10 ms for each synapse. */
export function initialTau(tau: unknown, size: number): () => unknown {
  if (tau === undefined) return () => new Float64Array(size).fill(0.01);
  if (typeof tau === 'function') {
    return () => (tau as (shape: readonly number[]) => unknown)(Object.freeze([size]));
  }
  // The caller may change an array later; a reset must not see it.
  const kept = readFloats(tau, 'tau');
  return () => kept;
}
