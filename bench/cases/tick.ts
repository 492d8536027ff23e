import { ExpSyn } from 'expsyn';
import type { BenchCase } from '../bench-case';
import { timeCalls } from '../measure';
import { plainLoop } from '../peers/javascript';
import { nativePeers } from '../peers/native';

const SIZE = 64;

/** Where arrays go, so that making them is not optimized away. */
export let made: Float64Array[];

export function tickCases(): BenchCase[] {
  return [
    {
      group: 'one tick: T = 1, N = 64, out given',
      name: 'evolveSync()',
      samples: 1,
      goals: [
        { against: 'empty Node-API call', atMost: 5 },
        { against: "empty Node-API call, a result's memory made", atMost: 5 },
      ],
      contenders: () => {
        const module = new ExpSyn(SIZE, { seed: 1 });
        const row = () => new Float64Array(SIZE);
        const input = { data: row().map((_, n) => (n % 5 === 0 ? 1 : 0)), shape: [1, SIZE] };
        const out = row();
        const [state, nextState] = [new Float64Array(2 * SIZE), new Float64Array(2 * SIZE)];
        const decay = row().fill(0.9);
        const isyn = row();
        // The arguments of the package's own native call: two arrays of the caller, two states,
        // batch items, seed and step.
        const callNothing = () => nativePeers.nothing(input.data, out, state, nextState, 1, 5, 3);
        return [
          { name: 'expsyn', time: timeCalls(() => module.evolveSync(input, { out })) },
          { name: 'empty Node-API call', time: timeCalls(callNothing) },
          {
            // The result has the state in memory of its own: the currents and their corrections.
            name: "empty Node-API call, a result's memory made",
            time: timeCalls(() => {
              callNothing();
              made = [new Float64Array(isyn), new Float64Array(isyn)];
            }),
          },
          {
            name: 'JavaScript loop',
            time: timeCalls(() => plainLoop(input.data, out, decay, isyn, 1, 1)),
          },
        ];
      },
    },
  ];
}
