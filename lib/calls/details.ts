/** What few calls have: options about what goes in and what comes out, beside the arrays. */
import { keptSteps, REDUCTIONS, type Reduce } from '../arrays/kept-steps';
import type { TypedArray } from '../arrays/element-types';
import { isList, isTypedArray, lengthOf } from '../arrays/typed-arrays';
import { oneOf, outOfRange, wholeNumber, wholeNumberOrInfinite, wrongType } from '../errors/checks';
import { readOutside, type OutsidePolicy } from './events';

/** What an event within a step counts for. */
export type Timing = 'step' | 'exact';

/** The options of a call about events and about what of the output is kept. */
export interface DetailOptions {
  /**
   * Keep only the steps whose absolute number + 1 is a multiple of this, from call to call; Infinity keeps
   * none, and computes the state alone. Default 1.
   */
  every?: number;
  /**
   * What stands for the steps of a group that ends with a kept step: the last one, their mean, or the value
   * of the largest magnitude. Default 'last'.
   */
  reduce?: Reduce;
  /**
   * Of an input of events, for ExpSyn: 'exact' weighs each event by where it lies in its step, so that the
   * output at the end of a step is that of continuous time. Default 'step': all events of a step count from
   * its beginning.
   */
  timing?: Timing;
  /** What becomes of events before the call's first step or after its last. Default 'throw'. */
  outside?: OutsidePolicy;
}

/** The options of a call about items that end early or begin again. */
export interface TrialOptions {
  /**
   * The number of steps of each batch item, at most T: the output after them is 0, what the input holds
   * there is not read, and the state after the call is that of each item's own end.
   */
  lengths?: readonly number[] | TypedArray;
  /**
   * Steps of the call before which the state returns to 0, for every batch item, or a list for each. The
   * result is that of separate calls, to the last bit.
   */
  resetAt?: readonly number[] | TypedArray | readonly (readonly number[] | TypedArray)[];
}

/** @internal The names of the options. */
export const DETAIL_OPTIONS = ['every', 'reduce', 'timing', 'outside'] as const;
/** @internal */
export const TRIAL_OPTIONS = ['lengths', 'resetAt'] as const;

/** @internal Options as they were given. */
export type RawDetails = Partial<
  Record<(typeof DETAIL_OPTIONS)[number] | (typeof TRIAL_OPTIONS)[number], unknown>
>;

/** @internal The options of a call, checked as far as they do not depend on the input. */
export interface GivenDetails {
  /** At least 1, or Infinity. */
  readonly every: number;
  readonly reduce: Reduce;
  readonly isExact: boolean;
  readonly isOutsideDropped: boolean;
  readonly lengths: Float64Array | undefined;
  /** One list for all items, or one an item. */
  readonly resets: readonly Float64Array[] | undefined;
}

const readEvery = wholeNumberOrInfinite(1);
/** @internal */
export const readReduce = oneOf<Reduce>(REDUCTIONS);
const readTiming = oneOf<Timing>(['step', 'exact']);

/** @internal The options of a call that has none. */
export const NO_DETAILS: GivenDetails = {
  every: 1,
  reduce: 'last',
  isExact: false,
  isOutsideDropped: false,
  lengths: undefined,
  resets: undefined,
};

/** @internal Reads the options. The caller's code runs here. */
export function readDetails(given: RawDetails, name: string): GivenDetails {
  const { every, reduce, timing, outside, lengths, resetAt } = given;
  return {
    every: every === undefined ? 1 : readEvery(every, `${name}.every`),
    reduce: reduce === undefined ? 'last' : readReduce(reduce, `${name}.reduce`),
    isExact: timing !== undefined && readTiming(timing, `${name}.timing`) === 'exact',
    isOutsideDropped: outside !== undefined && readOutside(outside, `${name}.outside`) === 'drop',
    lengths: lengths === undefined ? undefined : readSteps(lengths, `${name}.lengths`),
    resets: resetAt === undefined ? undefined : readResets(resetAt, `${name}.resetAt`),
  };
}

/** @internal The number by which the addon knows a reduction. */
export function numberOfReduction(reduce: Reduce): number {
  return REDUCTIONS.indexOf(reduce);
}

/** @internal How many of `timesteps` steps from the absolute step `step` on are kept. */
export function countKept(every: number, step: number, timesteps: number): number {
  const { begin, end } = keptSteps(step, step + timesteps, every);
  return end - begin;
}

