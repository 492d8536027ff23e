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
  /** Attributes that are texts. */
  texts: Record<string, string>;
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

  /** A dataset of shape (E,) or (E, 1) of numbers or texts. */
  read(path: string): Elements | string[] {
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
    const texts = Object.entries(attributes).flatMap(([key, { value }]) =>
      typeof value === 'string' ? [[key, value] as const] : [],
    );
    return {
      kind: isGroup(found) ? 'group' : isDataset(found) ? 'dataset' : 'nothing',
      names: isGroup(found) ? found.keys() : [],
      shape: isDataset(found) ? (found.shape ?? []) : [],
      texts: Object.fromEntries(texts),
    };
  }

  #read(path: string): Elements | string[] {
    const dataset = this.#find(path);
    if (!isDataset(dataset)) {
      throw new CommandError(`Expected a dataset ${path} in ${this.#name} but there is none.`);
    }
    const { shape } = dataset;
    const [length = NaN, width = 1] = shape ?? [];
    if (!(length <= MOST_ELEMENTS) || width !== 1 || (shape?.length ?? 0) > 2) {
      throw new CommandError(
        `Expected shape (E,), at most ${MOST_ELEMENTS} elements, for ${path} of ${this.#name} but ` +
          `received (${shape?.join(', ') ?? ''}).`,
      );
    }
    const value: unknown = dataset.value;
    const isTexts = Array.isArray(value) && value.every((text) => typeof text === 'string');
    if (isTexts) return value;
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return value as Elements;
    throw new CommandError(
      `Expected integers, floats or texts in ${path} of ${this.#name} but received another type of ` +
        'elements, or the file is corrupt.',
    );
  }
}
