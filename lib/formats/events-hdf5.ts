/** Events in HDF5 files, as the Spiking Heidelberg Digits have them: a list of events per sample. */
import { open } from 'node:fs/promises';
import { devNull } from 'node:os';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import type { Metadata, ready } from 'h5wasm/node' with { 'resolution-mode': 'import' };

import { CommandError, fileError } from '../errors';
import {
  binningOf,
  COUNT_TYPE,
  describeOptions,
  EventCheck,
  EventCounts,
  stepOf,
  toNumbers,
  type Binning,
  type EventOptions,
} from './event-files';
import { identifyFile } from './fingerprint';
import { decodeBytes, readBytes } from './npy';
import { requireFile } from './npy-file';
import type { InputIdentity, RasterSource, Region } from './raster-source';

type Hdf5 = Awaited<typeof ready>;

const TIMES = 'spikes/times';
const UNITS = 'spikes/units';
/** Samples are read together as long as their times, or their units, have at most so many bytes. */
const GROUP_BYTES = 2 ** 18;
const MAX_GROUP_SAMPLES = 256;
/** C's hvl_t in WebAssembly: the number of elements and their address, 32 bits each. */
const LIST_BYTES = 8;
const SIGNATURE = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);
/** A file may begin with bytes of its user's: none, or this many, or twice as many, and so on. */
const MIN_USER_BYTES = 512;

/**
 * Opens an HDF5 file whose datasets spikes/times and spikes/units, both of shape (B,), hold the times
 * and the channels of the events of every sample as variable-length arrays of integers or floats,
 * as a raster of shape (B, T, N) with the T and the N of the latest step and the last channel of all
 * samples; see stepOf() for the step of an event.
 *
 * All events are checked. Neither here nor later is more than a group of samples in memory.
 *
 * @throws CommandError when it is no such file, an event has no bin, or h5wasm is not installed.
 */
export async function openEventsHdf5(path: string, options: EventOptions): Promise<RasterSource> {
  const absolute = resolve(path);
  const identity = await identifyHdf5(absolute, path, options);
  const hdf5 = await loadHdf5();
  const file = openHdf5(hdf5, absolute, path);
  try {
    const times = new ListsDataset(hdf5, file, TIMES, path);
    const units = new ListsDataset(hdf5, file, UNITS, path);
    const samples = new Samples(times, units, path);
    checkPlausible(samples.length, identity.bytes, path);
    const binning = binningOf(options, times.code);
    const check = new EventCheck(binning, path);
    const lengths = await checkSamples(samples, check);
    const shape = [samples.length, ...check.shape] as const;
    return new EventsHdf5Source(identity, {
      hdf5,
      file,
      name: path,
      shape,
      samples,
      lengths,
      options: binning,
    });
  } catch (error) {
    closeHdf5(hdf5, file);
    throw error;
  }
}

