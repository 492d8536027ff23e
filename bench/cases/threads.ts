import type { BenchCase } from '../bench-case';
import { Run, type RunOptions } from '../run';

export function threadCases(): BenchCase[] {
  const kinds: [string, RunOptions, number | undefined][] = [
    ["'fft'", { method: 'fft' }, 1.8],
    ['noise', { noiseStd: 1 }, 1.8],
    ["'recursive'", { method: 'recursive' }, undefined],
  ];
  const shapes: [number, number, number][] = [
    [16, 4882, 128],
    [1, 156250, 64],
  ];
  return kinds.flatMap(([name, options, goal]) =>
    shapes.map(([batches, timesteps, size]): BenchCase => ({
      group: 'two threads against one',
      name: `${name}, B = ${batches}, T = ${timesteps}, N = ${size}`,
      samples: batches * timesteps * size,
      goals: goal === undefined ? [] : [{ against: 'one thread', timesFaster: goal }],
      contenders: () => {
        const two = new Run(batches, timesteps, size, { ...options, threads: 2 });
        const one = new Run(batches, timesteps, size, options);
        two.evolve();
        one.evolve();
        if (two.out.some((value, i) => value !== one.out[i])) {
          throw new Error('Expected the same bits from two threads as from one.');
        }
        return [two.expsyn('two threads'), one.expsyn('one thread')];
      },
    })),
  );
}
