/** Opens the inputs of runs. */
import { resolve } from 'node:path';

import { CommandError } from '../errors/command-errors';
import { message, option } from '../errors/message';
import { isAddress } from '../formats/http/address';
import type { AddressOptions } from '../formats/http/reader';
import { isSameInput, type RasterSource } from '../formats/raster-source';
import { inputFormatOf, recognise } from '../formats/registry';
import type { IdRange, InputSpecification, Job } from './job';
import { withAllSteps } from './kept-steps';
import { selectPart } from './selection';

/** How the user described an input. */
export interface InputDescription {
  /** A file, a folder, an address, or '-' for the standard input. */
  path: string;
  isEventList: boolean;
  timeUnit: number | undefined;
  duration: number | undefined;
  channels: number | undefined;
  selected: readonly IdRange[] | undefined;
  /** Of an address: whether status 403 means that there is no such chunk. */
  isForbiddenMissing?: boolean | undefined;
  start: string | undefined;
  outside: 'throw' | 'drop' | undefined;
  population: string | undefined;
  units: string | undefined;
  member: string | undefined;
  sensor: readonly [width: number, height: number] | undefined;
}

/** Whether any option is given that is about lists of events alone. */
export function hasEventOptions(
  input: Omit<InputDescription, 'path' | 'isForbiddenMissing'>,
): boolean {
  const { timeUnit, channels, outside, population, units, sensor } = input;
  return [timeUnit, channels, outside, population, units, sensor].some(
    (value) => value !== undefined,
  );
}

/** Whether any option is given that selects a part of an input. */
export function hasSelection({
  start,
  duration,
  selected,
}: Pick<InputDescription, 'start' | 'duration' | 'selected'>): boolean {
  return [start, duration, selected].some((value) => value !== undefined);
}

/** The options that are about lists of events alone, for messages. */
const EVENT_OPTIONS = message`${option('timeUnit')}, ${option('outside')}, ${option('population')}, ${option('units')}, ${option('sensor')} and a number of ${option('channels')}`;

/**
 * Finds out the format of an input, and checks that the options apply to it.
 *
 * @throws CommandError when one does not.
 */
export async function specifyInput(description: InputDescription): Promise<InputSpecification> {
  const { path, isEventList, timeUnit, duration, channels, start, outside } = description;
  const { population, units, selected, sensor } = description;
  const { name: format, title, input } = await recognise(path, description);
  const isBinned = input.isEventList === true;
  if (isEventList && !isBinned) {
    throw new CommandError(
      message`Expected a file of events for ${option('events')} but ${path} is read as ${title}.`,
    );
  }
  if (!isBinned && hasEventOptions(description)) {
    throw new CommandError(
      message`Expected a list of events in ${path} for ${EVENT_OPTIONS} but received a raster; leave them \
out, or give ${option('events')}; a range such as 0-9 takes channels of a raster.`,
    );
  }
  if (input.isReadOnce === true && hasSelection(description)) {
    throw new CommandError(
      message`Expected a file for ${option('start')}, ${option('duration')} and ${option('channels')}, which take a part of it, but received a pipe.`,
    );
  }
  const isForbiddenMissing = description.isForbiddenMissing === true;
  if (isForbiddenMissing && !isAddress(path)) {
    throw new CommandError(
      message`Expected an http(s) address with ${option('forbiddenIsMissing')} but received ${path}; leave it out.`,
    );
  }
  return {
    path: input.isReadOnce === true || isAddress(path) ? path : resolve(path),
    format,
    ...(isBinned &&
      (timeUnit !== undefined || input.hasTimeUnit !== true) && { timeUnit: timeUnit ?? 1 }),
    ...(duration !== undefined && { duration }),
    ...(channels !== undefined && { channels }),
    ...(selected !== undefined && { selected }),
    ...(isForbiddenMissing && { isForbiddenMissing }),
    ...(start !== undefined && { start }),
    ...(outside === 'drop' && { outside }),
    ...(population !== undefined && { population }),
    ...(units !== undefined && { units }),
    ...(sensor !== undefined && { sensor }),
    ...(description.member !== undefined && { member: description.member }),
  };
}

/**
 * Refuses a part of a raster, where nothing is computed of it.
 *
 * @param advice What to do instead.
 */
export function requireListForPart(
  { format, start, duration, selected }: InputSpecification,
  path: string,
  advice: string,
): void {
  const given = Object.entries({ start, duration, channels: selected });
  const [name] = given.find(([, value]) => value !== undefined) ?? [];
  if (name === undefined || inputFormatOf(format).isEventList === true) return;
  throw new CommandError(
    message`Expected a list of events in ${path} for ${option(name)} but received a raster; ${advice}.`,
  );
}

/**
 * Opens an input.
 *
 * @param dt Length of the steps in which events are counted, in seconds.
 * @param path What to call it, and where it is from here.
 * @param address How it is read if it is an address.
 */
export async function openSource(
  specification: InputSpecification,
  dt: number,
  path = specification.path,
  address: AddressOptions = {},
): Promise<RasterSource> {
  const input = inputFormatOf(specification.format);
  const { isForbiddenMissing } = specification;
  const options = { ...specification, dt, address: { ...address, isForbiddenMissing } };
  const source = await input.open(path, options);
  const isEventList = input.isEventList === true;
  try {
    return selectPart(source, specification, { dt, name: path, isEventList });
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Opens the complete output of a job, with all steps, to be read again. */
export async function openOutput(job: Job, out: string): Promise<RasterSource> {
  const { output, settings } = job;
  return withAllSteps(await inputFormatOf(output.format).open(out, { dt: settings.dt }), job);
}

/**
 * Open sources of one input that are not in use. They are kept because opening one may take as long as
 * computing a shard: a list of events is checked from its beginning to its end.
 */
export class IdleSources {
  readonly #address: AddressOptions;
  #key = '';
  #sources: RasterSource[] = [];

  /** @param address How an input is read if it is an address. */
  constructor(address: AddressOptions = {}) {
    this.#address = address;
  }

  /** The input of a job as it is now; the caller gives it back, or closes it. */
  async take(job: Job): Promise<RasterSource> {
    const key = keyOf(job);
    if (key !== this.#key) await this.close();
    this.#key = key;
    const source = this.#sources.pop();
    if (source !== undefined) {
      const now = await source.identify().catch(() => undefined);
      if (isSameInput(source.identity, now)) return source;
      await source.close();
    }
    return openSource(job.input, job.settings.dt, job.input.path, this.#address);
  }

  async giveBack(job: Job, source: RasterSource): Promise<void> {
    if (keyOf(job) === this.#key) this.#sources.push(source);
    else await source.close();
  }

  async close(): Promise<void> {
    const sources = this.#sources;
    this.#sources = [];
    this.#key = '';
    await Promise.all(sources.map(async (source) => source.close()));
  }
}

/** A text of everything that decides how an input is read. */
function keyOf({ input, settings, identity }: Job): string {
  return JSON.stringify([input, settings.dt, identity]);
}
