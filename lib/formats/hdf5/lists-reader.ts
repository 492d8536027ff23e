/** Reads lists from an HDF5 file. */
import { FileThread } from './file-thread';
import type { Lists, ListsDescription } from './lists-file';
import type { ListsAnswer, ListsRequest, ListsThreadData } from './lists-thread';

export { PATIENCE } from './file-thread';

/** An HDF5 file whose datasets of lists are read in a thread of its own. */
export class ListsReader {
  readonly #thread: FileThread<ListsAnswer>;
  #descriptions: ListsDescription[] = [];

  private constructor(data: ListsThreadData, patience: number) {
    this.#thread = new FileThread('lists-thread.js', data, data.name, patience);
  }

  /**
   * @param paths The datasets that are read.
   * @param patience Milliseconds after which the thread is given up.
   * @throws CommandError when it is no such file, a dataset is missing, or h5wasm is not installed.
   */
  static async open(
    absolute: string,
    name: string,
    paths: readonly string[],
    patience: number,
  ): Promise<ListsReader> {
    const reader = new ListsReader({ absolute, name, paths }, patience);
    try {
      const answer = await reader.#thread.ask();
      if ('descriptions' in answer) reader.#descriptions = answer.descriptions;
      return reader;
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  /** Of the datasets, in the order of their paths. */
  get descriptions(): readonly ListsDescription[] {
    return this.#descriptions;
  }

  /** The lists from `begin` to the one before `end`, of every dataset. */
  async read(begin: number, end: number): Promise<Lists[]> {
    const answer = await this.#thread.ask({ begin, end } satisfies ListsRequest);
    return 'lists' in answer ? answer.lists : [];
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }
}
