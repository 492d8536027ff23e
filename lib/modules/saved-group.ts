/** How a group of steps that is not over is saved as JSON. */
import type { Reduce } from '../arrays/kept-steps';
import { readReduce, type Group } from '../calls/details';
import { formatShape, outOfRange, readOptions, wholeNumber } from '../errors/checks';
import { decodeNumbers, encodeArray, type EncodedArray } from './json';

/** A group of steps of `every` and `reduce` that is not over. */
export interface EncodedGroup {
  every: number;
  reduce: Reduce;
  /** How many of its steps are known. */
  steps: number;
  /** (B, N): the sum of these steps, or their peak. */
  values: EncodedArray;
}

/** The value of an attribute of a module that is saved. */
export type SavedValue = EncodedArray | EncodedGroup | boolean | number | string | string[];

/** @internal What is saved of a group, if there is one that the step `step` goes on with. */
export function encodeGroup(group: Group | undefined, step: number): { group?: EncodedGroup } {
  if (group?.nextStep !== step || group.steps === 0) return {};
  const { every, reduce, steps, batches, values } = group;
  const shape = [batches, values.length / batches];
  return { group: { every, reduce, steps, values: encodeArray({ shape, data: values }) } };
}

/**
 * Reads what encodeGroup() wrote, for `size` synapses; throws a TypeError or RangeError for anything else.
 *
 * @internal
 */
export function decodeGroup(given: unknown, step: number, size: number): Group | undefined {
  if (given === undefined) return undefined;
  const saved = readOptions(given, 'json.group', ['every', 'reduce', 'steps', 'values']);
  const every = wholeNumber(saved.every, 'json.group.every', 2);
  const reduce = readReduce(saved.reduce, 'json.group.reduce');
  const steps = wholeNumber(saved.steps, 'json.group.steps', 1);
  if (steps > step % every) {
    throw outOfRange(`at most ${step % every}`, 'json.group.steps', `${steps}`);
  }
  const values = decodeNumbers(saved.values, 'json.group.values');
  const [batches, columns, ...more] = typeof values === 'number' ? [] : values.shape;
  if (typeof values === 'number' || !batches || columns !== size || more.length > 0) {
    const received =
      typeof values === 'number' ? `${values}` : `shape ${formatShape(values.shape)}`;
    throw outOfRange(`shape (B, ${size})`, 'json.group.values', received);
  }
  return { every, reduce, batches, nextStep: step, steps, values: values.data };
}
