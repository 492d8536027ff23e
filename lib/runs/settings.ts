/** The settings of the synapses of a run. */
import { DTYPES, type Dtype } from '../arrays/element-types';
import { decodeNumbers, type EncodedArray } from '../modules/json';
import { KERNELS, kernelNamed } from '../modules/kernels';
import { optionsOf, type OptionName, type SimulationParameters } from '../modules/options';

/** The options of modules that a run has. The others concern what one call leaves to the next. */
export const RUN_OPTIONS = [
  'dt',
  'method',
  'dtype',
  'noiseStd',
  'noise',
  'seed',
  'windowTaus',
  'maxWindowLength',
  'normalise',
  'nonFinite',
] as const satisfies readonly OptionName[];

/** A number in JSON, which has no infinity. */
export type Encoded = number | 'Infinity';

type PlainOptions = Pick<
  SimulationParameters,
  'dt' | 'method' | 'normalise' | 'noiseStd' | 'noise' | 'seed' | 'nonFinite'
>;

/** The values of these options. */
export interface RunOptions extends PlainOptions {
  dtype: Dtype;
  windowTaus: Encoded;
  maxWindowLength: Encoded;
}

/** The settings of the synapses. The currents depend on all of them. */
export interface SynapseSettings extends RunOptions {
  /** The name of the kernel. */
  kernel: string;
  /** Its parameters by name: one number for all channels, or one for each. */
  parameters: Record<string, number[]>;
  /** Its samples, (W,) for all channels or (W, N), if it is given by them. */
  samples?: EncodedArray;
}

/** Settings whose seed may not be drawn yet. */
export type UnseededSettings = Omit<SynapseSettings, 'seed'> & { seed: number | undefined };

export function encodeInfinity(value: number): Encoded {
  return value === Infinity ? 'Infinity' : value;
}

export function decodeInfinity(value: Encoded): number {
  return value === 'Infinity' ? Infinity : value;
}

/** The settings of a kernel, by default the first, that hold unless others are given, but for the seed. */
export function defaultSettings(name = KERNELS[0].name): UnseededSettings {
  const kernel = kernelNamed(name);
  const table = optionsOf(kernel);
  const options = RUN_OPTIONS.map((name) => {
    const value = table[name].isDrawn ? undefined : table[name].initial();
    return [name, typeof value === 'number' ? encodeInfinity(value) : value];
  });
  return {
    kernel: kernel.name,
    parameters: Object.fromEntries(
      kernel.parameters.map(({ name, ...own }) => [name, [own.default]]),
    ),
    ...(Object.fromEntries(options) as Omit<RunOptions, 'seed'> & { seed: undefined }),
  };
}

/** The unit of an option or of a parameter of the kernel. */
export function unitOf(kernel: string, name: string): string | undefined {
  const definition = kernelNamed(kernel);
  const parameter = definition.parameters.find((one) => one.name === name);
  const table: Partial<Record<string, { unit?: string }>> = optionsOf(definition);
  return (parameter ?? table[name])?.unit;
}

/** Time constants in seconds: one for all channels, or one for each. */
export interface TimeConstants {
  name: string;
  values: readonly number[];
}

/** The parameters of the kernel that are time constants. */
export function timeConstantsOf({
  kernel,
  parameters,
}: Pick<SynapseSettings, 'kernel' | 'parameters'>): TimeConstants[] {
  const taus = kernelNamed(kernel).parameters.filter(({ family }) => family === 'taus');
  return taus.map(({ name }) => ({ name, values: parameters[name] ?? [] }));
}

/** The longest time constant of each channel; undefined if the kernel has none. */
export function longestTimeConstants(
  settings: Pick<SynapseSettings, 'kernel' | 'parameters'>,
): number[] | undefined {
  const all = timeConstantsOf(settings).map(({ values }) => values);
  if (all.length === 0) return undefined;
  const length = Math.max(...all.map((values) => values.length));
  return Array.from({ length }, (_, channel) =>
    Math.max(...all.map((values) => values[values.length === 1 ? 0 : channel] ?? NaN)),
  );
}

/** The settings of channels begin .. end - 1. */
export function settingsOfChannels<Settings extends UnseededSettings>(
  settings: Settings,
  begin: number,
  end: number,
): Settings {
  const { parameters, samples } = settings;
  const own = Object.entries(parameters).map(([name, values]) => {
    return [name, values.length === 1 ? values : values.slice(begin, end)];
  });
  return {
    ...settings,
    parameters: Object.fromEntries(own) as Record<string, number[]>,
    ...(samples && { samples: columnsOf(samples, begin, end) }),
  };
}

/** Some columns of an array (W, N), or the one that all channels have. */
function columnsOf(samples: EncodedArray, begin: number, end: number): EncodedArray {
  const [length = 0, columns] = samples.shape;
  if (columns === undefined) return samples;
  const { data } = samples;
  const rows = Array.from({ length }, (_, row) =>
    data.slice(row * columns + begin, row * columns + end),
  );
  return { shape: [length, end - begin], data: rows.flat() };
}

/** Whether a value read from a file can be settings. */
export function areSettings(value: unknown): value is SynapseSettings {
  if (typeof value !== 'object' || value === null) return false;
  const { kernel, parameters, samples, dt, dtype, noiseStd, noise, seed } = value as Partial<
    Record<string, unknown>
  >;
  const areNumbers = (list: unknown): boolean =>
    Array.isArray(list) && list.length > 0 && list.every((one) => Number.isFinite(one));
  return (
    KERNELS.some(({ name }) => name === kernel) &&
    typeof parameters === 'object' &&
    parameters !== null &&
    kernelNamed(kernel as string).parameters.every(({ name }) =>
      areNumbers((parameters as Record<string, unknown>)[name]),
    ) &&
    (kernelNamed(kernel as string).samples === undefined || areSamples(samples)) &&
    typeof dt === 'number' &&
    dt > 0 &&
    DTYPES.some((one) => one === dtype) &&
    typeof noiseStd === 'number' &&
    typeof noise === 'string' &&
    typeof seed === 'number'
  );
}

/** Whether a value read from a file can be samples. */
function areSamples(value: unknown): boolean {
  try {
    const decoded = decodeNumbers(value, 'samples');
    if (typeof decoded === 'number') return false;
    const { data, shape } = decoded;
    return (
      data.length > 0 && (shape.length === 1 || shape.length === 2) && data.every(Number.isFinite)
    );
  } catch {
    return false;
  }
}
