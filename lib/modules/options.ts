/**
 * The one table of the options that all synapses have. The constructor, the accessors, JSON, what
 * console.log() shows and the flags of the command line are made from it. The parameters of a kernel,
 * such as tau, are in its definition.
 */

import { DTYPES, type Dtype } from '../arrays/element-types';
import {
  flag,
  nonNegative,
  oneOf,
  onlyInfinite,
  positive,
  positiveOrInfinite,
  text,
  wholeNumber,
  wholeNumberOrInfinite,
  type Check,
} from '../errors/checks';
import type { ComputedBy, KernelDefinition, Normalisation } from './kernel-definition';

/** How a run is computed, if the kernel has the method; 'auto' takes whichever is faster for the call. */
export type Method = 'auto' | ComputedBy;
/** Where noise is added: to the output, to the state after the decay, or to the input. */
export type NoisePlacement = 'output' | 'state' | 'input';
/** What a NaN or infinity in the input does: end the call, or go through forwards in time. */
export type NonFinitePolicy = 'throw' | 'propagate';
/** 'rockpool': what the reference does with the states of a batch, and with noise in the state. */
export type Compatibility = 'none' | 'rockpool';

/** The options that can be assigned at any time; each takes effect at the next call. */
export interface SimulationParameters {
  /** Length of a time step, in seconds. Default 0.001. */
  dt: number;
  /**
   * Maximum length of the window, in steps; ignored if windowTaus is Infinity. Default 1e6. Of FirSyn always
   * Infinity: its window is its kernel.
   */
  maxWindowLength: number;
  /**
   * Length of the window, in units of the largest time constant; Infinity does not cut it. Of FirSyn always
   * Infinity.
   */
  windowTaus: number;
  /**
   * What the samples of the kernel are scaled to. 'peak': as the kernel's formula gives them. 'area': the sum of
   * the samples times dt is 1 s, for each synapse, so that spikes in give a rate in spikes/s out. Default
   * 'peak'.
   */
  normalise: Normalisation;
  /**
   * Standard deviation of the noise after 1 s, in the unit of the input: that of a Wiener process. Each
   * step draws noiseStd * sqrt(dt / 1 s) * N(0, 1). Default 0.
   */
  noiseStd: number;
  /** Where the noise is added. Default 'output'. */
  noise: NoisePlacement;
  /**
   * Seed of the noise, 0 to 2^53 - 1; by default drawn from the operating system. A number that is drawn
   * depends only on (seed, batch item, synapse, absolute step).
   */
  seed: number;
  /** How a call is computed. Default 'auto'. */
  method: Method;
  /**
   * Maximum number of threads that compute one call. Default Infinity: as many as the machine offers. No
   * bit of a result depends on it.
   */
  threads: number;
  /** What to do with a NaN or infinity in the input. Default 'throw'. */
  nonFinite: NonFinitePolicy;
  /** Which conventions apply to batches and to noise in the state. Default 'none'. */
  compat: Compatibility;
}

/** The options that a module is made with, and keeps. */
export interface FixedOptions<D extends Dtype = Dtype> {
  /** Element type of the output and of the state. Default 'float64'. */
  dtype: D;
  /** Whether the input is meant to be spikes. Default true. */
  spikingInput: boolean;
  /** Whether the output is spikes. Default false. */
  spikingOutput: boolean;
  /** Name of the module. Default ''. */
  name: string;
}

type OptionValues = SimulationParameters & FixedOptions;

/** The name of an option of every synapse. */
export type OptionName = keyof OptionValues;

type OptionValue = number | string | boolean;

/** One option. */
export interface OptionDefinition<Value extends OptionValue = OptionValue> {
  /** Whether it can be assigned, as a SimulationParameter, or is given once, to the constructor. */
  readonly kind: 'SimulationParameter' | 'fixed';
  /** The unit of the number, if it has one. */
  readonly unit?: 's' | 'steps';
  /** What it is in JavaScript. */
  readonly type: 'number' | 'string' | 'boolean';
  /** The permitted words, if there are only a few. */
  readonly choices?: readonly Value[];
  /** Makes the default value. */
  readonly initial: () => Value;
  /** Whether initial() makes another value each time. */
  readonly isDrawn?: true;
  /** Returns a permitted value; throws for any other. */
  readonly check: Check<Value>;
  /** Whether the samples of the kernel depend on it. */
  readonly isOfKernel?: true;
  /** When console.log() shows it; never unless given. */
  readonly shown?: 'always' | 'with noise';
  /** In a few words, for the command line's help and the docs. */
  readonly summary: string;
}

/** The options of the synapses of a kernel, by name. */
export type OptionTable = {
  readonly [Name in OptionName]: OptionDefinition<OptionValues[Name]>;
};

const ANY_KERNEL = { methods: [], remembersNoise: true, windowTaus: Infinity };

