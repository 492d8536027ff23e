/** Groups and plain arrays in an HDF5 file, by h5wasm: what runs in the thread of an ArraysReader. */
import type { Dataset, Group } from 'h5wasm/node' with { 'resolution-mode': 'import' };

import { CommandError } from '../../errors/command-errors';
import { decodeBytes, type Elements } from '../elements';
import type { Field } from '../recordings/records';
import { codeOf, guard, loadHdf5, openHdf5, type Hdf5 } from './library';

/** What stands at a path. */
export interface Hdf5Node {
  kind: 'group' | 'dataset' | 'nothing';
  /** The names in a group. */
  names: string[];
  /** Of a dataset. */
  shape: number[];
  /** What the elements of a dataset are; cells are references to datasets, as MATLAB writes them. */
  content: 'numbers' | 'records' | 'cells' | 'other';
  /** Of records. */
  fields: Field[];
  itemBytes: number;
  /** Attributes that are texts, and those that are numbers. */
  texts: Record<string, string>;
  numbers: Record<string, number>;
  /** Attributes that are lists of texts. */
  lists: Record<string, string[]>;
}

/** An array with its shape. */
export interface Hdf5Array {
  data: Elements;
  shape: number[];
}

/** Elements of a dataset with one axis, as bytes. */
export interface Hdf5Part {
  path: string;
  begin: number;
  count: number;
}

/** What h5wasm finds at a path. */
type Found = ReturnType<Group['get']>;

function isGroup(found: Found): found is Group {
  return found !== null && 'keys' in found;
}

