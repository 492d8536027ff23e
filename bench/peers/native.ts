/** The native peers, built by `node scripts/setup.mjs --bench`. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface NativePeers {
  /** Takes any arguments and does nothing. */
  nothing(...values: unknown[]): undefined;
  /**
   * Nanoseconds of the forward and inverse transforms of all blocks into which the package divides a run, one real signal at a time. The
   * transforms run on one buffer, and nothing is done with their results. They are those of the FFTW that the
   * package loads, or of the one that this addon is linked with.
   */
  transforms(
    isSingle: boolean,
    timesteps: number,
    windowLength: number,
    channels: number,
    isLinked: boolean,
  ): number;
}

const load = createRequire(__filename);
const folder = join(__dirname, '..', '..', 'build', 'bench', 'Release');
export const nativePeers = load(join(folder, 'expsyn_bench.node')) as NativePeers;
