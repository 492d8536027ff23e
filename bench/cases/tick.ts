import { ExpSyn } from 'expsyn';
import type { BenchCase } from '../bench-case';
import { timeCalls } from '../measure';
import { plainLoop } from '../peers/javascript';
import { nativePeers } from '../peers/native';
import type { FloatArray } from '../run';

export function tickCases(): BenchCase[] {
  return [
    {
      group: 'one tick: T = 1, N = 64, out given',
      name: 'evolveSync()',
      samples: 1,
      goals: [{ against: 'empty Node-API call', atMost: 3 }],
      contenders: () => {
        const module = new ExpSyn(64, { seed: 1 });
        const input = { data: new Float64Array(64), shape: [1, 64] };
        const [out, state, next] = [0, 0, 0].map(() => new Float64Array(64));
        const kernels = {};
        const decay = new Float64Array(64).fill(0.9);
        const isyn = new Float64Array(64);
        return [
          {
            name: 'expsyn',
            time: timeCalls(() => module.evolveSync(input, { out: out as FloatArray })),
          },
          {
            name: 'empty Node-API call',
            // As many arguments, of the same types, as the package's own native call takes.
            time: timeCalls(() =>
              nativePeers.nothing(
                ...([kernels, 1, input.data, 1, 1, true, out, state, true] as unknown[]),
                ...([next, true, 0, 0, 1, 5, false, 1, 0] as unknown[]),
              ),
            ),
          },
          {
            name: 'JavaScript loop',
            time: timeCalls(() => plainLoop(input.data, out as FloatArray, decay, isyn, 1, 1)),
          },
        ];
      },
    },
  ];
}
