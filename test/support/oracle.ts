/** The equations as they stand, O(T W), and golden data: what every fast path is held against. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { TypedArray } from '../../lib/index';

export interface Run {
  /** Row-major (B, T, N). */
  input: ArrayLike<number>;
  batches: number;
  timesteps: number;
  tau: readonly number[];
  dt: number;
  windowLength: number;
  /** (B, N) */
  isyn: ArrayLike<number>;
}

/** output[b,t,n] = sum_{k<W} w_n[k] input[b,t-k,n] + isyn0[b,n] w_n[t], w_n[k] = exp(-(k+1) dt/tau_n) */
export function directSum(run: Run): Float64Array {
  const size = run.tau.length;
  const output = new Float64Array(run.batches * run.timesteps * size);
  const at = (b: number, t: number, n: number) => (b * run.timesteps + t) * size + n;
  run.tau.forEach((tau, n) => {
    const w = Float64Array.from({ length: Math.min(run.windowLength, run.timesteps) }, (_, k) =>
      Math.exp((-(k + 1) * run.dt) / tau),
    );
    for (let b = 0; b < run.batches; b++) {
      for (let t = 0; t < run.timesteps; t++) {
        let sum = t < w.length ? (run.isyn[b * size + n] ?? NaN) * (w[t] ?? NaN) : 0;
        for (let k = 0; k <= t && k < w.length; k++) {
          sum += (w[k] ?? NaN) * (run.input[at(b, t - k, n)] ?? NaN);
        }
        output[at(b, t, n)] = sum;
      }
    }
  });
  return output;
}

/** The largest difference, relative to the peak of what was expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let peak = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] ?? NaN, expected[i] ?? NaN];
    peak = Math.max(peak, Math.abs(e));
    error = Math.max(error, Math.abs(a - e));
    if (Number.isNaN(a - e)) return Infinity;
  }
  return error === 0 ? 0 : error / peak;
}

/** Bounds of the contract, relative to the peak. */
export const TOLERANCE = { float64: 1e-12, float32: 5e-6 } as const;

/** A small generator of repeatable numbers in [0, 1): the minimal standard one of Park and Miller. */
export function randomNumbers(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 16807) % 2147483647;
    return (state - 1) / 2147483646;
  };
}

/** A raster of zeros and ones. */
export function spikes(size: number, rate: number, seed: number): Uint8Array {
  const random = randomNumbers(seed);
  return Uint8Array.from({ length: size }, () => (random() < rate ? 1 : 0));
}

const GOLDEN = join(__dirname, '..', 'golden');

export interface GoldenCall {
  input: string;
  output: string;
  isyn: string;
  set_tau?: number[];
  set_isyn?: number[];
  reset_state?: boolean;
  window_length?: number;
}

export interface GoldenCase {
  name: string;
  shape: number;
  options: { tau?: number | number[]; dt?: number; max_window_length?: number };
  window_length: number;
  calls: GoldenCall[];
}

export function goldenCases(): GoldenCase[] {
  const manifest = JSON.parse(readFileSync(join(GOLDEN, 'manifest.json'), 'utf8')) as {
    cases: GoldenCase[];
  };
  return manifest.cases;
}

/** One of the recorded arrays: version 1 .npy, little-endian float64 or uint8, C order. */
export function goldenArray(name: string, folder = GOLDEN): { data: TypedArray; shape: number[] } {
  const bytes = readFileSync(join(folder, name));
  const headerEnd = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, headerEnd);
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '';
  const memory = new Uint8Array(bytes.subarray(headerEnd)).buffer;
  return {
    data: header.includes("'<f8'") ? new Float64Array(memory) : new Uint8Array(memory),
    shape: shape
      .split(',')
      .filter((axis) => axis.trim() !== '')
      .map(Number),
  };
}
