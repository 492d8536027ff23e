/** `expsyn run`: computes the synaptic currents of a raster, and draws them. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { Option, type Command } from 'commander';

import type { ExpSynEvolution, ExpSynOptions } from '../index';
import { writeCompleteFile } from '../formats/complete-file';
import { CommandError, UsageError } from '../errors';
import { makeExampleRaster, type Stimulus } from './example-raster';
import { drawFigure, type Recording } from './figure';
import { readNpyFile, writeNpyFile, type NpyArray } from '../formats/npy';
import { meanRate, summarizeInput } from './reduction';
import { formatTime, formatTimeRange, parseTime, parseTimes } from './times';

/** Where a command writes what it has to say. */
export interface Streams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

/** The options as commander gives them. */
interface RunFlags {
  tau?: string;
  dt?: string;
  out?: string;
  plot?: string | false;
  method?: 'auto' | 'fft' | 'recursive';
  dtype?: 'float64' | 'float32';
  noiseStd?: string;
  noise?: 'output' | 'state' | 'input';
  seed?: string;
  windowTaus?: string;
  maxWindowLength?: string;
  nonFinite?: 'throw' | 'propagate';
}

/** What is to be done, checked as far as it can be before the raster is read. */
interface Plan {
  rasterPath: string | undefined;
  outPath: string;
  plotPath: string | undefined;
  /** Whether the user asked for the picture, so that doing without it is a failure. */
  isPlotWanted: boolean;
  tau: Float64Array | undefined;
  dt: number;
  options: ExpSynOptions;
}

/** A raster and what is known about it. */
interface Source {
  raster: NpyArray;
  tau: Float64Array | undefined;
  name: string;
  stimuli?: readonly Stimulus[];
}

interface Run {
  evolution: ExpSynEvolution;
  /** (N,), in seconds. */
  tau: Float64Array;
  seed: number;
  /** Seconds that the computation took. */
  duration: number;
}

const EXAMPLE_PATH = join('output', 'raster.npy');
const DEFAULT_OUT = join('output', 'isyn.npy');
/** The library names its own option. */
const ADVICE_ON_NON_FINITE = 'give --non-finite propagate';
const DEFAULT_DT = 1e-3;
/** With shorter steps the example would not fit an ordinary machine's memory, or its user's time. */
const SHORTEST_EXAMPLE_DT = 1e-4;
const DEFAULT_TAU = 10e-3;
/** Reading, computing or writing that lasts longer than this is announced, in milliseconds. */
const NOTICE_DELAY = 1000;
/** The picture of a run with more samples than this is announced: it takes about a second. */
const MANY_SAMPLES = 2e7;

const DESCRIPTION = `Computes the synaptic currents of a raster of spikes, and draws them.

Each channel n is an exponential synapse: in every time step,
    isyn <- (isyn + input) * exp(-dt / tau_n)
Without a raster, an example is made: 48 channels, 10 s, taus from 5 to 100 ms.`;

const EXAMPLES = `
A raster is a .npy file of whole numbers, floats or booleans, as NumPy's save writes it, of shape
(T, N), (B, T, N), or (T,) for one that all channels receive; T time steps, N channels, B batch
items. The currents have shape (B, T, N). Existing files are replaced, each when its successor is
complete.

Times take a unit: s, ms or us; without one they are in seconds.

Examples:
  expsyn
      the example: output/raster.npy, output/isyn.npy and output/expsyn.svg
  expsyn raster.npy --tau 20ms --out isyn.npy
      the currents of an own raster, and a picture of them beside isyn.npy
  expsyn raster.npy --tau 5ms,20ms,100ms --dt 0.5ms --no-plot
      three channels with a tau each, steps of 0.5 ms, no picture
  expsyn raster.npy --noise-std 0.1 --noise state --seed 7
      currents with noise, the same in every run
  expsyn raster.npy --window-taus Infinity --dtype float32 --plot currents.svg
      kernels that are not cut off, and single precision

In a clone of the project, write 'npm start --' for 'expsyn'. The exit code is 0 for success, 1 when
something failed, 2 for a command line that is not understood.`;

