/** Runs of which not every step of the output is kept. */
import { keptSteps } from '../arrays/kept-steps';
import { lengthOf, type Range, type RasterSource, type Region } from '../formats/raster-source';
import type { TypedArray } from '../index';
import type { Job } from './job';

type Reduced = Pick<Job, 'shape' | 'reduction'>;

/** The shape of the output: (B, T', N) with the T' steps that are kept. */
export function outputShapeOf(job: Reduced): Job['shape'] {
  const [batches, timesteps, synapses] = job.shape;
  return [batches, lengthOf(keptIn({ begin: 0, end: timesteps }, job)), synapses];
}

/** Which of the steps that are kept lie in a range of all steps. */
export function keptIn({ begin, end }: Range, { reduction }: Pick<Job, 'reduction'>): Range {
  return keptSteps(begin, end, reduction?.every ?? 1);
}

/** A complete output as pictures need it: with all steps, each of which has the value that stands for it. */
export function withAllSteps(output: RasterSource, job: Reduced): RasterSource {
  const { reduction, shape } = job;
  if (reduction === undefined) return output;
  const { every } = reduction;
  return {
    identity: output.identity,
    identify: () => output.identify(),
    shape,
    nAxes: output.nAxes,
    type: output.type,
    itemBytes: Float64Array.BYTES_PER_ELEMENT,
    isInterleaved: output.isInterleaved,
    remark: output.remark,
    read: async (region) => {
      const [, nKept] = output.shape;
      const { begin, end } = region.steps;
      const first = Math.floor(begin / every);
      const last = Math.min(nKept, Math.ceil(end / every));
      const steps = { begin: Math.min(first, last), end: last };
      return spread(await output.read({ ...region, steps }), region, steps, every);
    },
    close: async () => output.close(),
  };
}

/** Repeats the rows of the steps that are kept. The steps after the last one of them are 0. */
function spread(kept: TypedArray, region: Region, steps: Range, every: number): TypedArray {
  const width = lengthOf(region.channels);
  const nSteps = lengthOf(region.steps);
  const nKept = lengthOf(steps);
  const rows = new Float64Array(lengthOf(region.batches) * nSteps * width);
  for (let item = 0; item < lengthOf(region.batches); item++) {
    for (let step = 0; step < nSteps; step++) {
      const from = Math.floor((region.steps.begin + step) / every) - steps.begin;
      if (from >= nKept) continue;
      for (let channel = 0; channel < width; channel++) {
        const value = kept[(item * nKept + from) * width + channel];
        rows[(item * nSteps + step) * width + channel] = Number(value);
      }
    }
  }
  return rows;
}