/** What to do where noise cannot be remembered; unused where it can. */
const NO_CURRENT = {
  state:
    "these synapses have no current of their own that could remember noise, so use 'input', which later " +
    'steps remember as they do the input',
};

/** The names of the options, which are the same for every kernel. */
export const OPTION_NAMES = Object.keys(optionsOf(ANY_KERNEL)) as readonly OptionName[];

/** The names of those that can be assigned. */
export const ASSIGNABLE_NAMES = OPTION_NAMES.filter(
  (name) => optionsOf(ANY_KERNEL)[name].kind === 'SimulationParameter',
) as readonly (keyof SimulationParameters)[];

/** The table for the synapses of a kernel, whose defaults and choices may be its own. */
export function optionsOf(
  kernel: Pick<KernelDefinition, 'methods' | 'remembersNoise' | 'windowTaus' | 'samples'>,
): OptionTable {
  const isOfSamples = kernel.samples !== undefined;
  const windowIsKernel = onlyInfinite('the window is as long as the kernel');
  const placements: [NoisePlacement, ...NoisePlacement[]] = kernel.remembersNoise
    ? ['output', 'state', 'input']
    : ['output', 'input'];
  return {
    dtype: { ...fixed(oneOfWords(DTYPES)), shown: 'always', summary: 'element type of the output' },
    spikingInput: { ...fixed(either(true)), summary: 'whether the input is meant to be spikes' },
    spikingOutput: { ...fixed(either(false)), summary: 'whether the output is spikes' },
    name: {
      ...fixed({ type: 'string', initial: () => '', check: text }),
      summary: 'name of the module',
    },
    dt: {
      ...assignable(number(() => 1e-3, positive)),
      unit: 's',
      isOfKernel: true,
      shown: 'always',
      summary: 'length of a time step',
    },
    maxWindowLength: {
      ...assignable(
        isOfSamples
          ? number(() => Infinity, windowIsKernel)
          : number(() => 1e6, positiveOrInfinite),
      ),
      unit: 'steps',
      isOfKernel: true,
      summary: 'maximum length of the window, in steps',
    },
    windowTaus: {
      ...assignable(
        number(() => kernel.windowTaus, isOfSamples ? windowIsKernel : positiveOrInfinite),
      ),
      isOfKernel: true,
      summary: 'length of the window, in units of the largest time constant',
    },
    normalise: {
      ...assignable(oneOfWords<Normalisation>(['peak', 'area'])),
      isOfKernel: true,
      summary: 'what the samples of the kernel are scaled to',
    },
    noiseStd: {
      ...assignable(number(() => 0, nonNegative)),
      shown: 'with noise',
      summary: 'standard deviation of the noise after 1 s',
    },
    noise: {
      ...assignable(oneOfWords(placements, NO_CURRENT)),
      shown: 'with noise',
      summary: 'where the noise is added',
    },
    seed: {
      ...assignable(number(drawSeed, seed)),
      isDrawn: true,
      shown: 'with noise',
      summary: 'seed of the noise',
    },
    method: {
      ...assignable(oneOfWords<Method>(['auto', ...kernel.methods])),
      shown: 'always',
      summary: 'how a call is computed; auto takes the faster method',
    },
    threads: {
      ...assignable(number(() => Infinity, wholeNumberOrInfinite(1))),
      summary: 'maximum number of threads that compute one call',
    },
    nonFinite: {
      ...assignable(oneOfWords<NonFinitePolicy>(['throw', 'propagate'])),
      summary: 'what to do with a NaN or infinity in the input',
    },
    compat: {
      ...assignable(oneOfWords<Compatibility>(['none', 'rockpool'])),
      summary: 'which conventions apply to batches and to noise in the state',
    },
  };
}

/** A seed from the operating system, 0 to 2^53 - 1. */
export function drawSeed(): number {
  const [random] = crypto.getRandomValues(new BigUint64Array(1));
  return Number((random ?? 0n) >> 11n);
}

/** A seed that was given. */
export function seed(value: unknown, name: string): number {
  return wholeNumber(value, name);
}

type Described<Value extends OptionValue> = Pick<
  OptionDefinition<Value>,
  'type' | 'initial' | 'check' | 'choices'
>;

function fixed<Value extends OptionValue>(described: Described<Value>) {
  return { kind: 'fixed', ...described } as const;
}

function assignable<Value extends OptionValue>(described: Described<Value>) {
  return { kind: 'SimulationParameter', ...described } as const;
}

function number(initial: () => number, check: Check<number>): Described<number> {
  return { type: 'number', initial, check };
}

/** One of a few words, the first by default. */
function oneOfWords<Word extends string>(
  choices: readonly [Word, ...Word[]],
  advice?: Readonly<Record<string, string>>,
): Described<Word> {
  return { type: 'string', choices, initial: () => choices[0], check: oneOf(choices, advice) };
}

function either(initial: boolean): Described<boolean> {
  return { type: 'boolean', initial: () => initial, check: flag };
}
