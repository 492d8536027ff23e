/** .npy data that goes into a pipe. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import { fileError, isReaderGone } from '../../errors/system-errors';
import type { FloatArray } from '../../arrays/element-types';
import type { CurrentsLayout, CurrentsSink } from '../currents-sink';
import { encodeNpyStart } from '../npy/npy-file';
import { lengthOf, type Region } from '../raster-source';

/** Writes currents into a stream as .npy data. Regions must come in the order of the array. */
export async function openPipeSink(
  stream: Writable,
  layout: CurrentsLayout,
): Promise<CurrentsSink> {
  const sink = new PipeSink(stream, layout);
  await sink.begin();
  return sink;
}

class PipeSink implements CurrentsSink {
  readonly #stream: Writable;
  readonly #layout: CurrentsLayout;
  #elements = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(stream: Writable, layout: CurrentsLayout) {
    this.#stream = stream;
    this.#layout = layout;
  }

  async begin(): Promise<void> {
    await this.#send(encodeNpyStart(this.#layout));
  }

  async write(region: Region, data: FloatArray): Promise<void> {
    const [, timesteps, synapses] = this.#layout.shape;
    const begin = (region.batches.begin * timesteps + region.steps.begin) * synapses;
    const before = this.#last;
    const own = (async () => {
      await before;
      if (begin !== this.#elements || lengthOf(region.channels) !== synapses) {
        throw new CommandError(
          message`Expected so few channels that their window fits the memory; give a file for ${option('out')}.`,
        );
      }
      this.#elements += data.length;
      await this.#send(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    })();
    this.#last = own;
    return own;
  }

  async sync(): Promise<void> {
    await this.#last;
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
  }

  /** Resolves when the stream has taken all of it, so that the memory may be used again. */
  async #send(bytes: Uint8Array): Promise<void> {
    if (this.#stream.destroyed) throw endOfPipe();
    const gone = new AbortController();
    try {
      await Promise.race([
        new Promise<void>((resolve, reject) => {
          this.#stream.write(bytes, (error) => {
            if (error) reject(pipeError(error));
            else resolve();
          });
        }),
        once(this.#stream, 'close', { signal: gone.signal }).then(() => {
          throw endOfPipe();
        }),
      ]);
    } finally {
      gone.abort();
    }
  }
}

/** A file may stand where the pipe is, and its disk be full. */
function pipeError(error: Error): Error {
  return isReaderGone(error)
    ? endOfPipe(error)
    : (fileError('write', 'the standard output', error) as Error);
}

function endOfPipe(cause?: Error): CommandError {
  return new CommandError('Could not write to the standard output: its reader has gone.', {
    cause,
  });
}
