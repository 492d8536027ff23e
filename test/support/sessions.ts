/** Sessions with their inputs, and how to compare their states. */
import assert from 'node:assert/strict';

import type { Dtype, ExpSyn, ExpSynOptions, ExpSynSession } from '../../lib/index';
import { assertSameBits } from './bits';
import { spikes } from './oracle';

export const SIZE = 5;
export const TAU = [0.005, 0.01, 0.02, 0.05, 0.1];
export const NOISY: ExpSynOptions = { tau: TAU, noiseStd: 0.3, seed: 7 };

/** Spikes of shape (timesteps, SIZE). */
export const chunk = (timesteps: number, seed: number) => ({
  data: Float64Array.from(spikes(timesteps * SIZE, 0.2, seed)),
  shape: [timesteps, SIZE],
});

/** The element at an index, which must exist. */
export function at<Type>(array: readonly Type[], index: number): Type {
  const element = array[index];
  assert.ok(element !== undefined);
  return element;
}

/** Inputs of one shape as the items of a batch. */
export function batchOf(inputs: { data: Float64Array; shape: number[] }[]) {
  const data = new Float64Array(inputs.reduce((sum, input) => sum + input.data.length, 0));
  let next = 0;
  for (const input of inputs) {
    data.set(input.data, next);
    next += input.data.length;
  }
  return { data, shape: [inputs.length, ...(inputs[0]?.shape ?? [1, SIZE])] };
}

/** Fails unless both have the same currents and step. */
export function assertSameState(
  session: ExpSynSession,
  module: ExpSyn<Dtype> | ExpSynSession,
): void {
  assertSameBits(session.isyn.data, module.isyn.data, 'isyn');
  assert.equal(session.step, module.step);
}
