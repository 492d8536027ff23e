/** The progress of a shard, in a small file. It is replaced whenever more is durable. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CorruptRunError } from '../errors/command-errors';
import { fileError, hasCode } from '../errors/system-errors';
import { writeCompleteFile } from '../formats/files/complete-file';
import { sizeOf } from '../arrays/arrays';
import { ELEMENT_TYPES, type Dtype } from '../arrays/element-types';
import type { StateArray, StateVariables } from '../index';
import type { Job } from './job';
import { blockAt, countBlocks } from './plan';
import { addChecksum, verifyChecksum } from './checksummed';

/** What is durably on the disk. */
export interface Progress {
  /** Blocks of the shard that are written. */
  blocksDone: number;
  /** The state after the last of them, if the next one goes on from it. */
  state: StateVariables | undefined;
}

/** The content of the file. */
interface Entry {
  /** Which one of the run. */
  shard: number;
  blocksDone: number;
  /** The variables of the state by name. */
  state?: Record<string, EncodedVariable>;
}

/** The elements' bytes in this machine's order, in base 64; the corrections in double precision. */
interface EncodedVariable {
  type: Dtype;
  bytes: string;
  correction?: string;
  shape: readonly number[];
}

export const NOTHING_DONE: Progress = { blocksDone: 0, state: undefined };

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
      const { blocksDone, state } = entry;
      return { blocksDone, state: state && mapValues(state, decodeVariable) };
    } catch (cause) {
      throw new CorruptRunError(`the journal of a run, ${this.#path},`, cause);
    }
  }

  /** The data of the blocks must be durable already. */
  async write({ blocksDone, state }: Progress): Promise<void> {
    const entry: Entry = {
      shard: this.#shard,
      blocksDone,
      ...(state && { state: mapValues(state, encodeVariable) }),
    };
    await writeCompleteFile(this.#path, [addChecksum(entry)], { folders: 'own' });
  }

  /** Throws unless the shard can have come so far, and can be resumed from there. */
  #check({ shard, blocksDone, state }: Entry): void {
    if (shard !== this.#shard) throw new Error('shard');
    const { shards, blocks } = this.#job;
    const region = shards[shard];
    const nBlocks = region === undefined ? 0 : countBlocks(region, blocks);
    if (!Number.isSafeInteger(blocksDone) || blocksDone < 0 || blocksDone > nBlocks) {
      throw new Error('blocksDone');
    }
    if (region === undefined || blocksDone === nBlocks || state !== undefined) return;
    if (blockAt(region, blocks, blocksDone).isContinued) throw new Error('state');
  }
}

function mapValues<Value, Result>(
  values: Record<string, Value>,
  map: (value: Value) => Result,
): Record<string, Result> {
  const entries = Object.entries(values).map(([name, value]) => [name, map(value)] as const);
  return Object.fromEntries(entries);
}

function encodeVariable({ data, correction, shape }: StateArray): EncodedVariable {
  return {
    type: data instanceof Float32Array ? 'float32' : 'float64',
    bytes: encodeBytes(data),
    ...(correction && { correction: encodeBytes(correction) }),
    shape,
  };
}

function decodeVariable({ type, bytes, correction, shape }: EncodedVariable): StateArray {
  const buffer = decodeBytes(bytes);
  const variable = {
    data: new ELEMENT_TYPES[type](buffer),
    shape,
    ...(correction !== undefined && { correction: new Float64Array(decodeBytes(correction)) }),
  };
  const size = sizeOf(shape);
  if (variable.data.length !== size) throw new Error('state');
  if ((variable.correction?.length ?? size) !== size) throw new Error('state');
  return variable;
}

function encodeBytes(array: Float64Array | Float32Array): string {
  return Buffer.from(array.slice().buffer).toString('base64');
}

function decodeBytes(text: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(text, 'base64')).buffer;
}
