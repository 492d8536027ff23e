import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Parameters, Source } from '../simulation/engine';
import { changeParameters } from '../simulation/parameters';
import type { SessionStore } from './session-store';

/** Sources that are changed in one turn of the event loop, so that other clients are served in between. */
const SOURCES_A_TURN = 64;

/** The sources of one client, and how far their state is saved. Connections may hand it over to others. */
export class Session {
  readonly id: string;
  /** At least one, all with the same parameters. */
  readonly sources: readonly Source[];
  readonly #store: SessionStore;
  #parameters: Parameters;
  /** Counts the messages that have changed the session. */
  #version = 0;
  #savedVersion = 0;
  #saving: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(id: string, sources: readonly Source[], store: SessionStore) {
    const [first] = sources;
    if (first === undefined) throw new Error('Expected at least one source.');
    this.id = id;
    this.sources = sources;
    this.#parameters = first.parameters;
    this.#store = store;
  }

  get parameters(): Parameters {
    return this.#parameters;
  }

  /** Absolute number of the next step of each source. */
  get steps(): number[] {
    return this.sources.map(({ step }) => step);
  }

  get isSaved(): boolean {
    return this.#version === this.#savedVersion;
  }

  /** To be called after steps were computed. */
  markChanged(): void {
    this.#version++;
  }

  /** Sets the parameters that a client's message names. Throws an InputError if it is wrong. */
  async change(message: Record<string, unknown>): Promise<void> {
    const parameters = changeParameters(message, this.#parameters);
    if (JSON.stringify(parameters) === JSON.stringify(this.#parameters)) return;
    for (const [index, source] of this.sources.entries()) {
      if (index > 0 && index % SOURCES_A_TURN === 0) await nextTurn();
      source.change(parameters);
    }
    this.#version++;
    this.#parameters = parameters;
  }

  /** Saves the session if it has changed since it was last saved. One save ends before the next begins. */
  save(): Promise<void> {
    const saving = this.#saving.then(() => this.#save());
    this.#saving = saving.catch(() => undefined);
    return saving;
  }

  async #save(): Promise<void> {
    if (this.#isClosed || this.isSaved) return;
    const version = this.#version;
    const sources = this.sources.map((source) => source.save());
    await this.#store.save(this.id, { parameters: this.#parameters, sources });
    this.#savedVersion = version;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const source of this.sources) source.close();
  }
}
