/** Prints the bytes by which a run's memory grows beyond its input and output. */
import { readFileSync } from 'node:fs';

import { ExpSyn, type ExpSynOptions } from 'expsyn';

const [timesteps, size] = [1e6, 16];
const given = JSON.parse(process.argv[2] ?? '{}') as ExpSynOptions;
const input = { data: new Float64Array(timesteps * size).fill(1), shape: [timesteps, size] };
const out = new Float64Array(timesteps * size).fill(1);
const module = new ExpSyn(size, { tau: 0.2, threads: 1, seed: 1, ...given });
// Loads and allocates what is needed once, so that only the memory of a run is measured.
module.evolveSync({ data: new Float64Array(size), shape: [1, size] });

const peak = (): number => process.resourceUsage().maxRSS * 1024;
const before = Math.max(peak(), residentBytes());
module.evolveSync(input, { out });
console.log(peak() - before);

function residentBytes(): number {
  try {
    const pages = readFileSync('/proc/self/statm', 'utf8').split(' ')[1];
    return Number(pages) * 4096;
  } catch {
    return 0;
  }
}
