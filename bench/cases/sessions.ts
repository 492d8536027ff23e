import { ExpSyn } from 'expsyn';
import type { BenchCase } from '../bench-case';
import { timeCalls } from '../measure';
import { plainLoop } from '../peers/javascript';
import { makeRaster } from '../run';

export function sessionCases(): BenchCase[] {
  const [count, size] = [1000, 64];
  return [
    {
      group: 'one step of 1000 sessions, N = 64, out given',
      name: 'evolveSessionsSync()',
      samples: count * size,
      goals: [],
      contenders: () => {
        const module = new ExpSyn(size, { threads: 1 });
        const open = () => Array.from({ length: count }, (_, seed) => module.session({ seed }));
        const [batched, single] = [open(), open()];
        const data = makeRaster(new Uint8Array(count * size));
        const input = { data, shape: [count, 1, size] };
        const items = single.map((session, i) => ({
          session,
          input: { data: data.subarray(i * size, (i + 1) * size), shape: [1, size] },
          out: new Float64Array(size),
        }));
        const out = new Float64Array(count * size);
        const decay = new Float64Array(size).fill(Math.exp(-0.1));
        const states = items.map(() => new Float64Array(size));
        return [
          {
            name: 'expsyn',
            time: timeCalls(() => module.evolveSessionsSync(batched, input, { out })),
          },
          {
            name: 'each by itself',
            time: timeCalls(() => {
              for (const { session, input, out } of items) session.evolveSync(input, { out });
            }),
          },
          {
            name: 'JavaScript loop',
            time: timeCalls(() => {
              items.forEach(({ input, out }, i) => {
                plainLoop(input.data, out, decay, states[i] ?? out, 1, 1);
              });
            }),
          },
        ];
      },
    },
  ];
}
