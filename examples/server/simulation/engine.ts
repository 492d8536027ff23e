import type { SavedSource } from './saved-source';

/** The kernels that a client may choose, by their names on the command line of the package. */
export const KERNELS = ['exp', 'alpha', 'double-exp'] as const;

export type Kernel = (typeof KERNELS)[number];

/** What a client may choose. */
export interface Parameters {
  channels: number;
  kernel: Kernel;
  /** Time constant of all channels, in seconds; of a double exponential, that of the decay. */
  tau: number;
  /** Time constant of the rise of a double exponential, in seconds; at most tau. Others ignore it. */
  tauRise: number;
  /** Length of a step, in seconds. */
  dt: number;
  /** Standard deviation of the noise after 1 s. */
  noiseStd: number;
}

/** The state of one source of spikes, and its parameters. */
export interface Source {
  readonly parameters: Parameters;
  /** Absolute number of the next step. */
  readonly step: number;
  /** Sets the parameters of the next steps. The number of channels must stay the same. */
  change(parameters: Parameters): void;
  /** Returns what Engine.restore() takes, in this process or in another one. */
  save(): SavedSource;
  close(): void;
}

/** Computes currents from spikes. */
export interface Engine {
  open(parameters: Parameters): Source;
  /** Throws an InputError if `saved` was not saved by a source with these parameters. */
  restore(parameters: Parameters, saved: unknown): Source;
  /** Sources with the same key can be computed in one call. */
  keyOf(source: Source): unknown;
  /**
   * Computes the next steps of K sources that have the same key: spikes (K, T, N) to currents
   * (K, T, N), in which item k belongs to sources[k]. Currents that are returned at once are valid until
   * the next call; those of a promise stay valid. The spikes are not read after the function has returned.
   *
   * @param isShort Whether the call takes so little time that it may run on this thread.
   */
  evolve(
    sources: readonly Source[],
    spikes: Uint8Array,
    steps: number,
    isShort: boolean,
  ): Float32Array | Promise<Float32Array>;
}

/** Memory for currents that is used again in each call: new arrays would be most of the garbage. */
export class CurrentsMemory {
  #memory = new Float32Array(1 << 17);

  take(length: number): Float32Array {
    if (length > this.#memory.length) this.#memory = new Float32Array(length);
    return this.#memory.subarray(0, length);
  }
}
