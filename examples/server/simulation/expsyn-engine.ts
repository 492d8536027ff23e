import {
  AlphaSyn,
  DoubleExpSyn,
  ExpSyn,
  type AlphaSynSession,
  type DoubleExpSynSession,
  type ExpSynSession,
  type RasterInput,
} from 'expsyn';

import { decodeSource, encodeSource, type SavedSource, type SourceState } from './saved-source';
import { CurrentsMemory, type Engine, type Parameters, type Source } from './engine';

type RisingSession = AlphaSynSession<'float32'> | DoubleExpSynSession<'float32'>;
type AnySession = ExpSynSession<'float32'> | RisingSession;
type AnyModule = ExpSyn<'float32'> | AlphaSyn<'float32'> | DoubleExpSyn<'float32'>;

/** What the modules of all kernels do for sessions of their own. */
interface BatchModule {
  readonly sizeIn: number;
  evolveSessionsSync(
    sessions: readonly AnySession[],
    input: RasterInput,
    options: { out: Float32Array },
  ): unknown;
  evolveSessions(
    sessions: readonly AnySession[],
    input: RasterInput,
  ): Promise<{ output: { data: Float32Array } }>;
}

/** Computes with the package: a session for each source, and a module for each choice of parameters. */
export class ExpSynEngine implements Engine {
  readonly #modules = new Map<string, { module: AnyModule; nSources: number }>();
  readonly #memory = new CurrentsMemory();

  open(parameters: Parameters): Source {
    return new SessionSource(this, parameters, undefined);
  }

  restore(parameters: Parameters, saved: unknown): Source {
    const { channels, kernel } = parameters;
    const state = decodeSource(saved, Float32Array, channels, kernel !== 'exp');
    return new SessionSource(this, parameters, state);
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
    const module: BatchModule = first.module;
    const input = { data: spikes, shape: [sources.length, steps, module.sizeIn] };
    if (isShort) {
      const out = this.#memory.take(spikes.length);
      module.evolveSessionsSync(sessions, input, { out });
      return out;
    }
    return module.evolveSessions(sessions, input).then(({ output }) => output.data);
  }

  /** Returns the module of these parameters. It is kept until each caller has called release(). */
  module(parameters: Parameters): AnyModule {
    const key = JSON.stringify(parameters);
    let entry = this.#modules.get(key);
    if (entry === undefined) {
      entry = { module: makeModule(parameters), nSources: 0 };
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

function makeModule({ channels, kernel, tau, tauRise, dt, noiseStd }: Parameters): AnyModule {
  // With an unlimited window, results do not depend on how a client divides its steps into frames.
  const options = { dt, noiseStd, windowTaus: Infinity, dtype: 'float32' } as const;
  switch (kernel) {
    case 'exp':
      return new ExpSyn(channels, { ...options, tau: () => tau });
    case 'alpha':
      return new AlphaSyn(channels, { ...options, tau: () => tau });
    case 'double-exp':
      return new DoubleExpSyn(channels, {
        ...options,
        tauRise: () => tauRise,
        tauDecay: () => tau,
      });
  }
}

/** What a session of a kernel that rises has on its way to the current; undefined for others. */
function risingOf(session: AnySession): RisingSession['rising'] | undefined {
  return 'rising' in session ? session.rising : undefined;
}

function openSession(
  module: AnyModule,
  channels: number,
  state: SourceState<Float32Array> | undefined,
): AnySession {
  if (state === undefined) return module.session();
  const { isyn, rising, step, seed } = state;
  const shape = [channels];
  const arrayOf = ({ data, correction }: SourceState<Float32Array>['isyn']) => {
    return { data, shape, ...(correction && { correction }) };
  };
  const options = { isyn: arrayOf(isyn), step, seed };
  if (module instanceof ExpSyn) return module.session(options);
  return module.session({ ...options, ...(rising && { rising: arrayOf(rising) }) });
}

class SessionSource implements Source {
  readonly #engine: ExpSynEngine;
  parameters: Parameters;
  session: AnySession;

  constructor(
    engine: ExpSynEngine,
    parameters: Parameters,
    state: SourceState<Float32Array> | undefined,
  ) {
    this.#engine = engine;
    this.parameters = parameters;
    try {
      this.session = openSession(engine.module(parameters), parameters.channels, state);
    } catch (error) {
      engine.release(parameters);
      throw error;
    }
  }

  get step(): number {
    return this.session.step;
  }

  /** The current goes on from its value, whatever the new kernel is. */
  change(parameters: Parameters): void {
    const next = new SessionSource(this.#engine, parameters, this.#state());
    this.close();
    this.session = next.session;
    this.parameters = parameters;
  }

  save(): SavedSource {
    return encodeSource(this.#state());
  }

  close(): void {
    this.session.close();
    this.#engine.release(this.parameters);
  }

  #state(): SourceState<Float32Array> {
    const { isyn, step, seed } = this.session;
    return { isyn, rising: risingOf(this.session), step, seed };
  }
}
