/** Computes a shard: reads, computes and writes block after block, all three at the same time. */
import { CommandError } from '../errors/command-errors';
import { asCommandError } from '../errors/fftw-missing';
import { message, option } from '../errors/message';
import type { FloatArray } from '../arrays/element-types';
import type { CurrentsSink } from '../formats/currents-sink';
import { lengthOf, sizeOfRegion, type RasterSource, type Region } from '../formats/raster-source';
import type { Dtype, EventList, ExpSynError, StateVariables, Synapses, TypedArray } from '../index';
import type { Job } from './job';
import { NOTHING_DONE, type Progress } from './journal';
import { keptIn } from './kept-steps';
import { blockAt, countBlocks, type Block } from './plan';
import { synapsesOfShard } from './synapses';
import { bytesPerElement, ELEMENT_TYPES } from '../arrays/element-types';

/** Where progress is kept. A run that cannot be resumed keeps none. */
export interface Checkpoints {
  /** The progress so far, which never exceeds what is written. */
  read(): Promise<Progress>;
  write(progress: Progress): Promise<void>;
}

export interface ShardOptions {
  /** Ends the work after the blocks that are under way, which are still recorded. */
  signal: AbortSignal;
  checkpoints: Checkpoints | undefined;
  /** Most threads that compute. */
  threads: number;
  /** Memory that nobody uses, which shards leave to the next: it is not freed at once. */
  spare: SharedArrayBuffer[];
  /** Called with the number of samples that were written, first with those of an earlier attempt. */
  onProgress: (samples: number, isInherited: boolean) => void;
}

/**
 * Milliseconds from one checkpoint to the next. They are few at first, so that a run that is killed early
 * loses little, and then more, since the disk takes no data while it makes some durable.
 */
const [SHORTEST_INTERVAL, LONGEST_INTERVAL] = [250, 5000];
/** The most blocks that are written at the same time; more would only fill the memory. */
const MOST_WRITES = 2;

/**
 * Computes what is missing of a shard. Returns whether it is complete now; it is not when the signal
 * has ended it.
 *
 * @throws CommandError when a block cannot be read, computed or written. What was done before is
 *   recorded then.
 */
export async function runShard(
  job: Job,
  shard: Region,
  source: RasterSource,
  sink: CurrentsSink,
  options: ShardOptions,
): Promise<boolean> {
  const progress = (await options.checkpoints?.read()) ?? NOTHING_DONE;
  const run = new ShardRun(job, shard, source, sink, options, progress);
  return run.run();
}

type SharedFloats = new (memory: SharedArrayBuffer, offset: number, length: number) => FloatArray;

/** The input of a block, or why there is none. */
type Reading = { input: TypedArray | EventList } | { error: unknown };

class ShardRun {
  readonly #job: Job;
  readonly #shard: Region;
  readonly #source: RasterSource;
  readonly #sink: CurrentsSink;
  readonly #options: ShardOptions;
  readonly #nBlocks: number;
  /** The first block that is not written yet; those before it are. */
  #written: number;
  /** The first one that is not in the journal. */
  #recorded: number;
  /** The state after the last block that has been computed. */
  #state: StateVariables | undefined;
  /** After the blocks that have been computed but not written, and after the last one written. */
  readonly #states = new Map<number, StateVariables | undefined>();
  #writtenState: StateVariables | undefined;
  readonly #writes: Promise<void>[] = [];
  /** Blocks that are written while one before them is not. */
  readonly #complete = new Set<number>();
  #failure: { error: unknown } | undefined;
  /** Memory that is not in use; shared, so that nobody copies it, and used again and again. */
  readonly #spare: SharedArrayBuffer[];
  #lastCheckpoint = performance.now();
  #interval = SHORTEST_INTERVAL;
  #checkpoint: Promise<void> | undefined;

  constructor(
    job: Job,
    shard: Region,
    source: RasterSource,
    sink: CurrentsSink,
    options: ShardOptions,
    progress: Progress,
  ) {
    this.#job = job;
    this.#shard = shard;
    this.#source = source;
    this.#sink = sink;
    this.#options = options;
    this.#spare = options.spare;
    this.#nBlocks = countBlocks(shard, job.blocks);
    this.#written = progress.blocksDone;
    this.#recorded = this.#written;
    this.#state = progress.state;
  }

