/** The options of the synapses as flags: they come from the table of options and from the kernel. */
import { basename } from 'node:path';

import { Option, type Command } from 'commander';

import { UsageError } from '../../errors/command-errors';
import { formatShape } from '../../errors/checks';
import type { ExpSynError } from '../../errors/error-codes';
import { beforeWords } from '../../errors/message';
import { KERNELS, kernelNamed } from '../../modules/kernels';
import type { KernelDefinition, KernelParameter } from '../../modules/kernel-definition';
import { optionsOf, type OptionDefinition, type OptionName } from '../../modules/options';
import type { Job } from '../../runs/job';
import {
  defaultSettings,
  encodeInfinity,
  RUN_OPTIONS,
  type RunOptions,
  type SynapseSettings,
  type UnseededSettings,
} from '../../runs/settings';
import {
  describeKernelFlag,
  isKernelFile,
  kernelChoices,
  readKernel,
  type GivenKernel,
} from './kernel-option';
import { alternatives, flagOf, wordList } from './wording';
import { isFile, parameterFileEndings, readParameter } from './parameter-files';
import { parsePeriod } from './times';
import { formatTime, formatTimeRange } from '../../figure/words';

/** The settings that were given. */
export type GivenSettings = { [Name in keyof RunOptions]?: RunOptions[Name] | undefined } & {
  kernel?: GivenKernel | undefined;
  parameters: Record<string, number[]>;
};

/** The flags as commander gives them. */
export type SynapseFlags = Partial<Record<string, unknown>>;

/** Something that several kernels have, each perhaps with its own default. */
interface Shared<Definition> {
  kernel: KernelDefinition;
  definition: Definition;
}

/** The parameters of all kernels, those of one name together. */
const PARAMETERS = new Map<string, Shared<KernelParameter>[]>();
for (const kernel of KERNELS) {
  for (const definition of kernel.parameters) {
    const shared = PARAMETERS.get(definition.name) ?? [];
    PARAMETERS.set(definition.name, [...shared, { kernel, definition }]);
  }
}

/** An option of every kernel. */
function optionOfAll(name: OptionName): Shared<OptionDefinition>[] {
  return KERNELS.map((kernel) => {
    return { kernel, definition: optionsOf(kernel)[name] };
  });
}

/** Adds the flags of the synapses to a command. */
export function addSynapseOptions(command: Command): Command {
  command.option(
    '--kernel <kernel>',
    `kernel of the synapses: ${kernelChoices()} (default: ${KERNELS[0].name})`,
  );
  let form = `one for all channels, N separated by commas, or a file: ${alternatives(parameterFileEndings())}`;
  for (const [name, shared] of PARAMETERS) {
    const [{ unit, summary } = {}] = shared.map(({ definition }) => definition);
    const format = (value: number): string => (unit === 's' ? compact(value) : `${value}`);
    const initial = defaultsOf(shared, ({ default: value }) => format(value));
    const placeholder = unit === 's' ? '<times>' : '<numbers>';
    const owners = wordList(shared.map(({ kernel }) => kernel.name));
    command.option(
      `${flagOf(name)} ${placeholder}`,
      `${summary} of ${owners}; ${form} (default: ${initial})`,
    );
    form = 'in the same form';
  }
  for (const name of RUN_OPTIONS) command.addOption(optionFor(name, optionOfAll(name)));
  return command;
}

/** A default in words, by kernel if it differs: 10ms of exp, 5ms of alpha. */
function defaultsOf<Definition>(
  shared: readonly Shared<Definition>[],
  valueOf: (definition: Definition) => string,
): string {
  const owners = new Map<string, string[]>();
  for (const { kernel, definition } of shared) {
    const value = valueOf(definition);
    owners.set(value, [...(owners.get(value) ?? []), kernel.name]);
  }
  const [only] = owners.keys();
  if (only !== undefined && owners.size === 1) return only;
  return Array.from(owners, ([value, names]) => `${value} for ${wordList(names)}`).join(', ');
}

function optionFor(name: string, shared: Shared<OptionDefinition>[]): Option {
  const [{ unit, summary, isDrawn, initial } = {}] = shared.map(({ definition }) => definition);
  const words = choicesOf(shared);
  if (words.length > 0) {
    const help = `${summary} (default: ${words[0] ?? ''})`;
    return new Option(`${flagOf(name)} <name>`, help).choices(words);
  }
  if (isDrawn) {
    return new Option(`${flagOf(name)} <n>`, `${summary} (default: from the operating system)`);
  }
  if (unit === 's') {
    const value = compact(Number(initial?.()));
    return new Option(`${flagOf(name)} <time>`, `${summary}, or the step rate (default: ${value})`);
  }
  // The window of samples is as long as they are.
  const chosen = shared.filter(({ kernel }) => kernel.samples === undefined);
  const value = defaultsOf(chosen, ({ initial: make }) => String(make()));
  return new Option(`${flagOf(name)} <x>`, `${summary} (default: ${value})`);
}

/** The words that an option permits for any kernel. */
function choicesOf(shared: readonly Shared<OptionDefinition>[]): string[] {
  return [...new Set(shared.flatMap(({ definition }) => definition.choices ?? []).map(String))];
}

/** As on a command line: 20ms. */
function compact(seconds: number): string {
  return formatTime(seconds).replace(' ', '');
}

