/** Kernels of samples, and their currents by the definition in twice the precision. */
import type { NdArray } from '../../lib/index';
import { randomNumbers } from './oracle';

type Floats = NdArray<Float64Array>;

/** Samples of any sign, (W,), or (W, N) with `size`. */
export function samplesOf(length: number, size?: number, seed = length): Floats {
  const random = randomNumbers(seed);
  const data = Float64Array.from({ length: length * (size ?? 1) }, () => random() - 0.4);
  return { data, shape: size === undefined ? [length] : [length, size] };
}

/** Numbers of any sign, (T, N), or (B, T, N) with more than one batch item. */
export function rasterOf(steps: number, size: number, seed: number, batches = 1): Floats {
  const random = randomNumbers(seed);
  const data = Float64Array.from({ length: batches * steps * size }, () => random() - 0.5);
  return { data, shape: batches === 1 ? [steps, size] : [batches, steps, size] };
}

/**
 * output[t] = sum_k kernel[k] input[t - k], where the inputs before step 0 are `past`, the newest first. The
 * sums are in twice the precision of double.
 */
export function directFir(
  kernel: NdArray,
  past: Float64Array | Float32Array,
  { data, shape }: NdArray,
): Float64Array {
  const [steps = 0, size = 0] = shape;
  const [length = 0, columns = 1] = kernel.shape;
  const inputAt = (t: number, n: number): number =>
    (t >= 0 ? data[t * size + n] : past[(-1 - t) * size + n]) ?? 0;
  const output = new Float64Array(steps * size);
  for (let t = 0; t < steps; t++) {
    for (let n = 0; n < size; n++) {
      let [sum, rest] = [0, 0];
      for (let k = 0; k < length; k++) {
        const weight = kernel.data[columns === 1 ? k : k * columns + n] ?? NaN;
        const [product, error] = twoProduct(weight, inputAt(t - k, n));
        const next = sum + product;
        const part = next - sum;
        rest += sum - (next - part) + (product - part) + error;
        sum = next;
      }
      output[t * size + n] = sum + rest;
    }
  }
  return output;
}

/** a * b as a rounded product and its error (Dekker, 1971), for numbers far from the ends of the range. */
function twoProduct(a: number, b: number): [number, number] {
  const [aHigh, aLow] = halves(a);
  const [bHigh, bLow] = halves(b);
  const product = a * b;
  return [product, aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow];
}

function halves(value: number): [number, number] {
  const scaled = 134217729 * value;
  const high = scaled - (scaled - value);
  return [high, value - high];
}