  async run(): Promise<boolean> {
    const { signal, onProgress } = this.#options;
    for (let index = 0; index < this.#written; index++) onProgress(this.#samplesOf(index), true);
    if (this.#written === this.#nBlocks) return true;
    const synapses = await synapsesOfShard(this.#job, this.#shard.channels, this.#options.threads);
    const first = this.#written;
    let reading = this.#read(first);
    const interrupt = (): void => this.#source.interrupt?.();
    signal.addEventListener('abort', interrupt);
    if (this.#isStopped()) interrupt();
    try {
      for (let index = first; index < this.#nBlocks; index++) {
        if (this.#isStopped() || this.#failure !== undefined) break;
        const block = this.#block(index);
        const read = await reading;
        // If the work is stopped, that is why a read has failed.
        if (this.#isStopped()) break;
        if ('error' in read) throw read.error;
        if (index + 1 < this.#nBlocks) reading = this.#read(index + 1);
        const output = await this.#compute(synapses, block, read.input);
        while (this.#writes.length >= MOST_WRITES) await this.#writes[0];
        this.#startWrite(index, block, output);
      }
    } catch (error) {
      this.#failure ??= { error };
    }
    await reading;
    signal.removeEventListener('abort', interrupt);
    await Promise.all(this.#writes);
    await this.#checkpoint;
    await this.#record();
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#written === this.#nBlocks;
  }

  #isStopped(): boolean {
    return this.#options.signal.aborted;
  }

  #block(index: number): Block {
    return blockAt(this.#shard, this.#job.blocks, index);
  }

  #samplesOf(index: number): number {
    return sizeOfRegion(this.#block(index).region);
  }

  /** Never rejects, since nobody may be waiting yet. */
  async #read(index: number): Promise<Reading> {
    try {
      const region = inputRegion(this.#block(index), this.#job);
      if (this.#source.readEvents !== undefined) {
        return { input: await this.#source.readEvents(region, this.#job.settings.dt) };
      }
      const memory = this.#allocate(sizeOfRegion(region) * this.#source.itemBytes);
      const input = await this.#source.read(region, new Uint8Array(memory));
      if (input.buffer !== memory) this.#spare.push(memory);
      return { input };
    } catch (error) {
      return { error };
    }
  }

  async #compute(
    synapses: Synapses<Dtype>,
    block: Block,
    input: TypedArray | EventList,
  ): Promise<FloatArray> {
    const { region, history, isContinued } = block;
    const { batches, steps, channels } = region;
    const nBatches = lengthOf(batches);
    const nSteps = history + lengthOf(steps);
    const columns = this.#job.columns === 1 ? 1 : lengthOf(channels);
    const kept = keptIn({ begin: steps.begin - history, end: steps.end }, this.#job);
    const length = nBatches * lengthOf(kept) * lengthOf(channels);
    const out = this.#allocateOutput(length);
    if (!isContinued) synapses.resetState();
    try {
      const { state } = await synapses.evolve(
        'times' in input ? input : { data: input, shape: [nBatches, nSteps, columns] },
        {
          out,
          ...this.#job.reduction,
          state: { ...(isContinued && this.#state), step: steps.begin - history },
          origin: { batch: batches.begin, synapse: channels.begin },
        },
      );
      const variables = Object.entries(state).filter(([name]) => name !== 'step');
      this.#state = Object.fromEntries(variables) as StateVariables;
      if (!('times' in input)) this.#release(input);
      return out;
    } catch (error) {
      throw explain(error, block, this.#job, this.#source.nAxes);
    }
  }

  /** Of at least so many bytes. */
  #allocate(bytes: number): SharedArrayBuffer {
    const index = this.#spare.findIndex(({ byteLength }) => byteLength >= bytes);
    const [found] = index < 0 ? [] : this.#spare.splice(index, 1);
    if (found !== undefined) return found;
    try {
      return new SharedArrayBuffer(bytes);
    } catch (cause) {
      const { stepsPerBlock, history = 0 } = this.#job.blocks;
      throw new CommandError(
        message`Expected a block of ${stepsPerBlock + history} steps to fit the memory but it takes \
${bytes} bytes; give fewer with ${option('steps')}, or a shorter window.`,
        { cause },
      );
    }
  }

  #allocateOutput(length: number): FloatArray {
    const { dtype } = this.#job.settings;
    const memory = this.#allocate(length * bytesPerElement(dtype));
    const Floats = ELEMENT_TYPES[dtype] as SharedFloats;
    return new Floats(memory, 0, length);
  }

  #release({ buffer }: TypedArray): void {
    if (buffer instanceof SharedArrayBuffer) this.#spare.push(buffer);
  }

  #startWrite(index: number, block: Block, output: FloatArray): void {
    this.#states.set(index, this.#state);
    const write = this.#write(block, output)
      .then(() => {
        this.#release(output);
        this.#wrote(index);
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        void this.#writes.splice(this.#writes.indexOf(write), 1);
      });
    this.#writes.push(write);
  }

  /** The output without the steps that only led to it. */
  async #write({ region, history }: Block, output: FloatArray): Promise<void> {
    const { batches, channels } = region;
    const steps = keptIn(region.steps, this.#job);
    if (lengthOf(steps) === 0) return;
    if (history === 0) {
      await this.#sink.write({ ...region, steps }, output);
      return;
    }
    const { begin: first } = region.steps;
    const before = lengthOf(keptIn({ begin: first - history, end: first }, this.#job));
    const width = lengthOf(channels);
    const perItem = (before + lengthOf(steps)) * width;
    for (let item = 0; item < lengthOf(batches); item++) {
      const begin = batches.begin + item;
      await this.#sink.write(
        { batches: { begin, end: begin + 1 }, steps, channels },
        output.subarray(item * perItem + before * width, (item + 1) * perItem),
      );
    }
  }

  #wrote(index: number): void {
    this.#complete.add(index);
    while (this.#complete.delete(this.#written)) {
      this.#options.onProgress(this.#samplesOf(this.#written), false);
      this.#writtenState = this.#states.get(this.#written);
      this.#states.delete(this.#written);
      this.#written++;
    }
    const now = performance.now();
    if (now - this.#lastCheckpoint < this.#interval || this.#checkpoint !== undefined) return;
    this.#checkpoint = this.#record()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#checkpoint = undefined;
        this.#lastCheckpoint = performance.now();
        this.#interval = Math.min(2 * this.#interval, LONGEST_INTERVAL);
      });
  }

  /** Makes what is written durable, then says so in the journal. */
  async #record(): Promise<void> {
    const { checkpoints } = this.#options;
    const blocksDone = this.#written;
    if (checkpoints === undefined || blocksDone === this.#recorded) return;
    const state = this.#writtenState;
    await this.#sink.sync();
    const isNeeded = blocksDone < this.#nBlocks && this.#block(blocksDone).isContinued;
    await checkpoints.write({ blocksDone, state: isNeeded ? state : undefined });
    this.#recorded = blocksDone;
  }
}

/** What a block is computed from. */
export function inputRegion({ region, history }: Block, job: Job): Region {
  const { batches, steps, channels } = region;
  return {
    batches,
    steps: { begin: steps.begin - history, end: steps.end },
    channels: job.columns === 1 ? { begin: 0, end: 1 } : channels,
  };
}

/** The error about a value of the input, with its place in the whole array. */
function explain(error: unknown, block: Block, job: Job, nAxes: number): unknown {
  const { region, history } = block;
  if (!(error instanceof TypeError || error instanceof RangeError)) return asCommandError(error);
  const { code, index = [], value = NaN } = error as Partial<ExpSynError>;
  if (code !== 'ERR_EXPSYN_NON_FINITE') return new CommandError(error.message, { cause: error });
  const [batch = 0, step = 0, channel = 0] = index;
  const place = [
    region.batches.begin + batch,
    region.steps.begin - history + step,
    (job.columns === 1 ? 0 : region.channels.begin) + channel,
  ];
  // A row alone has no channels to name.
  const named = nAxes === 1 ? place.slice(1, 2) : place.slice(-nAxes);
  return new CommandError(
    message`Expected finite numbers for input but received ${value} at [${named.join(', ')}]; give \
${option('nonFinite', 'propagate')} to let it through.`,
    { cause: error },
  );
}
