/** Reads and checks the parameters that clients send. */
import { KERNELS, type Parameters } from './engine';
import { InputError } from '../errors';

export const DEFAULT_PARAMETERS: Parameters = {
  channels: 64,
  kernel: 'exp',
  tau: 0.02,
  tauRise: 0.002,
  dt: 0.001,
  noiseStd: 0,
};

/** The parameters that are numbers. */
type Numbers = Omit<Parameters, 'kernel'>;

const RANGES: Record<keyof Numbers, [least: number, most: number, unit: string]> = {
  channels: [1, Infinity, ''],
  tau: [1e-5, 1e3, ' seconds'],
  tauRise: [1e-5, 1e3, ' seconds'],
  dt: [1e-6, 1, ' seconds'],
  noiseStd: [0, 1e6, ''],
};

const NUMBERS = Object.keys(RANGES) as (keyof Numbers)[];

/** Those that a message may set. */
const ASSIGNABLE = ['kernel', 'tau', 'tauRise', 'dt', 'noiseStd'] as const;

/** Throws an InputError, which tells the client what is wrong. */
function checkNumber(key: keyof Numbers, value: unknown, maxChannels: number): number {
  const [least, limit, unit] = RANGES[key];
  const most = key === 'channels' ? maxChannels : limit;
  const isWhole = key !== 'channels' || Number.isInteger(value);
  if (typeof value === 'number' && value >= least && value <= most && isWhole) return value;
  throw new InputError(
    `Expected ${least} to ${most}${unit} for ${key} but received ${JSON.stringify(value)}.`,
  );
}

/** Sets one parameter. Throws an InputError as checkNumber() does. */
function assign(
  parameters: Parameters,
  key: keyof Parameters,
  value: unknown,
  maxChannels: number,
): void {
  if (key !== 'kernel') {
    parameters[key] = checkNumber(key, value, maxChannels);
    return;
  }
  const kernel = KERNELS.find((name) => name === value);
  if (kernel === undefined) {
    throw new InputError(
      `Expected ${KERNELS.join(', ')} for kernel but received ${JSON.stringify(value)}.`,
    );
  }
  parameters.kernel = kernel;
}

/** Parameters that go together. Throws an InputError for others. */
function requireOrder(parameters: Parameters): Parameters {
  const { kernel, tau, tauRise } = parameters;
  if (kernel !== 'double-exp' || tauRise <= tau) return parameters;
  throw new InputError(
    `Expected at most tau, ${tau} seconds, for tauRise but received ${tauRise}.`,
  );
}

/** The parameters in a query. Those that it leaves out have their defaults. */
export function queryParameters(query: Record<string, unknown>, maxChannels: number): Parameters {
  const parameters = { ...DEFAULT_PARAMETERS };
  for (const key of ['kernel', ...NUMBERS] as const) {
    const text = query[key];
    if (text === undefined) continue;
    const isNumber =
      key !== 'kernel' &&
      typeof text === 'string' &&
      /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
    assign(parameters, key, isNumber ? Number(text) : text, maxChannels);
  }
  return requireOrder(parameters);
}

/** The parameters that a session was saved with. Servers without kernels have saved none. */
export function restoreParameters(saved: unknown, maxChannels: number): Parameters {
  const given = (saved ?? {}) as Partial<Record<keyof Parameters, unknown>>;
  const parameters = { ...DEFAULT_PARAMETERS };
  for (const key of NUMBERS) {
    if (key === 'tauRise' && given.kernel === undefined) continue;
    assign(parameters, key, given[key], maxChannels);
  }
  if (given.kernel !== undefined) assign(parameters, 'kernel', given.kernel, maxChannels);
  return requireOrder(parameters);
}

/** The number of sources that a query asks for: one by default, `most` at most. */
export function querySources(query: Record<string, unknown>, most: number): number {
  const { sources: text = '1' } = query;
  const count = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : NaN;
  if (count >= 1 && count <= most) return count;
  throw new InputError(`Expected 1 to ${most} for sources but received ${JSON.stringify(text)}.`);
}

/** The parameters after a message that sets some of them. */
export function changeParameters(message: Record<string, unknown>, before: Parameters): Parameters {
  const parameters = { ...before };
  for (const [key, value] of Object.entries(message)) {
    if (key === 'type') continue;
    const known = ASSIGNABLE.find((name) => name === key);
    if (known === undefined) {
      throw new InputError(
        `Expected ${ASSIGNABLE.slice(0, -1).join(', ')} or ${ASSIGNABLE.at(-1) ?? ''} to set but received ` +
          `${JSON.stringify(key)}.`,
      );
    }
    assign(parameters, known, value, Infinity);
  }
  return requireOrder(parameters);
}