/** Adds the command to a program; it is what runs when no command is named. */
export function addRunCommand(program: Command, streams: Streams): void {
  program
    .command('run', { isDefault: true })
    .summary('compute the synaptic currents of a raster (the default)')
    .description(DESCRIPTION)
    .usage('[raster.npy] [options]')
    .argument('[raster.npy]', 'spikes or input currents; without it, an example is made')
    .option(
      '--tau <times>',
      'time constant; one for all channels, or N with commas (default: 10ms)',
    )
    .option('--dt <time>', 'length of a time step (default: 1ms)')
    .option('--out <file.npy>', `where the currents go (default: ${DEFAULT_OUT})`)
    .option('--plot <file.svg>', 'where the picture goes (default: expsyn.svg beside --out)')
    .option('--no-plot', 'draw no picture')
    .addOption(choice('--method <name>', 'how to compute; auto takes the faster', METHODS))
    .addOption(choice('--dtype <name>', 'element type of the currents', DTYPES))
    .option('--noise-std <x>', "the noise's standard deviation after 1 s (default: 0)")
    .addOption(choice('--noise <where>', 'what the noise is added to', PLACEMENTS))
    .option('--seed <n>', 'seed of the noise (default: from the operating system)')
    .option('--window-taus <x>', "the kernels' length in units of the largest tau (default: 10)")
    .option('--max-window-length <n>', "the kernels' greatest length in steps (default: 1000000)")
    .addOption(choice('--non-finite <what>', 'what a NaN or infinity in the raster does', POLICIES))
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action((rasterPath: string | undefined, flags: RunFlags) =>
      carryOut(makePlan(rasterPath, flags), streams),
    );
}

const METHODS = ['auto', 'fft', 'recursive'];
const DTYPES = ['float64', 'float32'];
const PLACEMENTS = ['output', 'state', 'input'];
const POLICIES = ['throw', 'propagate'];

/** An option that takes one of a few words, the first unless told otherwise. */
function choice(flags: string, description: string, words: string[]): Option {
  const [first = ''] = words;
  return new Option(flags, `${description} (default: ${first})`).choices(words);
}

function makePlan(rasterPath: string | undefined, flags: RunFlags): Plan {
  const outPath = checkEnding(flags.out ?? DEFAULT_OUT, '.npy', '--out');
  const plotPath =
    flags.plot === false
      ? undefined
      : checkEnding(flags.plot ?? join(dirname(outPath), 'expsyn.svg'), '.svg', '--plot');
  if (rasterPath === '') throw new UsageError("Expected the name of a raster but received ''.");
  const dt = flags.dt === undefined ? DEFAULT_DT : parseTime(flags.dt, '--dt');
  const tau = flags.tau === undefined ? undefined : parseTimes(flags.tau, '--tau');
  return {
    rasterPath,
    outPath,
    plotPath,
    isPlotWanted: typeof flags.plot === 'string',
    tau,
    dt,
    options: readOptions(flags),
  };
}

function checkEnding(path: string, ending: string, name: string): string {
  if (path.toLowerCase().endsWith(ending)) return path;
  throw new UsageError(
    `Expected a name that ends in ${ending} for ${name} but received '${path}'.`,
  );
}

/** The options that go to the synapses as they are; those that are not given keep the default. */
function readOptions(flags: RunFlags): ExpSynOptions {
  const { method, dtype, noise, nonFinite } = flags;
  const isNoisy = flags.noiseStd !== undefined;
  if (!isNoisy && (noise !== undefined || flags.seed !== undefined)) {
    const name = noise === undefined ? '--seed' : '--noise';
    throw new UsageError(`Expected --noise-std with ${name}, since there is no noise without it.`);
  }
  const noiseStd = readNumber(
    flags.noiseStd,
    '--noise-std',
    'a number of at least 0',
    (x) => x >= 0,
  );
  const seed = readNumber(
    flags.seed,
    '--seed',
    'a whole number from 0 to 9007199254740991',
    (x) => Number.isSafeInteger(x) && x >= 0,
  );
  const what = 'a number above 0, or Infinity,';
  const windowTaus = readNumber(flags.windowTaus, '--window-taus', what, (x) => x > 0, true);
  const maxWindowLength = readNumber(
    flags.maxWindowLength,
    '--max-window-length',
    what,
    (x) => x > 0,
    true,
  );
  return withoutUndefined({
    method,
    dtype,
    noise,
    nonFinite,
    noiseStd,
    seed,
    windowTaus,
    maxWindowLength,
  });
}

type Defined<Type> = { [Key in keyof Type]?: Exclude<Type[Key], undefined> };

function withoutUndefined<Type extends object>(values: Type): Defined<Type> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<Type>;
}

