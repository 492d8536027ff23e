/** Carries out `expsyn run`: opens the input, begins or resumes the run, shows what has come out. */
import { realpath, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { Writable } from 'node:stream';

import type { Job } from '../batch/job';
import { lockFolder } from '../batch/lock';
import { isZarr, openSource, specifyInput, type InputDescription } from '../batch/open-source';
import { describeDifference, prepareJob } from '../batch/prepare-job';
import { makeProvenance, provenancePathOf, readProvenance } from '../batch/provenance';
import { runLocally } from '../batch/run-locally';
import { runOnQueue } from '../batch/run-on-queue';
import {
  isWhole,
  layoutOf,
  resolveOutput,
  unfinishedFolderOf,
  UnfinishedRun,
} from '../batch/unfinished-run';
import { CommandError, DamagedRunError, InterruptedError, UsageError } from '../errors';
import type { CurrentsSink } from '../formats/currents-sink';
import { readNpyFile, writeNpyFile } from '../formats/npy';
import { openNpySource, sizeOfNpy } from '../formats/npy-file';
import { PipeSink } from '../formats/npy-pipe';
import type { RasterSource } from '../formats/raster-source';
import { openZarrSource } from '../formats/zarr';
import { makeExampleRaster, type Stimulus } from './example-raster';
import { counted, formatBytes, formatCount, formatShape } from './numbers';
import { drawToFile, loadRecording, MOST_SAMPLES } from './plot-output';
import { ProgressDisplay } from './progress';
import { completeSettings, describeInput, type RunRequest } from './run-options';
import { meanRate, summarizeInput } from './reduction';
import type { CommandContext } from './streams';
import { formatTime, formatTimeRange } from './times';
import { softwareVersion } from './version';

export const DEFAULT_OUT = join('output', 'isyn.npy');
const EXAMPLE_PATH = join('output', 'raster.npy');
/** With shorter steps the example would take its user's time. */
const SHORTEST_EXAMPLE_DT = 1e-4;

/** An input that is open, and the run that is to be made of it. */
interface Prepared {
  source: RasterSource;
  /** As the user calls it. */
  inputPath: string;
  job: Job;
  stimuli: readonly Stimulus[] | undefined;
}

/** What a run has come to. */
interface Outcome {
  /** Seconds in this process, and samples that were computed in it. */
  seconds: number;
  samples: number;
}

/** Runs into a file or folder, which can be taken up again. */
export async function runInFiles(request: RunRequest, context: CommandContext): Promise<void> {
  const format = request.output.format === 'zarr' ? 'zarr' : 'npy';
  const out = await resolveOutput(request.out, format);
  const isRestart = request.begin === 'restart';
  const begun = isRestart ? undefined : await UnfinishedRun.open(out);
  const earlier =
    request.begin === 'resume' ? (begun?.job ?? (await jobOf(out, format))) : undefined;
  const prepared = await prepare(request, out, earlier);
  const { source, job } = prepared;
  try {
    const unlock = await lockFolder(unfinishedFolderOf(out), request.out);
    try {
      // Only now does nobody else change it.
      const run = isRestart ? undefined : await UnfinishedRun.open(out);
      if (request.begin === 'resume' && run === undefined && (await isMade(job, out, format))) {
        context.stdout.write(`${request.out} is complete already.\n`);
        return;
      }
      const outcome = await runToEnd(request, prepared, out, run, context);
      await present(request, prepared, outcome, out, context);
    } finally {
      await UnfinishedRun.sweep(out);
      await unlock();
    }
  } finally {
    await source.close();
  }
}

/** Runs into the standard output. */
export async function runIntoPipe(request: RunRequest, context: CommandContext): Promise<void> {
  for (const [option, isGiven] of [
    ['--resume', request.begin === 'resume'],
    ['--plot', request.plotPath !== undefined],
  ] as const) {
    if (!isGiven) continue;
    throw new UsageError(`Expected a file for --out with ${option} but received a pipe.`);
  }
  const prepared = await prepare(request, undefined, undefined);
  const { source, job } = prepared;
  try {
    const { stdout } = context;
    if (!(stdout instanceof Writable)) throw new TypeError('Expected a stream as standard output.');
    const sink = new PipeSink(stdout, layoutOf(job));
    await sink.begin();
    await compute(request, prepared, undefined, sink, context);
    await sink.sync();
  } finally {
    await source.close();
  }
}

/**
 * Opens the input and plans the run.
 *
 * @param resumed The run that is to go on, or that has made the output already.
 */
async function prepare(
  request: RunRequest,
  out: string | undefined,
  resumed: Job | undefined,
): Promise<Prepared> {
  const isResumed = request.begin === 'resume';
  const like = request.like === undefined ? undefined : await readLike(request.like);
  const earlier = like ?? (request.input === undefined ? resumed : undefined);
  const isExample = request.input === undefined && earlier === undefined;
  if (isExample && isResumed && out !== undefined && (await isThere(out))) {
    throw new UsageError(
      `Expected an input with --resume, since nothing tells how ${request.out} was made.`,
    );
  }
  const description =
    request.input ?? (earlier === undefined ? exampleInput() : describeInput(earlier));
  if (out !== undefined) await requireOtherFiles(request, description.path, out);
  const example = isExample ? await writeExample(request) : undefined;
  const settings = completeSettings(
    { ...(example && { tau: Array.from(example.tau) }), ...definedOf(request.settings) },
    earlier?.settings,
  );
  // A seed that was drawn is a part of the run.
  if (resumed !== undefined && resumed.settings.noiseStd > 0 && settings.noiseStd > 0) {
    settings.seed ??= resumed.settings.seed;
  }
  const input = await specifyInput(description);
  if (input.format === 'pipe' && (isResumed || request.queue !== undefined)) {
    const option = isResumed ? '--resume' : '--queue';
    throw new UsageError(`Expected a file as the input with ${option} but received a pipe.`);
  }
  const source = await openSource(input, settings.dt, description.path);
  try {
    const stepsPerBlock = request.stepsPerBlock ?? earlier?.stepsPerBlock;
    const job = await prepareJob(
      {
        software: softwareVersion(),
        name: description.path,
        input,
        settings,
        output: request.output,
        stepsPerBlock,
        isQueued: request.queue !== undefined,
      },
      source,
    );
    if (request.isPlotWanted && job.shape.includes(0)) {
      throw new CommandError(
        `Expected at least one time step in ${description.path} for --plot but received ` +
          `${describeSource(source)}; leave out --plot.`,
      );
    }
    return { source, inputPath: description.path, job, stimuli: example?.stimuli };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readLike(path: string): Promise<Job> {
  const format = /\.zarr\/?$/i.test(path) ? 'zarr' : 'npy';
  const provenance = await readProvenance(path, format);
  if (provenance !== undefined) return { ...provenance.job, shards: [] };
  throw new CommandError(
    `Expected an output of 'expsyn run' for --like but nothing tells how ${path} was made.`,
  );
}

function definedOf<Type extends object>(values: Type): Partial<Type> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<Type>;
}

function exampleInput(): InputDescription {
  const path = EXAMPLE_PATH;
  return {
    path,
    isEventList: false,
    timeUnit: undefined,
    duration: undefined,
    channels: undefined,
  };
}

/** Makes the raster of the example, and writes it where the run reads it. */
async function writeExample(request: RunRequest) {
  const { dt = 1e-3 } = request.settings;
  if (dt < SHORTEST_EXAMPLE_DT) {
    throw new UsageError(
      `Expected at least ${formatTime(SHORTEST_EXAMPLE_DT)} for --dt of the example but ` +
        `received ${formatTime(dt)}; give a raster of your own.`,
    );
  }
  const { data, shape, tau, stimuli } = makeExampleRaster(dt);
  // Left as it is where it is the same, so that a run can be resumed.
  const found = await readNpyFile(EXAMPLE_PATH).catch(() => undefined);
  const isSame =
    found !== undefined &&
    formatShape(found.shape) === formatShape(shape) &&
    found.data instanceof Uint8Array &&
    Buffer.compare(found.data, data) === 0;
  if (!isSame) await writeNpyFile(EXAMPLE_PATH, { data, shape });
  return { tau, stimuli };
}

/** Refuses to write over what is read, or into it, whatever links lead there. */
async function requireOtherFiles(request: RunRequest, input: string, out: string): Promise<void> {
  const read: [what: string, path: string][] = [['the raster', input]];
  if (request.tauFile !== undefined) read.push(['the file of the taus', request.tauFile]);
  const written: [option: string, path: string][] = [['--out', out]];
  if (request.output.format === 'npy') written.push(['--out', provenancePathOf(out)]);
  if (request.plotPath !== undefined) written.push(['--plot', request.plotPath]);
  for (const [what, from] of read) {
    for (const [option, to] of written) {
      const given = option === '--out' ? request.out : to;
      if ((await identify(from)) === (await identify(to))) {
        throw new UsageError(
          `Expected another file than ${what} for ${option} but received ${given}.`,
        );
      }
      if ((await isZarr(from)) && (await isWithin(to, from))) {
        throw new UsageError(
          `Expected a place outside of ${from}, which is read, for ${option} but received ${given}.`,
        );
      }
    }
  }
}

/** Whether a path leads into a folder. */
async function isWithin(path: string, folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) return false;
  const whole = `${await realpath(folder)}${sep}`;
  // The nearest folder above that is there.
  let above = dirname(resolve(path));
  while (!(await isThere(above)) && dirname(above) !== above) above = dirname(above);
  return `${await realpath(above)}${sep}`.startsWith(whole);
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The same text for two names of one file, and for two names that will be one. */
async function identify(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found !== undefined) return `${found.dev}:${found.ino}`;
  const folder = dirname(resolve(path));
  return join(await realpath(folder).catch(() => folder), basename(path));
}

/** The job that has made an output; undefined where that is not known. */
async function jobOf(out: string, format: 'npy' | 'zarr'): Promise<Job | undefined> {
  if (!(await isThere(out))) return undefined;
  const provenance = await readProvenance(out, format);
  return provenance && { ...provenance.job, shards: [] };
}

/** Whether the output is there already, whole, and made from the same in the same way. */
async function isMade(job: Job, out: string, format: 'npy' | 'zarr'): Promise<boolean> {
  const made = await jobOf(out, format);
  if (made === undefined || describeDifference(job, made) !== undefined) return false;
  return isWhole(made, out);
}

/** Begins or goes on with the run, computes what is missing, and gives the output its name. */
async function runToEnd(
  request: RunRequest,
  prepared: Prepared,
  out: string,
  begun: UnfinishedRun | undefined,
  context: CommandContext,
): Promise<Outcome> {
  const { job } = prepared;
  if (begun !== undefined) await requireConsent(request, job, begun);
  let run = request.begin === 'resume' ? begun : undefined;
  const isResumed = run !== undefined;
  if (run === undefined) {
    await requireSpace(job, out, request.out);
    run = await UnfinishedRun.begin(out, job);
  }
  if (isResumed) run = await run.adapt(job);
  if (isResumed && (await run.isPublished(out))) {
    await run.remove();
    return { seconds: 0, samples: 0 };
  }
  try {
    const outcome = await computeRun(request, prepared, run, context);
    await run.publish(out, makeProvenance(run.job, context.args));
    return outcome;
  } catch (error) {
    throw await withAdvice(error, request, run);
  }
}

async function computeRun(
  request: RunRequest,
  prepared: Prepared,
  run: UnfinishedRun,
  context: CommandContext,
): Promise<Outcome> {
  if (request.queue !== undefined) return computeOnQueue(request.queue, request, run, context);
  const sink = await run.openSink();
  try {
    return await compute(request, { ...prepared, job: run.job }, run, sink, context);
  } finally {
    await sink.close();
  }
}

/** Lets the workers of a queue compute. */
async function computeOnQueue(
  address: string,
  request: RunRequest,
  run: UnfinishedRun,
  context: CommandContext,
): Promise<Outcome> {
  const display = makeDisplay(request, run.job, context);
  const begin = performance.now();
  const samples: { inherited?: number; written: number } = { written: 0 };
  try {
    await context.interruptibly(async (signal) => {
      const onProgress = (written: number): void => {
        display.advance(written - samples.written, samples.inherited === undefined);
        samples.inherited ??= written;
        samples.written = written;
      };
      const isComplete = await runOnQueue(address, run, { signal, onProgress });
      if (!isComplete) throw new InterruptedError('The run was interrupted.', signal.reason);
    });
  } finally {
    display.stop();
  }
  const own = samples.written - (samples.inherited ?? 0);
  return { seconds: (performance.now() - begin) / 1000, samples: own };
}

/** Computes in this process. */
async function compute(
  request: RunRequest,
  { source, job }: Prepared,
  run: UnfinishedRun | undefined,
  sink: CurrentsSink,
  context: CommandContext,
): Promise<Outcome> {
  const display = makeDisplay(request, job, context);
  const begin = performance.now();
  let samples = 0;
  try {
    await context.interruptibly(async (signal) => {
      const isComplete = await runLocally(job, source, sink, {
        signal,
        checkpointsOf: (shard) => (job.input.format === 'pipe' ? undefined : run?.journal(shard)),
        threads: request.threads,
        onProgress: (count, isInherited) => {
          display.advance(count, isInherited);
          if (!isInherited) samples += count;
        },
      });
      if (!isComplete) throw new InterruptedError('The run was interrupted.', signal.reason);
    });
  } finally {
    display.stop();
  }
  return { seconds: (performance.now() - begin) / 1000, samples };
}

function makeDisplay(request: RunRequest, job: Job, { stderr }: CommandContext): ProgressDisplay {
  const [batches, timesteps, synapses] = job.shape;
  return new ProgressDisplay(stderr, request.progress, batches * timesteps * synapses);
}

/** Refuses to throw away what an unfinished run has done, or to go on with another one. */
async function requireConsent(request: RunRequest, job: Job, begun: UnfinishedRun): Promise<void> {
  if (request.begin === 'resume') {
    const difference = describeDifference(job, begun.job, request.isInputMended);
    if (difference === undefined) return;
    const isInputAll = describeDifference(job, begun.job, true) === undefined;
    throw new CommandError(
      `Expected the input and the options of the unfinished run of ${request.out} but ${difference}; ` +
        (isInputAll
          ? 'give it as it was, or --input-mended too if it differs only in what is not computed yet, '
          : 'give the same, ') +
        'or begin anew with --restart.',
    );
  }
  const { done, total } = await begun.progress();
  if (done === 0) return;
  throw new UsageError(
    `Expected --resume or --restart, since an unfinished run of ${request.out} has done ` +
      `${formatShare(done, total)}.`,
  );
}

function formatShare(done: number, total: number): string {
  return `${Math.floor((100 * done) / Math.max(1, total))} %`;
}

/** Refuses what the disk has no room for, before days of work. Compressed sizes nobody knows. */
async function requireSpace(job: Job, out: string, name: string): Promise<void> {
  if (job.output.compression !== undefined && job.output.compression !== 'none') return;
  const needed = sizeOfNpy(layoutOf(job));
  let folder = dirname(out);
  let space = await statfs(folder).catch(() => undefined);
  while (space === undefined && dirname(folder) !== folder) {
    folder = dirname(folder);
    space = await statfs(folder).catch(() => undefined);
  }
  if (space === undefined || space.bavail * space.bsize >= needed) return;
  throw new CommandError(
    `Expected ${formatBytes(needed)} of free space for ${name} but its disk has ` +
      `${formatBytes(space.bavail * space.bsize)}; free some, or give another --out.`,
  );
}

/** Says how to go on; removes a run that has done nothing. */
async function withAdvice(
  error: unknown,
  request: RunRequest,
  run: UnfinishedRun,
): Promise<unknown> {
  if (!(error instanceof CommandError) || error instanceof DamagedRunError) return error;
  const progress = await run.progress().catch(() => undefined);
  if (progress === undefined) {
    // The disk itself has failed.
    return new CommandError(
      `${error.message.replace(/\.$/, '')}; what was recorded of ${request.out} is kept there, and the ` +
        'same command with --resume goes on from it when the disk works again.',
      { cause: error },
    );
  }
  const { done, total } = progress;
  if (done === 0) {
    await run.remove().catch(() => undefined);
    return error;
  }
  const share = formatShare(done, total);
  const isInterrupted = error instanceof InterruptedError;
  const advice = isInterrupted
    ? `Interrupted when ${share} of ${request.out} were done; the same command with --resume goes on.`
    : `${error.message.replace(/\.$/, '')}; ${share} of ${request.out} are done and kept, and the ` +
      'same command with --resume goes on from there.';
  return isInterrupted
    ? new InterruptedError(advice, error.exitCode === 143 ? 'SIGTERM' : 'SIGINT')
    : new CommandError(advice, { cause: error });
}

/** Draws what has come out, and says what it is. */
async function present(
  request: RunRequest,
  { source, inputPath, job, stimuli }: Prepared,
  outcome: Outcome,
  out: string,
  { stdout }: CommandContext,
): Promise<void> {
  const [batches, timesteps] = job.shape;
  const files: [path: string, content: string][] = [];
  if (stimuli !== undefined) files.push([inputPath, `the spikes, ${describeSource(source)}`]);
  files.push([request.out, `the currents, ${formatShape(job.shape)} ${job.settings.dtype}`]);
  const isPipe = job.input.format === 'pipe';
  const isSmall = batches * timesteps * source.shape[2] <= MOST_SAMPLES;
  const path = isPipe ? undefined : request.plotPath;
  if (path !== undefined) {
    files.push([path, await draw(path, request, { source, inputPath, job, stimuli }, out)]);
  }
  const input = !isPipe && isSmall ? `, ${await describeSpikes(source, job.settings.dt)}` : '';
  const { dt, tau, noiseStd, noise, seed, method } = job.settings;
  const window =
    job.windowLength === 'Infinity'
      ? 'window not cut'
      : `window of ${counted(job.windowLength, 'step')}`;
  const width = Math.max(...files.map(([name]) => name.length));
  const { seconds, samples } = outcome;
  const lines: [string, string][] = [
    ['raster', `${describeSource(source)}${input}`],
    ['synapses', `tau ${formatTimeRange(Float64Array.from(tau))}, dt ${formatTime(dt)}, ${window}`],
    ...(noiseStd > 0
      ? [['noise', `${noiseStd} after 1 s, on the ${noise}, seed ${seed}`] as [string, string]]
      : []),
    [
      'computed',
      `by method ${job.method}${method === 'auto' ? ' (chosen by auto)' : ''} in ` +
        `${formatTime(seconds, 3)}, ${formatCount(samples / seconds)} samples/s`,
    ],
    ...files.map(([name, content], index): [string, string] => [
      index === 0 ? 'files' : '',
      `${name.padEnd(width)}  ${content}`,
    ]),
  ];
  stdout.write(lines.map(([name, text]) => `${name.padEnd(10)}${text}\n`).join(''));
}

/** Draws the picture; returns what became of it, in words. */
async function draw(
  path: string,
  request: RunRequest,
  { source, inputPath, job, stimuli }: Prepared,
  out: string,
): Promise<string> {
  const output = await (job.output.format === 'zarr' ? openZarrSource(out) : openNpySource(out));
  try {
    const recording = await loadRecording({
      input: source,
      output,
      tau: job.settings.tau,
      dt: job.settings.dt,
      name: stimuli === undefined ? basename(inputPath) : 'An example of exponential synapses',
      stimuli,
    });
    await drawToFile(path, recording);
    return recording.isWhole
      ? 'the picture'
      : `the picture, of the first ${formatTime(
          (recording.output?.timesteps ?? 0) * job.settings.dt,
        )}; 'expsyn plot' draws others`;
  } catch (error) {
    if (request.isPlotWanted || !(error instanceof CommandError)) throw error;
    return `not drawn: ${error.message}`;
  } finally {
    await output.close();
  }
}

/** The shape and type of an input, as its file has them. */
function describeSource({ shape, nAxes, type }: RasterSource): string {
  const own = nAxes === 1 ? shape.slice(1, 2) : shape.slice(3 - nAxes);
  return `${formatShape(own)} ${type}`;
}

async function describeSpikes(source: RasterSource, dt: number): Promise<string> {
  const [batches, timesteps, columns] = source.shape;
  const region = {
    batches: { begin: 0, end: batches },
    steps: { begin: 0, end: timesteps },
    channels: { begin: 0, end: columns },
  };
  const data = batches * timesteps === 0 ? [] : await source.read(region);
  const series = { data, timesteps: batches * timesteps, columns };
  const { isSpikes, nonZeros, total } = summarizeInput(series);
  if (!isSpikes) return `${formatCount(nonZeros)} values other than 0`;
  return `${counted(total, 'spike')}, mean rate ${meanRate(total, series.timesteps, columns, dt)} spikes/s`;
}
