/** Datasets of lists in an HDF5 file, by h5wasm: what runs in the thread of a ListsReader. */
import { CommandError } from '../../errors/command-errors';
import { listNames, message, option } from '../../errors/message';
import { adviseHdf5 } from '../foreign/formats';
import { decodeBytes, type Elements } from '../elements';
import { codeOf, guard, loadHdf5, openHdf5, type Hdf5 } from './library';

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
      const names = guard(name, () => hdf5.get_names(file, '/', true)).filter(isThere);
      const choice =
        names.length === 0
          ? ''
          : message`of its datasets ${listNames(names)}, give ${option('member', 'TIMES,CHANNELS')} for two that list \
events, or `;
      const advice = paths.some(isThere) ? '' : message`; ${choice}${adviseHdf5(name)}`;
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
    // Lists are read as little-endian.
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
