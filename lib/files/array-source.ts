/** Arrays in memory, as figures are drawn from them. */
import type { GivenArray } from '../arrays/arrays';
import type { TypedArray } from '../arrays/element-types';
import { ofFixedLength } from '../arrays/typed-arrays';
import type { Drawable } from '../figure/recording';
import type { Region } from '../formats/raster-source';

/** An array of shape (T,), (T, N) or (B, T, N). */
export type ArraySource = Drawable;

export function arraySource({ data, shape }: GivenArray): ArraySource {
  const elements = ofFixedLength(data);
  const [batches = 1, timesteps = 0, columns = 1] = shape.length === 3 ? shape : [1, ...shape];
  return {
    shape: [batches, timesteps, columns],
    type: elements[Symbol.toStringTag].replace('Array', '').toLowerCase(),
    read: (region) => Promise.resolve(partOf(elements, region, timesteps, columns)),
  };
}

/** The elements of some steps of one batch item. The array's own memory where all channels are read. */
function partOf(
  data: TypedArray,
  { batches, steps, channels }: Region,
  timesteps: number,
  columns: number,
): TypedArray {
  const begin = (batches.begin * timesteps + steps.begin) * columns + channels.begin;
  return data.subarray(begin, begin + (steps.end - steps.begin) * columns);
}