function readNumber(
  text: string | undefined,
  name: string,
  what: string,
  isAllowed: (value: number) => boolean,
  isInfinityAllowed = false,
): number | undefined {
  if (text === undefined) return undefined;
  const isInfinity = isInfinityAllowed && /^(inf|infinity)$/i.test(text);
  const value = isInfinity ? Infinity : text.trim() === '' ? NaN : Number(text);
  if (isAllowed(value) && (isInfinity || value < Infinity)) return value;
  throw new UsageError(`Expected ${what} for ${name} but received '${text}'.`);
}

async function carryOut(plan: Plan, streams: Streams): Promise<void> {
  const notice = (text: string): unknown => streams.stderr.write(`${text} ...\n`);
  const files: [path: string, content: string][] = [];
  await requireOtherFile(plan.rasterPath ?? EXAMPLE_PATH, plan.outPath);

  const source = await openSource(plan, notice);
  if (plan.rasterPath === undefined) {
    await writeNpyFile(EXAMPLE_PATH, source.raster);
    files.push([EXAMPLE_PATH, `the spikes, ${describeArray(source.raster)}`]);
  }

  const run = await announce(notice, 'Computing', compute(plan, source));
  const { output } = run.evolution;
  await announce(notice, `Writing ${plan.outPath}`, writeNpyFile(plan.outPath, output));
  files.push([plan.outPath, `the currents, ${describeArray(output)}`]);

  if (plan.plotPath !== undefined) {
    if (output.data.length > MANY_SAMPLES) notice('Drawing');
    files.push([plan.plotPath, await drawTo(plan.plotPath, plan, source, run)]);
  }
  streams.stdout.write(summarize(plan, source, run, files));
}

/** Refuses to write over the raster, whatever links lead to it. */
async function requireOtherFile(rasterPath: string, outPath: string): Promise<void> {
  if ((await identify(rasterPath)) !== (await identify(outPath))) return;
  throw new UsageError(`Expected another file than the raster for --out but received ${outPath}.`);
}

/** The same text for two names of one file, and for two names that will be one. */
async function identify(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found !== undefined) return `${found.dev}:${found.ino}`;
  const folder = dirname(resolve(path));
  return join(await realpath(folder).catch(() => folder), basename(path));
}

