/** The options of exponential synapses, and what their methods take and return. */
import { randomBytes } from 'node:crypto';

import { readFloats, type ArrayInput, type NdArray } from '../arrays/arrays';
import { oneOf, wholeNumber } from '../errors/checks';
import type { EncodedNumbers } from './json-numbers';
import type { Evolution } from './module';
import type { Constant } from './parameters';
import type { SynapticCurrent } from './state';

/** How a run is computed; 'auto' takes whichever is faster for the call. */
export type Method = 'auto' | 'fft' | 'recursive';
/** Where noise is added: to the output, to the state after the decay, or to the input. */
export type NoisePlacement = 'output' | 'state' | 'input';
/** What a NaN or infinity in the input does: end the call, or go through forwards in time. */
export type NonFinitePolicy = 'throw' | 'propagate';
/** 'rockpool': what the reference does with the states of a batch, and with noise in the state. */
export type Compatibility = 'none' | 'rockpool';
/** Element type of the output and of the state. */
export type Dtype = 'float64' | 'float32';
/** The array that holds elements of a dtype. */
export type FloatsOf<D extends Dtype> = D extends 'float32' ? Float32Array : Float64Array;

/** The initial value of a parameter, or a function of the shape (N,) that makes it. */
export type Initial = ArrayInput | ((shape: readonly number[]) => ArrayInput);

export interface ExpSynOptions<D extends Dtype = Dtype> {
  /** Time constants in seconds: one a synapse, shape (N,), or one for all. Default 0.01 each. */
  tau?: Initial | Constant<Initial>;
  /** Length of a time step in seconds. Default 0.001. */
  dt?: number;
  /** Longest window in steps. Default 1e6; ignored when windowTaus is Infinity. */
  maxWindowLength?: number;
  /** Length of the window in units of the largest tau; Infinity does not cut it. Default 10. */
  windowTaus?: number;
  /** Standard deviation of the noise after 1 s of a Wiener process. Default 0. */
  noiseStd?: number;
  /** Where the noise is added. Default 'output'. */
  noise?: NoisePlacement;
  /** Seed of the noise, 0 to 2^53 - 1. By default drawn from the operating system. */
  seed?: number;
  /** Default 'auto'. */
  method?: Method;
  /**
   * The most threads for one run, at least 1. No bit of a result depends on it. Default Infinity:
   * what the machine offers. Short runs take one anyway.
   */
  threads?: number;
  /** Default 'float64'. */
  dtype?: D;
  /** Default 'throw'. */
  nonFinite?: NonFinitePolicy;
  /** Default 'none'. */
  compat?: Compatibility;
  /** Default true. */
  spikingInput?: boolean;
  /** Default false. */
  spikingOutput?: boolean;
  name?: string;
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

/** The names of the options. */
export const OPTIONS = [
  'tau',
  'dt',
  'maxWindowLength',
  'windowTaus',
  'noiseStd',
  'noise',
  'seed',
  'method',
  'threads',
  'dtype',
  'nonFinite',
  'compat',
  'spikingInput',
  'spikingOutput',
  'name',
] as const;

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

export const castMethod = oneOf<Method>(['auto', 'fft', 'recursive']);
export const castNoise = oneOf<NoisePlacement>(['output', 'state', 'input']);
export const castNonFinite = oneOf<NonFinitePolicy>(['throw', 'propagate']);
export const castCompat = oneOf<Compatibility>(['none', 'rockpool']);
export const castDtype = oneOf<Dtype>(['float64', 'float32']);

/** A whole number of at least 1, or Infinity. */
export function castThreads(value: unknown, name: string): number {
  return value === Infinity ? Infinity : wholeNumber(value, name, 1);
}

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

/** A seed from the operating system, 0 to 2^53 - 1. */
export function drawSeed(): number {
  return Number(randomBytes(8).readBigUInt64LE() >> 11n);
}
