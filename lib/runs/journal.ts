/** How far a shard has come: a small file that is replaced whenever what it says has become true. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CorruptRunError } from '../errors/command-errors';
import { fileError, hasCode } from '../errors/system-errors';
import { writeCompleteFile } from '../formats/files/complete-file';
import type { Dtype, SynapticCurrent } from '../index';
import type { Job } from './job';
import { blockAt, countBlocks } from './plan';
import { addChecksum, verifyChecksum } from './checksummed';

/** What is on the disk for certain. */
export interface Progress {
  /** Blocks of the shard that are written. */
  blocksDone: number;
  /** isyn after the last of them, where the next goes on from it: (N,), or (B, N) for items. */
  isyn: SynapticCurrent | undefined;
}

/** The content of the file. */
interface Entry {
  /** Which one of the run. */
  shard: number;
  blocksDone: number;
  /** The elements' bytes in this machine's order, in base 64; the corrections in double precision. */
  isyn?: { bytes: string; correction?: string; shape: readonly number[] };
}

export const NOTHING_DONE: Progress = { blocksDone: 0, isyn: undefined };

/** The journal of a shard of a run, in a folder that is there as long as the run is. */
export class Journal {
  readonly #path: string;
  readonly #shard: number;
  readonly #job: Job;

  constructor(folder: string, shard: number, job: Job) {
    this.#path = join(folder, 'shards', `${shard}.json`);
    this.#shard = shard;
    this.#job = job;
  }

  /** @throws CommandError when the file is corrupt, about something else, or cannot be read. */
  async read(): Promise<Progress> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return NOTHING_DONE;
      throw fileError('read', this.#path, error);
    }
    try {
      const entry = verifyChecksum(text) as Entry;
      this.#check(entry);
      const { blocksDone, isyn } = entry;
      return { blocksDone, isyn: isyn && decodeState(isyn, this.#job.settings.dtype) };
    } catch (cause) {
      throw new CorruptRunError(`the journal of a run, ${this.#path},`, cause);
    }
  }

  /** What it says must be durable before. */
  async write({ blocksDone, isyn }: Progress): Promise<void> {
    const entry: Entry = {
      shard: this.#shard,
      blocksDone,
      ...(isyn && { isyn: encodeState(isyn) }),
    };
    await writeCompleteFile(this.#path, [addChecksum(entry)], { folders: 'require' });
  }

  /** Whether the shard can have come so far, and can go on from there. */
  #check({ shard, blocksDone, isyn }: Entry): void {
    if (shard !== this.#shard) throw new Error('shard');
    const { shards, blocks } = this.#job;
    const region = shards[shard];
    const nBlocks = region === undefined ? 0 : countBlocks(region, blocks);
    if (!Number.isSafeInteger(blocksDone) || blocksDone < 0 || blocksDone > nBlocks) {
      throw new Error('blocksDone');
    }
    if (region === undefined || blocksDone === nBlocks || isyn !== undefined) return;
    if (blockAt(region, blocks, blocksDone).isContinued) throw new Error('isyn');
  }
}

function encodeState({ data, correction, shape }: SynapticCurrent): NonNullable<Entry['isyn']> {
  return {
    bytes: encodeBytes(data),
    ...(correction && { correction: encodeBytes(correction) }),
    shape,
  };
}

function decodeState(
  { bytes, correction, shape }: NonNullable<Entry['isyn']>,
  dtype: Dtype,
): SynapticCurrent {
  const buffer = decodeBytes(bytes);
  const state = {
    data: dtype === 'float32' ? new Float32Array(buffer) : new Float64Array(buffer),
    shape,
    ...(correction !== undefined && { correction: new Float64Array(decodeBytes(correction)) }),
  };
  const size = shape.reduce((product, axis) => product * axis, 1);
  if (state.data.length !== size) throw new Error('isyn');
  if (state.correction !== undefined && state.correction.length !== size) throw new Error('isyn');
  return state;
}

function encodeBytes(array: Float64Array | Float32Array): string {
  return Buffer.from(array.slice().buffer).toString('base64');
}

function decodeBytes(text: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(text, 'base64')).buffer;
}
