/** Groups and plain arrays in an HDF5 file, by h5wasm: what runs in the thread of an ArraysReader. */
import type { Dataset, Group } from 'h5wasm/node' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import { decodeBytes, type Elements } from '../elements';
import { codeOf, guard, loadHdf5, openHdf5, type Hdf5 } from './library';

/** What stands at a path. */
export interface Hdf5Node {
  kind: 'group' | 'dataset' | 'nothing';
  /** The names in a group. */
  names: string[];
  /** Of a dataset. */
  shape: number[];
  /** Attributes that are texts, and those that are numbers. */
  texts: Record<string, string>;
  numbers: Record<string, number>;
}

/** An array with its shape. */
export interface Hdf5Array {
  data: Elements;
  shape: number[];
}

/** What h5wasm finds at a path. */
type Found = ReturnType<Group['get']>;

function isGroup(found: Found): found is Group {
  return found !== null && 'keys' in found;
}

function isDataset(found: Found): found is Dataset {
  return found !== null && 'shape' in found && 'value' in found;
}

/** The most elements of an array: they are all in memory. */
const MOST_ELEMENTS = 2 ** 28;

/** An HDF5 file that stays open as long as its thread runs. */
export class ArraysFile {
  readonly #hdf5: Hdf5;
  readonly #file: bigint;
  readonly #root: Group;
  readonly #name: string;

  private constructor(hdf5: Hdf5, file: bigint, root: Group, name: string) {
    this.#hdf5 = hdf5;
    this.#file = file;
    this.#root = root;
    this.#name = name;
  }

  static async open(absolute: string, name: string): Promise<ArraysFile> {
    const hdf5 = await loadHdf5();
    const { Group: GroupClass } = await import('h5wasm/node');
    const file = openHdf5(hdf5, absolute, name);
    return new ArraysFile(hdf5, file, new GroupClass(file, '/'), name);
  }

  /** What stands at each of some paths. */
  look(paths: readonly string[]): Hdf5Node[] {
    return guard(this.#name, () => paths.map((path) => this.#look(path)));
  }

  /** A dataset of numbers, in row-major (C) order. */
  read(path: string): Hdf5Array {
    return guard(this.#name, () => this.#read(path));
  }

  #find(path: string): Found {
    // The library does not tell a missing group on the way from a failure.
    let found: Found = this.#root;
    for (const part of path.split('/').filter((name) => name !== '')) {
      if (!isGroup(found) || !found.keys().includes(part)) return null;
      found = found.get(part);
    }
    return found;
  }

  #look(path: string): Hdf5Node {
    const found = this.#find(path);
    const attributes = isGroup(found) || isDataset(found) ? found.attrs : {};
    const values = Object.entries(attributes).map(([key, { value }]) => [key, value] as const);
    const texts = values.flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, value] as const] : [],
    );
    const numbers = values.flatMap(([key, value]) =>
      typeof value === 'number' ? [[key, value] as const] : [],
    );
    return {
      kind: isGroup(found) ? 'group' : isDataset(found) ? 'dataset' : 'nothing',
      names: isGroup(found) ? found.keys() : [],
      shape: isDataset(found) ? (found.shape ?? []) : [],
      texts: Object.fromEntries(texts),
      numbers: Object.fromEntries(numbers),
    };
  }

  #read(path: string): Hdf5Array {
    const hdf5 = this.#hdf5;
    if (!isDataset(this.#find(path))) {
      throw new CommandError(`Expected a dataset ${path} in ${this.#name} but there is none.`);
    }
    const metadata = hdf5.get_dataset_metadata(this.#file, path);
    const shape = [...(metadata.shape ?? [])];
    const length = shape.reduce((product, size) => product * size, 1);
    if (!(length <= MOST_ELEMENTS)) {
      throw new CommandError(
        `Expected at most ${MOST_ELEMENTS} elements for ${path} of ${this.#name} but received shape ` +
          `(${shape.join(', ')}).`,
      );
    }
    const code = codeOf(hdf5, metadata);
    if (code === undefined) {
      throw new CommandError(
        `Expected integers or floats in ${path} of ${this.#name} but received another type of elements.`,
      );
    }
    const bytes = this.#bytesOf(path, length * metadata.size);
    // They come as little-endian, as WebAssembly is, whatever the file has.
    return { data: decodeBytes(bytes, { code, isBigEndian: false }), shape };
  }

  /** The content of a dataset. h5wasm's own reading does not ask whether it has failed. */
  #bytesOf(path: string, size: number): Uint8Array {
    const hdf5 = this.#hdf5;
    const address = hdf5._malloc(Math.max(size, 1));
    try {
      const status =
        address === 0
          ? -1
          : hdf5.get_dataset_data(this.#file, path, null, null, null, BigInt(address));
      if (status >= 0) return hdf5.HEAPU8.slice(address, address + size);
    } finally {
      hdf5._free(address);
    }
    throw new CommandError(
      `Could not read ${path} of ${this.#name}: the file is corrupt, or it is compressed by a filter that is ` +
        'not known here, as lzf and blosc are, or the memory is used up; save it without compression, or with gzip.',
    );
  }
}
