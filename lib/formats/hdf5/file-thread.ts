/** An HDF5 file that is open in a thread of its own, which cannot stop the process. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { CommandError } from '../../errors/command-errors';
import type { Message } from '../../errors/message';

/** Milliseconds in which every request is answered, but for corrupt files. */
export const PATIENCE = 60_000;

/** As they are compiled, also for sources that are run as they are: threads do not take those. */
const COMPILED = join(__dirname, '../../../dist/formats/hdf5');

/** What a thread answers where it cannot do what was asked. */
export interface Refusal {
  refusal: Message;
}

interface Waiting<Answer> {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/**
 * From some corrupt files the library of HDF5 never returns, and what waits for it on the main thread could
 * not even be interrupted. A thread that does not answer in time is ended.
 */
export class FileThread<Answer extends object> {
  readonly #thread: Worker;
  readonly #name: string;
  readonly #patience: number;
  /** Requests that are not answered yet, in their order. */
  readonly #waiting: Waiting<Answer>[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Why there are no more answers. */
  #failure: Error | undefined;

  /**
   * @param file The name of the thread's file.
   * @param data What the thread is given.
   * @param name What to call the HDF5 file.
   * @param patience Milliseconds after which the thread is given up.
   */
  constructor(file: string, data: object, name: string, patience = PATIENCE) {
    this.#name = name;
    this.#patience = patience;
    this.#thread = new Worker(join(COMPILED, file), { workerData: data, execArgv: [] });
    this.#thread.on('message', (answer: Answer | Refusal) => this.#settle(answer));
    this.#thread.on('error', (error) => this.#fail(error));
    this.#thread.on('exit', () => this.#fail(new Error('The thread that reads HDF5 has ended.')));
  }

  /** The answer to a request, or to the opening of the file. */
  async ask(request?: object): Promise<Answer> {
    if (request !== undefined) this.#thread.postMessage(request);
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === 1) this.#watch();
    });
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
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

  #settle(answer: Answer | Refusal): void {
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
