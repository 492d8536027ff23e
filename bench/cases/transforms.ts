import type { BenchCase } from '../bench-case';
import { checkAgainstLoop, Run } from '../run';

const DTYPES = ['float64', 'float32'] as const;
const RUN = [1, 100000, 64] as const;
const SAMPLES = 64e5;

export function transformCases(): BenchCase[] {
  const againstBare = DTYPES.flatMap((dtype) =>
    [0.02, 0.2].map((tau): BenchCase => ({
      group: "'fft' against the transforms that it has to do",
      name: `W = ${tau * 1e4}, ${dtype}, T = 100000, N = 64`,
      samples: SAMPLES,
      goals: [{ against: 'bare FFTW', atMost: 1.35 }],
      contenders: () => {
        const run = new Run(...RUN, { dtype, tau, method: 'fft' });
        checkAgainstLoop(run);
        return [run.expsyn(), run.transforms()];
      },
    })),
  );
  const againstLinked = DTYPES.map((dtype): BenchCase => ({
    group: 'FFTW loaded at run time against FFTW linked',
    // The shortest transforms of the cases, in which the calls of FFTW weigh most.
    name: `W = 20, ${dtype}, T = 100000, N = 64`,
    samples: SAMPLES,
    goals: [{ against: 'linked FFTW', atMost: 1.1 }],
    contenders: () => {
      const run = new Run(...RUN, { dtype, tau: 0.002, method: 'fft' });
      return [run.transforms('loaded FFTW'), run.transforms('linked FFTW', true)];
    },
  }));
  return [...againstBare, ...againstLinked];
}