/** Says what is being done if it is not done soon. */
async function announce<Result>(
  notice: (text: string) => unknown,
  text: string,
  work: Promise<Result>,
): Promise<Result> {
  const timer = setTimeout(() => notice(text), NOTICE_DELAY);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

async function openSource(plan: Plan, notice: (text: string) => unknown): Promise<Source> {
  const { rasterPath } = plan;
  if (rasterPath === undefined) {
    if (plan.dt < SHORTEST_EXAMPLE_DT) {
      throw new UsageError(
        `Expected at least ${formatTime(SHORTEST_EXAMPLE_DT)} for --dt of the example but ` +
          `received ${formatTime(plan.dt)}; give a raster of your own.`,
      );
    }
    const { data, shape, tau, stimuli } = makeExampleRaster(plan.dt);
    return { raster: { data, shape }, tau, name: 'An example of exponential synapses', stimuli };
  }
  const raster = await announce(notice, `Reading ${rasterPath}`, readNpyFile(rasterPath));
  if (raster.shape.length === 0) {
    throw new CommandError(
      `Expected shape (T,), (T, N) or (B, T, N) in ${rasterPath} but received a single number.`,
    );
  }
  if (raster.shape.length > 1 && raster.shape.at(-1) === 0) {
    throw new CommandError(
      `Expected at least one channel in ${rasterPath} but received ${describeArray(raster)}.`,
    );
  }
  if (plan.isPlotWanted && raster.data.length === 0) {
    throw new CommandError(
      `Expected at least one time step in ${rasterPath} for --plot but received ` +
        `${describeArray(raster)}; leave out --plot.`,
    );
  }
  return { raster, tau: undefined, name: basename(rasterPath) };
}

/** N is the last axis; one column is given to as many channels as there are taus. */
function countSynapses(shape: readonly number[], tau: Float64Array | undefined): number {
  const columns = shape.length === 1 ? 1 : (shape.at(-1) ?? 1);
  const taus = tau?.length ?? 1;
  if (columns === 1) return taus;
  if (taus !== 1 && taus !== columns) {
    throw new UsageError(
      `Expected one time for --tau, or ${columns} with commas, one for each channel, ` +
        `but received ${taus}.`,
    );
  }
  return columns;
}

async function compute(plan: Plan, source: Source): Promise<Run> {
  const { dt, options } = plan;
  const given = plan.tau ?? source.tau ?? Float64Array.of(DEFAULT_TAU);
  const size = countSynapses(source.raster.shape, given);
  const tau = given.length === size ? given : new Float64Array(size).fill(given[0] ?? NaN);
  const ExpSyn = await loadExpSyn();
  try {
    const synapses = new ExpSyn(size, { ...options, tau, dt });
    const begin = performance.now();
    const evolution = await synapses.evolve(source.raster);
    const duration = (performance.now() - begin) / 1000;
    return { evolution, tau, seed: synapses.seed, duration };
  } catch (error) {
    // The library's own sentences, about values that the user gave.
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    const advice = error.message.replace("set nonFinite to 'propagate'", ADVICE_ON_NON_FINITE);
    throw new CommandError(advice, { cause: error });
  }
}

/** Loads the native addon only when it is needed: help must work without it. */
async function loadExpSyn(): Promise<typeof import('../index').ExpSyn> {
  try {
    return (await import('../index.js')).ExpSyn;
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

/** Draws and writes the picture; returns what became of it, in words. */
async function drawTo(path: string, plan: Plan, source: Source, run: Run): Promise<string> {
  const recording: Recording = {
    input: source.raster,
    output: run.evolution.output,
    tau: run.tau,
    dt: plan.dt,
    name: source.name,
    ...(source.stimuli && { stimuli: source.stimuli }),
  };
  let svg: string;
  try {
    svg = await drawFigure(recording);
  } catch (error) {
    if (plan.isPlotWanted || !(error instanceof CommandError)) throw error;
    return `not drawn: ${error.message}`;
  }
  await writeCompleteFile(path, [Buffer.from(svg)]);
  return 'the picture';
}

function describeArray({ data, shape }: NpyArray): string {
  const type = data[Symbol.toStringTag].replace('Array', '').toLowerCase().replace('big', '');
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  return `(${sizes}) ${type}`;
}

function summarize(plan: Plan, source: Source, run: Run, files: [string, string][]): string {
  const { record, output } = run.evolution;
  const { duration } = run;
  const samples = output.data.length;
  const { method = 'auto', noiseStd = 0, noise = 'output' } = plan.options;
  const window =
    record.windowLength === Infinity
      ? 'window not cut'
      : `window of ${counted(record.windowLength, 'step')}`;
  const width = Math.max(...files.map(([path]) => path.length));
  const lines: [string, string][] = [
    ['raster', `${describeArray(source.raster)}, ${describeSpikes(source.raster, plan.dt)}`],
    ['synapses', `tau ${formatTimeRange(run.tau)}, dt ${formatTime(plan.dt)}, ${window}`],
    ...(noiseStd > 0
      ? [['noise', `${noiseStd} after 1 s, on the ${noise}, seed ${run.seed}`] as [string, string]]
      : []),
    [
      'computed',
      `by method ${record.method}${method === 'auto' ? ' (chosen by auto)' : ''} in ` +
        `${formatTime(duration, 3)}, ${formatCount(samples / duration)} samples/s`,
    ],
    ...files.map(([path, content], index): [string, string] => [
      index === 0 ? 'files' : '',
      `${path.padEnd(width)}  ${content}`,
    ]),
  ];
  return lines.map(([name, text]) => `${name.padEnd(10)}${text}\n`).join('');
}

function describeSpikes({ data, shape }: NpyArray, dt: number): string {
  const columns = shape.length === 1 ? 1 : (shape.at(-1) ?? 1);
  const timesteps = columns === 0 ? 0 : data.length / columns;
  const { isSpikes, nonZeros, total } = summarizeInput({ data, timesteps, columns });
  if (!isSpikes) return `${formatCount(nonZeros)} values other than 0`;
  const rate = meanRate(total, timesteps, columns, dt);
  return `${counted(total, 'spike')}, mean rate ${rate} spikes/s`;
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** A large number in words: 39.1 million. */
function formatCount(count: number): string {
  if (!Number.isFinite(count)) return 'very many';
  const [size, word] =
    count >= 1e9 ? [1e9, ' billion'] : count >= 1e6 ? [1e6, ' million'] : [1, ''];
  return `${Number((count / size).toPrecision(3)).toLocaleString('en')}${word}`;
}
