/** The flags of `expsyn run`, checked as far as possible before any file is opened. */
import { Option, type Command } from 'commander';

import type { Reduce } from '../../index';
import type { IdRange, OutputSpecification, Reduction } from '../../runs/job';
import type { InputDescription } from '../../runs/open-source';
import { UsageError } from '../../errors/command-errors';
import { formatFraction } from '../../formats/events/fraction';
import type { OutputFormat } from '../../formats/format';
import type { AddressOptions } from '../../formats/http/reader';
import { outputEndings, outputFormatFor, outputFormatOf, recognise } from '../../formats/registry';
import { alternatives } from './wording';
import { readAddressFlags, type AddressFlags } from './address-options';
import {
  parameterFiles,
  readSettings,
  type GivenSettings,
  type SynapseFlags,
} from './synapse-options';
import { readCount } from './numbers';
import { parseClockTime, parsePeriod, parseTime } from './times';

/** The flags on how a list of events is to be read, as commander gives them. */
export interface EventFlags {
  events?: boolean | undefined;
  timeUnit?: string | undefined;
  start?: string | undefined;
  duration?: string | undefined;
  channels?: string | undefined;
  outside?: 'throw' | 'drop' | undefined;
  population?: string | undefined;
  sensor?: string | undefined;
  units?: string | undefined;
  member?: string | undefined;
}

/** The flags as commander gives them. */
export interface RunFlags extends EventFlags, AddressFlags {
  out?: string;
  plot?: string | false;
  threads?: string;
  steps?: string;
  compression?: string;
  every?: string;
  reduce?: Reduce;
  resume?: boolean;
  restart?: boolean;
  inputRepaired?: boolean;
  like?: string;
  progress?: ProgressMode;
  queue?: string;
  forbiddenIsMissing?: boolean;
}

export type ProgressMode = 'auto' | 'bar' | 'json' | 'none';

/** A run as requested by flags; undefined for those that were not given. */
export interface RunRequest {
  /** A file, a folder, an address, or '-' for the standard input. */
  input: string | undefined;
  events: GivenEvents;
  out: string;
  /** Without a default for the compression. */
  output: OutputSpecification;
  plotPath: string | undefined;
  /** Whether the user asked for the picture, so that doing without it is a failure. */
  isPlotWanted: boolean;
  /** The settings that were given, without defaults. */
  settings: GivenSettings;
  /** The files that parameters were read from. */
  parameterFiles: { flag: string; path: string }[];
  threads: number;
  stepsPerBlock: number | undefined;
  /** What is kept of the output, as far as it was given. */
  reduction: Partial<Reduction>;
  begin: 'ask' | 'resume' | 'restart';
  /** Whether what is done may stay although the input has changed. */
  isInputRepaired: boolean;
  /** An output whose options are taken where none are given. */
  like: string | undefined;
  progress: ProgressMode;
  queue: string | undefined;
  /** How the input is read, where it is an address. */
  address: AddressOptions;
  isForbiddenMissing: boolean;
}

/** How the input is to be read, and which part of it. */
export type GivenEvents = Omit<InputDescription, 'path' | 'isForbiddenMissing'>;

/** The option of every command that reads a list of events. */
export function outsideOption(): Option {
  return new Option(
    '--outside <what>',
    'what to do with events before the first or after the last step (default: throw)',
  ).choices(['throw', 'drop']);
}

/** The options of every command that reads files of recordings. */
export function addSelectionOptions(command: Command): Command {
  return command
    .option('--population <name>', 'which population, for SONATA')
    .option(
      '--member <name>',
      'which array of a file; of a list of events also TIMES,CHANNELS, or a pattern such as unit_* of an array per unit',
    )
    .option('--sensor <size>', 'columns and rows of pixels of a camera, such as 346x260')
    .option('--units <label>', 'read only units with this label, such as good, for phy');
}

/** Checks the flags, and reads the files of parameters. */
export async function readFlags(
  inputPath: string | undefined,
  flags: RunFlags,
  defaultOut: string,
): Promise<RunRequest> {
  if (inputPath === '') throw new UsageError("Expected the name of a raster but received ''.");
  const synapseFlags: SynapseFlags = { ...flags };
  const out = flags.out ?? defaultOut;
  const output = readOutput(out, flags);
  const plotPath = readPlotPath(flags, out);
  if (flags.resume === true && flags.restart === true) {
    throw new UsageError('Expected either --resume or --restart but received both.');
  }
  if (flags.inputRepaired === true && flags.resume !== true) {
    throw new UsageError(
      'Expected --resume with --input-repaired, which concerns the completed part of a run.',
    );
  }
  const isParallel = (format: OutputFormat): boolean =>
    format.kind === 'stored' && format.chunks !== undefined;
  if (flags.queue !== undefined && !isParallel(outputFormatOf(output.format))) {
    throw new UsageError(
      `Expected a name that ends in ${alternatives(outputEndings(isParallel))} for --out with --queue, since ` +
        `many processes write it, but received '${out}'.`,
    );
  }
  return {
    input: inputPath,
    events: readEvents(flags),
    out,
    output,
    plotPath,
    isPlotWanted: typeof flags.plot === 'string',
    settings: await readSettings(synapseFlags),
    parameterFiles: parameterFiles(synapseFlags),
    threads: readCount(flags.threads, '--threads') ?? Infinity,
    stepsPerBlock: readCount(flags.steps, '--steps'),
    reduction: readReduction(flags),
    begin: flags.resume === true ? 'resume' : flags.restart === true ? 'restart' : 'ask',
    isInputRepaired: flags.inputRepaired === true,
    like: flags.like,
    progress: flags.progress ?? 'auto',
    queue: flags.queue,
    address: readAddressFlags(flags),
    isForbiddenMissing: flags.forbiddenIsMissing === true,
  };
}

