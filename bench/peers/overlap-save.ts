/**
 * Overlap-save convolution in JavaScript, with the FFT libraries of npm. All channels have the same kernel,
 * so that two of them can be the real and the imaginary part of one complex signal.
 */
import FFT from 'fft.js';

import type { FloatArray } from '../run';

/** Convolves a complex signal with the kernel, circularly. */
interface Convolution {
  readonly length: number;
  /** The signal, real and imaginary parts interleaved; convolve() replaces it by the result. */
  readonly signal: FloatArray;
  convolve(): void;
}

export type ConvolutionOf = (length: number, kernel: FloatArray) => Convolution;

function complexOf(length: number, kernel: FloatArray): Float64Array {
  const complex = new Float64Array(2 * length);
  kernel.forEach((sample, k) => (complex[2 * k] = sample));
  return complex;
}

export const fftJs: ConvolutionOf = (length, kernel) => {
  const fft = new FFT(length);
  const signal = new Float64Array(2 * length);
  const product = new Float64Array(2 * length);
  const response = new Float64Array(2 * length);
  fft.transform(response, complexOf(length, kernel));
  return {
    length,
    signal,
    convolve() {
      fft.transform(product, signal);
      for (let i = 0; i < 2 * length; i += 2) {
        const x = product[i] as number;
        const y = product[i + 1] as number;
        const real = response[i] as number;
        const imaginary = response[i + 1] as number;
        product[i] = x * real - y * imaginary;
        product[i + 1] = x * imaginary + y * real;
      }
      fft.inverseTransform(signal, product);
    },
  };
};

/** PFFFT in WebAssembly with SIMD. It computes in single precision only. */
export async function loadPffft(): Promise<ConvolutionOf> {
  const pffft = await (await import('@echogarden/pffft-wasm/simd')).default();
  const COMPLEX = 1;
  return (length, kernel) => {
    const setup = pffft._pffft_new_setup(length, COMPLEX);
    const [signal, spectrum, product, response, work] = Array.from({ length: 5 }, () =>
      pffft._pffft_aligned_malloc(8 * length),
    ) as [number, number, number, number, number];
    // The memory has grown to its final size only when all is allocated.
    const arrayAt = (address: number) =>
      new Float32Array(pffft.HEAPF32.buffer, address, 2 * length);
    arrayAt(signal).set(complexOf(length, kernel));
    pffft._pffft_transform(setup, signal, response, work, 0);
    let sum = arrayAt(product);
    return {
      length,
      get signal() {
        return arrayAt(signal);
      },
      convolve() {
        if (sum.length === 0) sum = arrayAt(product);
        sum.fill(0);
        pffft._pffft_transform(setup, signal, spectrum, work, 0);
        pffft._pffft_zconvolve_accumulate(setup, spectrum, response, product, 1 / length);
        pffft._pffft_transform(setup, product, signal, work, 1);
      },
    };
  };
}

/** Convolves each channel of an array (T, N) with the kernel; N is even. Block by block, so that the rows stay in the cache. */
function overlapSave(
  convolution: Convolution,
  windowLength: number,
  [timesteps, size]: readonly [number, number],
  input: FloatArray,
  output: FloatArray,
): void {
  const { length, signal } = convolution;
  const overlap = windowLength - 1;
  const hop = length - overlap;
  for (let step = 0; step < timesteps; step += hop) {
    const first = Math.max(0, overlap - step);
    const end = Math.min(length, overlap + timesteps - step);
    for (let channel = 0; channel < size; channel += 2) {
      signal.fill(0, 0, 2 * first);
      let from = (step - overlap + first) * size + channel;
      for (let i = first; i < end; i++, from += size) {
        signal[2 * i] = input[from] as number;
        signal[2 * i + 1] = input[from + 1] as number;
      }
      signal.fill(0, 2 * end);
      convolution.convolve();
      let to = step * size + channel;
      for (let i = overlap; i < end; i++, to += size) {
        output[to] = signal[2 * i] as number;
        output[to + 1] = signal[2 * i + 1] as number;
      }
    }
  }
}

/** A run by overlap-save, with the transform length of which a part of the run is fastest. */
export function fastestOverlapSave(
  convolutionOf: ConvolutionOf,
  kernel: FloatArray,
  shape: readonly [number, number],
  input: FloatArray,
  output: FloatArray,
): () => void {
  const [timesteps, size] = shape;
  const shortest = 2 ** Math.ceil(Math.log2(2 * kernel.length));
  let best: { seconds: number; run: () => void } | undefined;
  for (const length of [shortest, 2 * shortest, 4 * shortest, 8 * shortest]) {
    const convolution = convolutionOf(length, kernel);
    const runOf = (steps: number) => () =>
      overlapSave(convolution, kernel.length, [steps, size], input, output);
    const part = runOf(Math.min(timesteps, 4 * shortest + 20000));
    for (let round = 0; round < 3; round++) {
      const start = performance.now();
      part();
      const seconds = performance.now() - start;
      if (round > 0 && seconds < (best?.seconds ?? Infinity))
        best = { seconds, run: runOf(timesteps) };
    }
  }
  if (best === undefined) throw new Error('Expected times of the transforms but measured none.');
  return best.run;
}
