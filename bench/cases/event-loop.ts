import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

import { ExpSyn } from 'expsyn';
import type { BenchCase } from '../bench-case';

/** The 99th percentile of the event loop's delay, in milliseconds, until `work` is done. */
async function loopDelayDuring(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  return delay.percentile(99) / 1e6;
}

export function eventLoopCases(): BenchCase[] {
  return [
    {
      group: "the event loop's delay while evolve() computes 10^8 samples",
      name: 'p99, noise, N = 64, two threads',
      figure: async () => {
        const module = new ExpSyn(64, { dtype: 'float32', noiseStd: 1, windowTaus: Infinity });
        const input = { data: new Uint8Array(new SharedArrayBuffer(1e8)), shape: [1562500, 64] };
        const out = new Float32Array(new SharedArrayBuffer(4e8));
        const idle = await loopDelayDuring(() => wait(500));
        const busy = await loopDelayDuring(() => module.evolve(input, { out }));
        return {
          text: `${idle.toFixed(1)} ms idle, ${busy.toFixed(1)} ms meanwhile (goal: 5 more)`,
          isMet: busy - idle <= 5,
        };
      },
    },
  ];
}
