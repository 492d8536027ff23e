/** How far a shard has come: a small file that is replaced whenever what it says has become true. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DamagedRunError, fileError, hasCode } from '../errors';
import { writeCompleteFile } from '../formats/complete-file';
import type { CurrentsArray } from '../formats/currents-sink';
import type { Dtype } from '../index';

/** What is on the disk for certain. */
export interface Progress {
  /** Blocks of the shard that are written. */
  blocksDone: number;
  /** isyn after the last of them, where the next goes on from it: (N,), or (B, N) for items. */
  isyn: { data: CurrentsArray; shape: number[] } | undefined;
}

interface Entry {
  blocksDone: number;
  /** The elements' bytes in this machine's order, in base 64. */
  isyn?: { bytes: string; shape: number[] };
}

export const NOTHING_DONE: Progress = { blocksDone: 0, isyn: undefined };

/** The journal of shard `index` of a run, in a folder that is there as long as the run is. */
export class Journal {
  readonly #path: string;
  readonly #dtype: Dtype;

  constructor(folder: string, index: number, dtype: Dtype) {
    this.#path = join(folder, 'shards', `${index}.json`);
    this.#dtype = dtype;
  }

  /** @throws CommandError when the file is damaged or cannot be read. */
  async read(): Promise<Progress> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return NOTHING_DONE;
      throw fileError('read', this.#path, error);
    }
    try {
      const { blocksDone, isyn } = JSON.parse(text) as Entry;
      if (!Number.isSafeInteger(blocksDone) || blocksDone < 0) throw new Error('blocksDone');
      return { blocksDone, isyn: isyn && decodeState(isyn, this.#dtype) };
    } catch (cause) {
      throw new DamagedRunError(`the journal of a run, ${this.#path},`, cause);
    }
  }

  /** What it says must be durable before. */
  async write({ blocksDone, isyn }: Progress): Promise<void> {
    const entry: Entry = { blocksDone, ...(isyn && { isyn: encodeState(isyn) }) };
    const text = `${JSON.stringify(entry)}\n`;
    await writeCompleteFile(this.#path, [Buffer.from(text)], 'require');
  }
}

function encodeState(isyn: NonNullable<Progress['isyn']>): NonNullable<Entry['isyn']> {
  const bytes = Buffer.from(isyn.data.slice().buffer);
  return { bytes: bytes.toString('base64'), shape: isyn.shape };
}

function decodeState(
  { bytes, shape }: NonNullable<Entry['isyn']>,
  dtype: Dtype,
): { data: CurrentsArray; shape: number[] } {
  const { buffer } = Uint8Array.from(Buffer.from(bytes, 'base64'));
  const data = dtype === 'float32' ? new Float32Array(buffer) : new Float64Array(buffer);
  if (data.length !== shape.reduce((size, axis) => size * axis, 1)) throw new Error('isyn');
  return { data, shape };
}