/** Reads the flags, and the files that they name. */
export async function readSettings(flags: SynapseFlags): Promise<GivenSettings> {
  const { kernel } = flags;
  const parameters: [string, number[]][] = [];
  for (const [name, [parameter]] of PARAMETERS) {
    const text = flags[name];
    if (typeof text !== 'string' || parameter === undefined) continue;
    parameters.push([name, await readParameter(text, parameter.definition)]);
  }
  const options = RUN_OPTIONS.flatMap((name) => {
    const text = flags[name];
    const [of] = optionOfAll(name);
    return typeof text === 'string' && of ? [[name, parseOption(name, text, of.definition)]] : [];
  });
  return {
    ...(typeof kernel === 'string' && { kernel: await readKernel(kernel) }),
    parameters: Object.fromEntries(parameters),
    ...(Object.fromEntries(options) as object),
  };
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

/** The files that the kernel and its parameters are read from, with the flags that name them. */
export function parameterFiles(flags: SynapseFlags): { flag: string; path: string }[] {
  const { kernel } = flags;
  const ofKernel =
    typeof kernel === 'string' && isKernelFile(kernel) ? [{ flag: '--kernel', path: kernel }] : [];
  const ofParameters = Array.from(PARAMETERS.keys()).flatMap((name) => {
    const text = flags[name];
    return typeof text === 'string' && isFile(text) ? [{ flag: flagOf(name), path: text }] : [];
  });
  return [...ofKernel, ...ofParameters];
}

/**
 * The settings that were given; the others are those of an earlier run or, without one, the defaults.
 *
 * @throws UsageError when the kernel does not have a parameter, or does not permit an option, that was given.
 */
export function completeSettings(
  given: GivenSettings,
  earlier?: Partial<SynapseSettings>,
): UnseededSettings {
  const { kernel: chosen, parameters, ...options } = given;
  const kernel = kernelNamed(chosen?.name ?? earlier?.kernel ?? KERNELS[0].name);
  requirePermitted(given, kernel);
  const defaults = defaultSettings(kernel.name);
  const kept = earlier && ofKernel(earlier, kernel);
  const samples = chosen === undefined ? earlier?.samples : chosen.samples;
  const settings = {
    ...defaults,
    ...kept,
    ...(Object.fromEntries(
      Object.entries(options).filter(([, value]) => value !== undefined),
    ) as Partial<RunOptions>),
    kernel: kernel.name,
    parameters: { ...defaults.parameters, ...kept?.parameters, ...parameters },
    ...(samples && { samples }),
  };
  if (settings.noiseStd === 0 && (given.noise !== undefined || given.seed !== undefined)) {
    const name = given.noise === undefined ? '--seed' : '--noise';
    throw new UsageError(`Expected --noise-std with ${name}, since there is no noise without it.`);
  }
  const hadNoise = (earlier?.noiseStd ?? 0) > 0;
  return { ...settings, seed: given.seed ?? (hadNoise ? earlier?.seed : undefined) };
}

/** Refuses flags of other kernels, and values that this kernel does not permit. */
function requirePermitted(given: GivenSettings, kernel: KernelDefinition): void {
  for (const name of Object.keys(given.parameters)) {
    const owners = (PARAMETERS.get(name) ?? []).map((shared) => shared.kernel.name);
    if (owners.includes(kernel.name)) continue;
    throw new UsageError(
      `Expected --kernel ${alternatives(owners)} with ${flagOf(name)} but received ` +
        `${describeKernelFlag(kernel.name)}.`,
    );
  }
  const table = optionsOf(kernel);
  for (const name of RUN_OPTIONS) {
    const value = given[name];
    if (value === undefined) continue;
    const definition = table[name] as OptionDefinition;
    try {
      definition.check(value === 'Infinity' ? Infinity : value, name);
    } catch (error) {
      const { expected = 'another value', advice } = error as ExpSynError;
      throw new UsageError(
        `Expected ${beforeWords(expected)} for ${flagOf(name)} with ${describeKernelFlag(kernel.name)} but received ` +
          `${value}${advice === undefined ? '' : `; ${advice}`}.`,
      );
    }
  }
}

/**
 * The settings of an earlier run for a kernel. If it had another one, its window, its method and those
 * parameters that this kernel does not have stay behind.
 */
function ofKernel(
  earlier: Partial<SynapseSettings>,
  kernel: KernelDefinition,
): Partial<SynapseSettings> {
  if (earlier.kernel === undefined || earlier.kernel === kernel.name) return earlier;
  const kept = { ...earlier };
  delete kept.windowTaus;
  delete kept.maxWindowLength;
  delete kept.method;
  delete kept.samples;
  const own = kernel.parameters.flatMap(({ name }) => {
    const values = earlier.parameters?.[name];
    return values === undefined ? [] : [[name, values] as const];
  });
  return { ...kept, parameters: Object.fromEntries(own) };
}

/** The kernel in words: exp, tau 5 ms to 100 ms; or (64,) samples from response.npy. */
export function describeKernel({
  settings,
  kernelFile,
}: Pick<Job, 'settings' | 'kernelFile'>): string {
  const { kernel, parameters, samples, normalise } = settings;
  const definition = kernelNamed(kernel);
  const named = definition.parameters.map(
    ({ name, unit }) => `${name} ${describeRange(parameters[name] ?? [], unit)}`,
  );
  const from = kernelFile === undefined ? '' : ` from ${basename(kernelFile.path)}`;
  const what =
    samples === undefined
      ? `kernel ${kernel}`
      : `kernel of shape ${formatShape(samples.shape)}${from}`;
  return [what, ...named, ...(normalise === 'area' ? ['normalised by area'] : [])].join(', ');
}

function describeRange(values: readonly number[], unit: KernelParameter['unit']): string {
  if (unit === 's') return formatTimeRange(Float64Array.from(values));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? `${least}` : `${least} to ${most}`;
}
