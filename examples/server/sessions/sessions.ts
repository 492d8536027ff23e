import { InputError, isBadInput } from '../errors';
import type { Settings } from '../settings';
import type { Engine, Source } from '../simulation/engine';
import { queryParameters, querySources, restoreParameters } from '../simulation/parameters';
import { Session } from './session';
import { CorruptSessionError, SessionStore } from './session-store';

/** Creates new sessions and restores saved ones. */
export class Sessions {
  readonly #engine: Engine;
  readonly #store: SessionStore;
  readonly #settings: Settings;

  constructor(engine: Engine, store: SessionStore, settings: Settings) {
    this.#engine = engine;
    this.#store = store;
    this.#settings = settings;
  }

  /** Creates a session with the parameters and the number of sources in a query. */
  create(query: Record<string, unknown>): Session {
    const parameters = queryParameters(query, this.#settings.maxChannels);
    const nSources = querySources(query, this.#mostSources(parameters.channels));
    const sources = openAll(new Array<undefined>(nSources).fill(undefined), () =>
      this.#engine.open(parameters),
    );
    return new Session(SessionStore.newId(), sources, this.#store);
  }

  /**
   * Restores a saved session. Rejects with an InputError if there is none, with the status 410 if its file is
   * corrupt, and with 503 if the file cannot be read.
   */
  async restore(id: string): Promise<Session> {
    let saved;
    try {
      saved = await this.#store.load(id);
      if (saved !== undefined) return new Session(id, this.#restoreSources(saved), this.#store);
    } catch (cause) {
      const isCorrupt = cause instanceof CorruptSessionError || isBadInput(cause);
      const message = isCorrupt
        ? 'Expected a saved session that can be restored but its file is corrupt.'
        : 'Expected to read the saved session but that failed; try again later.';
      throw Object.assign(new Error(message, { cause }), { statusCode: isCorrupt ? 410 : 503 });
    }
    throw new InputError('Expected the id of a session that was saved.');
  }

  #restoreSources(saved: { parameters?: unknown; sources?: unknown }): Source[] {
    const parameters = restoreParameters(saved.parameters, this.#settings.maxChannels);
    const most = this.#mostSources(parameters.channels);
    const { sources } = saved;
    if (!Array.isArray(sources) || sources.length === 0 || sources.length > most) {
      throw new InputError(`Expected 1 to ${most} sources in a saved session.`);
    }
    return openAll(sources as unknown[], (source) => this.#engine.restore(parameters, source));
  }

  /** The most sources of a connection if each has so many channels. */
  #mostSources(channels: number): number {
    const { maxSources, maxChannels } = this.#settings;
    return Math.min(maxSources, Math.floor(maxChannels / channels));
  }
}

/** Opens a source for each item. If one of them cannot be opened, closes the others. */
function openAll<Item>(items: readonly Item[], open: (item: Item) => Source): Source[] {
  const sources: Source[] = [];
  try {
    for (const item of items) sources.push(open(item));
    return sources;
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
}