/** @throws CommandError when the file cannot be read, or is of another format. */
async function identifyHdf5(
  absolute: string,
  name: string,
  options: EventOptions,
): Promise<InputIdentity> {
  try {
    await requireFile(name);
    const file = await open(absolute, 'r');
    try {
      const stat = await file.stat();
      if (!stat.isFile()) {
        throw new CommandError(`Expected a file but ${name} is a folder or a device.`);
      }
      let at = 0;
      for (;;) {
        if (at + SIGNATURE.length > stat.size) {
          throw new CommandError(
            `Expected an HDF5 file but ${name} does not begin like one; the name of any other ` +
              'format ends differently.',
          );
        }
        const bytes = await readBytes(file, at, SIGNATURE.length, name);
        if (Buffer.compare(bytes, SIGNATURE) === 0) break;
        at = Math.max(MIN_USER_BYTES, at * 2);
      }
      return await identifyFile(file, absolute, 'hdf5', describeOptions(options));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', name, error);
  }
}

let loading: Promise<Hdf5> | undefined;

/** An ES module, and only needed here, so it is loaded when such a file is opened. */
async function loadHdf5(): Promise<Hdf5> {
  loading ??= import('h5wasm/node').then(async (module) => {
    const hdf5 = await module.ready;
    silence(hdf5);
    return hdf5;
  });
  try {
    return await loading;
  } catch (cause) {
    throw new CommandError(
      "Expected the package that reads HDF5 but it could not be loaded; run 'npm install h5wasm'.",
      { cause },
    );
  }
}

/**
 * HDF5 prints what goes wrong, over many lines. Its own way to be quiet, h5wasm's error handler that
 * throws, leaves a file open every time, so its standard error, and not this process's, becomes the
 * null device: a stream that is opened takes the lowest number that is free.
 */
function silence({ FS }: Hdf5): void {
  const getStream: unknown = Reflect.get(FS, 'getStream');
  if (typeof getStream !== 'function') return;
  // First, so that the number stays taken should there be no null device.
  const spare = FS.open(devNull, 'w');
  FS.close(Reflect.apply(getStream, FS, [2]) as typeof spare);
  FS.open(devNull, 'w');
  FS.close(spare);
}

function openHdf5(hdf5: Hdf5, absolute: string, name: string): bigint {
  const file = guard(name, () => hdf5.open(absolute, hdf5.H5F_ACC_RDONLY, false, -1, -1));
  if (file < 0n) {
    throw new CommandError(
      `Expected a whole HDF5 file in ${name} but it could not be opened; ` +
        'it is damaged, or not complete.',
    );
  }
  return file;
}

/** Nothing can be lost of a file that is only read, so a failure is not worth a word. */
function closeHdf5(hdf5: Hdf5, file: bigint): void {
  try {
    hdf5.close_file(file);
  } catch {
    // The library has failed before, as its caller reports.
  }
}

/** What the library throws, a trap of its code among it, means that the file is damaged. */
function guard<Result>(name: string, call: () => Result): Result {
  try {
    return call();
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const [line = ''] = reason.split('\n');
    throw new CommandError(`Could not read ${name}: the HDF5 library says '${line}'.`, { cause });
  }
}

/** A dataset of shape (B,) whose elements are lists of numbers. */
class ListsDataset {
  /** B. */
  readonly length: number;
  readonly itemBytes: number;
  readonly #hdf5: Hdf5;
  readonly #file: bigint;
  readonly #path: string;
  readonly #name: string;
  readonly code: string;

  /** @throws CommandError when there is no such dataset. */
  constructor(hdf5: Hdf5, file: bigint, path: string, name: string) {
    this.#hdf5 = hdf5;
    this.#file = file;
    this.#path = path;
    this.#name = name;
    const {
      shape,
      type,
      vlen_type: element,
    } = guard(name, () => {
      if (hdf5.get_type(file, path) !== hdf5.H5G_DATASET) {
        throw new CommandError(
          `Expected the datasets ${TIMES} and ${UNITS} in ${name} but there is no ${path}.`,
        );
      }
      return hdf5.get_dataset_metadata(file, path);
    });
    const code = type === hdf5.H5T_class_t.H5T_VLEN.value ? codeOf(hdf5, element) : undefined;
    if (code === undefined || element === undefined) {
      throw new CommandError(
        `Expected variable-length arrays of integers or floats in ${path} of ${name} ` +
          'but received another type of elements.',
      );
    }
    const [length] = shape ?? [];
    if (length === undefined || shape?.length !== 1) {
      throw new CommandError(
        `Expected shape (B,), a list for each of B samples, in ${path} of ${name} ` +
          `but received (${shape?.join(', ') ?? ''}).`,
      );
    }
    this.length = length;
    this.itemBytes = element.size;
    this.code = code;
  }

  /** The lists of the samples from `begin` to the one before `end`. */
  read(begin: number, end: number): ArrayLike<number>[] {
    return guard(this.#name, () => this.#read(begin, end));
  }

  #read(begin: number, end: number): ArrayLike<number>[] {
    const hdf5 = this.#hdf5;
    const count = [BigInt(end - begin)];
    const size = (end - begin) * LIST_BYTES;
    const address = hdf5._malloc(size);
    if (address === 0) throw this.#failure(begin, end);
    try {
      // Where HDF5 fails on the way it leaves elements as they were.
      hdf5.HEAPU8.fill(0, address, address + size);
      const [offset, stride, target] = [[BigInt(begin)], [1n], BigInt(address)];
      const status = hdf5.get_dataset_data(this.#file, this.#path, count, offset, stride, target);
      // What was read before the failure is lost, since who frees it then is not defined.
      if (status < 0) throw this.#failure(begin, end);
      const lists = this.#decode(address, end - begin);
      hdf5.reclaim_vlen_memory_count(this.#file, this.#path, '', target, count);
      return lists;
    } finally {
      hdf5._free(address);
    }
  }

  /** Copies of the lists that the structures at `address` point to. */
  #decode(address: number, length: number): ArrayLike<number>[] {
    const heap = this.#hdf5.HEAPU8;
    const view = new DataView(heap.buffer, heap.byteOffset + address, length * LIST_BYTES);
    return Array.from({ length }, (_, index) => {
      // WebAssembly is little-endian on every machine.
      const items = view.getUint32(index * LIST_BYTES, true);
      const begin = view.getUint32(index * LIST_BYTES + 4, true);
      const bytes = heap.slice(begin, begin + items * this.itemBytes);
      return toNumbers(decodeBytes(bytes, { code: this.code, isBigEndian: false }));
    });
  }

  #failure(begin: number, end: number): CommandError {
    const samples = end - begin === 1 ? `sample ${begin}` : `samples ${begin} to ${end - 1}`;
    return new CommandError(
      `Could not read ${this.#path} of ${samples} in ${this.#name}: the file is damaged, or it is ` +
        'compressed by a filter that is not known here, or the memory is used up.',
    );
  }
}

/** NumPy's code of a type of elements, whatever its byte order: lists are read as little-endian. */
function codeOf(hdf5: Hdf5, element: Metadata | undefined): string | undefined {
  if (element === undefined) return undefined;
  const { type, size, signed } = element;
  const { H5T_INTEGER, H5T_FLOAT } = hdf5.H5T_class_t;
  if (type === H5T_INTEGER.value && [1, 2, 4, 8].includes(size))
    return `${signed ? 'i' : 'u'}${size}`;
  if (type === H5T_FLOAT.value && [2, 4, 8].includes(size)) return `f${size}`;
  return undefined;
}

/** The events of one sample. */
interface Sample {
  times: ArrayLike<number>;
  units: ArrayLike<number>;
}

class Samples {
  /** B. */
  readonly length: number;
  /** Bytes of an event in the dataset whose elements are larger. */
  readonly eventBytes: number;
  readonly #times: ListsDataset;
  readonly #units: ListsDataset;
  readonly #name: string;

  /** @throws CommandError when there are none, or the datasets disagree. */
  constructor(times: ListsDataset, units: ListsDataset, name: string) {
    if (times.length !== units.length || times.length === 0) {
      throw new CommandError(
        `Expected lists of as many samples, at least one, in ${TIMES} and ${UNITS} of ${name} ` +
          `but received ${times.length} and ${units.length}.`,
      );
    }
    this.length = times.length;
    this.eventBytes = Math.max(times.itemBytes, units.itemBytes);
    this.#times = times;
    this.#units = units;
    this.#name = name;
  }

  /** The samples from `begin` to the one before `end`. */
  read(begin: number, end: number): Sample[] {
    const units = this.#units.read(begin, end);
    return this.#times.read(begin, end).map((times, index) => {
      const own = units[index] ?? [];
      if (times.length !== own.length) {
        throw new CommandError(
          `Expected as many times as units of every sample in ${this.#name} but sample ` +
            `${begin + index} has ${times.length} times and ${own.length} units.`,
        );
      }
      return { times, units: own };
    });
  }
}

