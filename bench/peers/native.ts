/** The native peers, built by `node scripts/setup.mjs --bench`. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface NativePeers {
  /** Takes any arguments, does nothing. */
  nothing(...values: unknown[]): undefined;
  /**
   * Nanoseconds of the real transforms, there and back, of the blocks into which the package cuts
   * a run; only executed.
   */
  transforms(isSingle: boolean, timesteps: number, windowLength: number, channels: number): number;
}

const load = createRequire(__filename);
const folder = join(__dirname, '..', '..', 'build', 'bench', 'Release');
export const nativePeers = load(join(folder, 'expsyn_bench.node')) as NativePeers;
