import { ExpSyn, type ExpSynSession } from 'expsyn';

import { decodeSource, encodeSource, type SavedSource } from './saved-source';
import { CurrentsMemory, type Engine, type Parameters, type Source } from './engine';

/** Computes with the package: a session for each source, and a module for each choice of parameters. */
export class ExpSynEngine implements Engine {
  readonly #modules = new Map<string, { module: ExpSyn<'float32'>; nSources: number }>();
  readonly #memory = new CurrentsMemory();

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
      const out = this.#memory.take(spikes.length);
      module.evolveSessionsSync(sessions, input, { out });
      return out;
    }
    return module.evolveSessions(sessions, input).then(({ output }) => output.data);
  }

  /** Returns the module of these parameters. It is kept until each caller has called release(). */
  module(parameters: Parameters): ExpSyn<'float32'> {
    const key = JSON.stringify(parameters);
    let entry = this.#modules.get(key);
    if (entry === undefined) {
      const { channels, tau, dt, noiseStd } = parameters;
      // With an unlimited window, results do not depend on how a client divides its steps into frames.
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
  session: ExpSynSession<'float32'>;

  constructor(
    engine: ExpSynEngine,
    parameters: Parameters,
    open: (module: ExpSyn<'float32'>) => ExpSynSession<'float32'>,
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
