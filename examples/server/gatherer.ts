/** Computes what arrives at about the same time together. */
import type { Engine, Source } from './engine';

/** The next steps of sources that have no others in the gatherer. */
export interface GatheredFrames {
  /** K sources with the same key. */
  sources: readonly Source[];
  steps: number;
  /** (K, T, N) */
  spikes: Uint8Array;
  /** Receives the currents (K, T, N), which are valid until it returns, or what went wrong. */
  settle: (error: Error | undefined, currents: Float32Array) => void;
}

const NOTHING = new Float32Array();

/** The most samples of one call, unless those of one message are more: some milliseconds of it. */
const MOST_SAMPLES = 1 << 21;
/** Samples that are computed on this thread before others have their turn: fractions of a millisecond. */
const MOST_SAMPLES_A_TURN = 1 << 17;
/** Calls on other threads at a time; the package would refuse them where they are too many. */
const MOST_CALLS = 4;

export class Gatherer {
  readonly #engine: Engine;
  readonly #onGather: (nFrames: number) => void;
  #waiting: GatheredFrames[] = [];
  /** Spikes of a call, one message after the other. */
  #joined = new Uint8Array(MOST_SAMPLES);
  /** Samples that have been computed on this thread in this turn. */
  #samples = 0;
  /** Calls on other threads, and those that wait for their place. */
  #nCalls = 0;
  readonly #later: (readonly GatheredFrames[])[] = [];

  constructor(engine: Engine, onGather: (nFrames: number) => void) {
    this.#engine = engine;
    this.#onGather = onGather;
  }

  /** Computes frames with all others that are added before the event loop has turned. */
  add(frames: GatheredFrames): void {
    this.#waiting.push(frames);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#samples = 0;
    const groups = new Map<unknown, Map<number, GatheredFrames[]>>();
    for (const frames of waiting) {
      const [source] = frames.sources;
      if (source === undefined) continue;
      const key = this.#engine.keyOf(source);
      const bySteps = groups.get(key) ?? new Map<number, GatheredFrames[]>();
      groups.set(key, bySteps);
      const group = bySteps.get(frames.steps);
      if (group === undefined) bySteps.set(frames.steps, [frames]);
      else group.push(frames);
    }
    for (const bySteps of groups.values()) {
      for (const group of bySteps.values()) {
        for (const call of callsOf(group)) this.#evolve(call);
      }
    }
  }

  #evolve(group: readonly GatheredFrames[]): void {
    const [first] = group;
    if (first === undefined) return;
    const samples = group.reduce((sum, { spikes }) => sum + spikes.length, 0);
    const isShort = this.#samples + samples <= MOST_SAMPLES_A_TURN;
    if (!isShort && this.#nCalls === MOST_CALLS) {
      this.#later.push(group);
      return;
    }
    const sources = group.flatMap((frames) => frames.sources);
    let currents: Float32Array | Promise<Float32Array>;
    try {
      currents = this.#engine.evolve(sources, this.#join(group), first.steps, isShort);
    } catch (error) {
      this.#fail(group, error);
      return;
    }
    this.#onGather(sources.length);
    if (!(currents instanceof Promise)) {
      this.#samples += samples;
      share(group, currents);
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
        share(group, computed);
        next();
      },
      (error: unknown) => {
        this.#fail(group, error);
        next();
      },
    );
  }

  /** What one message is to blame for is no other's failure. */
  #fail(group: readonly GatheredFrames[], error: unknown): void {
    const [first] = group;
    if (group.length > 1) {
      for (const frames of group) this.#evolve([frames]);
      return;
    }
    first?.settle(error instanceof Error ? error : new Error(String(error)), NOTHING);
  }

  /** The spikes of a group, one after the other; not copied where they are those of one message. */
  #join(group: readonly GatheredFrames[]): Uint8Array {
    const [first] = group;
    if (first !== undefined && group.length === 1) return first.spikes;
    let length = 0;
    for (const { spikes } of group) {
      this.#joined.set(spikes, length);
      length += spikes.length;
    }
    return this.#joined.subarray(0, length);
  }
}

/** Gives each message its currents. */
function share(group: readonly GatheredFrames[], currents: Float32Array): void {
  let begin = 0;
  for (const { spikes, settle } of group) {
    settle(undefined, currents.subarray(begin, begin + spikes.length));
    begin += spikes.length;
  }
}

/** Parts of a group that are not too large for one call. */
function callsOf(group: readonly GatheredFrames[]): GatheredFrames[][] {
  const calls: GatheredFrames[][] = [];
  let samples = Infinity;
  for (const frames of group) {
    samples += frames.spikes.length;
    if (samples > MOST_SAMPLES) {
      calls.push([]);
      samples = frames.spikes.length;
    }
    calls.at(-1)?.push(frames);
  }
  return calls;
}
