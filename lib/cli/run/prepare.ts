/** Opens the input of `expsyn run`, and plans the run. */
import { basename, join } from 'node:path';

import type { InputSpecification, Job, OutputSpecification, Reduction } from '../../runs/job';
import {
  hasEventOptions,
  hasSelection,
  openSource,
  specifyInput,
  type InputDescription,
} from '../../runs/open-source';
import { prepareJob } from '../../runs/prepare-job';
import { readProvenance, requireOwnPlace } from '../../runs/provenance';
import { CommandError, orInterrupted, UsageError } from '../../errors/command-errors';
import {
  folderAbove,
  hasTooLongName,
  isThere,
  temporaryPathOf,
} from '../../formats/files/complete-file';
import type { AddressOptions } from '../../formats/http/reader';
import { isSameInput, type InputIdentity, type RasterSource } from '../../formats/raster-source';
import { isAddress } from '../../formats/http/address';
import {
  inputFormatOf,
  outputFormatOf,
  recognise,
  storedFormatAt,
  storedFormatOf,
} from '../../formats/registry';
import type { Stimulus } from '../../figure/scene';
import { eventWarnings, isTooLong, requireNearOrigin } from '../notes/event-notes';
import { formatShape } from '../../errors/checks';
import { requireOtherFiles } from './other-files';
import type { GivenEvents, RunRequest } from '../options/run-options';
import { completeSettings } from '../options/synapse-options';
import type { CommandContext } from '../context/command-context';
import { softwareVersion } from '../context/version';
import { EXAMPLE_PATH, writeExample } from './example';

export const DEFAULT_OUT = join('output', 'isyn.npy');

/** An input that is open, and the run that is to be made of it. */
export interface Prepared {
  source: RasterSource;
  /** As the user calls it. */
  inputPath: string;
  job: Job;
  stimuli: readonly Stimulus[] | undefined;
  /** Tells the user in a sentence what the program waits for. */
  waiting: { say: (text: string) => unknown };
}

/**
 * Opens the input and plans the run.
 *
 * @param resumed The run that is resumed, or that has made the output already.
 */
