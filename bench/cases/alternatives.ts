import type { BenchCase } from '../bench-case';
import { Run } from '../run';

export function alternativeCases(): BenchCase[] {
  const shapes: [number, number, number, number][] = [
    [1, 100, 64, 0.01],
    [16, 1000, 128, 0.02],
    [1, 100000, 64, 0.2],
  ];
  return shapes.flatMap(([batches, timesteps, size, tau]): BenchCase[] => {
    const name = `B = ${batches}, T = ${timesteps}, N = ${size}, tau = ${tau * 1e3} ms`;
    const samples = batches * timesteps * size;
    return [
      {
        group: "'auto' against what one would use instead",
        name,
        samples,
        goals: [
          { against: 'reference', timesFaster: 80 },
          { against: 'lfilter', timesFaster: 8 },
          { against: 'JavaScript loop', timesFaster: 6 },
        ],
        contenders: async (python) => {
          const run = new Run(batches, timesteps, size, { tau });
          const peers = await run.python(python, ['reference', 'lfilter']);
          return [run.expsyn(), run.plainLoop(), ...peers];
        },
      },
      {
        group: "'fft' against what one would use instead",
        name,
        samples,
        goals: [
          { against: 'reference', timesFaster: 15 },
          { against: 'oaconvolve', timesFaster: 5 },
        ],
        contenders: async (python) => {
          const run = new Run(batches, timesteps, size, { tau, method: 'fft' });
          const peers = await run.python(python, ['reference', 'fftconvolve', 'oaconvolve']);
          return [run.expsyn(), ...peers];
        },
      },
    ];
  });
}