/**
 * Even a sample without events takes 16 bytes in each dataset, perhaps compressed. A damaged file may
 * tell of so many that reading them would never end.
 */
function checkPlausible(nSamples: number, fileBytes: number, name: string): void {
  if (nSamples <= fileBytes) return;
  throw new CommandError(
    `Expected fewer samples than bytes in ${name} but received ${nSamples} samples in ` +
      `${fileBytes} bytes; the file is damaged.`,
  );
}

/** How many events every sample has. */
async function checkSamples(samples: Samples, check: EventCheck): Promise<Uint32Array> {
  const lengths = new Uint32Array(samples.length);
  let size = 1;
  for (let begin = 0; begin < samples.length;) {
    const group = samples.read(begin, Math.min(samples.length, begin + size));
    let nEvents = 0;
    for (const [index, { times, units }] of group.entries()) {
      const sample = begin + index;
      lengths[sample] = times.length;
      nEvents += times.length;
      for (let event = 0; event < times.length; event++) {
        check.stepOf(times[event] ?? NaN, units[event] ?? NaN, event, sample);
      }
    }
    begin += group.length;
    // As many as fit if they are like these; the length of a list is not known before it is read.
    const fitting = Math.floor((GROUP_BYTES * group.length) / (nEvents * samples.eventBytes));
    size = Math.max(1, Math.min(fitting, 2 * size, MAX_GROUP_SAMPLES));
    await setImmediate();
  }
  return lengths;
}

