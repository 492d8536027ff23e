/** Opens whatever an input is. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { CommandError } from '../errors/command-errors';
import { openEventsNpy } from '../formats/events/events';
import { openEventsHdf5 } from '../formats/events/events-hdf5';
import { openNpySource } from '../formats/npy/npy-file';
import type { AddressOptions } from '../formats/http/reader';
import { openPipeSource } from '../formats/npy/npy-pipe';
import { isSameInput, type RasterSource } from '../formats/raster-source';
import { isAddress, openZarrSource } from '../formats/zarr/zarr';
import type { InputSpecification, Job } from './job';

/** How the user described an input. */
export interface InputDescription {
  /** A file, a folder, an address, or '-' for the standard input. */
  path: string;
  isEventList: boolean;
  timeUnit: number | undefined;
  duration: number | undefined;
  channels: number | undefined;
  /** Of an address: whether status 403 means that there is no such chunk. */
  isForbiddenMissing?: boolean | undefined;
  start: string | undefined;
  outside: 'throw' | 'drop' | undefined;
}

/** Whether something is said about a list of events. */
export function hasEventOptions(
  input: Omit<InputDescription, 'path' | 'isForbiddenMissing'>,
): boolean {
  const { timeUnit, duration, channels, start, outside } = input;
  return [timeUnit, duration, channels, start, outside].some((value) => value !== undefined);
}

/** Tells the format by the name, and by what stands there. */
export async function specifyInput(input: InputDescription): Promise<InputSpecification> {
  const { path, isEventList, timeUnit, duration, channels, start, outside } = input;
  const format = await formatOf(path, isEventList);
  const isBinned = format === 'events' || format === 'hdf5';
  if (isEventList && !isBinned) {
    throw new CommandError(
      `Expected a list of events in a .npy or HDF5 file with --events but received ${path}.`,
    );
  }
  if (!isBinned && hasEventOptions(input)) {
    throw new CommandError(
      `Expected a list of events in ${path} for --time-unit, --start, --duration, --channels and ` +
        '--outside but received a raster; leave them out, or give --events.',
    );
  }
  const isForbiddenMissing = input.isForbiddenMissing === true;
  if (isForbiddenMissing && !isAddress(path)) {
    throw new CommandError(
      `Expected an http(s) address with --forbidden-is-missing but received ${path}; leave it out.`,
    );
  }
  return {
    path: format === 'pipe' || isAddress(path) ? path : resolve(path),
    format,
    ...(isBinned && { timeUnit: timeUnit ?? 1 }),
    ...(duration !== undefined && { duration }),
    ...(channels !== undefined && { channels }),
    ...(isForbiddenMissing && { isForbiddenMissing }),
    ...(start !== undefined && { start }),
    ...(outside === 'drop' && { outside }),
  };
}

export async function formatOf(
  path: string,
  isEventList: boolean,
): Promise<InputSpecification['format']> {
  if (path === '-') return 'pipe';
  if (isAddress(path)) return 'zarr';
  if (/\.(h5|hdf5|hdf)$/i.test(path)) return 'hdf5';
  if (await isZarr(path)) return 'zarr';
  return isEventList ? 'events' : 'npy';
}

/** Zarr arrays are folders. */
export async function isZarr(path: string): Promise<boolean> {
  if (isAddress(path)) return true;
  if (/\.zarr\/?$/i.test(path)) return true;
  const found = await Promise.all(
    ['zarr.json', '.zarray'].map((name) => stat(join(path, name)).catch(() => undefined)),
  );
  return found.some((entry) => entry?.isFile());
}

/**
 * Opens an input.
 *
 * @param dt Length of the steps into which events are binned, in seconds.
 * @param path What to call it, and where it is from here.
 * @param address How it is read, where it is an address.
 */
export async function openSource(
  specification: InputSpecification,
  dt: number,
  path = specification.path,
  address: AddressOptions = {},
): Promise<RasterSource> {
  const {
    format,
    timeUnit = 1,
    duration,
    channels,
    start,
    outside,
    isForbiddenMissing,
  } = specification;
  const binning = {
    dt,
    timeUnit,
    ...(duration !== undefined && { duration }),
    ...(channels !== undefined && { channels }),
    ...(start !== undefined && { start }),
    ...(outside !== undefined && { outside }),
  };
  switch (format) {
    case 'npy':
      return openNpySource(path);
    case 'zarr':
      return openZarrSource(path, { ...address, isForbiddenMissing });
    case 'events':
      return openEventsNpy(path, binning);
    case 'hdf5':
      return openEventsHdf5(path, binning);
    case 'pipe':
      return openPipeSource(process.stdin, 'the standard input');
  }
}

/**
 * Inputs that are open and that nobody reads: opening one may take as long as a shard, since a list of
 * events is checked from its beginning to its end. All are of one input.
 */
export class IdleSources {
  readonly #address: AddressOptions;
  #key = '';
  #sources: RasterSource[] = [];

  /** @param address How inputs are read that are addresses. */
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

/** What decides how an input is read. */
function keyOf({ input, settings, identity }: Job): string {
  return JSON.stringify([input, settings.dt, identity]);
}
