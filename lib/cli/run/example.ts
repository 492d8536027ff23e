/** The raster that `expsyn run` makes if it is given no input. */
import { join } from 'node:path';

import { UsageError } from '../../errors/command-errors';
import { removeLeftovers } from '../../formats/files/complete-file';
import { readNpyFile, writeNpyFile } from '../../formats/npy/npy';
import { makeExampleRaster } from './example-raster';
import { formatShape } from '../../errors/checks';
import { KERNELS, kernelNamed } from '../../modules/kernels';
import type { GivenSettings } from '../options/synapse-options';
import { formatTime } from '../../figure/words';

export const EXAMPLE_PATH = join('output', 'raster.npy');
/** With shorter steps the example would take too long. */
const SHORTEST_EXAMPLE_DT = 1e-4;

/** The rise times of the example, as a share of the decay times of the same channels. */
const RISE = 0.2;

/** Makes the raster of the example, and writes it to where the run reads it. */
export async function writeExample({ dt = 1e-3, kernel, parameters }: GivenSettings) {
  if (dt < SHORTEST_EXAMPLE_DT) {
    throw new UsageError(
      `Expected at least ${formatTime(SHORTEST_EXAMPLE_DT)} for --dt of the example but ` +
        `received ${formatTime(dt)}; give a raster of your own.`,
    );
  }
  const { data, shape, tau, stimuli } = makeExampleRaster(dt);
  // The same raster is left as it is, so that a run can be resumed.
  const found = await readNpyFile(EXAMPLE_PATH).catch(() => undefined);
  const isSame =
    found !== undefined &&
    formatShape(found.shape) === formatShape(shape) &&
    found.data instanceof Uint8Array &&
    Buffer.compare(found.data, data) === 0;
  if (isSame) await removeLeftovers(EXAMPLE_PATH);
  else await writeNpyFile(EXAMPLE_PATH, { data, shape });
  const isGiven = Object.keys(parameters).length > 0;
  return { parameters: isGiven ? parameters : parametersOf(kernel?.name, tau), stimuli };
}

/** The time constants of the example for a kernel, each channel with its own. */
function parametersOf(name = KERNELS[0].name, tau: Float64Array): Record<string, number[]> {
  const { parameters, ordered } = kernelNamed(name);
  const taus = parameters.filter(({ family }) => family === 'taus');
  return Object.fromEntries(
    taus.map(({ name }) => {
      const share = name === ordered?.[0] ? RISE : 1;
      return [name, Array.from(tau, (value) => share * value)];
    }),
  );
}
