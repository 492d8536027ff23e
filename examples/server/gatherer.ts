/** Computes the frames that arrive at about the same time together. */
import type { Engine, Source } from './engine';

/** The next frame of a source, which has no other in the gatherer. */
export interface GatheredFrame {
  source: Source;
  steps: number;
  /** (T, N) */
  spikes: Uint8Array;
  /** Receives the currents (T, N), or what went wrong. */
  settle: (error: Error | undefined, currents: Float32Array) => void;
}

const NOTHING = new Float32Array();

/** The most samples of one call: some milliseconds of it. */
const MOST_SAMPLES = 1 << 21;

export class Gatherer {
  readonly #engine: Engine;
  readonly #onGather: (nFrames: number) => void;
  #waiting: GatheredFrame[] = [];

  constructor(engine: Engine, onGather: (nFrames: number) => void) {
    this.#engine = engine;
    this.#onGather = onGather;
  }

  /** Computes a frame with all others that are added before the event loop has turned. */
  add(frame: GatheredFrame): void {
    this.#waiting.push(frame);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const frames = this.#waiting;
    this.#waiting = [];
    const groups = new Map<unknown, Map<number, GatheredFrame[]>>();
    for (const frame of frames) {
      const key = this.#engine.keyOf(frame.source);
      const bySteps = groups.get(key) ?? new Map<number, GatheredFrame[]>();
      groups.set(key, bySteps);
      const group = bySteps.get(frame.steps);
      if (group === undefined) bySteps.set(frame.steps, [frame]);
      else group.push(frame);
    }
    for (const bySteps of groups.values()) {
      for (const group of bySteps.values()) {
        const most = Math.max(1, Math.floor(MOST_SAMPLES / (group[0]?.spikes.length ?? 1)));
        for (let i = 0; i < group.length; i += most) void this.#evolve(group.slice(i, i + most));
      }
    }
  }

  async #evolve(group: readonly GatheredFrame[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    const { length } = first.spikes;
    this.#onGather(group.length);
    try {
      const spikes = new Uint8Array(group.length * length);
      group.forEach((frame, i) => spikes.set(frame.spikes, i * length));
      const sources = group.map(({ source }) => source);
      const currents = await this.#engine.evolve(sources, spikes, first.steps);
      group.forEach(({ settle }, i) =>
        settle(undefined, currents.subarray(i * length, (i + 1) * length)),
      );
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const { settle } of group) settle(reason, NOTHING);
    }
  }
}
