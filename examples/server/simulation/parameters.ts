/** Reads and checks the parameters that clients send. */
import type { Parameters } from './engine';
import { InputError } from '../errors';

export const DEFAULT_PARAMETERS: Parameters = { channels: 64, tau: 0.02, dt: 0.001, noiseStd: 0 };

const RANGES: Record<keyof Parameters, [least: number, most: number, unit: string]> = {
  channels: [1, Infinity, ''],
  tau: [1e-5, 1e3, ' seconds'],
  dt: [1e-6, 1, ' seconds'],
  noiseStd: [0, 1e6, ''],
};

/** Throws an InputError, which tells the client what is wrong. */
function checkParameter(key: keyof Parameters, value: unknown, maxChannels: number): number {
  const [least, limit, unit] = RANGES[key];
  const most = key === 'channels' ? maxChannels : limit;
  const isWhole = key !== 'channels' || Number.isInteger(value);
  if (typeof value === 'number' && value >= least && value <= most && isWhole) return value;
  throw new InputError(
    `Expected ${least} to ${most}${unit} for ${key} but received ${JSON.stringify(value)}.`,
  );
}

/** The parameters in a query. Those that it leaves out have their defaults. */
export function queryParameters(query: Record<string, unknown>, maxChannels: number): Parameters {
  const parameters = { ...DEFAULT_PARAMETERS };
  for (const key of Object.keys(RANGES) as (keyof Parameters)[]) {
    const text = query[key];
    if (text === undefined) continue;
    const isNumber = typeof text === 'string' && /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
    parameters[key] = checkParameter(key, isNumber ? Number(text) : text, maxChannels);
  }
  return parameters;
}

/** The parameters that a session was saved with. */
export function restoreParameters(saved: unknown, maxChannels: number): Parameters {
  const given = (saved ?? {}) as Partial<Record<keyof Parameters, unknown>>;
  const parameters = { ...DEFAULT_PARAMETERS };
  for (const key of Object.keys(RANGES) as (keyof Parameters)[]) {
    parameters[key] = checkParameter(key, given[key], maxChannels);
  }
  return parameters;
}

/** The number of sources that a query asks for: one by default, `most` at most. */
export function querySources(query: Record<string, unknown>, most: number): number {
  const { sources: text = '1' } = query;
  const count = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : NaN;
  if (count >= 1 && count <= most) return count;
  throw new InputError(`Expected 1 to ${most} for sources but received ${JSON.stringify(text)}.`);
}

/** The parameters after a message that sets some of tau, dt and noiseStd. */
export function changeParameters(message: Record<string, unknown>, before: Parameters): Parameters {
  const parameters = { ...before };
  for (const [key, value] of Object.entries(message)) {
    if (key === 'type') continue;
    if (key !== 'tau' && key !== 'dt' && key !== 'noiseStd') {
      throw new InputError(
        `Expected tau, dt or noiseStd to set but received ${JSON.stringify(key)}.`,
      );
    }
    parameters[key] = checkParameter(key, value, Infinity);
  }
  return parameters;
}
