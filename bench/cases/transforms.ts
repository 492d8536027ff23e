import type { BenchCase } from '../bench-case';
import { checkAgainstLoop, Run } from '../run';

export function transformCases(): BenchCase[] {
  return (['float64', 'float32'] as const).flatMap((dtype) =>
    [0.02, 0.2].map((tau): BenchCase => ({
      group: "'fft' against the transforms that it has to do",
      name: `W = ${tau * 1e4}, ${dtype}, T = 100000, N = 64`,
      samples: 64e5,
      goals: [{ against: 'bare FFTW', atMost: 1.35 }],
      contenders: () => {
        const run = new Run(1, 100000, 64, { dtype, tau, method: 'fft' });
        checkAgainstLoop(run);
        return [run.expsyn(), run.transforms()];
      },
    })),
  );
}
