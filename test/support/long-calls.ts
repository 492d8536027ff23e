/** Calls that are long enough to be aborted while they run, and short ones beside them. */
import { ExpSyn } from '../../lib/index';
import { spikes } from './oracle';

/** Two million steps of 16 synapses with noise: at least 20 ms on two processors. */
export const LONG = { data: new Uint8Array(2e6), shape: [2e6] };
export const LONG_OPTIONS = {
  dtype: 'float32',
  noiseStd: 1,
  seed: 1,
  windowTaus: Infinity,
} as const;
export const longModule = () => new ExpSyn(16, LONG_OPTIONS);
export const SHORT = { data: spikes(30 * 16, 0.1, 1), shape: [30, 16] };

/** One long call on each of `count` new modules. */
export function pendingLong(count: number): Record<string, Promise<unknown>> {
  const names = Array.from({ length: count }, (_, i) => `long ${i}`);
  return Object.fromEntries(names.map((name) => [name, longModule().evolve(LONG)]));
}

/**
 * The names of the promises in the order in which they settle, each with its rejection reason; `order` has
 * those that have settled already.
 */
export function settled(
  promises: Record<string, Promise<unknown>>,
  order: [string, unknown][] = [],
): Promise<[string, unknown][]> {
  return Promise.all(
    Object.entries(promises).map(([name, promise]) =>
      promise.then(
        () => order.push([name, undefined]),
        (error: unknown) => order.push([name, error]),
      ),
    ),
  ).then(() => order);
}