function readReduction({ every, reduce }: RunFlags): Partial<Reduction> {
  const count = readCount(every, '--every');
  return { ...(count !== undefined && { every: count }), ...(reduce !== undefined && { reduce }) };
}

function readOutput(out: string, { compression }: RunFlags): OutputSpecification {
  const format = outputFormatFor(out);
  if (format === undefined) throw wrongEnding(out, outputEndings(), '--out');
  const { name, output } = format;
  if (compression === undefined) return { format: name };
  if (output.compressions.includes(compression)) return { format: name, compression };
  const endings = outputEndings(({ compressions }) => compressions.includes(compression));
  throw wrongEnding(out, endings, '--out with --compression');
}

function readPlotPath({ plot }: RunFlags, out: string): string | undefined {
  if (plot === false) return undefined;
  if (plot !== undefined) return checkEnding(plot, ['.svg', '.png'], '--plot');
  return out === '-' ? undefined : besideOutput(out, 'expsyn.svg');
}

function besideOutput(out: string, name: string): string {
  return out.replace(/[^/\\]*[/\\]?$/, name);
}

export function checkEnding(path: string, endings: readonly string[], name: string): string {
  if (endings.some((ending) => path.toLowerCase().endsWith(ending))) return path;
  throw wrongEnding(path, endings, name);
}

function wrongEnding(path: string, endings: readonly string[], name: string): UsageError {
  return new UsageError(
    `Expected a name that ends in ${alternatives(endings)} for ${name} but received '${path}'.`,
  );
}

/** Refuses an input that can be read only once where it has to be read again. */
export async function requireFileName(path: string): Promise<void> {
  if ((await recognise(path)).input.isReadOnce !== true) return;
  throw new UsageError('Expected the name of a file but received a pipe.');
}

/** Ids and ranges of ids, of which at least one is a range or follows another. */
const ID_LIST = /^(?=.*[-,])\d+(-\d*)?(,\d+(-\d*)?)*$/;

/** A number of channels, or the ids of those that are taken. */
function readChannels(text: string | undefined): Pick<InputDescription, 'channels' | 'selected'> {
  const words = text?.replace(/\s+/g, '') ?? '';
  if (!/[-,]/.test(words)) return { channels: readCount(text, '--channels'), selected: undefined };
  const selected = words.split(',').map((part): IdRange => {
    const [first = '', last = first] = part.split('-');
    return [Number(first), last === '' ? null : Number(last)];
  });
  const isWrong = selected.some(
    ([first, last]) => !Number.isSafeInteger(first) || (last !== null && !(last >= first)),
  );
  if (ID_LIST.test(words) && !isWrong) return { channels: undefined, selected };
  throw new UsageError(
    'Expected ids of channels such as 0-9,12,40- for --channels, each range from the smaller to the larger ' +
      `one, but received '${text ?? ''}'.`,
  );
}

/** Columns and rows of pixels. */
function readSensor(text: string | undefined): readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/i.exec(text.trim()) ?? [];
  const size = [Number(width), Number(height)] as const;
  if (size.every((length) => length > 0)) return size;
  throw new UsageError(
    `Expected the columns and rows of a camera, such as 346x260, for --sensor but received '${text}'.`,
  );
}

/** Which input is to be read, and how. */
export function readEvents(flags: EventFlags): GivenEvents {
  const { events, timeUnit, start, duration, channels, outside, population, units } = flags;
  return {
    // Two names are those of times and of channels, a pattern is that of times of units.
    isEventList: events === true || /[,*]/.test(flags.member ?? ''),
    timeUnit: timeUnit === undefined ? undefined : parsePeriod(timeUnit, '--time-unit'),
    start: start === undefined ? undefined : formatFraction(parseClockTime(start, '--start')),
    duration: duration === undefined ? undefined : parseTime(duration, '--duration'),
    ...readChannels(channels),
    outside,
    population,
    units,
    member: flags.member,
    sensor: readSensor(flags.sensor),
  };
}
