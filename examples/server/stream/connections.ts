import { addressOf } from '../http/client-address';
import type { Services } from '../services';
import { CLOSE_CODES } from './close-codes';
import type { Connection } from './connection';

/** The open connections by their sessions, and the number of connections of each address. */
export class Connections {
  readonly #services: Services;
  readonly #bySession = new Map<string, Connection>();
  /** Connections that are being opened, are open, or are saving their session. */
  #count = 0;
  readonly #perAddress = new Map<string, number>();

  constructor(services: Services) {
    this.#services = services;
    services.budget.onChange = () => {
      for (const connection of this.#bySession.values()) connection.updatePause();
    };
  }

  /** The open connection of a session. */
  get(session: string): Connection | undefined {
    return this.#bySession.get(session);
  }

  /** Why there is no room for another connection of an address; undefined if there is. */
  whyFull(remoteAddress: string | undefined): string | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#services.settings;
    if (this.#count >= maxConnections) return 'room for a connection';
    const nOwn = this.#perAddress.get(addressOf(remoteAddress)) ?? 0;
    if (nOwn < maxConnectionsPerAddress) return undefined;
    return `fewer than ${maxConnectionsPerAddress} connections of one address`;
  }

  /** Takes a place for a connection of an address. Returns a function that gives the place back. */
  reserve(remoteAddress: string | undefined): () => void {
    const address = addressOf(remoteAddress);
    const add = (change: number) => {
      this.#count += change;
      const count = (this.#perAddress.get(address) ?? 0) + change;
      if (count === 0) this.#perAddress.delete(address);
      else this.#perAddress.set(address, count);
    };
    add(1);
    return () => add(-1);
  }

  /** Adds an open connection until it ends, then gives its place back. */
  add(connection: Connection, release: () => void): void {
    const { metrics } = this.#services;
    const { id } = connection.session;
    this.#bySession.set(id, connection);
    metrics.connections.inc();
    void connection.ended.then(() => {
      release();
      metrics.connections.dec();
      if (this.#bySession.get(id) === connection) this.#bySession.delete(id);
    });
  }

  /** Saves every session that has changed, one after the other, so that frames are served in between. */
  async save(): Promise<void> {
    for (const connection of this.#bySession.values()) await connection.save();
  }

  /**
   * Cuts clients that have not read an answer for answerSeconds, or have not completed a message for
   * bodySeconds. While the budget is full, also cuts the client that has stalled for the longest time, if
   * that is more than a third of answerSeconds: on a busy machine, clients that behave are late too.
   */
  cutStalled(): void {
    const { settings, budget } = this.#services;
    const now = Date.now();
    let slowest: Connection | undefined;
    let longest = settings.answerSeconds / 3;
    for (const connection of this.#bySession.values()) {
      connection.countPartialMessage();
      const { reading, sending } = connection.stalledFor(now);
      const isLate = sending > settings.bodySeconds && !connection.isPaused;
      if (isLate || reading > settings.answerSeconds) {
        connection.cut();
      } else if (Math.max(reading, sending) > longest) {
        longest = Math.max(reading, sending);
        slowest = connection;
      }
    }
    if (budget.isFull) slowest?.cut();
  }

  /** Closes every connection. Resolves with the number of sessions that could not be saved. */
  async shutDown(): Promise<number> {
    const areSaved = await Promise.all(
      [...this.#bySession.values()].map((open) => open.close(CLOSE_CODES.shutdown, 'shutdown')),
    );
    return areSaved.filter((isSaved) => !isSaved).length;
  }
}
