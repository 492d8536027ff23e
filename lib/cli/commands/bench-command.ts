/** `expsyn bench`: how fast this machine computes, beside a plain loop and a copy. */
import { cpus } from 'node:os';

import type { Command } from 'commander';

import type { Dtype, Synapses } from '../../index';
import { formatCount, readCount } from '../options/numbers';
import type { CommandContext } from '../context/command-context';

interface BenchFlags {
  samples?: string;
  rounds?: string;
  json?: boolean;
}

const DESCRIPTION = `Measures how many samples this machine computes in a second, and compares this
with a plain JavaScript loop and with copying the array. The synapses are
exponential unless a line names another kernel.

Each round measures all of them, one after the other, and the medians over all
rounds are compared. On a busy machine, the medians still vary.`;

const EXAMPLES = `
Examples:
  expsyn bench
  expsyn bench --samples 20000000 --rounds 9 --json`;

const DEFAULT_SAMPLES = 4_000_000;
const DEFAULT_ROUNDS = 5;
const SIZES = [1, 16, 256];
const DT = 1e-3;
/** Of the kernel that is given by its samples. */
const FIR_SAMPLES = 64;

/** Adds the command to a program. */
export function addBenchCommand(program: Command, context: CommandContext): void {
  program
    .command('bench')
    .summary('measure how fast this machine computes')
    .description(DESCRIPTION)
    .option('--samples <n>', `samples in each measurement (default: ${DEFAULT_SAMPLES})`)
    .option('--rounds <n>', `number of rounds (default: ${DEFAULT_ROUNDS})`)
    .option('--json', 'print the medians, in seconds, as JSON')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: BenchFlags) => {
      const samples = readCount(flags.samples, '--samples') ?? DEFAULT_SAMPLES;
      const rounds = readCount(flags.rounds, '--rounds') ?? DEFAULT_ROUNDS;
      const results = [];
      for (const size of SIZES) results.push(await measure(size, samples, rounds));
      const { fftw } = await import('../../index.js');
      context.stdout.write(
        flags.json === true
          ? `${JSON.stringify(results, undefined, 2)}\n`
          : inWords(results, fftw().float64?.version),
      );
    });
}

/** Median seconds of each contender over runs of one shape. */
interface Result {
  timesteps: number;
  synapses: number;
  seconds: Record<string, number>;
}

async function measure(size: number, samples: number, rounds: number): Promise<Result> {
  const { AlphaSyn, DoubleExpSyn, ExpSyn, FirSyn, fftw } = await import('../../index.js');
  const timesteps = Math.max(1, Math.floor(samples / size));
  const shape = [timesteps, size];
  const tau = Float64Array.from({ length: size }, (_, n) => 0.005 + (0.095 * n) / size);
  const data = Uint8Array.from({ length: timesteps * size }, (_, index) =>
    (index * 7919) % 50 === 0 ? 1 : 0,
  );
  const input = { data, shape };
  const out = { float64: new Float64Array(data.length), float32: new Float32Array(data.length) };
  const source = Float64Array.from(data);
  const run = (dtype: 'float64' | 'float32', options: object) => {
    return runModule(dtype, new ExpSyn(size, { tau, dt: DT, dtype, ...options }));
  };
  const runModule = (dtype: 'float64' | 'float32', module: Synapses<Dtype>) => {
    return () => {
      module.resetState();
      module.evolveSync(input, { out: out[dtype] });
    };
  };
  const contenders: Record<string, () => void> = {
    'float64, one thread': run('float64', { threads: 1 }),
    'float64, all threads': run('float64', {}),
    'float32, one thread': run('float32', { threads: 1 }),
    'float32, all threads': run('float32', {}),
    ...(fftw().float64 !== null && {
      'by transforms': run('float64', { method: 'fft', threads: 1 }),
    }),
    'with noise': run('float64', { noiseStd: 1, seed: 1, threads: 1 }),
    'alpha function': runModule('float64', new AlphaSyn(size, { tau, dt: DT, threads: 1 })),
    'double exponential': runModule(
      'float64',
      new DoubleExpSyn(size, { tauRise: 0.002, tauDecay: tau, dt: DT, threads: 1 }),
    ),
    [`${FIR_SAMPLES} samples`]: runModule(
      'float64',
      new FirSyn(size, { kernel: new Array<number>(FIR_SAMPLES).fill(1), dt: DT, threads: 1 }),
    ),
    'plain loop': () => {
      plainLoop(data, out.float64, tau, size);
    },
    'copy of float64': () => {
      out.float64.set(source);
    },
  };
  const seconds: Record<string, number[]> = {};
  // The first round warms up and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, contender] of Object.entries(contenders)) {
      const begin = performance.now();
      contender();
      const time = (performance.now() - begin) / 1000;
      if (round > 0) (seconds[name] ??= []).push(time);
    }
  }
  const medians = Object.entries(seconds).map(([name, times]) => [name, medianOf(times)]);
  return { timesteps, synapses: size, seconds: Object.fromEntries(medians) as Result['seconds'] };
}

/** What one would write without the package; its kernels are not cut. */
function plainLoop(input: Uint8Array, output: Float64Array, tau: Float64Array, size: number): void {
  const decay = tau.map((value) => Math.exp(-DT / value));
  const isyn = new Float64Array(size);
  for (let begin = 0; begin < input.length; begin += size) {
    for (let n = 0; n < size; n++) {
      const current = ((isyn[n] ?? 0) + (input[begin + n] ?? 0)) * (decay[n] ?? 0);
      isyn[n] = current;
      output[begin + n] = current;
    }
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

function inWords(results: readonly Result[], fftw = 'none, so transforms are left out'): string {
  const lines = [
    `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
    `FFTW: ${fftw}`,
  ];
  for (const { timesteps, synapses, seconds } of results) {
    lines.push('', `${synapses} synapses, ${timesteps.toLocaleString('en')} steps`);
    const loop = seconds['plain loop'] ?? NaN;
    for (const [name, time] of Object.entries(seconds)) {
      const rate = `${formatCount((timesteps * synapses) / time)} samples/s`;
      const ratio = `${(loop / time).toFixed(2)} x the plain loop`;
      lines.push(`  ${name.padEnd(22)}${rate.padStart(24)}${ratio.padStart(26)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
