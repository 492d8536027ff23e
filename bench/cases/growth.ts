import type { BenchCase } from '../bench-case';
import { Run } from '../run';

export function growthCases(): BenchCase[] {
  const methods: ['auto' | 'fft', number][] = [
    ['auto', 1.3],
    ['fft', 2],
  ];
  return methods.flatMap(([method, spread]): BenchCase[] => [
    {
      group: 'growth: cost of a sample, slowest against fastest',
      name: `'${method}', T = 1e3 to 1e7, N = 16, W = 200`,
      samples: 1,
      goals: [{ spread }],
      contenders: () =>
        [1e3, 1e4, 1e5, 1e6, 1e7].map((timesteps) =>
          new Run(1, timesteps, 16, { method }).expsyn(`T = ${timesteps.toExponential(0)}`),
        ),
    },
    {
      group: 'growth: cost of a sample, slowest against fastest',
      name: `'${method}', tau = 1 ms to 10 s, T = 1e5, N = 16`,
      samples: 1,
      goals: [{ spread }],
      contenders: () =>
        [1e-3, 1e-2, 1e-1, 1, 10].map((tau) =>
          new Run(1, 1e5, 16, { method, tau }).expsyn(`tau = ${tau} s`),
        ),
    },
  ]);
}
