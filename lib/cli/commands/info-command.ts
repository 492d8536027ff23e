/** `expsyn info`: what a file is, and how it was made. */
import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Command } from 'commander';

import { requireListForPart, specifyInput } from '../../runs/open-source';
import { readProvenance, type Provenance } from '../../runs/provenance';
import { selectPart } from '../../runs/selection';
import { UnfinishedRun } from '../../runs/unfinished-run';
import type { AddressOptions } from '../../formats/http/reader';
import { isAddress } from '../../formats/http/address';
import { recognise } from '../../formats/registry';
import {
  addAddressOptions,
  addForbiddenOption,
  readAddressFlags,
  type AddressFlags,
} from '../options/address-options';
import {
  describeEvents,
  eventWarnings,
  measureEvents,
  type EventMeasures,
} from '../notes/event-notes';
import { giveNotesOnFile } from '../notes/give-notes';
import { formatBytes } from '../options/numbers';
import { formatShape } from '../../errors/checks';
import {
  addSelectionOptions,
  outsideOption,
  readEvents,
  requireFileName,
} from '../options/run-options';
import type { CommandContext } from '../context/command-context';
import { describeKernel } from '../options/synapse-options';
import { parsePeriod } from '../options/times';
import { counted, formatTime } from '../../figure/words';

interface InfoFlags extends AddressFlags {
  forbiddenIsMissing?: boolean;
  json?: boolean;
  events?: boolean;
  timeUnit?: string;
  start?: string;
  duration?: string;
  channels?: string;
  outside?: 'throw' | 'drop';
  population?: string;
  sensor?: string;
  units?: string;
  member?: string;
  dt?: string;
}

const DESCRIPTION = `Shows what a file holds and, for an output of 'expsyn run', how it was made.

Only the header of a file is read, with two exceptions: lists of events are read
completely, and arrays with two columns are read as far as is needed to tell
whether they are such lists.`;

const EXAMPLES = `
Examples:
  expsyn info isyn.npy
  expsyn info isyn.zarr --json
  expsyn info events.npy --events --dt 1ms`;

/** What is said about a file; JSON. */
export interface FileDescription {
  path: string;
  format: string;
  /** As the file has it. */
  shape: readonly number[];
  type: string;
  bytes: number;
  /** Details of the format: order, version, chunks, codecs. */
  storage: Record<string, unknown>;
  /** Of a list of events. */
  events?: EventMeasures;
  /** How it was made, where that is known. */
  provenance?: Provenance;
  /** Of an output that is not complete: blocks that are done, and of how many. */
  unfinished?: { done: number; total: number };
}

/** Adds the command to a program. */
export function addInfoCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('info')
    .summary('show what a file holds, and how it was made')
    .description(DESCRIPTION)
    .argument('<file>', 'a raster, currents or a list of events')
    .option('--json', 'print everything as JSON')
    .option('--events', 'the file is a list of events')
    .option(
      '--time-unit <time>',
      'unit of the times of events, or their sampling rate (default: 1s)',
    )
    .option('--start <time>', 'time at which step 0 begins, for events (default: 0s)')
    .option('--duration <time>', 'how much is taken of events (default: up to the last one)')
    .option('--channels <list>', 'ids of the channels to take of events, or their number')
    .addOption(outsideOption())
    .option('--dt <time>', 'length of a time step, for events (default: 1ms)');
  addAddressOptions(addForbiddenOption(addSelectionOptions(command)))
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, flags: InfoFlags) => {
      const description = await describeFile(path, flags, context);
      context.stdout.write(
        flags.json === true
          ? `${JSON.stringify(description, undefined, 2)}\n`
          : inWords(description),
      );
    });
}

/** How a file behind an address is read. */
function addressOptionsOf(flags: InfoFlags, { stderr }: CommandContext): AddressOptions {
  const isForbiddenMissing = flags.forbiddenIsMissing === true;
  const onWait = (text: string): unknown => stderr.write(`${text}\n`);
  return { ...readAddressFlags(flags), isForbiddenMissing, onWait };
}

