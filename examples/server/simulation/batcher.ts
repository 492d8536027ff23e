/** Computes frames that arrive at about the same time in one call. */
import type { Engine, Source } from './engine';

/** The next steps of some sources, none of which has other frames in the batcher. */
export interface PendingFrames {
  /** K sources with the same key. */
  sources: readonly Source[];
  steps: number;
  /** (K, T, N) */
  spikes: Uint8Array;
  /** Receives the currents (K, T, N), which are valid until it returns, or the error. */
  settle: (error: Error | undefined, currents: Float32Array) => void;
}

const NOTHING = new Float32Array();

/** The most samples of one call, unless a single message has more. They take some milliseconds. */
const MOST_SAMPLES = 1 << 21;
/**
 * The most samples that are computed on this thread in one turn of the event loop. They take a fraction of
 * a millisecond.
 */
const MOST_SAMPLES_A_TURN = 1 << 17;
/** The most calls on other threads at a time. The package would reject more than its limits allow. */
const MOST_CALLS = 4;

export class Batcher {
  readonly #engine: Engine;
  readonly #onBatch: (nFrames: number) => void;
  #waiting: PendingFrames[] = [];
  /** The spikes of one call, message after message. */
  #joined = new Uint8Array(MOST_SAMPLES);
  /** Samples that were computed on this thread in this turn of the event loop. */
  #samples = 0;
  /** Calls that run on other threads. */
  #nCalls = 0;
  /** Batches that wait until fewer calls run. */
  readonly #later: (readonly PendingFrames[])[] = [];

  constructor(engine: Engine, onBatch: (nFrames: number) => void) {
    this.#engine = engine;
    this.#onBatch = onBatch;
  }

  /** Computes frames together with all others that are added in the same turn of the event loop. */
  add(frames: PendingFrames): void {
    this.#waiting.push(frames);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#samples = 0;
    const groups = new Map<unknown, Map<number, PendingFrames[]>>();
    for (const frames of waiting) {
      const [source] = frames.sources;
      if (source === undefined) continue;
      const key = this.#engine.keyOf(source);
      const bySteps = groups.get(key) ?? new Map<number, PendingFrames[]>();
      groups.set(key, bySteps);
      const group = bySteps.get(frames.steps);
      if (group === undefined) bySteps.set(frames.steps, [frames]);
      else group.push(frames);
    }
    for (const bySteps of groups.values()) {
      for (const group of bySteps.values()) {
        for (const batch of divide(group)) this.#evolve(batch);
      }
    }
  }

  #evolve(batch: readonly PendingFrames[]): void {
    const [first] = batch;
    if (first === undefined) return;
    const samples = batch.reduce((sum, { spikes }) => sum + spikes.length, 0);
    const isShort = this.#samples + samples <= MOST_SAMPLES_A_TURN;
    if (!isShort && this.#nCalls === MOST_CALLS) {
      this.#later.push(batch);
      return;
    }
    const sources = batch.flatMap((frames) => frames.sources);
    let currents: Float32Array | Promise<Float32Array>;
    try {
      currents = this.#engine.evolve(sources, this.#join(batch), first.steps, isShort);
    } catch (error) {
      this.#fail(batch, error);
      return;
    }
    this.#onBatch(sources.length);
    if (!(currents instanceof Promise)) {
      this.#samples += samples;
      distribute(batch, currents);
      return;
    }
    this.#nCalls++;
    const next = (): void => {
      this.#nCalls--;
      const later = this.#later.shift();
      if (later !== undefined) this.#evolve(later);
    };
    void currents.then(
      (computed) => {
        distribute(batch, computed);
        next();
      },
      (error: unknown) => {
        this.#fail(batch, error);
        next();
      },
    );
  }

  /** Computes the messages of a batch that failed one by one, so that only those with an error fail. */
  #fail(batch: readonly PendingFrames[], error: unknown): void {
    const [first] = batch;
    if (batch.length > 1) {
      for (const frames of batch) this.#evolve([frames]);
      return;
    }
    first?.settle(error instanceof Error ? error : new Error(String(error)), NOTHING);
  }

  /** The spikes of a batch, message after message. Those of a single message are not copied. */
  #join(batch: readonly PendingFrames[]): Uint8Array {
    const [first] = batch;
    if (first !== undefined && batch.length === 1) return first.spikes;
    let length = 0;
    for (const { spikes } of batch) {
      this.#joined.set(spikes, length);
      length += spikes.length;
    }
    return this.#joined.subarray(0, length);
  }
}

/** Gives each message its currents. */
function distribute(batch: readonly PendingFrames[], currents: Float32Array): void {
  let begin = 0;
  for (const { spikes, settle } of batch) {
    settle(undefined, currents.subarray(begin, begin + spikes.length));
    begin += spikes.length;
  }
}

/** Divides messages into batches that are not too large for one call. */
function divide(group: readonly PendingFrames[]): PendingFrames[][] {
  const batches: PendingFrames[][] = [];
  let samples = Infinity;
  for (const frames of group) {
    samples += frames.spikes.length;
    if (samples > MOST_SAMPLES) {
      batches.push([]);
      samples = frames.spikes.length;
    }
    batches.at(-1)?.push(frames);
  }
  return batches;
}
