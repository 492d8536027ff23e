import { FirSyn, stats } from 'expsyn';
import type { BenchCase } from '../bench-case';
import { FirRun } from '../fir-run';
import type { Contender } from '../measure';

const SIZE = 64;
const GOALS: readonly [number, number][] = [
  [1, 4],
  [16, 2.5],
  [256, 1.5],
];

export function firSessionCases(): BenchCase[] {
  return (['float64', 'float32'] as const).flatMap((dtype) =>
    [4096, 65536].flatMap((windowLength): BenchCase[] => {
      const timesteps = 2 * windowLength;
      const samples = timesteps * SIZE;
      const streamed = GOALS.map(([steps, atMost]): BenchCase => ({
        group: 'FirSyn, streamed through a session without latency',
        name: `W = ${windowLength}, ${dtype}, T = ${steps}, N = ${SIZE}`,
        samples,
        goals: [{ against: 'one call of the whole', atMost }],
        contenders: () => {
          const run = new FirRun(timesteps, SIZE, windowLength, dtype);
          const stream = (method: 'auto' | 'direct', count: number): Contender => {
            const module = new FirSyn(SIZE, { kernel: run.kernel, dtype, method, threads: 1 });
            const session = module.session();
            const time = () => {
              const start = process.hrtime.bigint();
              for (let step = 0; step < count; step += steps) {
                const data = run.input.subarray(step * SIZE, (step + steps) * SIZE);
                session.evolveSync({ data, shape: [1, steps, SIZE] });
              }
              return Number(process.hrtime.bigint() - start);
            };
            return { name: `'${method}' in calls`, time, samples: count * SIZE };
          };
          return [
            stream('auto', timesteps),
            run.expsyn('one call of the whole'),
            stream('direct', 512),
          ];
        },
      }));
      const memory: BenchCase = {
        group: 'Memory of a session of FirSyn, in units of its inputs',
        name: `W = ${windowLength}, ${dtype}, N = ${SIZE}`,
        figure: () => {
          const module = new FirSyn(SIZE, {
            kernel: new Float64Array(windowLength).fill(1),
            dtype,
          });
          const call = { data: new Uint8Array(SIZE).fill(1), shape: [1, 1, SIZE] };
          module.session().evolveSync(call);
          const before = stats().memory;
          const sessions = [module.session(), module.session()];
          for (const session of sessions) session.evolveSync(call);
          const inputs = (windowLength - 1) * SIZE * (dtype === 'float32' ? 4 : 8);
          const ratio = (stats().memory - before) / sessions.length / inputs;
          return { text: `${ratio.toFixed(2)} (goal: 2)`, isMet: ratio <= 2 };
        },
      };
      return [...streamed, memory];
    }),
  );
}
