/** What computes: the package, or, to compare with, a plain loop of JavaScript in its place. */
import { ExpSyn, type ExpSynSession } from 'expsyn';

import { decodeSource, encodeSource, type SavedSource } from './saved-source';

/** What a client may choose. */
export interface Parameters {
  channels: number;
  /** Time constant in seconds, of all channels. */
  tau: number;
  /** Length of a step in seconds. */
  dt: number;
  /** Standard deviation of the noise after 1 s. */
  noiseStd: number;
}

/** One source's state under its parameters. */
export interface Source {
  readonly parameters: Parameters;
  /** Absolute number of the next step. */
  readonly step: number;
  /** Goes on from here with other parameters; the number of channels stays. */
  change(parameters: Parameters): void;
  /** What restore() takes, also in another process. */
  save(): SavedSource;
  close(): void;
}

export interface Engine {
  open(parameters: Parameters): Source;
  /** Throws when `saved` is not what a source of these parameters has saved. */
  restore(parameters: Parameters, saved: unknown): Source;
  /** Sources with the same key can be computed in one call. */
  keyOf(source: Source): unknown;
  /**
   * (K, T, N) spikes to (K, T, N) currents, item k for sources[k]; all have the same key. Currents that
   * are returned at once are valid until the next call. The spikes are not needed afterwards.
   *
   * @param isShort Whether it is so little that it may be computed on this thread.
   */
  evolve(
    sources: readonly Source[],
    spikes: Uint8Array,
    steps: number,
    isShort: boolean,
  ): Float32Array | Promise<Float32Array>;
}

/** Memory for currents that are used again and again: new arrays would be most of the garbage. */
class Scratch {
  #memory = new Float32Array(1 << 17);

  take(length: number): Float32Array {
    if (length > this.#memory.length) this.#memory = new Float32Array(length);
    return this.#memory.subarray(0, length);
  }
}

/** Sessions of modules, of which there is one for each choice of parameters. */
export class ExpSynEngine implements Engine {
  readonly #modules = new Map<string, { module: ExpSyn; nSources: number }>();
  readonly #scratch = new Scratch();

  open(parameters: Parameters): Source {
    return new SessionSource(this, parameters, (module) => module.session());
  }

  restore(parameters: Parameters, saved: unknown): Source {
    const { channels } = parameters;
    const { isyn, correction, step, seed } = decodeSource(saved, Float32Array, channels);
    const current = { data: isyn, shape: [channels], ...(correction && { correction }) };
    const options = { isyn: current, step, seed };
    return new SessionSource(this, parameters, (module) => module.session(options));
  }

  keyOf(source: SessionSource): unknown {
    return source.session.module;
  }

  evolve(
    sources: readonly SessionSource[],
    spikes: Uint8Array,
    steps: number,
    isShort: boolean,
  ): Float32Array | Promise<Float32Array> {
    const sessions = sources.map(({ session }) => session);
    const [first] = sessions;
    if (first === undefined) return new Float32Array();
    const { module } = first;
    const input = { data: spikes, shape: [sources.length, steps, module.sizeIn] };
    if (isShort) {
      const out = this.#scratch.take(spikes.length);
      module.evolveSessionsSync(sessions, input, { out });
      return out;
    }
    return module.evolveSessions(sessions, input).then(({ output }) => output.data as Float32Array);
  }

  /** The module of these parameters, until as many release() it as have asked for it. */
  module(parameters: Parameters): ExpSyn {
    const key = JSON.stringify(parameters);
    let entry = this.#modules.get(key);
    if (entry === undefined) {
      const { channels, tau, dt, noiseStd } = parameters;
      // Not cut, so that it does not matter how a client cuts its steps into frames.
      const options = { tau: () => tau, dt, noiseStd, windowTaus: Infinity } as const;
      entry = { module: new ExpSyn(channels, { ...options, dtype: 'float32' }), nSources: 0 };
      this.#modules.set(key, entry);
    }
    entry.nSources++;
    return entry.module;
  }

  release(parameters: Parameters): void {
    const key = JSON.stringify(parameters);
    const entry = this.#modules.get(key);
    if (entry !== undefined && --entry.nSources === 0) this.#modules.delete(key);
  }
}

class SessionSource implements Source {
  readonly #engine: ExpSynEngine;
  parameters: Parameters;
  session: ExpSynSession;

  constructor(
    engine: ExpSynEngine,
    parameters: Parameters,
    open: (module: ExpSyn) => ExpSynSession,
  ) {
    this.#engine = engine;
    this.parameters = parameters;
    try {
      this.session = open(engine.module(parameters));
    } catch (error) {
      engine.release(parameters);
      throw error;
    }
  }

  get step(): number {
    return this.session.step;
  }

  change(parameters: Parameters): void {
    const { isyn, step, seed } = this.session;
    const next = new SessionSource(this.#engine, parameters, (module) =>
      module.session({ isyn, step, seed }),
    );
    this.close();
    this.session = next.session;
    this.parameters = parameters;
  }

  save(): SavedSource {
    const { isyn, step, seed } = this.session;
    return encodeSource(isyn.data, step, seed, isyn.correction);
  }

  close(): void {
    this.session.close();
    this.#engine.release(this.parameters);
  }
}

/**
 * isyn <- (isyn + input) exp(-dt / tau), one sample after the other, and noise that is added to the
 * output. What one would write without the package; its noise is another one every time.
 */
export class LoopEngine implements Engine {
  readonly #scratch = new Scratch();

  open(parameters: Parameters): Source {
    return new LoopSource(parameters, new Float64Array(parameters.channels), 0);
  }

  restore(parameters: Parameters, saved: unknown): Source {
    const { isyn, step } = decodeSource(saved, Float64Array, parameters.channels);
    return new LoopSource(parameters, isyn, step);
  }

  keyOf(source: Source): unknown {
    return JSON.stringify(source.parameters);
  }

  evolve(sources: readonly LoopSource[], spikes: Uint8Array, steps: number): Float32Array {
    const currents = this.#scratch.take(spikes.length);
    let i = 0;
    for (const source of sources) {
      const { isyn, parameters } = source;
      const decay = Math.exp(-parameters.dt / parameters.tau);
      const size = isyn.length;
      for (let t = 0; t < steps; t++) {
        for (let n = 0; n < size; n++, i++) {
          const current = ((isyn[n] ?? 0) + (spikes[i] ?? 0)) * decay;
          isyn[n] = current;
          currents[i] = current;
        }
      }
      source.step += steps;
    }
    const [{ parameters } = {}] = sources;
    const deviation = (parameters?.noiseStd ?? 0) * Math.sqrt(parameters?.dt ?? 0);
    if (deviation > 0) addNoise(currents, deviation);
    return currents;
  }
}

/** Adds normal noise, two numbers at a time, by the transform of Box and Muller. */
function addNoise(currents: Float32Array, deviation: number): void {
  for (let i = 0; i < currents.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - Math.random()));
    const angle = 2 * Math.PI * Math.random();
    currents[i] = (currents[i] ?? 0) + radius * Math.cos(angle);
    if (i + 1 < currents.length) {
      currents[i + 1] = (currents[i + 1] ?? 0) + radius * Math.sin(angle);
    }
  }
}

class LoopSource implements Source {
  constructor(
    public parameters: Parameters,
    readonly isyn: Float64Array,
    public step: number,
  ) {}

  change(parameters: Parameters): void {
    this.parameters = parameters;
  }

  save(): SavedSource {
    return encodeSource(this.isyn, this.step, 0);
  }

  close(): void {
    // Nothing is held.
  }
}
