/** GET /stream: from the handshake of a WebSocket to a connection with its session. */
import type { IncomingHttpHeaders } from 'node:http';

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';

import { InputError } from '../errors';
import type { Services } from '../services';
import type { Session } from '../sessions/session';
import { SessionStore } from '../sessions/session-store';
import { CLOSE_CODES } from './close-codes';
import { Connection } from './connection';
import { Connections } from './connections';

type Query = Record<string, string | undefined>;

/** A handshake that was accepted but is not a connection yet. */
interface Handshake {
  id: string;
  /** Undefined if another connection has the session, which keeps it until this handshake is complete. */
  session: Session | undefined;
  /** Gives back the place that the connection takes. */
  release: () => void;
  /** Whether it has become a connection, or has failed. */
  isOver: boolean;
}

export class StreamRoute {
  readonly #services: Services;
  readonly connections: Connections;
  readonly #handshakes = new WeakMap<FastifyRequest, Handshake>();
  /** The sessions that handshakes have asked for, until they are connections. */
  readonly #requested = new Map<string, FastifyRequest>();
  readonly #takeovers = new Set<Promise<void>>();

  constructor(services: Services) {
    this.#services = services;
    this.connections = new Connections(services);
  }

  addTo(app: FastifyInstance): void {
    app.get(
      '/stream',
      {
        websocket: true,
        onRequest: this.#services.authenticate,
        preValidation: (request, reply) => this.#check(request, reply),
      },
      (socket, request) => this.#complete(socket, request),
    );
  }

  /** Whether a connection has a session, or a handshake has asked for it. */
  isOpen(session: string): boolean {
    return this.connections.get(session) !== undefined || this.#requested.has(session);
  }

  /** Closes every connection. Resolves with the number of sessions that could not be saved. */
  async shutDown(): Promise<number> {
    await Promise.all(this.#takeovers);
    return this.connections.shutDown();
  }

  /** Accepts a handshake, or answers a request that cannot become a connection. */
  async #check(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const query = request.query as Query;
    const { session: requested } = query;
    const refuse = async (status: number, error: string): Promise<void> => {
      this.#services.metrics.refusals.inc();
      await reply.code(status).send({ error });
    };
    if (!request.ws) {
      // Browsers do not tell a page why a handshake was refused, so the page asks here about its session.
      if (requested !== undefined) (await this.#findSession(requested))?.close();
      void reply.header('upgrade', 'websocket');
      await reply.code(426).send({ error: 'Expected a WebSocket.' });
      return;
    }
    if (!isHandshake(request.headers)) {
      void reply.header('sec-websocket-version', '13');
      return refuse(400, 'Expected a WebSocket handshake of version 13 with its key.');
    }
    const reason = this.#whyFull(request);
    if (reason !== undefined) {
      void reply.header('retry-after', '1');
      return refuse(503, `Expected ${reason}; try again later.`);
    }
    await this.#accept(request, query);
  }

  #whyFull(request: FastifyRequest): string | undefined {
    if (this.#services.isShuttingDown()) return 'a server that is not shutting down';
    // A client that comes back to an open session takes the place of its old connection.
    const { session = '' } = request.query as Query;
    if (this.connections.get(session) !== undefined) return undefined;
    return this.connections.whyFull(request.raw.socket.remoteAddress);
  }

  async #accept(request: FastifyRequest, query: Query): Promise<void> {
    const { session: requested } = query;
    if (requested !== undefined && this.#requested.has(requested)) {
      throw new InputError('Expected a session that no other client is coming back to.');
    }
    const { socket } = request.raw;
    const release = this.connections.reserve(socket.remoteAddress);
    if (requested !== undefined) this.#requested.set(requested, request);
    try {
      const session =
        requested === undefined
          ? this.#services.sessions.create(query)
          : await this.#findSession(requested);
      const id = session?.id ?? requested ?? '';
      const handshake: Handshake = { id, session, release, isOver: false };
      this.#handshakes.set(request, handshake);
      const cancel = () => {
        if (handshake.isOver) return;
        // The client left before the handshake was complete.
        handshake.isOver = true;
        this.#endRequest(id, request);
        release();
        session?.close();
      };
      if (socket.destroyed) cancel();
      else socket.once('close', cancel);
    } catch (error) {
      release();
      this.#endRequest(requested, request);
      throw error;
    }
  }

  /** The saved session of an id; undefined if a connection has it. */
  async #findSession(id: string): Promise<Session | undefined> {
    if (!SessionStore.isId(id)) throw new InputError('Expected the id of a session.');
    if (this.connections.get(id) !== undefined) return undefined;
    return this.#services.sessions.restore(id);
  }

  /** The handshake is complete. */
  #complete(socket: WebSocket, request: FastifyRequest): void {
    const handshake = this.#handshakes.get(request);
    if (handshake === undefined || handshake.isOver) {
      throw new Error('Expected a handshake that was accepted.');
    }
    handshake.isOver = true;
    this.#services.httpConnections.release(request.raw.socket);
    if (handshake.session !== undefined) {
      this.#connect(socket, request, handshake, handshake.session);
      return;
    }
    // Messages that arrive until the session is there wait in the paused socket.
    socket.pause();
    const takeover = this.#takeOver(socket, request, handshake).finally(() => {
      this.#takeovers.delete(takeover);
    });
    this.#takeovers.add(takeover);
  }

  /** The client has come back before its old connection ended. */
  async #takeOver(socket: WebSocket, request: FastifyRequest, handshake: Handshake): Promise<void> {
    const { id, release } = handshake;
    try {
      const handedOver = await this.connections.get(id)?.handOver();
      const session = handedOver ?? (await this.#services.sessions.restore(id));
      this.#connect(socket, request, handshake, session);
      socket.resume();
    } catch (error) {
      request.log.error(error, 'session not taken over');
      this.#endRequest(id, request);
      release();
      socket.close(CLOSE_CODES.failure, 'failure');
    }
  }

  #connect(
    socket: WebSocket,
    request: FastifyRequest,
    { id, release }: Handshake,
    session: Session,
  ): void {
    const log = request.log.child({ session: id });
    const readTotal = () => request.raw.socket.bytesRead;
    const connection = new Connection(socket, session, this.#services, log, readTotal);
    this.connections.add(connection, release);
    this.#endRequest(id, request);
    connection.welcome();
    if (this.#services.isShuttingDown()) void connection.close(CLOSE_CODES.shutdown, 'shutdown');
  }

  /** Another handshake may have asked for the session since, so only the request's own entry is removed. */
  #endRequest(session: string | undefined, request: FastifyRequest): void {
    if (session !== undefined && this.#requested.get(session) === request) {
      this.#requested.delete(session);
    }
  }
}

/** Whether a request asks for a WebSocket in the way that will get one. */
function isHandshake(headers: IncomingHttpHeaders): boolean {
  const { upgrade = '', 'sec-websocket-key': key = '', 'sec-websocket-version': version } = headers;
  const isKey = typeof key === 'string' && /^[+/0-9A-Za-z]{22}==$/.test(key);
  return upgrade.toLowerCase() === 'websocket' && isKey && version === '13';
}
