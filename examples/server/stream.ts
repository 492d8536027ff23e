/** GET /stream: from a handshake to a connection with its session. */
import type { IncomingHttpHeaders } from 'node:http';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';

import { CLOSE_CODES, Connection } from './connection';
import type { Source } from './engine';
import { InputError, isBadInput } from './errors';
import { queryParameters, querySources, restoreParameters } from './parameters';
import type { ServerParts } from './parts';
import { addressOf } from './sockets';
import { DamagedSessionError, Store } from './store';

type Query = Record<string, string | undefined>;

export interface StreamParts extends ServerParts {
  store: Store;
}

/** A handshake on its way to a connection. */
interface Opening {
  id: string;
  address: string;
  /** Undefined where another connection has them, which it keeps until this one is a WebSocket. */
  sources: readonly Source[] | undefined;
  /** Whether it has become a connection. */
  isTaken: boolean;
}

/** The open connections, and those that are being opened. */
export class Streams {
  readonly #parts: StreamParts;
  readonly #connections = new Map<string, Connection>();
  readonly #handshakes = new WeakMap<FastifyRequest, Opening>();
  /** Sessions that somebody is coming back to at this moment. */
  readonly #opening = new Map<string, FastifyRequest>();
  readonly #takeovers = new Set<Promise<void>>();
  /** Connections that are being opened, or are open, or are being saved. */
  #nConnections = 0;
  readonly #perAddress = new Map<string, number>();

