import type { Method } from 'expsyn';
import type { BenchCase, Figure } from '../bench-case';
import { measure } from '../measure';
import { Run } from '../run';

/** How much slower the method that 'auto' chooses is than the better one: the worst over a grid of runs. */
async function worstChoice(): Promise<Figure> {
  let worst = { ratio: 0, name: '' };
  let [nRuns, nBetterByFft] = [0, 0];
  for (const timesteps of [1, 30, 1000, 30000]) {
    for (const size of [1, 3, 16, 200]) {
      for (const tau of [0.002, 0.02, 0.5]) {
        const batches = Math.max(1, Math.floor(3e5 / (timesteps * size)));
        const runOf = (method: Method) => new Run(batches, timesteps, size, { tau, method });
        const contenders = (['fft', 'recursive'] as const).map((method) =>
          runOf(method).expsyn(method),
        );
        const measured = await measure(contenders, batches * timesteps * size, 7);
        const [fft = NaN, recursive = NaN] = measured.map(({ median }) => median);
        const auto = runOf('auto');
        const { method } = auto.module.evolveSync({ data: auto.input, shape: auto.shape }).record;
        nRuns++;
        if (fft < recursive) nBetterByFft++;
        const ratio = (method === 'fft' ? fft : recursive) / Math.min(fft, recursive);
        if (ratio > worst.ratio) worst = { ratio, name: `T = ${timesteps}, N = ${size}` };
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

export function choiceCases(): BenchCase[] {
  return [
    {
      group: "the choice of 'auto' against the better method",
      name: 'T = 1 to 30000, N = 1 to 200, tau = 2 to 500 ms',
      figure: worstChoice,
    },
  ];
}
