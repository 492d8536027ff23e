/** The options of the synapses as flags: they come from the table of options and from the kernel. */
import { Option, type Command } from 'commander';

import { UsageError } from '../../errors/command-errors';
import { formatShape } from '../../errors/checks';
import type { ExpSynError } from '../../errors/error-codes';
import { KERNELS, kernelNamed } from '../../modules/kernels';
import type { KernelParameter } from '../../modules/kernel-definition';
import { optionsOf, type OptionDefinition } from '../../modules/options';
import {
  defaultSettings,
  encodeInfinity,
  RUN_OPTIONS,
  type RunOptions,
  type SynapseSettings,
  type UnseededSettings,
} from '../../runs/settings';
import { alternatives, flagOf } from './wording';
import { isFile, parameterFileEndings, readParameter } from './parameter-files';
import { formatTime, formatTimeRange, parsePeriod } from './times';

/** The kernel of runs, and its table of options. */
const [KERNEL] = KERNELS;
const TABLE = optionsOf(KERNEL);

/** The settings that were given. */
export type GivenSettings = { [Name in keyof RunOptions]?: RunOptions[Name] | undefined } & {
  parameters: Record<string, number[]>;
};

/** The flags as commander gives them. */
export type SynapseFlags = Partial<Record<string, unknown>>;

/** Adds the flags of the synapses to a command. */
export function addSynapseOptions(command: Command): Command {
  for (const { name, unit, summary, default: value } of KERNEL.parameters) {
    const form = `one for all channels, N separated by commas, or a file: ${alternatives(parameterFileEndings())}`;
    const [placeholder, initial] =
      unit === 's' ? ['<times>', compact(value)] : ['<numbers>', value];
    command.option(`${flagOf(name)} ${placeholder}`, `${summary}; ${form} (default: ${initial})`);
  }
  for (const name of RUN_OPTIONS) command.addOption(optionFor(name, TABLE[name]));
  return command;
}

function optionFor(name: string, definition: OptionDefinition): Option {
  const { choices, unit, summary, isDrawn } = definition as OptionDefinition<string | number>;
  if (choices !== undefined) {
    const words = choices.map(String);
    const help = `${summary} (default: ${words[0] ?? ''})`;
    return new Option(`${flagOf(name)} <name>`, help).choices(words);
  }
  const initial = definition.initial();
  if (isDrawn)
    return new Option(`${flagOf(name)} <n>`, `${summary} (default: from the operating system)`);
  if (unit !== 's') return new Option(`${flagOf(name)} <x>`, `${summary} (default: ${initial})`);
  return new Option(
    `${flagOf(name)} <time>`,
    `${summary}, or the step rate (default: ${compact(Number(initial))})`,
  );
}

/** As on a command line: 20ms. */
function compact(seconds: number): string {
  return formatTime(seconds).replace(' ', '');
}

/** Reads the flags, and the files that they name. */
export async function readSettings(flags: SynapseFlags): Promise<GivenSettings> {
  const parameters: [string, number[]][] = [];
  for (const parameter of KERNEL.parameters) {
    const text = flags[parameter.name];
    if (typeof text === 'string')
      parameters.push([parameter.name, await readParameter(text, parameter)]);
  }
  const options = RUN_OPTIONS.flatMap((name) => {
    const text = flags[name];
    return typeof text === 'string' ? [[name, parseOption(name, text, TABLE[name])]] : [];
  });
  return { parameters: Object.fromEntries(parameters), ...(Object.fromEntries(options) as object) };
}

function parseOption(name: string, text: string, definition: OptionDefinition): string | number {
  if (definition.type === 'string') return text;
  if (definition.unit === 's') return parsePeriod(text, flagOf(name));
  // As a user writes one: no hexadecimal digits, no spaces.
  const isNumber = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
  const value = /^(inf|infinity)$/i.test(text) ? Infinity : isNumber ? Number(text) : NaN;
  try {
    definition.check(value, name);
    return encodeInfinity(value);
  } catch (error) {
    const { expected } = error as ExpSynError;
    throw new UsageError(`Expected ${expected} for ${flagOf(name)} but received '${text}'.`);
  }
}

/** The files that parameters are read from, with the flags that name them. */
export function parameterFiles(flags: SynapseFlags): { flag: string; path: string }[] {
  return KERNEL.parameters.flatMap(({ name }) => {
    const text = flags[name];
    return typeof text === 'string' && isFile(text) ? [{ flag: flagOf(name), path: text }] : [];
  });
}

/** The settings that were given; the others are those of an earlier run or, without one, the defaults. */
export function completeSettings(
  given: GivenSettings,
  earlier?: Partial<SynapseSettings>,
): UnseededSettings {
  const defaults = defaultSettings(earlier?.kernel);
  const chosen = Object.entries(given).filter(([, value]) => value !== undefined);
  const settings = {
    ...defaults,
    ...earlier,
    ...(Object.fromEntries(chosen) as Partial<RunOptions>),
    parameters: { ...defaults.parameters, ...earlier?.parameters, ...given.parameters },
  };
  if (settings.noiseStd === 0 && (given.noise !== undefined || given.seed !== undefined)) {
    const name = given.noise === undefined ? '--seed' : '--noise';
    throw new UsageError(`Expected --noise-std with ${name}, since there is no noise without it.`);
  }
  const hadNoise = (earlier?.noiseStd ?? 0) > 0;
  return { ...settings, seed: given.seed ?? (hadNoise ? earlier?.seed : undefined) };
}

/** The parameters of the kernel in words: tau 5 ms to 100 ms. Of samples, the shape: kernel (64,). */
export function describeParameters({ kernel, parameters, samples }: SynapseSettings): string {
  const definition = kernelNamed(kernel);
  const named = definition.parameters.map(
    ({ name, unit }) => `${name} ${describeRange(parameters[name] ?? [], unit)}`,
  );
  if (definition.samples !== undefined && samples !== undefined) {
    named.push(`${definition.samples.name} ${formatShape(samples.shape)}`);
  }
  return named.join(', ');
}

function describeRange(values: readonly number[], unit: KernelParameter['unit']): string {
  if (unit === 's') return formatTimeRange(Float64Array.from(values));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? `${least}` : `${least} to ${most}`;
}