/** @internal A group of steps that has begun and is not over, from call to call. */
export interface Group {
  readonly every: number;
  readonly reduce: Reduce;
  readonly batches: number;
  /** Absolute number of the step after those that it holds. */
  readonly nextStep: number;
  /** How many of its steps are known. */
  readonly steps: number;
  /** (B, N) */
  readonly values: Float64Array;
}

/** @internal Whether a call has to remember a group that is not over. */
export function hasGroups({ every, reduce }: GivenDetails): boolean {
  return every !== 1 && every !== Infinity && reduce !== 'last';
}

/** @internal Whether a call from an absolute step on goes on with a group. */
export function isContinued(
  group: Group | undefined,
  { every, reduce }: GivenDetails,
  step: number,
): group is Group {
  return group?.every === every && group.reduce === reduce && group.nextStep === step;
}

/** @internal The group that a call goes on with: that of the call before, or a new one. */
export function groupFor(
  details: GivenDetails,
  before: Group | undefined,
  { batches, size, step }: { batches: number; size: number; step: number },
): Group {
  if (isContinued(before, details, step)) {
    if (before.batches === batches) return { ...before, values: before.values.slice() };
    // Every item starts from a state that has no batch items.
    if (before.batches === 1) return { ...before, batches, values: repeat(before.values, batches) };
  }
  const { every, reduce } = details;
  const values = new Float64Array(batches * size);
  return { every, reduce, batches, nextStep: step, steps: 0, values };
}

function repeat(values: Float64Array, times: number): Float64Array {
  const repeated = new Float64Array(times * values.length);
  for (let item = 0; item < times; item++) repeated.set(values, item * values.length);
  return repeated;
}

/** @internal The group of the first item. */
export function firstItemOf(group: Group): Group {
  const size = group.values.length / group.batches;
  return { ...group, batches: 1, values: group.values.slice(0, size) };
}

/** @internal The group after a call of so many steps, whose values the addon has filled. */
export function groupAfter(group: Group, timesteps: number): Group {
  const nextStep = group.nextStep + timesteps;
  return { ...group, nextStep, steps: Math.min(nextStep % group.every, group.steps + timesteps) };
}

/** @internal Throws unless lengths and resets fit the input. */
export function checkTrials(
  { lengths, resets }: GivenDetails,
  batches: number,
  timesteps: number,
): void {
  if (lengths !== undefined) {
    if (lengths.length !== batches) {
      throw outOfRange(
        `${batches} numbers, one a batch item,`,
        'options.lengths',
        `${lengths.length}`,
      );
    }
    const index = lengths.findIndex((length) => length > timesteps);
    if (index >= 0) {
      const expected = `at most ${timesteps} steps, as the input has,`;
      throw outOfRange(expected, `options.lengths[${index}]`, `${lengths[index]}`);
    }
  }
  if (resets !== undefined && resets.length !== 1 && resets.length !== batches) {
    throw outOfRange(`${batches} lists, one a batch item,`, 'options.resetAt', `${resets.length}`);
  }
  for (const list of resets ?? []) {
    const beyond = list.find((step) => step >= timesteps);
    if (beyond === undefined) continue;
    const expected =
      timesteps === 0
        ? 'no steps, as the call has none,'
        : `steps of the call, 0 to ${timesteps - 1},`;
    const advice = 'to begin the next call at 0, give resetAt: [0] with that one';
    throw outOfRange(expected, 'options.resetAt', `${beyond}`, advice);
  }
}

function readSteps(value: unknown, name: string): Float64Array {
  if (!isList(value) && !isTypedArray(value))
    throw wrongType('an array of whole numbers', name, value);
  const length = isList(value) ? value.length : lengthOf(value);
  const steps = new Float64Array(length);
  for (let index = 0; index < length; index++) {
    const step: unknown = value[index];
    steps[index] = wholeNumber(typeof step === 'bigint' ? Number(step) : step, `${name}[${index}]`);
  }
  return steps;
}

function readResets(value: unknown, name: string): Float64Array[] {
  const isNested =
    isList(value) && value.length > 0 && (isList(value[0]) || isTypedArray(value[0]));
  const lists = isNested
    ? value.map((list, item) => readSteps(list, `${name}[${item}]`))
    : [readSteps(value, name)];
  return lists.map((list) => list.sort());
}
