/** Notices sums of finite inputs that no float of the output's type can hold. */
import type { Job } from '../../runs/job';
import { openOutput } from '../../runs/open-source';
import type { TypedArray } from '../../index';
import { MOST_SAMPLES } from '../../figure/recording';
import type { InputSummary } from '../../figure/input-summary';
import { sizeOf } from '../../arrays/arrays';
import { wholeRegion } from '../../formats/raster-source';

const LARGEST = { float64: Number.MAX_VALUE, float32: (2 - 2 ** -23) * 2 ** 127 } as const;
/** Of the largest float. Inputs and noise whose sizes add up to less do not exceed it. */
const HARMLESS = 1e-6;

/**
 * Says how many currents of a complete run are not finite although all of its input is. Undefined where
 * there are none, or where the arrays are too large to be read for that. The output is read only if the
 * input is so large that it may be the case.
 *
 * @param summary Of all of the input.
 */
export async function noteOnOverflow(
  job: Job,
  out: string,
  summary: InputSummary,
): Promise<string | undefined> {
  const { shape, settings } = job;
  const size = sizeOf(shape);
  const { dtype, noiseStd } = settings;
  const isHarmless = summary.magnitude + noiseStd < HARMLESS * LARGEST[dtype];
  if (isHarmless || summary.nonFinite > 0 || size === 0 || size > MOST_SAMPLES) return undefined;
  const source = await openOutput(job, out);
  try {
    const currents = await source.read(wholeRegion(shape));
    return describeOverflow(currents, dtype);
  } finally {
    await source.close();
  }
}

function describeOverflow(currents: TypedArray, dtype: keyof typeof LARGEST): string | undefined {
  let [nonFinite, infinite] = [0, 0];
  for (const current of currents) {
    if (Number.isFinite(Number(current))) continue;
    nonFinite++;
    if (!Number.isNaN(Number(current))) infinite++;
  }
  if (nonFinite === 0) return undefined;
  const [count, all] = [nonFinite, currents.length].map((number) => number.toLocaleString('en'));
  return (
    `${count} of ${all} currents ${nonFinite === 1 ? 'is' : 'are'} ` +
    `${infinite === nonFinite ? 'infinite' : 'not finite'}, since sums went beyond the largest ` +
    `${dtype}; scale the input down.`
  );
}
