/** Reads the beginning of an input, and writes the notes of notes.ts that apply to it. */
import type { InputSpecification, Job } from '../../runs/job';
import { openSource } from '../../runs/open-source';
import { blockAt } from '../../runs/plan';
import { inputRegion } from '../../runs/run-shard';
import { timeConstantsOf } from '../../runs/settings';
import { CommandError } from '../../errors/command-errors';
import { sizeOfRegion, type RasterSource, type Region } from '../../formats/raster-source';
import { isAddress } from '../../formats/http/address';
import { inputFormatOf } from '../../formats/registry';
import type { TypedArray } from '../../index';
import {
  noteOnAxes,
  noteOnEventList,
  noteOnLongTau,
  noteOnRate,
  noteOnShortTau,
  type InputHeader,
} from './notes';
import { summarizeInput } from '../../figure/input-summary';

/** The most elements that are read for notes. */
const SAMPLE = 2 ** 20;

export function headerOf(source: RasterSource, name: string): InputHeader {
  const { shape, nAxes, type, identity, events } = source;
  const { displayName, mayBeEventList = false } = inputFormatOf(identity.format);
  const isEvents = events !== undefined;
  return { name: displayName ?? name, shape, nAxes, type, isEvents, mayBeEventList };
}

/**
 * Writes a note, in a line of its own, on each likely mistake in a run.
 *
 * @param name What the user calls the input.
 * @returns Whether a note was written that a summary of the whole input would repeat.
 * @throws CommandError when an input that can be read only once cannot be read.
 */
export async function giveNotes(
  source: RasterSource,
  name: string,
  job: Job,
  say: (text: string) => void,
): Promise<boolean> {
  if (job.shape.includes(0)) return false;
  const header = headerOf(source, name);
  const { settings } = job;
  const { isReadOnce = false } = inputFormatOf(job.input.format);
  const region = isReadOnce ? firstRegion(job) : sampleRegion(source);
  const sample = region && (await readSample(source, region, isReadOnce));
  const asList = sample && noteOnEventList(header, sample);
  const rate = sample && noteOnSample(header, sample, settings.dt);
  const taus = timeConstantsOf(settings);
  const longTaus = taus.map((tau) => noteOnLongTau(header, tau, settings.dt));
  const shortTaus = taus.map((tau) => noteOnShortTau(tau, settings.dt));
  const notes =
    // The shape of a list of events tells nothing about its axes.
    asList === undefined
      ? [noteOnAxes(header), ...longTaus, ...shortTaus, rate]
      : [asList, ...shortTaus];
  for (const note of notes)
    if (note !== undefined) say(header.name === name ? note : capitalized(note));
  return asList !== undefined || rate !== undefined;
}

/** Writes a note on a likely mistake about a file that is no output of a run. */
export async function giveNotesOnFile(
  input: InputSpecification,
  name: string,
  say: (text: string) => void,
): Promise<void> {
  if (isAddress(input.path)) return;
  // A file that cannot be read as an input may still be described.
  const source = await openSource(input, 1, name).catch(() => undefined);
  if (source === undefined) return;
  try {
    const note = await noteOnFile(source, name);
    if (note !== undefined) say(note);
  } finally {
    await source.close();
  }
}

/** The note of giveNotesOnFile() on an open source. */
export async function noteOnFile(source: RasterSource, name: string): Promise<string | undefined> {
  if (source.shape.includes(0)) return undefined;
  const header = headerOf(source, name);
  const mayBeEvents = source.nAxes === 1 || (source.nAxes === 2 && source.shape[2] === 2);
  const sample = mayBeEvents ? await readSample(source, sampleRegion(source), false) : undefined;
  return (sample && noteOnEventList(header, sample)) ?? noteOnAxes(header);
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function noteOnSample(header: InputHeader, data: TypedArray, dt: number): string | undefined {
  const summary = summarizeInput({ data, timesteps: data.length, columns: 1 });
  return noteOnRate(header, summary, data.length, dt);
}

/** The region that the run reads first, of an input that cannot be read twice. */
function firstRegion(job: Job): Region | undefined {
  const [shard] = job.shards;
  return shard && inputRegion(blockAt(shard, job.blocks, 0), job);
}

/** The beginning of an input: as much as can be read in the time of a smaller part. */
function sampleRegion({ shape, stepsAtOnce = 1, channelsAtOnce = Infinity }: RasterSource): Region {
  const [batches, timesteps, columns] = shape;
  const width = Math.min(columns, channelsAtOnce, SAMPLE);
  const steps = Math.min(timesteps, Math.max(stepsAtOnce, Math.floor(SAMPLE / width)));
  const items = Math.min(batches, Math.max(1, Math.floor(SAMPLE / (width * steps))));
  return {
    batches: { begin: 0, end: items },
    steps: { begin: 0, end: steps },
    channels: { begin: 0, end: width },
  };
}

/** The elements of a region; undefined where they cannot be read and the run will say so. */
async function readSample(
  source: RasterSource,
  region: Region,
  isOnlyOnce: boolean,
): Promise<TypedArray | undefined> {
  // The content of an address would be fetched twice.
  if (sizeOfRegion(region) === 0 || isAddress(source.identity.path)) return undefined;
  try {
    return await source.read(region);
  } catch (error) {
    if (isOnlyOnce || !(error instanceof CommandError)) throw error;
    return undefined;
  }
}
