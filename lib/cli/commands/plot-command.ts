/** `expsyn plot`: draws a raster, currents, or both, or a part of them. */
import { basename } from 'node:path';

import type { Command } from 'commander';

import { withAllSteps } from '../../runs/kept-steps';
import { openSource, requireListForPart, specifyInput } from '../../runs/open-source';
import { readProvenance, type Provenance } from '../../runs/provenance';
import { longestTimeConstants } from '../../runs/settings';
import { CommandError, UsageError } from '../../errors/command-errors';
import type { AddressOptions } from '../../formats/http/reader';
import type { Range, RasterSource } from '../../formats/raster-source';
import { isAddress } from '../../formats/http/address';
import { storedFormatAt } from '../../formats/registry';
import {
  addAddressOptions,
  addForbiddenOption,
  readAddressFlags,
  type AddressFlags,
} from '../options/address-options';
import { eventWarnings } from '../notes/event-notes';
import { noteOnFile } from '../notes/give-notes';
import { formatShape } from '../../errors/checks';
import { drawToFile, loadRecording } from '../../figure/recording';
import {
  addSelectionOptions,
  checkEnding,
  outsideOption,
  readEvents,
  requireFileName,
} from '../options/run-options';
import type { CommandContext } from '../context/command-context';
import { parseMoment, parsePeriod } from '../options/times';
import { formatTime } from '../../figure/words';

interface PlotFlags extends AddressFlags {
  forbiddenIsMissing?: boolean;
  out?: string;
  raster?: string | false;
  from?: string;
  to?: string;
  channels?: string;
  traces?: string;
  item?: string;
  dt?: string;
  events?: boolean;
  timeUnit?: string;
  start?: string;
  outside?: 'throw' | 'drop';
  population?: string;
  sensor?: string;
  units?: string;
  member?: string;
}

const DESCRIPTION = `Draws a raster, the currents of a run, or both, into a .svg or .png file.

For an output of 'expsyn run', the raster, the kernel and dt are found automatically.`;

const EXAMPLES = `
Times may have a unit: s, ms, us or ns. Without a unit, they are in seconds.

Examples:
  expsyn plot isyn.npy
      the currents with their raster, into isyn.svg
  expsyn plot isyn.npy --from 2s --to 2.5s --channels 0-15 --traces 3,7 --out close.png
      half a second of 16 channels, with the traces of two of them
  expsyn plot raster.npy --dt 0.5ms
      a raster alone
  expsyn plot events.npy --events
      a list of events`;

/** Adds the command to a program. */
export function addPlotCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('plot')
    .summary('draw a raster, currents, or a part of either')
    .description(DESCRIPTION)
    .argument('<file>', 'a raster or currents: .npy, .zarr, .h5')
    .option('--out <file>', 'where to draw the picture, .svg or .png (default: beside the file)')
    .option('--raster <file>', "the raster of the currents (default: the run's input)")
    .option('--no-raster', 'draw the currents alone')
    .option('--from <time>', 'beginning of the part to draw')
    .option('--to <time>', 'end of the part to draw')
    .option('--channels <range>', 'first and last channel to draw, such as 0-15')
    .option('--traces <channels>', 'channels whose currents to draw as traces, such as 3,7')
    .option('--item <n>', 'batch item to draw (default: 0)')
    .option('--dt <time>', 'length of a time step (default: that of the run, or else 1ms)')
    .option('--events', 'the file is a list of events')
    .option(
      '--time-unit <time>',
      'unit of the times of events, or their sampling rate (default: 1s)',
    )
    .option('--start <time>', 'time at which step 0 begins, for events (default: 0s)')
    .addOption(outsideOption());
  addAddressOptions(addForbiddenOption(addSelectionOptions(command)))
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, flags: PlotFlags) => plot(path, flags, context));
}

/** What is open, to be drawn and closed. */
interface Sources {
  input: RasterSource | undefined;
  output: RasterSource | undefined;
}

async function plot(path: string, flags: PlotFlags, context: CommandContext): Promise<void> {
  await requireFileName(path);
  const out = checkEnding(flags.out ?? besideFile(path), ['.svg', '.png'], '--out');
  const format = await storedFormatAt(path);
  const isForbiddenMissing = flags.forbiddenIsMissing === true;
  const onWait = (text: string): unknown => context.stderr.write(`${text}\n`);
  const address = { ...readAddressFlags(flags), isForbiddenMissing, onWait };
  const provenance =
    flags.events === true || format === undefined
      ? undefined
      : await readProvenance(path, format, address);
  const dt =
    flags.dt === undefined ? (provenance?.job.settings.dt ?? 1e-3) : parsePeriod(flags.dt, '--dt');
  const sources = await openSources(path, flags, provenance, dt, address);
  try {
    const main = sources.output ?? sources.input;
    if (main === undefined) throw new Error('nothing is open');
    for (const source of [sources.input, sources.output]) {
      if (source?.remark !== undefined) context.stderr.write(`${source.remark}\n`);
    }
    for (const warning of eventWarnings(main, {
      input: readEvents({ ...flags, channels: undefined }),
      dt,
      name: path,
    })) {
      context.stderr.write(`${warning}\n`);
    }
    const recording = await loadRecording({
      ...sources,
      tau: provenance && longestTimeConstants(provenance.job.settings),
      dt,
      name: basename(path),
      job: provenance?.job,
      ...readParts(main, flags, dt, path),
    });
    const note = provenance === undefined ? await noteOnFile(main, path) : undefined;
    if (note !== undefined) context.stderr.write(`${note}\n`);
    await drawToFile(out, recording);
    const { timesteps = 0 } = recording.output ?? recording.input ?? {};
    const part = recording.isWhole
      ? 'all of it'
      : `${formatTime(timesteps * dt)} from ${formatTime(recording.firstStep * dt)}`;
    context.stdout.write(`${out}  ${part}\n`);
  } finally {
    await sources.input?.close();
    await sources.output?.close();
  }
}

