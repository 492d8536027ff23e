/** Events in memory, in the order of their steps. */
import type { Region } from '../raster-source';
import type { EventReceiver } from './event-files';
import type { EventSet } from './event-source';

/** Digits of this many bits make few passes of buckets that still fit a processor's cache. */
const DIGIT_BITS = 11;

/** Events in memory, in the order of their steps. */
export class EventsInMemory implements EventSet {
  readonly #steps: Steps;
  readonly #channels: Uint32Array;

  /** Sorts events of steps below `timesteps`, and keeps the order of those of one step; uses up the arrays. */
  constructor(steps: Steps, channels: Uint32Array, timesteps: number) {
    [this.#steps, this.#channels] = sortBySteps(steps, channels, timesteps);
  }

  addTo(receiver: EventReceiver, { steps }: Region): void {
    const end = lowerBound(this.#steps, steps.end);
    for (let event = lowerBound(this.#steps, steps.begin); event < end; event++) {
      receiver.add(0, this.#steps[event] ?? 0, this.#channels[event] ?? 0);
    }
  }
}

/** Steps of events. */
export type Steps = Uint32Array | Float64Array;

/** Memory for steps below `timesteps`. */
export function stepsArray(length: number, timesteps: number): Steps {
  return timesteps <= 2 ** 32 ? new Uint32Array(length) : new Float64Array(length);
}

function sortBySteps(
  steps: Steps,
  channels: Uint32Array,
  timesteps: number,
): [steps: Steps, channels: Uint32Array] {
  let from: [Steps, Uint32Array] = [steps, channels];
  let to: [Steps, Uint32Array] = [
    stepsArray(steps.length, timesteps),
    new Uint32Array(steps.length),
  ];
  const buckets = 2 ** DIGIT_BITS;
  for (let unit = 1; unit < timesteps; unit *= buckets) {
    const digitOf = (step: number) => Math.floor(step / unit) % buckets;
    const [fromSteps, fromChannels] = from;
    const [toSteps, toChannels] = to;
    const next = new Uint32Array(buckets);
    for (const step of fromSteps) next[digitOf(step)] = (next[digitOf(step)] ?? 0) + 1;
    let begin = 0;
    for (const [digit, size] of next.entries()) {
      next[digit] = begin;
      begin += size;
    }
    for (let event = 0; event < fromSteps.length; event++) {
      const step = fromSteps[event] ?? 0;
      const digit = digitOf(step);
      const place = next[digit] ?? 0;
      next[digit] = place + 1;
      toSteps[place] = step;
      toChannels[place] = fromChannels[event] ?? 0;
    }
    [from, to] = [to, from];
  }
  return from;
}

/** The first index whose value is not less than `value`, of values in order. */
export function lowerBound(values: ArrayLike<number>, value: number): number {
  let begin = 0;
  let end = values.length;
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if ((values[middle] ?? Infinity) < value) begin = middle + 1;
    else end = middle;
  }
  return begin;
}
