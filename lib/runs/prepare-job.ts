/** Makes a job of what the user requested. */
import { CommandError, UsageError } from '../errors/command-errors';
import { message, option, type Message } from '../errors/message';
import { isSameInput, type RasterSource } from '../formats/raster-source';
import { inputFormatOf, outputFormatOf } from '../formats/registry';
import type {
  BlockPlan,
  InputSpecification,
  Job,
  KernelFile,
  OutputSpecification,
  Reduction,
} from './job';
import { planBlocks, planChunkShape, planLocalShards, planQueueShards } from './plan';
import { encodeInfinity, unitOf, type SynapseSettings, type UnseededSettings } from './settings';
import { fftwOf, planCall, synapsesOf } from './synapses';
import { kernelNamed } from '../modules/kernels';
import { formatShape } from '../errors/checks';
import { sizeOf } from '../arrays/arrays';
import { bytesPerElement } from '../arrays/element-types';

/** The most synapses of one module. */
const MOST_CHANNELS = 2 ** 24;

/** What the user requested; the seed is drawn if none is given. */
export interface JobRequest {
  software: string;
  /** What to call the input. */
  name: string;
  input: InputSpecification;
  settings: UnseededSettings;
  kernelFile?: KernelFile | undefined;
  output: OutputSpecification;
  stepsPerBlock: number | undefined;
  reduction?: Reduction | undefined;
  /** Whether the shards are for the workers of a queue. */
  isQueued: boolean;
}

/**
 * The job for an input that has been opened.
 *
 * @throws CommandError when the input and the settings do not fit each other.
 */
export async function prepareJob(request: JobRequest, source: RasterSource): Promise<Job> {
  const { input, output, isQueued } = request;
  const [batches, timesteps, columns] = source.shape;
  const given = request.settings;
  const synapses = countSynapses(source, given, request.name);
  if (synapses > MOST_CHANNELS) {
    throw new CommandError(
      `Expected at most ${MOST_CHANNELS} channels for ${request.name} but received ${synapses}.`,
    );
  }
  const shape: Job['shape'] = [batches, timesteps, synapses];
  if (!Number.isSafeInteger(batches * timesteps * synapses * 8)) {
    throw new CommandError(
      `Expected fewer than 2^50 elements in ${request.name} but received shape ` +
        `${formatShape(shape)}.`,
    );
  }
  const module = await synapsesOf(given, synapses);
  const { windowLength } = module;
  const settings: SynapseSettings = { ...given, seed: given.noiseStd > 0 ? module.seed : 0 };
  const outputFormat = outputFormatOf(output.format);
  const isStream = outputFormat.kind === 'stream';
  const chunks = isStream ? undefined : outputFormat.chunks;
  // A stream takes all channels together.
  const { stepsAtOnce = 1, channelsAtOnce = Infinity } = isStream ? {} : source;
  const { reduction } = request;
  const planned = planBlocks({
    shape,
    windowLength,
    isStateInputs: kernelNamed(given.kernel).state.some(({ kind }) => kind === 'inputs'),
    isInterleaved: source.isInterleaved,
    stepsAtOnce,
    channelsAtOnce,
    hasLargeBlocks: chunks !== undefined || (source.stepsAtOnce ?? 1) > 1,
    stepsPerBlock: request.stepsPerBlock,
  });
  const blocks = withWholeGroups(planned, reduction, timesteps);
  if (isStream && blocks.batchesPerBlock > 1 && blocks.stepsPerBlock < timesteps) {
    throw new CommandError(
      message`Expected C order in ${request.name} for a pipe as the output, which takes one batch item \
after the other, but received Fortran order; give a file for ${option('out')}, or save the input in C order.`,
    );
  }
  const nSteps = Math.min(timesteps, blocks.stepsPerBlock + (blocks.history ?? 0));
  const allSteps = chunks && planChunkShape(shape, blocks, channelsAtOnce);
  const chunkShape = allSteps && keptChunk(allSteps, reduction);
  if (chunkShape !== undefined) {
    requireSmallChunks(chunkShape, settings, chunks?.largest(output.compression));
  }
  const { method } = planCall(module, nSteps);
  const fftw = await fftwOf({ method, settings });
  return {
    class: 'ExpsynJob',
    version: 1,
    software: request.software,
    input,
    ...(inputFormatOf(input.format).isReadOnce !== true && { identity: source.identity }),
    settings,
    ...(request.kernelFile !== undefined && { kernelFile: request.kernelFile }),
    method,
    ...(fftw !== undefined && { fftw }),
    windowLength: encodeInfinity(windowLength),
    shape,
    columns,
    ...(source.unitIds !== undefined && { unitIds: source.unitIds }),
    output: { ...output, ...(chunkShape && { chunkShape }) },
    ...(reduction !== undefined && { reduction }),
    blocks,
    ...(request.stepsPerBlock !== undefined && { stepsPerBlock: request.stepsPerBlock }),
    shards:
      isQueued && allSteps !== undefined
        ? planQueueShards(shape, blocks, allSteps)
        : planLocalShards(shape, blocks, allSteps, channelsAtOnce),
  };
}

