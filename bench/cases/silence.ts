import type { BenchCase } from '../bench-case';
import { makeRaster, Run } from '../run';

export function silenceCases(): BenchCase[] {
  return (['recursive', 'fft'] as const).map((method): BenchCase => ({
    group: 'silence after a burst against spikes',
    name: `'${method}', T = 100000, N = 64, W = 200`,
    samples: 64e5,
    goals: [{ against: 'spikes', atMost: 1.05 }],
    contenders: () => {
      const burst = new Float64Array(64e5);
      makeRaster(burst.subarray(0, 64e3));
      const silent = new Run(1, 100000, 64, { method }, burst);
      return [silent.expsyn('silence'), new Run(1, 100000, 64, { method }).expsyn('spikes')];
    },
  }));
}
