import { countEvents, ExpSyn, type EventList, type EvolveInput } from 'expsyn';
import type { BenchCase } from '../bench-case';
import { randomNumbers } from '../../test/support/oracle';
import { timeCalls } from '../measure';

const SIZE = 64;
const TIMESTEPS = 156_250;
const SAMPLES = SIZE * TIMESTEPS;

/** Events in order, so many a sample; the same ones each time. */
function makeEvents(density: number): EventList {
  const count = Math.round(SAMPLES * density);
  const random = randomNumbers(1);
  const times = new Float64Array(count).map(() => random() * TIMESTEPS * 1e-3).sort();
  const channels = new Uint16Array(count).map(() => Math.floor(random() * SIZE));
  return { times, channels, shape: [TIMESTEPS, SIZE] };
}

/** The raster of some events, as bytes. */
function rasterOf(events: EventList): { data: Uint8Array; shape: readonly number[] } {
  const { data, shape } = countEvents(events, { dt: 1e-3 });
  return { data: Uint8Array.from(data), shape };
}

export function eventCases(): BenchCase[] {
  return (['float64', 'float32'] as const).flatMap((dtype): BenchCase[] => {
    const Data = dtype === 'float32' ? Float32Array : Float64Array;
    const module = new ExpSyn(SIZE, { dtype, threads: 1, tau: 0.02 });
    const evolve = (input: EvolveInput, options: object) => () => {
      module.evolveSync(input, options);
    };
    return [
      ...[0.01, 0.0001].map((density): BenchCase => ({
        group: 'a list of events against its raster of bytes',
        name: `${density * 100} % of the elements, ${dtype}, N = 64, 10^7 samples`,
        samples: SAMPLES,
        goals: [{ against: 'raster', atMost: 1 }],
        contenders: () => {
          const events = makeEvents(density);
          const raster = rasterOf(events);
          const out = new Data(SAMPLES).fill(1);
          const source = new Data(SAMPLES).fill(1);
          return [
            { name: 'events', time: timeCalls(evolve(events, { out })) },
            { name: 'raster', time: timeCalls(evolve(raster, { out })) },
            {
              name: 'raster, made by countEvents()',
              time: timeCalls(() => {
                evolve(countEvents(events, { dt: 1e-3 }), { out })();
              }),
            },
            {
              name: 'copy',
              time: timeCalls(() => {
                out.set(source);
              }),
            },
          ];
        },
      })),
      {
        group: 'what is kept against the full output',
        name: `every: 20, ${dtype}, N = 64, 10^7 samples`,
        samples: SAMPLES,
        goals: [{ against: 'full', atMost: 0.7 }],
        contenders: () => {
          const raster = rasterOf(makeEvents(0.01));
          const out = new Data(SAMPLES).fill(1);
          const kept = (options: object) =>
            timeCalls(() => void module.evolveSync(raster, options));
          return [
            { name: "'last'", time: kept({ every: 20 }) },
            { name: 'full', time: kept({ out }) },
            { name: "'mean'", time: kept({ every: 20, reduce: 'mean' }) },
            { name: "'peak'", time: kept({ every: 20, reduce: 'peak' }) },
            { name: 'state only', time: kept({ every: Infinity }) },
          ];
        },
      },
    ];
  });
}
