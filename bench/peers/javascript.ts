/** The loop that one would write in plain JavaScript. */

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