function isDataset(found: Found): found is Dataset {
  return found !== null && 'shape' in found && 'value' in found;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

/** The most elements of an array: they are all in memory. */
const MOST_ELEMENTS = 2 ** 28;

/** Groups within groups are looked into so deep, and so many nodes are found. */
const [MOST_DEPTH, MOST_NODES] = [5, 20_000];

/** An HDF5 file that stays open as long as its thread runs. */
export class ArraysFile {
  readonly #hdf5: Hdf5;
  readonly #file: bigint;
  readonly #root: Group;
  readonly #name: string;
  /** The names in each group that was looked into: the library lists them all each time. */
  readonly #names = new Map<string, ReadonlySet<string>>();

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

  /** The paths of all groups and datasets, with what stands there. Links to groups are not followed. */
  walk(): [path: string, node: Hdf5Node][] {
    return guard(this.#name, () => {
      const found: [string, Hdf5Node, Found][] = [['', this.#look(''), this.#root]];
      for (const [path, { names }, group] of found) {
        if (path.split('/').length > MOST_DEPTH || !isGroup(group)) continue;
        for (const name of names) {
          // What MATLAB's cells refer to has names of no meaning.
          if (name.startsWith('#')) continue;
          const own = path === '' ? name : `${path}/${name}`;
          const entity = group.get(name);
          const node = this.#look(own, entity);
          if (node.kind === 'dataset' || (node.kind === 'group' && !this.#isLink(own))) {
            found.push([own, node, entity]);
          }
          if (found.length > MOST_NODES) throw this.#tooMany();
        }
      }
      return found.map(([path, node]) => [path, node]);
    });
  }

  /** Some elements, with the fields of records one after the other. */
  part({ path, begin, count }: Hdf5Part): Uint8Array {
    return guard(this.#name, () => {
      const { size } = this.#hdf5.get_dataset_metadata(this.#file, path);
      return this.#bytesOf(path, count * size, { begin, count });
    });
  }

  /** The numbers of each cell of an array of cells. */
  cells(path: string): Hdf5Array[] {
    return guard(this.#name, () => {
      const { shape, size } =
        this.#look(path).content === 'cells'
          ? this.#hdf5.get_dataset_metadata(this.#file, path)
          : { shape: [0], size: 0 };
      const length = (shape ?? []).reduce((product, each) => product * each, 1);
      const references = this.#bytesOf(path, length * size);
      return Array.from({ length }, (_, cell) => {
        const reference = references.slice(cell * size, (cell + 1) * size);
        const target = this.#hdf5.get_referenced_name(this.#file, reference, true);
        // Of an array without elements, the dataset holds the shape.
        const isEmpty = this.#look(target).numbers['MATLAB_empty'] === 1;
        return isEmpty ? { data: new Float64Array(0), shape: [0] } : this.#read(target);
      });
    });
  }

  /** A dataset of numbers, in row-major (C) order. */
  read(path: string): Hdf5Array {
    return guard(this.#name, () => this.#read(path));
  }

  #find(path: string): Found {
    // The library does not tell a missing group on the way from a failure.
    let found: Found = this.#root;
    for (const part of path.split('/').filter((name) => name !== '')) {
      if (!isGroup(found) || !this.#namesOf(found).has(part)) return null;
      found = found.get(part);
    }
    return found;
  }

  #namesOf(group: Group): ReadonlySet<string> {
    const names = this.#names.get(group.path) ?? new Set(group.keys());
    this.#names.set(group.path, names);
    return names;
  }

  #look(path: string, found = this.#find(path)): Hdf5Node {
    const attributes = isGroup(found) || isDataset(found) ? found.attrs : {};
    const values = Object.entries(attributes).map(([key, { value }]) => {
      const list = isList(value) ? Array.from(value) : [value];
      return [key, list.length === 1 ? list[0] : list] as const;
    });
    const texts = values.flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, value] as const] : [],
    );
    const numbers = values.flatMap(([key, value]) =>
      typeof value === 'number' || typeof value === 'bigint' ? [[key, Number(value)] as const] : [],
    );
    const lists = values.flatMap(([key, value]) => (isTexts(value) ? [[key, value] as const] : []));
    return {
      kind: isGroup(found) ? 'group' : isDataset(found) ? 'dataset' : 'nothing',
      names: isGroup(found) ? found.keys() : [],
      shape: isDataset(found) ? (found.shape ?? []) : [],
      ...(isDataset(found) ? this.#describe(path) : { content: 'other', fields: [], itemBytes: 0 }),
      texts: Object.fromEntries(texts),
      numbers: Object.fromEntries(numbers),
      lists: Object.fromEntries(lists),
    };
  }

  #tooMany(): CommandError {
    return new CommandError(
      `Expected at most ${MOST_NODES} groups and datasets in ${this.#name} but there are more; copy those that list ` +
        'events into another file.',
    );
  }

  /** Whether a path leads to what has another one. */
  #isLink(path: string): boolean {
    // Null, whatever the library's types say, where it is no link.
    const target: unknown = this.#hdf5.get_symbolic_link(this.#file, path);
    return typeof target === 'string';
  }

  #describe(path: string): Pick<Hdf5Node, 'content' | 'fields' | 'itemBytes'> {
    const metadata = this.#hdf5.get_dataset_metadata(this.#file, path);
    const { type, size, compound_type: compound, ref_type: reference, shape } = metadata;
    const fields = (compound?.members ?? []).map((member): Field => {
      const { name, offset, size: bytes } = member;
      const code = codeOf(this.#hdf5, member);
      return {
        name,
        type: code ?? 'another',
        code,
        isBigEndian: !member.littleEndian,
        offset,
        bytes,
      };
    });
    const isNumber = shape !== null && codeOf(this.#hdf5, metadata) !== undefined;
    const isRecord = type === this.#hdf5.H5T_class_t.H5T_COMPOUND.value && shape?.length === 1;
    const content = isNumber
      ? 'numbers'
      : isRecord
        ? 'records'
        : reference === 'object'
          ? 'cells'
          : 'other';
    return { content, fields, itemBytes: size };
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
  #bytesOf(path: string, size: number, part?: { begin: number; count: number }): Uint8Array {
    const hdf5 = this.#hdf5;
    const address = hdf5._malloc(Math.max(size, 1));
    try {
      const status =
        address === 0
          ? -1
          : hdf5.get_dataset_data(
              this.#file,
              path,
              part ? [BigInt(part.count)] : null,
              part ? [BigInt(part.begin)] : null,
              part ? [1n] : null,
              BigInt(address),
            );
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