export async function prepare(
  request: RunRequest,
  out: string | undefined,
  resumed: Job | undefined,
  context: CommandContext,
): Promise<Prepared> {
  const { stderr } = context;
  const isResumed = request.begin === 'resume';
  const waiting = { say: (text: string): unknown => stderr.write(`${text}\n`) };
  const onWait = (text: string): unknown => waiting.say(text);
  const { isForbiddenMissing } = request;
  const address = { ...request.address, isForbiddenMissing, onWait };
  const like = request.like === undefined ? undefined : await readLike(request.like, address);
  const earlier = like ?? (request.input === undefined ? resumed : undefined);
  const isExample = request.input === undefined && earlier === undefined;
  if (isExample && isResumed && out !== undefined && (await isThere(out))) {
    throw new UsageError(
      `Expected an input with --resume, since nothing tells how ${request.out} was made.`,
    );
  }
  if (isExample) requireNoEvents(request.events);
  const path = request.input ?? earlier?.input.path ?? EXAMPLE_PATH;
  const description = await describeInput(path, request, earlier?.input);
  if (out !== undefined) await requireOtherFiles(request, description.path, out);
  if (out !== undefined) {
    const format = storedFormatOf(request.output.format);
    await requireShortName(format.provenancePathOf(out), '--out', request.out);
    await requireOwnPlace(out, format);
  }
  if (request.plotPath !== undefined) {
    await requireShortName(request.plotPath, '--plot', request.plotPath);
  }
  const { kernel } = request.settings;
  const example = isExample ? await writeExample(request.settings) : undefined;
  const settings = completeSettings(
    { ...request.settings, ...(example && { parameters: example.parameters }) },
    earlier?.settings,
  );
  // A seed that was drawn is a part of the run.
  if (resumed !== undefined && resumed.settings.noiseStd > 0 && settings.noiseStd > 0) {
    settings.seed ??= resumed.settings.seed;
  }
  const input = await specifyInput(description);
  if (
    inputFormatOf(input.format).isReadOnce === true &&
    (isResumed || request.queue !== undefined)
  ) {
    const option = isResumed ? '--resume' : '--queue';
    throw new UsageError(`Expected a file as the input with ${option} but received a pipe.`);
  }
  const open = async (signal?: AbortSignal): Promise<RasterSource> =>
    openSource(input, settings.dt, description.path, { ...address, signal });
  const source = isAddress(description.path) ? await interruptibly(context, open) : await open();
  try {
    if (source.remark !== undefined) stderr.write(`${source.remark}\n`);
    if (like !== undefined) {
      const changes = describeChanges(like, source.identity, description.path);
      if (changes !== '') {
        stderr.write(`Since ${request.like} was made, ${changes}: what comes out may differ.\n`);
      }
    }
    const reading = { input, dt: settings.dt, name: description.path };
    if (isTooLong(source)) requireNearOrigin(source, reading);
    const stepsPerBlock = request.stepsPerBlock ?? earlier?.stepsPerBlock;
    const job = await prepareJob(
      {
        software: softwareVersion(),
        name: description.path,
        input,
        settings,
        kernelFile: kernel === undefined ? earlier?.kernelFile : kernel.file,
        output: completeOutput(request.output, earlier?.output),
        stepsPerBlock,
        reduction: completeReduction(request.reduction, earlier?.reduction),
        isQueued: request.queue !== undefined,
      },
      source,
    );
    for (const warning of eventWarnings(source, reading)) stderr.write(`${warning}\n`);
    if (request.isPlotWanted && job.shape.includes(0)) {
      throw new CommandError(
        `Expected at least one time step in ${description.path} for --plot but received ` +
          `${describeSource(source)}; leave out --plot.`,
      );
    }
    return { source, inputPath: description.path, job, stimuli: example?.stimuli, waiting };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Does work that fails when its signal is aborted. */
async function interruptibly<Result>(
  context: CommandContext,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return context.interruptibly(async (signal) => orInterrupted(work(signal), signal));
}

/** Refuses a name so long that its file could not be written at the end. */
async function requireShortName(path: string, option: string, given: string): Promise<void> {
  const name = basename(temporaryPathOf(path));
  if (!(await hasTooLongName(join(await folderAbove(path), name)))) return;
  throw new UsageError(
    `Expected a shorter name for ${option}, since names of other files are made from it, but received ` +
      `'${given}'; give another.`,
  );
}

/** The output that was requested; the compression is that of an earlier run unless it was given. */
function completeOutput(
  { format, compression }: OutputSpecification,
  earlier: OutputSpecification | undefined,
): OutputSpecification {
  const { compressions } = outputFormatOf(format);
  const chosen = [compression, earlier?.compression].find(
    (name) => name !== undefined && compressions.includes(name),
  );
  const complete = chosen ?? compressions[0];
  return { format, ...(complete !== undefined && { compression: complete }) };
}

/** What is kept of the output: as was given, and otherwise as in an earlier run. */
function completeReduction(
  given: Partial<Reduction>,
  earlier: Reduction | undefined,
): Reduction | undefined {
  const every = given.every ?? earlier?.every ?? 1;
  if (given.reduce !== undefined && every === 1) {
    throw new UsageError('Expected --every of at least 2 with --reduce but received none.');
  }
  return every === 1 ? undefined : { every, reduce: given.reduce ?? earlier?.reduce ?? 'last' };
}

async function readLike(path: string, address: AddressOptions): Promise<Job> {
  const format = await storedFormatAt(path);
  const provenance = format && (await readProvenance(path, format, address));
  if (provenance !== undefined) return { ...provenance.job, shards: [] };
  throw new CommandError(
    `Expected an output of 'expsyn run' for --like but nothing tells how ${path} was made.`,
  );
}

/** What has changed since an output was made, in words. */
function describeChanges(like: Job, found: InputIdentity, name: string): string {
  const { identity, software } = like;
  const changes: string[] = [];
  if (identity?.path === found.path) {
    // The fingerprint of a list of events depends on how it is read, too.
    const isList = inputFormatOf(found.format).isEventList === true;
    const known = isList ? { ...identity, fingerprint: found.fingerprint } : identity;
    if (!isSameInput(found, known)) changes.push(`${name} has changed`);
  }
  const current = softwareVersion();
  if (software !== current) changes.push(`${software} has become ${current}`);
  return changes.join(' and ');
}

/** How the input is read: as was given, and otherwise as in an earlier run. */
async function describeInput(
  path: string,
  { events: given, isForbiddenMissing: isGiven }: RunRequest,
  earlier: InputSpecification | undefined,
): Promise<InputDescription> {
  const isForbiddenMissing = isGiven || (isAddress(path) && earlier?.isForbiddenMissing === true);
  const wasChosen = earlier !== undefined && inputFormatOf(earlier.format).isChosen === true;
  const isEventList = given.isEventList || wasChosen;
  const { input } = await recognise(path, { ...given, isEventList });
  // A number of channels is given in place of their ids.
  const selected = given.selected ?? (given.channels === undefined ? earlier?.selected : undefined);
  if (input.isEventList !== true) {
    // Of a list, they have set the size of the raster.
    const wasRaster = earlier !== undefined && inputFormatOf(earlier.format).isEventList !== true;
    return {
      path,
      ...given,
      duration: given.duration ?? (wasRaster ? earlier.duration : undefined),
      start: given.start ?? (wasRaster ? earlier.start : undefined),
      selected,
      isForbiddenMissing,
      member: given.member ?? earlier?.member,
    };
  }
  return {
    path,
    isEventList,
    timeUnit: given.timeUnit ?? earlier?.timeUnit,
    duration: given.duration ?? earlier?.duration,
    channels: given.channels ?? earlier?.channels,
    selected,
    isForbiddenMissing,
    start: given.start ?? earlier?.start,
    outside: given.outside ?? earlier?.outside,
    population: given.population ?? earlier?.population,
    units: given.units ?? earlier?.units,
    member: given.member ?? earlier?.member,
    sensor: given.sensor ?? earlier?.sensor,
  };
}

/** The example is a raster, and computed as a whole. */
function requireNoEvents(given: GivenEvents): void {
  if (!given.isEventList && !hasEventOptions(given) && !hasSelection(given)) return;
  throw new UsageError(
    'Expected an input with --events, --time-unit, --start, --duration, --channels, --outside, --population, ' +
      '--units and --sensor but received none; give a file.',
  );
}

/** The shape and type of an input, as its file has them. */
export function describeSource({ shape, nAxes, type }: RasterSource): string {
  const own = nAxes === 1 ? shape.slice(1, 2) : shape.slice(3 - nAxes);
  return `${formatShape(own)} ${type}`;
}