  constructor(parts: StreamParts) {
    this.#parts = parts;
    parts.budget.onTurn = () => {
      for (const connection of this.#connections.values()) connection.holdBack();
    };
  }

  add(app: FastifyInstance): void {
    const { authenticate } = this.#parts;
    const check = (request: FastifyRequest, reply: FastifyReply) => this.#check(request, reply);
    app.get(
      '/stream',
      { websocket: true, onRequest: authenticate, preValidation: check },
      (socket, request) => this.#begin(socket, request),
    );
  }

  /** Whether a connection has a session, or somebody is coming back to it. */
  isOpen(session: string): boolean {
    return this.#connections.has(session) || this.#opening.has(session);
  }

  /** Saves every session that has moved, one after the other: saving is no hurry, and frames are. */
  async save(): Promise<void> {
    for (const connection of this.#connections.values()) await connection.save();
  }

  /**
   * Cuts the clients that have not read an answer for answerSeconds, or not sent the whole of a message
   * for bodySeconds; while all hold too much together, also the one that has stalled for the longest
   * time, from a third of answerSeconds on: clients of a busy machine are late, too.
   */
  cutStalled(): void {
    const { settings, budget } = this.#parts;
    const now = Date.now();
    let slowest: Connection | undefined;
    let longest = settings.answerSeconds / 3;
    for (const connection of this.#connections.values()) {
      connection.countPart();
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

  /** Resolves with how many sessions could not be saved. */
  async shutDown(): Promise<number> {
    await Promise.all(this.#takeovers);
    const areSaved = await Promise.all(
      [...this.#connections.values()].map((open) => open.close(CLOSE_CODES.shutdown, 'shutdown')),
    );
    return areSaved.filter((isSaved) => !isSaved).length;
  }

  /** Answers a handshake that is not to become a connection. */
  async #check(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { metrics } = this.#parts;
    const refuse = async (status: number, error: string): Promise<void> => {
      metrics.refusals.inc();
      await reply.code(status).send({ error });
    };
    if (!request.ws) {
      // Browsers do not tell pages why a handshake was refused; this answers where a session has gone.
      const { session } = request.query as Query;
      if (session !== undefined) closeAll((await this.#openSources({ session })).sources);
      void reply.header('upgrade', 'websocket');
      await reply.code(426).send({ error: 'Expected a WebSocket.' });
      return;
    }
    if (!isHandshake(request.headers)) {
      void reply.header('sec-websocket-version', '13');
      return refuse(400, 'Expected a WebSocket handshake of version 13 with its key.');
    }
    const full = this.#whatIsFull(request);
    if (full !== undefined) {
      void reply.header('retry-after', '1');
      return refuse(503, `Expected ${full}; try again later.`);
    }
    await this.#open(request);
  }

  #whatIsFull(request: FastifyRequest): string | undefined {
    const { settings, isDraining } = this.#parts;
    if (isDraining()) return 'a server that is not shutting down';
    // Whoever comes back to an open session takes its place.
    const { session = '' } = request.query as Query;
    if (this.#connections.has(session)) return undefined;
    if (this.#nConnections >= settings.maxConnections) return 'room for a connection';
    const nOwn = this.#perAddress.get(addressOf(request.raw.socket.remoteAddress)) ?? 0;
    if (nOwn < settings.maxConnectionsPerAddress) return undefined;
    return `fewer than ${settings.maxConnectionsPerAddress} connections of one address`;
  }

  async #open(request: FastifyRequest): Promise<void> {
    const { session = '' } = request.query as Query;
    if (this.#opening.has(session)) {
      throw new InputError('Expected a session that nobody else is coming back to.');
    }
    const address = addressOf(request.raw.socket.remoteAddress);
    this.#countConnection(address, 1);
    if (session !== '') this.#opening.set(session, request);
    try {
      const found = await this.#openSources(request.query as Query);
      const opening: Opening = { ...found, address, isTaken: false };
      this.#handshakes.set(request, opening);
      const release = () => {
        if (opening.isTaken) return;
        // The client has gone before it was a WebSocket.
        opening.isTaken = true;
        this.#leaveOpening(session, request);
        this.#countConnection(address, -1);
        closeAll(opening.sources);
      };
      if (request.raw.socket.destroyed) release();
      else request.raw.socket.once('close', release);
    } catch (error) {
      this.#countConnection(address, -1);
      this.#leaveOpening(session, request);
      throw error;
    }
  }

  async #openSources(query: Query): Promise<Pick<Opening, 'id' | 'sources'>> {
    const { engine, settings } = this.#parts;
    const { session } = query;
    if (session === undefined) {
      const parameters = queryParameters(query, settings.maxChannels);
      const nSources = querySources(query, this.#mostSources(parameters.channels));
      const all = new Array<undefined>(nSources).fill(undefined);
      return { id: Store.newId(), sources: openAll(all, () => engine.open(parameters)) };
    }
    if (!Store.isId(session)) throw new InputError('Expected the id of a session.');
    if (this.#connections.has(session)) return { id: session, sources: undefined };
    return { id: session, sources: await this.#load(session) };
  }

  /** The sources of a saved session. */
  async #load(session: string): Promise<Source[]> {
    const { store } = this.#parts;
    let saved;
    try {
      saved = await store.load(session);
      if (saved !== undefined) return this.#restore(saved);
    } catch (cause) {
      const isDamaged = cause instanceof DamagedSessionError || isBadInput(cause);
      const message = isDamaged
        ? 'Expected a session that can be restored but what was saved is damaged.'
        : 'Expected to read the saved session but that failed; try again later.';
      throw Object.assign(new Error(message, { cause }), { statusCode: isDamaged ? 410 : 503 });
    }
    throw new InputError('Expected the id of a session that was saved.');
  }

  /** As many sources of so many channels as a connection may have. */
  #mostSources(channels: number): number {
    const { maxSources, maxChannels } = this.#parts.settings;
    return Math.min(maxSources, Math.floor(maxChannels / channels));
  }

  #restore(saved: { parameters?: unknown; sources?: unknown }): Source[] {
    const { engine, settings } = this.#parts;
    const parameters = restoreParameters(saved.parameters, settings.maxChannels);
    const most = this.#mostSources(parameters.channels);
    const { sources } = saved;
    if (!Array.isArray(sources) || sources.length === 0 || sources.length > most) {
      throw new InputError(`Expected 1 to ${most} sources in a saved session.`);
    }
    return openAll(sources as unknown[], (source) => engine.restore(parameters, source));
  }

  /** The handshake is complete. */
  #begin(socket: WebSocket, request: FastifyRequest): void {
    const opening = this.#handshakes.get(request);
    if (opening === undefined || opening.isTaken) throw new Error('Expected an opened session.');
    opening.isTaken = true;
    this.#parts.sockets.release(request.raw.socket);
    if (opening.sources !== undefined) {
      this.#connect(socket, request, opening, opening.sources, true);
      return;
    }
    // Nothing that it sends is lost meanwhile.
    socket.pause();
    const takeover = this.#takeOver(socket, request, opening).finally(() => {
      this.#takeovers.delete(takeover);
    });
    this.#takeovers.add(takeover);
  }

  /** A client has come back before it was missed. */
  async #takeOver(socket: WebSocket, request: FastifyRequest, opening: Opening): Promise<void> {
    const { id, address } = opening;
    try {
      const handedOver = await this.#connections.get(id)?.handOver();
      const { sources, isSaved } = handedOver ?? { sources: await this.#load(id), isSaved: true };
      this.#connect(socket, request, opening, sources, isSaved);
      socket.resume();
    } catch (error) {
      request.log.error(error, 'session not taken over');
      this.#leaveOpening(id, request);
      this.#countConnection(address, -1);
      socket.close(CLOSE_CODES.failure, 'failure');
    }
  }

  #connect(
    socket: WebSocket,
    request: FastifyRequest,
    { id, address }: Opening,
    sources: readonly Source[],
    isSaved: boolean,
  ): void {
    const { settings, gatherer, store, metrics, budget, isDraining } = this.#parts;
    const log = request.log.child({ session: id });
    const connection = new Connection({
      ...{ id, socket, sources, settings, gatherer, store, metrics, budget, log, isSaved },
      countBytes: () => request.raw.socket.bytesRead,
    });
    this.#connections.set(id, connection);
    this.#leaveOpening(id, request);
    metrics.connections.inc();
    void connection.ended.then(() => {
      this.#countConnection(address, -1);
      metrics.connections.dec();
      if (this.#connections.get(id) === connection) this.#connections.delete(id);
    });
    connection.welcome();
    if (isDraining()) void connection.close(CLOSE_CODES.shutdown, 'shutdown');
  }

  /** Another request may be coming back to it by now. */
  #leaveOpening(session: string, request: FastifyRequest): void {
    if (this.#opening.get(session) === request) this.#opening.delete(session);
  }

  #countConnection(address: string, change: number): void {
    this.#nConnections += change;
    const count = (this.#perAddress.get(address) ?? 0) + change;
    if (count === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count);
  }
}

/** Whether a request asks for a WebSocket in the way that will get one. */
function isHandshake(headers: IncomingHttpHeaders): boolean {
  const { upgrade = '', 'sec-websocket-key': key = '', 'sec-websocket-version': version } = headers;
  const isKey = typeof key === 'string' && /^[+/0-9A-Za-z]{22}==$/.test(key);
  return upgrade.toLowerCase() === 'websocket' && isKey && version === '13';
}

/** A source for each item; none stays open when one of them cannot be opened. */
function openAll<Item>(items: readonly Item[], open: (item: Item) => Source): Source[] {
  const sources: Source[] = [];
  try {
    for (const item of items) sources.push(open(item));
    return sources;
  } catch (error) {
    closeAll(sources);
    throw error;
  }
}

function closeAll(sources: readonly Source[] = []): void {
  for (const source of sources) source.close();
}
