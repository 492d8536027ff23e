/** Reads groups and plain arrays of an HDF5 file. */
import { resolve } from 'node:path';

import { asList, type Elements } from '../elements';
import { FileThread } from './file-thread';
import type { Hdf5Array, Hdf5Node, Hdf5Part } from './arrays-file';
import type { ArraysAnswer, ArraysRequest, ArraysThreadData } from './arrays-thread';

/** An HDF5 file that is open in a thread of its own. */
export class ArraysReader {
  readonly #thread: FileThread<ArraysAnswer>;

  readonly #name: string;

  private constructor(data: ArraysThreadData) {
    this.#name = data.name;
    this.#thread = new FileThread('arrays-thread.js', data, data.name);
  }

  /** @throws CommandError when it is no such file, or h5wasm is not installed. */
  static async open(path: string): Promise<ArraysReader> {
    const reader = new ArraysReader({ absolute: resolve(path), name: path });
    try {
      await reader.#thread.ask();
      return reader;
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  /** What stands at each of some paths. */
  async look<Paths extends readonly string[]>(
    ...paths: Paths
  ): Promise<{ [Index in keyof Paths]: Hdf5Node }> {
    const answer = await this.#thread.ask({ look: paths } satisfies ArraysRequest);
    return ('nodes' in answer ? answer.nodes : []) as { [Index in keyof Paths]: Hdf5Node };
  }

  /** A dataset of numbers with one axis that is longer than 1, or none. */
  async readNumbers(path: string): Promise<Elements> {
    return asList(await this.readArray(path), `${path} of ${this.#name}`);
  }

  /** What stands at every path. */
  async walk(): Promise<[path: string, node: Hdf5Node][]> {
    const answer = await this.#thread.ask({ walk: true } satisfies ArraysRequest);
    return 'paths' in answer ? answer.paths : [];
  }

  /** The numbers of each cell. */
  async readCells(path: string): Promise<Elements[]> {
    const answer = await this.#thread.ask({ cells: path } satisfies ArraysRequest);
    const cells = 'cells' in answer ? answer.cells : [];
    return cells.map((cell, index) => asList(cell, `cell ${index + 1} of ${path}`));
  }

  /** Some elements as bytes. */
  async readPart(part: Hdf5Part): Promise<Uint8Array> {
    const answer = await this.#thread.ask({ part } satisfies ArraysRequest);
    return 'part' in answer ? answer.part : new Uint8Array(0);
  }

  /** A dataset of numbers, in row-major (C) order. */
  async readArray(path: string): Promise<Hdf5Array> {
    const answer = await this.#thread.ask({ read: path } satisfies ArraysRequest);
    if ('array' in answer) return answer.array;
    throw new Error(`Expected an array for ${path}.`);
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
