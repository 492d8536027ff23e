/** Datasets of lists in an HDF5 file, by h5wasm: what runs in the thread of a ListsReader. */
import { devNull } from 'node:os';

import type { Metadata, ready } from 'h5wasm/node' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import { message } from '../../errors/message';
import { adviseHdf5, type SonataGroup } from '../foreign/formats';
import { decodeBytes, type Elements } from '../elements';

type Hdf5 = Awaited<typeof ready>;

/** A dataset of shape (B,) whose elements are lists of numbers. */
export interface ListsDescription {
  /** B. */
  length: number;
  /** NumPy's code of the type of the numbers. */
  code: string;
  itemBytes: number;
}

/** Some lists of a dataset, one after the other. */
export interface Lists {
  lengths: Uint32Array<ArrayBuffer>;
  numbers: Elements;
}

/** A dataset of every NWB file with spikes. */
const NWB_INDEX = 'units/spike_times_index';
/** The group of SONATA files that holds the spikes of every population. */
const SPIKES = 'spikes';

/** C's hvl_t in WebAssembly: the number of elements and their address, 32 bits each. */
const LIST_BYTES = 8;

/** An HDF5 file of which datasets of lists are read. The file stays open as long as its thread runs. */
export class ListsFile {
  readonly #datasets: readonly ListsDataset[];

  private constructor(datasets: readonly ListsDataset[]) {
    this.#datasets = datasets;
  }

  /**
   * @param absolute Where the file is.
   * @param name What to call it.
   * @param paths The datasets.
   * @throws CommandError when it is no such file, a dataset is missing, or h5wasm is not installed.
   */
  static async open(absolute: string, name: string, paths: readonly string[]): Promise<ListsFile> {
    const hdf5 = await loadHdf5();
    const file = openHdf5(hdf5, absolute, name);
    const isThere = (path: string): boolean =>
      guard(name, () => hdf5.get_type(file, path)) === hdf5.H5G_DATASET;
    const missing = paths.find((path) => !isThere(path));
    if (missing !== undefined) {
      const holds = isThere(NWB_INDEX) ? 'NWB' : findSonata(hdf5, file, isThere);
      const advice = paths.some(isThere) ? '' : message`; ${adviseHdf5(name, holds)}`;
      throw new CommandError(
        message`Expected the datasets ${paths.join(' and ')} in ${name} but there is no ${missing}${advice}.`,
      );
    }
    return new ListsFile(paths.map((path) => new ListsDataset(hdf5, file, path, name)));
  }

  get descriptions(): ListsDescription[] {
    return this.#datasets.map(({ length, code, itemBytes }) => ({ length, code, itemBytes }));
  }

  /** The lists from `begin` to the one before `end`, of every dataset. */
  read(begin: number, end: number): Lists[] {
    return this.#datasets.map((dataset) => dataset.read(begin, end));
  }
}

/** The first group of spikes that SONATA describes: /spikes/<population>, or /spikes in old files. */
function findSonata(
  hdf5: Hdf5,
  file: bigint,
  isThere: (path: string) => boolean,
): SonataGroup | undefined {
  const isGroup = (path: string): boolean => hdf5.get_type(file, path) === hdf5.H5G_GROUP;
  // A file that is corrupt further down gets the general advice.
  try {
    if (!isGroup(SPIKES)) return undefined;
    const inside = hdf5
      .get_names(file, SPIKES, false)
      .map((population) => `${SPIKES}/${population}`);
    for (const path of [...inside.filter(isGroup), SPIKES]) {
      const ids = (['node_ids', 'gids'] as const).find((id) => isThere(`${path}/${id}`));
      if (ids !== undefined && isThere(`${path}/timestamps`)) return { path, ids };
    }
  } catch {
    return undefined;
  }
  return undefined;
}

/** An ES module, and only needed here, so it is loaded when such a file is opened. */
async function loadHdf5(): Promise<Hdf5> {
  try {
    const hdf5 = await (await import('h5wasm/node')).ready;
    silence(hdf5);
    return hdf5;
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
        'it is corrupt, or not complete.',
    );
  }
  return file;
}

/** What the library throws, a trap of its code among it, means that the file is corrupt. */
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

class ListsDataset implements ListsDescription {
  readonly length: number;
  readonly code: string;
  readonly itemBytes: number;
  readonly #hdf5: Hdf5;
  readonly #file: bigint;
  readonly #path: string;
  readonly #name: string;

  /** @throws CommandError when its elements are something else. */
  constructor(hdf5: Hdf5, file: bigint, path: string, name: string) {
    this.#hdf5 = hdf5;
    this.#file = file;
    this.#path = path;
    this.#name = name;
    const {
      shape,
      type,
      vlen_type: element,
    } = guard(name, () => hdf5.get_dataset_metadata(file, path));
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

  read(begin: number, end: number): Lists {
    return guard(this.#name, () => this.#read(begin, end));
  }

  #read(begin: number, end: number): Lists {
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
      const lists = this.#decode(address, begin, end);
      hdf5.reclaim_vlen_memory_count(this.#file, this.#path, '', target, count);
      return lists;
    } finally {
      hdf5._free(address);
    }
  }

  /** Copies of the lists that the structures at `address` point to. */
  #decode(address: number, begin: number, end: number): Lists {
    const heap = this.#hdf5.HEAPU8;
    const nLists = end - begin;
    const view = new DataView(heap.buffer, heap.byteOffset + address, nLists * LIST_BYTES);
    // WebAssembly is little-endian on every machine.
    const lengths = Uint32Array.from({ length: nLists }, (_, index) =>
      view.getUint32(index * LIST_BYTES, true),
    );
    const size = lengths.reduce((sum, length) => sum + length, 0) * this.itemBytes;
    // Each list has memory of its own, so all of them fit.
    if (size > heap.length) throw this.#failure(begin, end);
    const bytes = new Uint8Array(size);
    let at = 0;
    lengths.forEach((length, index) => {
      const from = view.getUint32(index * LIST_BYTES + 4, true);
      bytes.set(heap.subarray(from, from + length * this.itemBytes), at);
      at += length * this.itemBytes;
    });
    return { lengths, numbers: decodeBytes(bytes, { code: this.code, isBigEndian: false }) };
  }

  #failure(begin: number, end: number): CommandError {
    const samples = end - begin === 1 ? `sample ${begin}` : `samples ${begin} to ${end - 1}`;
    return new CommandError(
      `Could not read ${this.#path} of ${samples} in ${this.#name}: the file is corrupt, or it is ` +
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
