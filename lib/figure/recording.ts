/** Reads what a picture shows, and draws it: rasters and currents may be larger than memory. */
import { extname } from 'node:path';

import { CommandError } from '../errors/command-errors';
import { message, option } from '../errors/message';
import { writeCompleteFile } from '../formats/files/complete-file';
import type { Range, RasterSource } from '../formats/raster-source';
import type { Job } from '../runs/job';
import { kernelCurves } from '../runs/kernel-curves';
import { drawFigure, drawFigureAsPng, type PartialArray, type Recording } from './figure';
import { chooseChannels, type Stimulus } from './scene';

/** Samples that a picture is drawn from at most; the first ones where there are more. */
export const MOST_SAMPLES = 2e7;

/** Where the user chooses the part; more might not fit the memory. */
export const MOST_CHOSEN_SAMPLES = 1e8;

/** What is drawn of an array. */
export type Drawable = Pick<RasterSource, 'shape' | 'type' | 'read'>;

/** What is to be drawn. */
export interface PictureRequest {
  /** Of shape (B, T, N), or with one column for all channels. */
  input: Drawable | undefined;
  output: Drawable | undefined;
  /** (N,), or () for one that all have; in seconds. */
  tau: ArrayLike<number> | undefined;
  dt: number;
  name: string;
  item?: number;
  /** All, or as many as a picture is drawn from, unless given. */
  steps?: Range | undefined;
  channels?: Range | undefined;
  /** The channels whose currents are drawn as traces. */
  traces?: readonly number[] | undefined;
  stimuli?: readonly Stimulus[] | undefined;
  /** The run that has made the output, whose kernels are drawn. */
  job?: Pick<Job, 'settings' | 'windowLength'> | undefined;
}

/** Reads the part of the arrays that is drawn. */
export async function loadRecording(request: PictureRequest): Promise<Recording> {
  const { input, output, dt, name, item = 0, stimuli, job } = request;
  const [batches, timesteps, columns] = (output ?? input)?.shape ?? [0, 0, 0];
  const channels = request.channels ?? { begin: 0, end: columns };
  const width = Math.max(1, channels.end - channels.begin);
  const most = Math.floor(MOST_SAMPLES / width);
  const steps = request.steps ?? { begin: 0, end: Math.min(timesteps, most) };
  const nSteps = steps.end - steps.begin;
  if (nSteps * width > MOST_CHOSEN_SAMPLES) {
    throw new CommandError(
      message`Expected at most ${MOST_CHOSEN_SAMPLES} samples for a picture but received \
${nSteps * width} in ${name}; draw less of it with ${option('from')}, ${option('to')} and ${option('channels')}.`,
    );
  }
  const read = async (source: Drawable): Promise<PartialArray> => {
    const own = source.shape[2] === 1 && columns > 1 ? { begin: 0, end: 1 } : channels;
    const isEmpty = batches === 0 || nSteps === 0;
    const region = { batches: { begin: item, end: item + 1 }, steps, channels: own };
    return {
      data: isEmpty ? new Uint8Array(0) : await source.read(region),
      timesteps: isEmpty ? 0 : nSteps,
      columns: own.end - own.begin,
      type: source.type,
    };
  };
  const taus = request.tau;
  const tau =
    taus &&
    Float64Array.from({ length: channels.end - channels.begin }, (_, index) => {
      return (taus.length === 1 ? taus[0] : taus[channels.begin + index]) ?? NaN;
    });
  const currents = output && (await read(output));
  const traces =
    request.traces?.map((channel) => channel - channels.begin) ??
    (currents && currents.timesteps > 0 ? chooseChannels(currents, tau) : undefined);
  const traced = traces?.map((channel) => channel + channels.begin);
  return {
    input: input && (await read(input)),
    output: currents,
    tau,
    dt,
    name,
    item,
    batches,
    firstStep: steps.begin,
    firstChannel: channels.begin,
    isWhole: steps.begin === 0 && steps.end === timesteps,
    ...(traces && { traces }),
    ...(job && traced && { kernels: await kernelCurves(job, traced) }),
    ...(stimuli && { stimuli }),
  };
}

/**
 * Draws a recording into a .svg or .png file.
 *
 * @throws CommandError when it cannot be drawn or written.
 */
export async function drawToFile(
  path: string,
  recording: Recording,
  temporaries?: string,
): Promise<void> {
  const isPng = extname(path).toLowerCase() === '.png';
  const picture = isPng
    ? await drawFigureAsPng(recording)
    : Buffer.from(await drawFigure(recording));
  await writeCompleteFile(path, [picture], temporaries === undefined ? {} : { temporaries });
}
