/** Reads groups and plain arrays of an HDF5 file. */
import { resolve } from 'node:path';

import { CommandError } from '../../errors/command-errors';
import type { Elements } from '../elements';
import { FileThread } from './file-thread';
import type { Hdf5Node } from './arrays-file';
import type { ArraysAnswer, ArraysRequest, ArraysThreadData } from './arrays-thread';

/** An HDF5 file that is open in a thread of its own. */
export class ArraysReader {
  readonly #thread: FileThread<ArraysAnswer>;

  private constructor(data: ArraysThreadData) {
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

  /** A dataset of shape (E,) or (E, 1). */
  async readNumbers(path: string): Promise<Elements> {
    const array = await this.#read(path);
    if (!Array.isArray(array)) return array;
    throw new CommandError(`Expected numbers in ${path} but received texts.`);
  }

  async #read(path: string): Promise<Elements | string[]> {
    const answer = await this.#thread.ask({ read: path } satisfies ArraysRequest);
    return 'array' in answer ? answer.array : [];
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
