/** What clients send as parameters, checked. */
import type { Parameters } from './engine';

export const DEFAULT_PARAMETERS: Parameters = { channels: 64, tau: 0.02, dt: 0.001, noiseStd: 0 };

const RANGES: Record<keyof Parameters, [least: number, most: number, unit: string]> = {
  channels: [1, Infinity, ''],
  tau: [1e-5, 1e3, ' seconds'],
  dt: [1e-6, 1, ' seconds'],
  noiseStd: [0, 1e6, ''],
};

/**
 * The parameters with what is given changed: numbers, or their text in a query. Throws a RangeError
 * that tells the client what is wrong.
 */
export function readParameters(
  given: Record<string, unknown>,
  before: Parameters,
  maxChannels: number,
): Parameters {
  const parameters = { ...before };
  for (const key of Object.keys(RANGES) as (keyof Parameters)[]) {
    const value = given[key];
    if (value === undefined) continue;
    const [least, limit, unit] = RANGES[key];
    const most = key === 'channels' ? maxChannels : limit;
    const read = typeof value === 'number' ? value : Number(value === '' ? NaN : value);
    const isWhole = key !== 'channels' || Number.isInteger(read);
    if (!(read >= least && read <= most && isWhole)) {
      throw new RangeError(
        `Expected ${least} to ${most}${unit} for ${key} but received ${JSON.stringify(value)}.`,
      );
    }
    parameters[key] = read;
  }
  return parameters;
}
