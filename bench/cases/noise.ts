import type { BenchCase } from '../bench-case';
import { timeCalls } from '../measure';
import { Run } from '../run';

export function noiseCases(): BenchCase[] {
  return (['float64', 'float32'] as const).flatMap((dtype) =>
    (['output', 'state', 'input'] as const).map((noise): BenchCase => ({
      group: 'what noise adds, against as many numbers from numpy.random.randn',
      name: `'${noise}', ${dtype}, B = 16, T = 1000, N = 128`,
      samples: 16 * 1000 * 128,
      goals: [{ against: 'randn', timesFaster: dtype === 'float32' ? 12 : 8 }],
      contenders: async (python) => {
        const noisy = new Run(16, 1000, 128, { dtype, noiseStd: 1, noise });
        const quiet = new Run(16, 1000, 128, { dtype });
        const [withNoise, without] = [timeCalls(noisy.evolve), timeCalls(quiet.evolve)];
        return [
          { name: 'expsyn', time: () => withNoise() - without() },
          ...(await quiet.python(python, ['randn'])),
        ];
      },
    })),
  );
}