/** isyn.npy becomes isyn.svg. */
function besideFile(path: string): string {
  return `${path.replace(/\/+$/, '').replace(/\.[a-z0-9]+$/i, '')}.svg`;
}

async function openSources(
  path: string,
  flags: PlotFlags,
  provenance: Provenance | undefined,
  dt: number,
  address: AddressOptions,
): Promise<Sources> {
  const open = async (name: string): Promise<RasterSource> => {
    // --channels says what is drawn.
    const given = readEvents({ ...flags, channels: undefined });
    const isForbiddenMissing = isAddress(name) && flags.forbiddenIsMissing;
    const input = await specifyInput({ path: name, isForbiddenMissing, ...given });
    requireListForPart(input, name, 'give --from');
    return openSource(input, dt, name, address);
  };
  const whole = await open(path);
  const main = provenance === undefined ? whole : withAllSteps(whole, provenance.job);
  try {
    const isCurrents =
      provenance !== undefined || typeof flags.raster === 'string' || main.type.startsWith('float');
    if (!isCurrents) return { input: main, output: undefined };
    const input = await openRaster(flags, provenance, dt, address);
    if (input !== undefined) requireSameShape(input, main, path);
    return { input, output: main };
  } catch (error) {
    await main.close();
    throw error;
  }
}

/** The raster of some currents: the one that is named, or the one that the run has read. */
async function openRaster(
  { raster, forbiddenIsMissing }: PlotFlags,
  provenance: Provenance | undefined,
  dt: number,
  address: AddressOptions,
): Promise<RasterSource | undefined> {
  if (raster === false) return undefined;
  if (raster !== undefined) {
    const isForbiddenMissing = isAddress(raster) && forbiddenIsMissing;
    const input = await specifyInput({ path: raster, isForbiddenMissing, ...readEvents({}) });
    return openSource(input, dt, raster, address);
  }
  if (provenance?.job.identity === undefined) return undefined;
  // A raster that has gone is no reason not to show the currents.
  const { input } = provenance.job;
  return openSource(input, dt, input.path, address).catch(() => undefined);
}

function requireSameShape(input: RasterSource, output: RasterSource, path: string): void {
  const [batches, timesteps, columns] = input.shape;
  const [ofBatches, ofTimesteps, ofColumns] = output.shape;
  const isSame =
    batches === ofBatches && timesteps === ofTimesteps && (columns === ofColumns || columns === 1);
  if (isSame) return;
  throw new CommandError(
    `Expected a raster of shape ${formatShape(output.shape)}, as ${path} has, but received ` +
      `${formatShape(input.shape)}; give another --raster, or --no-raster.`,
  );
}

/** Which part is drawn. */
function readParts(
  { shape: [batches, timesteps, columns] }: RasterSource,
  flags: PlotFlags,
  dt: number,
  path: string,
): { item: number; steps?: Range; channels?: Range; traces?: number[] } {
  const item = flags.item === undefined ? 0 : readIndex(flags.item, '--item');
  if (item >= Math.max(1, batches)) {
    throw new UsageError(`Expected --item below ${batches}, as ${path} has, but received ${item}.`);
  }
  const channels = flags.channels === undefined ? undefined : readRange(flags.channels, columns);
  const traces = flags.traces?.split(',').map((text) => readIndex(text, '--traces'));
  const drawn = channels ?? { begin: 0, end: columns };
  const missing = traces?.find((channel) => channel < drawn.begin || channel >= drawn.end);
  if (missing !== undefined) {
    throw new UsageError(
      `Expected channels from ${drawn.begin} to ${drawn.end - 1} for --traces but received ${missing}.`,
    );
  }
  const steps = readSteps(flags, timesteps, dt);
  return {
    item,
    ...(steps && { steps }),
    ...(channels && { channels }),
    ...(traces && { traces }),
  };
}

/** The steps from --from to --to; undefined when neither is given. */
function readSteps(flags: PlotFlags, timesteps: number, dt: number): Range | undefined {
  if (flags.from === undefined && flags.to === undefined) return undefined;
  const stepOf = (text: string | undefined, name: string, otherwise: number): number =>
    text === undefined ? otherwise : Math.round(parseMoment(text, name) / dt);
  const begin = stepOf(flags.from, '--from', 0);
  const end = Math.min(timesteps, stepOf(flags.to, '--to', timesteps));
  if (begin < end) return { begin, end };
  throw new UsageError(
    `Expected times from 0 to ${formatTime(timesteps * dt)}, --from a step or more before --to, but ` +
      `received ${flags.from ?? 'no --from'} and ${flags.to ?? 'no --to'}.`,
  );
}

function readRange(text: string, columns: number): Range {
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(text.trim()) ?? [];
  const begin = Number(first);
  const end = Number(last ?? first) + 1;
  if (begin < end && end <= columns) return { begin, end };
  throw new UsageError(
    `Expected a range of channels from 0 to ${columns - 1}, such as 0-15, for --channels but received ` +
      `'${text}'.`,
  );
}

function readIndex(text: string, name: string): number {
  if (/^\s*\d+\s*$/.test(text)) return Number(text);
  throw new UsageError(`Expected a whole number for ${name} but received '${text}'.`);
}