class EventsHdf5Source implements RasterSource {
  readonly nAxes = 3;
  readonly type = COUNT_TYPE.type;
  readonly itemBytes = COUNT_TYPE.itemBytes;
  readonly isInterleaved = false;
  readonly shape: readonly [number, number, number];
  readonly #hdf5: Hdf5;
  readonly #file: bigint;
  readonly #name: string;
  readonly #samples: Samples;
  readonly #lengths: Uint32Array;
  readonly #options: Binning;
  #isOpen = true;

  constructor(
    readonly identity: InputIdentity,
    content: {
      hdf5: Hdf5;
      file: bigint;
      name: string;
      shape: readonly [number, number, number];
      samples: Samples;
      /** How many events every sample has. */
      lengths: Uint32Array;
      options: Binning;
    },
  ) {
    this.shape = content.shape;
    this.#hdf5 = content.hdf5;
    this.#file = content.file;
    this.#name = content.name;
    this.#samples = content.samples;
    this.#lengths = content.lengths;
    this.#options = content.options;
  }

  async read(region: Region, memory?: Uint8Array): Promise<Uint16Array> {
    const counter = new EventCounts(region, this.#name, memory);
    const { begin, end } = region.batches;
    if (counter.counts.length === 0) return counter.counts;
    for (let first = begin; first < end;) {
      const next = this.#groupEnd(first, end);
      for (const [index, { times, units }] of this.#samples.read(first, next).entries()) {
        for (let event = 0; event < times.length; event++) {
          const step = stepOf(times[event] ?? NaN, this.#options);
          counter.add(first + index, step, units[event] ?? NaN);
        }
      }
      first = next;
      await setImmediate();
    }
    return counter.counts;
  }

  /** The sample before which a group that begins with `first` ends. */
  #groupEnd(first: number, end: number): number {
    const maxEvents = GROUP_BYTES / this.#samples.eventBytes;
    let nEvents = this.#lengths[first] ?? 0;
    let next = first + 1;
    for (; next < end && next - first < MAX_GROUP_SAMPLES; next++) {
      nEvents += this.#lengths[next] ?? 0;
      if (nEvents > maxEvents) break;
    }
    return next;
  }

  close(): Promise<void> {
    if (this.#isOpen) closeHdf5(this.#hdf5, this.#file);
    this.#isOpen = false;
    return Promise.resolve();
  }
}
