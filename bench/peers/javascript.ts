/** The loops that one would write in plain JavaScript. */

/**
 * Computes isyn <- (isyn + input) * decay and output = isyn for each synapse; arrays are row-major (B, T, N). The
 * window is unlimited, which is the least work.
 */
export function plainLoop(
  input: Float64Array | Float32Array | Uint8Array,
  output: Float64Array | Float32Array,
  decay: Float64Array,
  isyn: Float64Array,
  batches: number,
  timesteps: number,
): void {
  const size = decay.length;
  let i = 0;
  for (let b = 0; b < batches; b++) {
    isyn.fill(0);
    for (let t = 0; t < timesteps; t++) {
      for (let n = 0; n < size; n++, i++) {
        const current = ((isyn[n] as number) + (input[i] as number)) * (decay[n] as number);
        isyn[n] = current;
        output[i] = current;
      }
    }
  }
}

/**
 * The same of second order, for one item:
 *
 *     isyn <- isyn * decay + first * (rising + input),   rising <- (rising + input) * riseDecay
 */
export function plainSecondOrderLoop(
  input: Float64Array | Float32Array,
  output: Float64Array | Float32Array,
  [decay, riseDecay, first]: readonly [number, number, number],
  size: number,
): void {
  const isyn = new Float64Array(size);
  const rising = new Float64Array(size);
  for (let i = 0; i < input.length;) {
    for (let n = 0; n < size; n++, i++) {
      const sum = (rising[n] as number) + (input[i] as number);
      const current = (isyn[n] as number) * decay + first * sum;
      isyn[n] = current;
      rising[n] = sum * riseDecay;
      output[i] = current;
    }
  }
}
