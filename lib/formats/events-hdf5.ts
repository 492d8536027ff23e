/** Events in HDF5 files laid out as the Spiking Heidelberg Digits: a list for each sample. */
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';

import type * as hdf5 from 'h5wasm/node' with { 'resolution-mode': 'import' };

import { CommandError, fileError } from '../errors';
import { countEvent, Extent, stepOf, type BinningOptions } from './binning';
import { identifyFile } from './fingerprint';
import { widenHalves } from './npy';
import { lengthOf, type InputIdentity, type RasterSource, type Region } from './raster-source';

/** Samples that are read at a time. */
const SLAB = 64;
const SIGNATURE = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);
/** HDF5's number of the class of whole numbers. */
const INTEGER = 0;

type Numbers = ArrayLike<number | bigint>;

async function loadHdf5(): Promise<typeof hdf5> {
  try {
    const library = await import('h5wasm/node');
    // Else its own diagnostics are printed.
    (await library.ready).activate_throwing_error_handler();
    return library;
  } catch (cause) {
    throw new CommandError(
      "Expected the package that reads HDF5 but it could not be loaded; run 'npm install h5wasm'.",
      { cause },
    );
  }
}

/**
 * Opens spikes/times and spikes/units, two datasets of shape (B,) whose elements are lists, as a
 * raster of counts of shape (B, T, N). One pass over the file checks it; then only what a region
 * needs is read.
 *
 * @throws CommandError when the file is no such one.
 */
export async function openEventsHdf5(path: string, options: BinningOptions): Promise<RasterSource> {
  const identity = await identify(path, options);
  const library = await loadHdf5();
  const file = openFile(library, path);
  try {
    const times = new Lists(library, file, 'spikes/times', path);
    const units = new Lists(library, file, 'spikes/units', path);
    if (times.length !== units.length) {
      throw new CommandError(
        `Expected as many units as times in ${path} but received ${units.length} and ${times.length} ` +
          'samples.',
      );
    }
    const extent = new Extent(options, path);
    const samples = new Samples(times, units, path);
    for (let sample = 0; sample < times.length; sample++) {
      const one = samples.at(sample);
      for (let index = 0; index < one.times.length; index++) {
        const place = (): string => `event ${index} of sample ${sample}`;
        extent.include(Number(one.times[index]), Number(one.units[index]), place);
      }
    }
    const shape = [times.length, ...extent.shape()] as const;
    return new Hdf5Source(path, file, samples, options, identity, shape);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function identify(path: string, options: BinningOptions): Promise<InputIdentity> {
  const absolute = resolve(path);
  try {
    const file = await open(absolute, 'r');
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(8), 0, 8, 0);
      if (bytesRead < 8 || Buffer.compare(buffer, SIGNATURE) !== 0) {
        throw new CommandError(`Expected an HDF5 file but ${path} does not begin like one.`);
      }
      return await identifyFile(file, absolute, 'hdf5', JSON.stringify(options));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}

function openFile(library: typeof hdf5, path: string): hdf5.File {
  try {
    const file = new library.File(resolve(path), 'r');
    if (file.file_id >= 0n) return file;
  } catch {
    // Told below.
  }
  throw damaged(path);
}

function damaged(path: string, cause?: unknown): CommandError {
  return new CommandError(
    `Expected a whole HDF5 file but ${path} is damaged, or ends before its end.`,
    { cause },
  );
}

/** A dataset of shape (B,) whose elements are lists of numbers. */
class Lists {
  readonly length: number;
  readonly #dataset: hdf5.Dataset;
  readonly #path: string;
  readonly #isHalf: boolean;

  constructor(library: typeof hdf5, file: hdf5.File, name: string, path: string) {
    this.#path = path;
    const found = file.get(name);
    if (!(found instanceof library.Dataset)) {
      throw new CommandError(
        `Expected the datasets spikes/times and spikes/units in ${path} but ${name} is missing.`,
      );
    }
    this.#dataset = found;
    const { shape, vlen_type: element } = found.metadata;
    if (element === undefined || shape?.length !== 1) {
      throw new CommandError(
        `Expected a list of numbers for each sample as ${name} in ${path} but received another kind of ` +
          'dataset.',
      );
    }
    if (!element.littleEndian && element.size > 1) {
      throw new CommandError(
        `Expected little-endian numbers as ${name} in ${path} but received big-endian ones.`,
      );
    }
    this.length = shape[0] ?? 0;
    this.#isHalf = element.type !== INTEGER && element.size === 2;
    // The library knows no half floats; as whole numbers their bits come through.
    if (this.#isHalf) Object.assign(element, { type: INTEGER, signed: false });
  }

  read(begin: number, end: number): Numbers[] {
    let lists: Numbers[];
    try {
      lists = this.#dataset.slice([[begin, end]]) as unknown as Numbers[];
    } catch (error) {
      throw damaged(this.#path, error);
    }
    return this.#isHalf ? lists.map((list) => widenHalves(list as Uint16Array)) : lists;
  }
}

/** The times and channels of one sample. */
interface Sample {
  times: Numbers;
  units: Numbers;
}

/** Reads samples in groups, and keeps the last group. */
class Samples {
  readonly #times: Lists;
  readonly #units: Lists;
  readonly #path: string;
  #first = -1;
  #group: Sample[] = [];

  constructor(times: Lists, units: Lists, path: string) {
    this.#times = times;
    this.#units = units;
    this.#path = path;
  }

  at(sample: number): Sample {
    const first = sample - (sample % SLAB);
    if (first !== this.#first) {
      const end = Math.min(first + SLAB, this.#times.length);
      const units = this.#units.read(first, end);
      this.#group = this.#times.read(first, end).map((times, index) => {
        const own = units[index] ?? [];
        if (own.length === times.length) return { times, units: own };
        throw new CommandError(
          `Expected a unit for each time in ${this.#path} but sample ${first + index} has ` +
            `${times.length} times and ${own.length} units.`,
        );
      });
      this.#first = first;
    }
    return this.#group[sample - first] ?? { times: [], units: [] };
  }
}

class Hdf5Source implements RasterSource {
  readonly nAxes = 3;
  readonly type = 'uint16';
  readonly itemBytes = 2;
  readonly isInterleaved = false;
  readonly #path: string;
  readonly #file: hdf5.File;
  readonly #samples: Samples;
  readonly #options: BinningOptions;

  constructor(
    path: string,
    file: hdf5.File,
    samples: Samples,
    options: BinningOptions,
    readonly identity: InputIdentity,
    readonly shape: readonly [number, number, number],
  ) {
    this.#path = path;
    this.#file = file;
    this.#samples = samples;
    this.#options = options;
  }

  // The library reads on the calling thread.
  async read({ batches, steps, channels }: Region): Promise<Uint16Array> {
    const [nSteps, width] = [lengthOf(steps), lengthOf(channels)];
    const counts = new Uint16Array(lengthOf(batches) * nSteps * width);
    for (let sample = batches.begin; sample < batches.end; sample++) {
      const { times, units } = this.#samples.at(sample);
      const first = (sample - batches.begin) * nSteps;
      for (let index = 0; index < times.length; index++) {
        const step = stepOf(Number(times[index]), this.#options);
        const channel = Number(units[index]);
        if (step < steps.begin || step >= steps.end) continue;
        if (channel < channels.begin || channel >= channels.end) continue;
        countEvent(
          counts,
          (first + step - steps.begin) * width + channel - channels.begin,
          () => `in a step in ${this.#path} but received more in step ${step}, channel ${channel}`,
        );
      }
    }
    return Promise.resolve(counts);
  }

  async close(): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }
}
