import type { BenchCase, Figure } from '../bench-case';
import { FirRun } from '../fir-run';
import { measure } from '../measure';
import { fftJs, loadPffft } from '../peers/overlap-save';
import type { Dtype } from '../run';

const DTYPES = ['float64', 'float32'] as const;
const TIMESTEPS = 100000;
const SIZE = 64;

/** How much slower the method of 'auto' is than the better one: the worst over a grid of runs. */
async function worstChoice(dtype: Dtype): Promise<Figure> {
  let worst = { ratio: 0, name: '' };
  let [nRuns, nBetterByFft] = [0, 0];
  for (const timesteps of [30, 300, 3000, 30000]) {
    for (const size of [1, 3, 16, 64]) {
      for (const windowLength of [4, 32, 64, 128, 256, 1000]) {
        const runOf = (method: 'fft' | 'direct' | 'auto') =>
          new FirRun(timesteps, size, windowLength, dtype, method);
        const contenders = (['fft', 'direct'] as const).map((method) =>
          runOf(method).expsyn(method),
        );
        const measured = await measure(contenders, timesteps * size, 5);
        const [fft = NaN, direct = NaN] = measured.map(({ median }) => median);
        nRuns++;
        if (fft < direct) nBetterByFft++;
        const { method } = runOf('auto');
        const ratio = (method === 'fft' ? fft : direct) / Math.min(fft, direct);
        const name = `T = ${timesteps}, N = ${size}, W = ${windowLength}`;
        if (ratio > worst.ratio) worst = { ratio, name };
      }
    }
  }
  const { ratio, name } = worst;
  return {
    text:
      `${ratio.toFixed(2)} at worst, ${name} (goal: 1.1); ` +
      `'fft' was the better one in ${nBetterByFft} of ${nRuns}`,
    isMet: ratio <= 1.1,
  };
}

export function firCases(): BenchCase[] {
  const long = DTYPES.flatMap((dtype) =>
    [64, 200, 2000, 20000].flatMap((windowLength): BenchCase[] => {
      const name = `W = ${windowLength}, ${dtype}, T = ${TIMESTEPS}, N = ${SIZE}`;
      const samples = TIMESTEPS * SIZE;
      return [
        {
          group: "FirSyn, 'auto', against what one would use instead",
          name,
          samples,
          goals: [
            { against: 'oaconvolve', timesFaster: 4 },
            { against: 'oaconvolve_repeated', timesFaster: 4 },
            { against: 'pffft-wasm', timesFaster: 3 },
            { against: 'fft.js', timesFaster: 8 },
          ],
          contenders: async (python) => {
            const run = new FirRun(TIMESTEPS, SIZE, windowLength, dtype);
            const peers = await run.python(python, ['oaconvolve', 'oaconvolve_repeated']);
            return [
              run.expsyn(),
              ...peers,
              run.overlapSave('pffft-wasm', await loadPffft(), 'float32'),
              run.overlapSave('fft.js', fftJs, 'float64'),
            ];
          },
        },
        {
          group: "FirSyn, 'fft', against the transforms of one signal at a time",
          name,
          samples,
          goals: [{ against: 'bare FFTW', atMost: 1.6 }],
          contenders: () => {
            const run = new FirRun(TIMESTEPS, SIZE, windowLength, dtype, 'fft');
            return [run.expsyn(), run.transforms()];
          },
        },
      ];
    }),
  );
  const short = DTYPES.flatMap((dtype) =>
    [4, 8, 16, 32].map((windowLength): BenchCase => ({
      group: "FirSyn, short kernels: 'auto' against 'fft'",
      name: `W = ${windowLength}, ${dtype}, T = ${TIMESTEPS}, N = ${SIZE}`,
      samples: TIMESTEPS * SIZE,
      goals: [{ against: "'fft'", atMost: 1 }],
      contenders: () => [
        new FirRun(TIMESTEPS, SIZE, windowLength, dtype).expsyn(),
        new FirRun(TIMESTEPS, SIZE, windowLength, dtype, 'fft').expsyn("'fft'"),
      ],
    })),
  );
  const choice = DTYPES.map((dtype): BenchCase => ({
    group: "FirSyn: the choice of 'auto' against the better method",
    name: `${dtype}, T = 30 to 30000, N = 1 to 64, W = 4 to 1000`,
    figure: () => worstChoice(dtype),
  }));
  return [...long, ...short, ...choice];
}