async function describeFile(
  path: string,
  flags: InfoFlags,
  context: CommandContext,
): Promise<FileDescription> {
  const warn = (text: string): unknown => context.stderr.write(`${text}\n`);
  await requireFileName(path);
  const unfinished = await describeUnfinished(path);
  const isMissing = (await stat(path).catch(() => undefined)) === undefined;
  if (unfinished !== undefined && isMissing) return unfinished;
  const isForbiddenMissing = flags.forbiddenIsMissing === true;
  const input = await specifyInput({ path, isForbiddenMissing, ...readEvents(flags) });
  requireListForPart(input, path, 'leave it out');
  const format = await recognise(path, readEvents(flags));
  const dt = flags.dt === undefined ? 1e-3 : parsePeriod(flags.dt, '--dt');
  const options = { ...input, dt, address: addressOptionsOf(flags, context) };
  const { raster, ...array } = await format.input.describe(path, options);
  const description = {
    path: input.path,
    format: format.title,
    ...array,
    ...(unfinished?.unfinished && { unfinished: unfinished.unfinished }),
  };
  const remark = await format.input.remark?.(path, options);
  if (remark !== undefined) warn(remark);
  if (raster !== undefined) {
    const part = selectPart(raster, input, { dt, name: path, isEventList: true });
    eventWarnings(part, { input, dt, name: path }).forEach(warn);
    const events = measureEvents(part, { input, dt });
    const { shape, unitIds } = part;
    const storage = { ...array.storage, ...(unitIds && { units: unitIds }) };
    return { ...description, shape, storage, ...(events && { events }) };
  }
  const stored = format.output?.kind === 'stored' ? format.output : undefined;
  const provenance = stored && (await readProvenance(path, stored, options.address));
  if (provenance === undefined) await giveNotesOnFile(input, path, warn);
  return { ...description, ...(provenance && { provenance }) };
}

/** A run that has been begun for an output of this name. */
async function describeUnfinished(path: string): Promise<FileDescription | undefined> {
  if (isAddress(path)) return undefined;
  const run = await UnfinishedRun.open(await realpath(path).catch(() => resolve(path)));
  if (run === undefined) return undefined;
  const { shape, settings, output } = run.job;
  return {
    path: resolve(path),
    format: output.format,
    shape,
    type: settings.dtype,
    bytes: NaN,
    storage: {},
    unfinished: await run.progress(),
  };
}

function inWords(description: FileDescription): string {
  const { format, shape, type, bytes, storage, events, provenance, unfinished } = description;
  const details = Object.entries(storage).map(([name, value]) => {
    const text = Array.isArray(value) ? formatList(value) : String(value);
    return `${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)} ${text}`;
  });
  const lines: [string, string][] = [
    ['holds', `${formatShape(shape)} ${type}`],
    ['stored', [format, ...details, ...(bytes >= 0 ? [formatBytes(bytes)] : [])].join(', ')],
    ...(events === undefined ? [] : [['events', describeEvents(events)] as [string, string]]),
    ...(provenance === undefined ? [] : describeProvenance(provenance)),
  ];
  if (unfinished !== undefined) {
    const { done, total } = unfinished;
    lines.push(['unfinished', `a run that has done ${done} of ${counted(total, 'block')}`]);
  }
  return lines.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join('');
}

function formatList(values: readonly unknown[]): string {
  const isShape = values.every((value) => typeof value === 'number');
  return isShape ? formatShape(values) : values.join(' + ');
}

function describeProvenance({
  job,
  command,
  finished,
  node,
  platform,
}: Provenance): [string, string][] {
  const { settings, windowLength, method, fftw, identity, repaired, kernelFile } = job;
  const { reduction, unitIds } = job;
  const { dt, noiseStd, noise, seed } = settings;
  const window = windowLength === 'Infinity' ? 'not cut' : counted(windowLength, 'step');
  return [
    ['made by', `${job.software}, Node ${node}, ${platform}, ${finished}`],
    ['command', ['expsyn', ...command].map(quote).join(' ')],
    [
      'synapses',
      `${describeKernel(job)}, dt ${formatTime(dt)}, window ${window}, ` +
        `method ${method}${fftw === undefined ? '' : ` by ${fftw}`}, non-finite ${settings.nonFinite}`,
    ],
    ...(kernelFile === undefined
      ? []
      : [['kernel', `${kernelFile.path}, SHA-256 ${kernelFile.sha256}`] as [string, string]]),
    ...(reduction === undefined
      ? []
      : [['kept', `every ${reduction.every} steps, ${reduction.reduce}`] as [string, string]]),
    ...(unitIds === undefined ? [] : [['units', unitIds.join(', ')] as [string, string]]),
    ['noise', noiseStd > 0 ? `${noiseStd} after 1 s, on the ${noise}, seed ${seed}` : 'none'],
    [
      'input',
      identity === undefined
        ? 'the standard input'
        : `${job.input.path}, ${formatBytes(identity.bytes)}, fingerprint ` +
          identity.fingerprint.slice(0, 16) +
          (repaired === undefined ? '' : ', repaired while the run was unfinished'),
    ],
  ];
}

/** A word as a shell takes it. */
function quote(word: string): string {
  return /^[\w./:,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
