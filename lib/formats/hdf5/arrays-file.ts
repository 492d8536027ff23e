/** Groups and plain arrays in an HDF5 file, by h5wasm: what runs in the thread of an ArraysReader. */
import type { Dataset, Group } from 'h5wasm/node' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import type { Elements } from '../elements';
import { guard, loadHdf5, openHdf5 } from './library';

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
  readonly #root: Group;
  readonly #name: string;

  private constructor(root: Group, name: string) {
    this.#root = root;
    this.#name = name;
  }

  static async open(absolute: string, name: string): Promise<ArraysFile> {
    const hdf5 = await loadHdf5();
    const { Group: GroupClass } = await import('h5wasm/node');
    return new ArraysFile(new GroupClass(openHdf5(hdf5, absolute, name), '/'), name);
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
    const dataset = this.#find(path);
    if (!isDataset(dataset)) {
      throw new CommandError(`Expected a dataset ${path} in ${this.#name} but there is none.`);
    }
    const shape = [...(dataset.shape ?? [])];
    const length = shape.reduce((product, size) => product * size, 1);
    if (!(length <= MOST_ELEMENTS)) {
      throw new CommandError(
        `Expected at most ${MOST_ELEMENTS} elements for ${path} of ${this.#name} but received shape ` +
          `(${shape.join(', ')}).`,
      );
    }
    const value: unknown = dataset.value;
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      return { data: value as Elements, shape };
    }
    throw new CommandError(
      `Expected integers or floats in ${path} of ${this.#name} but received another type of elements, or ` +
        'the file is corrupt.',
    );
  }
}
