import type { BenchCase } from '../bench-case';
import { checkAgainstLoop, makeRaster, Run, type Dtype, type RunOptions } from '../run';

export function copyCases(): BenchCase[] {
  const cases: BenchCase[] = [];
  const add = (
    samples: number,
    size: number,
    dtype: Dtype,
    options: RunOptions,
    name: string,
    goal: number,
  ) => {
    cases.push({
      group: 'against a copy of the arrays',
      name: `${name}, ${dtype}, N = ${size}, ${samples.toExponential(0)} samples`,
      samples,
      goals: [{ against: 'copy', atMost: goal }],
      contenders: () => {
        const run = new Run(1, Math.floor(samples / size), size, { dtype, ...options });
        checkAgainstLoop(run);
        return [run.expsyn(), run.copy()];
      },
    });
  };
  for (const dtype of ['float64', 'float32'] as const) {
    for (const samples of [1e6, 1e7]) {
      for (const size of [16, 64, 128, 1000]) add(samples, size, dtype, {}, 'W = 200', 1.25);
      add(samples, 64, dtype, { windowTaus: Infinity }, 'W = Infinity', 1.15);
    }
  }
  for (const size of [1, 3]) add(1e7, size, 'float64', {}, 'W = 200', 2);
  cases.push({
    group: 'against a copy of the arrays',
    name: 'Uint8 in, float32 out, N = 64, 1e+7 samples',
    samples: 1e7,
    goals: [{ against: 'copy', atMost: 1 }],
    contenders: () => {
      const run = new Run(1, 156250, 64, { dtype: 'float32' }, makeRaster(new Uint8Array(1e7)));
      checkAgainstLoop(run);
      return [run.expsyn(), run.copy()];
    },
  });
  return cases;
}
