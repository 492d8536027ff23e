/** Reads lists from an HDF5 file, and keeps that from stopping the process. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { CommandError } from '../../errors/command-errors';
import type { Lists, ListsDescription } from './lists-file';
import type { ListsAnswer, ListsRequest, ListsThreadData } from './lists-thread';

/** Milliseconds in which every request is answered, but for corrupt files. */
export const PATIENCE = 60_000;

/** As it is compiled, also for sources that are run as they are: threads do not take those. */
const THREAD = join(__dirname, '../../../dist/formats/hdf5/lists-thread.js');

interface Waiting {
  resolve: (answer: ListsAnswer) => void;
  reject: (error: Error) => void;
}

/**
 * An HDF5 file, open in a thread of its own: from some corrupt files the library of that format never
 * returns, and what waits for it on the main thread could not even be interrupted.
 */
export class ListsReader {
  readonly #thread: Worker;
  readonly #name: string;
  readonly #patience: number;
  /** Requests that are not answered yet, in their order. */
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Why there are no more answers. */
  #failure: Error | undefined;
  #descriptions: ListsDescription[] = [];

  private constructor(data: ListsThreadData, patience: number) {
    this.#name = data.name;
    this.#patience = patience;
    this.#thread = new Worker(THREAD, { workerData: data, execArgv: [] });
    this.#thread.on('message', (answer: ListsAnswer) => this.#settle(answer));
    this.#thread.on('error', (error) => this.#fail(error));
    this.#thread.on('exit', () => this.#fail(new Error('The thread that reads HDF5 has ended.')));
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
      const answer = await reader.#answer();
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
    this.#thread.postMessage({ begin, end } satisfies ListsRequest);
    const answer = await this.#answer();
    return 'lists' in answer ? answer.lists : [];
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  #answer(): Promise<ListsAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === 1) this.#watch();
    });
  }

  #watch(): void {
    this.#timer = setTimeout(() => {
      const seconds = this.#patience / 1000;
      this.#fail(
        new CommandError(
          `Could not read ${this.#name}: the HDF5 library has not returned in ${seconds} s; the file ` +
            'is corrupt.',
        ),
      );
      void this.#thread.terminate();
    }, this.#patience);
  }

  #settle(answer: ListsAnswer): void {
    clearTimeout(this.#timer);
    const waiting = this.#waiting.shift();
    if (this.#waiting.length > 0) this.#watch();
    if ('refusal' in answer) waiting?.reject(new CommandError(answer.refusal));
    else waiting?.resolve(answer);
  }

  #fail(error: Error): void {
    clearTimeout(this.#timer);
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
