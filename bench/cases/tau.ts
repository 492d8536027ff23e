import { ExpSyn } from 'expsyn';
import type { BenchCase } from '../bench-case';
import { timeCalls } from '../measure';
import { Run } from '../run';

export function tauCases(): BenchCase[] {
  const size = 1e4;
  return [
    {
      group: 'setting tau on 10,000 synapses',
      name: 'tau = ...; against one run of T = 100',
      samples: 1,
      goals: [{ against: 'one run', atMost: 1 }],
      contenders: () => {
        const run = new Run(1, 100, size);
        const module = new ExpSyn(size, { threads: 1 });
        const taus = [0, 1].map((which) =>
          Float64Array.from({ length: size }, (_, n) => 0.01 + which * 1e-3 + n * 1e-6),
        );
        const tick = { data: new Float64Array(size), shape: [1, size] };
        const out = new Float64Array(size);
        let which = 0;
        const step = timeCalls(() => module.evolveSync(tick, { out }));
        const setAndStep = timeCalls(() => {
          which = 1 - which;
          module.tau = taus[which] as Float64Array;
          // Kernels are made when they are first needed.
          module.evolveSync(tick, { out });
        });
        return [
          { name: 'expsyn', time: () => setAndStep() - step() },
          { name: 'one run', time: timeCalls(run.evolve) },
        ];
      },
    },
  ];
}