/** Blocks that end with a step that is kept, so that no group of steps is in two of them. */
function withWholeGroups(
  blocks: BlockPlan,
  reduction: Reduction | undefined,
  timesteps: number,
): BlockPlan {
  const { stepsPerBlock } = blocks;
  if (reduction === undefined || stepsPerBlock >= timesteps) return blocks;
  const steps = Math.ceil(stepsPerBlock / reduction.every) * reduction.every;
  const isWhole = steps >= timesteps;
  return {
    ...blocks,
    stepsPerBlock: Math.min(steps, timesteps),
    history: isWhole ? undefined : blocks.history,
  };
}

/** The chunk that holds what is kept of a chunk of all steps. */
function keptChunk(
  [items, steps, channels]: [number, number, number],
  reduction: Reduction | undefined,
): [number, number, number] {
  return [items, Math.max(1, Math.floor(steps / (reduction?.every ?? 1))), channels];
}

function requireSmallChunks(
  chunkShape: readonly number[],
  { dtype }: SynapseSettings,
  largest = { bytes: Infinity, inWords: '' },
): void {
  const bytes = sizeOf(chunkShape) * bytesPerElement(dtype);
  if (bytes <= largest.bytes) return;
  throw new UsageError(
    message`Expected ${largest.inWords} for ${option('out')} but received shape \
${formatShape(chunkShape)}; give a smaller ${option('steps')}, or a name of another format.`,
  );
}

/** N is the last axis; one column is given to as many channels as the parameters have values. */
function countSynapses(
  source: RasterSource,
  { kernel, parameters, samples }: UnseededSettings,
  name: string,
): number {
  const [, , columns] = source.shape;
  if (source.nAxes > 1 && columns === 0) {
    throw new CommandError(`Expected at least one channel in ${name} but received none.`);
  }
  const counts = Object.entries(parameters).map(([key, { length }]) => ({ key, length }));
  const { samples: described } = kernelNamed(kernel);
  if (described !== undefined) counts.push({ key: described.name, length: samples?.shape[1] ?? 1 });
  const most = Math.max(1, ...counts.map(({ length }) => length));
  const synapses = columns === 1 ? most : columns;
  const wrong = counts.find(({ length }) => length !== 1 && length !== synapses);
  if (wrong === undefined) return synapses;
  const noun = unitOf(kernel, wrong.key) === 's' ? 'time' : 'number';
  const what = wrong.key === described?.name ? 'column of samples' : noun;
  throw new UsageError(
    message`Expected one ${what} for ${option(wrong.key)}, or ${synapses}, one for each channel, but received \
${wrong.length}.`,
  );
}

/**
 * What differs between a job and the one that has been begun; undefined if nothing does on which the
 * result depends.
 *
 * @param isInputRepaired Whether the content of the input may differ, in what has not been computed.
 */
export function describeDifference(
  requested: Job,
  begun: Job,
  isInputRepaired = false,
): Message | undefined {
  if (requested.software !== begun.software) {
    return message`${begun.software} began it and this is ${requested.software}`;
  }
  if (JSON.stringify(requested.input) !== JSON.stringify(begun.input)) {
    return message`it reads ${begun.input.path} in another way, or another file`;
  }
  const isSameShape =
    requested.shape.join() === begun.shape.join() && requested.columns === begun.columns;
  if (!isSameShape || (!isInputRepaired && !isSameInput(requested.identity, begun.identity))) {
    return message`${begun.input.path} has changed since`;
  }
  const requestedSettings = namedSettings(requested.settings);
  for (const [key, value] of Object.entries(namedSettings(begun.settings))) {
    // It concerns NaNs and infinities, and the blocks that are done have met none.
    if (key === 'nonFinite') continue;
    if (JSON.stringify(requestedSettings[key]) === JSON.stringify(value)) continue;
    const isLong = Array.isArray(value) ? value.length > 1 : typeof value === 'object';
    const unit = unitOf(begun.settings.kernel, key) === 's' ? ' s' : '';
    return isLong
      ? message`its ${option(key)} is another`
      : message`its ${option(key)} is ${String(value)}${unit}`;
  }
  if (requested.fftw !== begun.fftw) {
    return message`it computes with ${begun.fftw ?? 'no FFTW'} and this system has ${requested.fftw ?? 'none'}`;
  }
  if (JSON.stringify(requested.blocks) !== JSON.stringify(begun.blocks)) {
    return message`its ${option('steps')} is ${begun.blocks.stepsPerBlock}`;
  }
  if (JSON.stringify(requested.reduction) !== JSON.stringify(begun.reduction)) {
    const { every = 1, reduce = 'last' } = begun.reduction ?? {};
    return message`its ${option('every')} is ${every}, with ${option('reduce')} ${reduce}`;
  }
  if (requested.output.format !== begun.output.format)
    return message`it writes ${begun.output.format}`;
  if (requested.output.compression !== begun.output.compression) {
    return message`its ${option('compression')} is ${begun.output.compression ?? 'none'}`;
  }
  return undefined;
}

/** Options and parameters by their names; samples are the kernel itself. */
function namedSettings({
  parameters,
  samples,
  kernel,
  ...options
}: SynapseSettings): Record<string, unknown> {
  return { kernel: samples ?? kernel, ...options, ...parameters };
}
