/**
 * Limits connections that are not WebSockets with a session: their number, and the time they take. They need
 * no token, so without limits anybody could take all places.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { addressOf } from './client-address';

/** Milliseconds for a client to read an answer that ends its connection. */
const LINGER_MS = 1000;
const BUSY_ANSWER =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

export interface HttpLimits {
  maxHttpConnections: number;
  /** Time for the head of each request. */
  headerSeconds: number;
  /** Time for a whole request. */
  bodySeconds: number;
  /** Time for a client to read an answer. */
  answerSeconds: number;
}

interface OpenConnection {
  address: string;
  /** When it was opened, began its request, or was last answered, whichever is later. */
  since: number;
  /** Requests without an answer. */
  nRequests: number;
  /** Whether one of these requests has the token. */
  isAuthorised: boolean;
  /** Whether it was late at the last check. */
  isLate: boolean;
  /** To be called when it is closed. */
  whenClosed: Set<() => void>;
}

export class HttpConnections {
  readonly #limits: HttpLimits;
  readonly #open = new Map<Socket, OpenConnection>();
  readonly #perAddress = new Map<string, number>();
  /** Connections that are closed as soon as their client has closed its end. */
  readonly #lingering = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;

  constructor(limits: HttpLimits) {
    this.#limits = limits;
    const { headerSeconds, bodySeconds, answerSeconds } = limits;
    const interval = (Math.min(headerSeconds, bodySeconds, answerSeconds) * 1000) / 4;
    this.#timer = setInterval(
      () => this.#closeLate(),
      Math.max(10, Math.min(1000, interval)),
    ).unref();
  }

  /** Counts the connections of a server from when they are accepted. */
  attach(server: Server): void {
    server.on('connection', (socket: Socket) => this.#accept(socket));
  }

  /** The number of open connections. */
  get size(): number {
    return this.#open.size;
  }

  /** To be called with the head of a request. Returns false if its connection has been closed already. */
  begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#open.get(socket);
    if (connection === undefined) return !this.#lingering.has(socket);
    connection.nRequests++;
    connection.since = performance.now();
    this.whenAnswered(socket, response, () => {
      connection.nRequests--;
      connection.since = performance.now();
      if (connection.nRequests === 0) connection.isAuthorised = false;
    });
    return true;
  }

  /** To be called when a request has the token: its connection is not closed to make room. */
  authorise(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.isAuthorised = true;
  }

  /** To be called before an answer is written: the client has answerSeconds to read it. */
  answer(socket: Socket, response: ServerResponse): void {
    const { answerSeconds } = this.#limits;
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.since = performance.now();
    const timer = setTimeout(() => socket.destroy(), answerSeconds * 1000).unref();
    this.whenAnswered(socket, response, () => clearTimeout(timer));
  }

  /** Calls back once, when an answer is sent or its connection is closed. */
  whenAnswered(socket: Socket, response: ServerResponse, callback: () => void): void {
    // Answers to pipelined requests emit no event when the connection is closed.
    const whenClosed = this.#open.get(socket)?.whenClosed;
    let isOver = false;
    const settle = () => {
      if (isOver) return;
      isOver = true;
      whenClosed?.delete(settle);
      callback();
    };
    whenClosed?.add(settle);
    response.once('close', settle);
    if (response.destroyed || socket.destroyed) settle();
  }

  /** To be called when the connection is a WebSocket with a session, which has other limits. */
  release(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    this.#open.delete(socket);
    const count = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(connection.address);
    else this.#perAddress.set(connection.address, count);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #accept(socket: Socket): void {
    const isFull = this.#open.size >= this.#limits.maxHttpConnections;
    const address = addressOf(socket.remoteAddress);
    const connection: OpenConnection = {
      ...{ address, since: performance.now(), nRequests: 0, isAuthorised: false, isLate: false },
      whenClosed: new Set(),
    };
    this.#open.set(socket, connection);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    // With Connection: close, Node destroys a connection as soon as the answer is written. If the client is
    // still sending, the answer would be lost.
    socket.destroySoon = () => this.#linger(socket);
    socket.once('close', () => {
      this.release(socket);
      this.#lingering.delete(socket);
      for (const callback of connection.whenClosed) callback();
    });
    if (isFull) this.#reject(this.#leastImportant() ?? socket);
  }

  /** Closes a connection to make room; with 503, unless an answer to a request could be under way. */
  #reject(socket: Socket): void {
    const { nRequests = 1 } = this.#open.get(socket) ?? {};
    this.release(socket);
    if (nRequests > 0) {
      socket.destroy();
      return;
    }
    socket.write(BUSY_ANSWER);
    this.#linger(socket);
  }

  /**
   * The connection to close if there are too many. Of the address with the most connections, it is the one
   * that has been without a request for the longest time, or else the one with the oldest request without a
   * token.
   */
  #leastImportant(): Socket | undefined {
    let found: { socket: Socket; rank: readonly number[] } | undefined;
    for (const [socket, { address, since, nRequests, isAuthorised }] of this.#open) {
      if (nRequests > 0 && isAuthorised) continue;
      const count = this.#perAddress.get(address) ?? 0;
      const rank = [-count, Math.min(1, nRequests), since];
      if (found === undefined || isBefore(rank, found.rank)) found = { socket, rank };
    }
    return found?.socket;
  }

  /** Ends a connection, and gives its client a moment to read the answer and close its end. */
  #linger(socket: Socket): void {
    if (this.#lingering.has(socket) || socket.destroyed) return;
    this.release(socket);
    this.#lingering.add(socket);
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    const [oldest] = this.#lingering;
    if (this.#lingering.size > this.#limits.maxHttpConnections) oldest?.destroy();
  }

  #closeLate(): void {
    const { headerSeconds, bodySeconds, answerSeconds } = this.#limits;
    const now = performance.now();
    for (const [socket, connection] of this.#open) {
      const seconds = connection.nRequests === 0 ? headerSeconds : bodySeconds + answerSeconds;
      const isLate = now - connection.since > seconds * 1000;
      // Closed at the second check: a request may have arrived unread while this process was busy.
      if (isLate && connection.isLate) socket.destroy();
      connection.isLate = isLate;
    }
  }
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const i = a.findIndex((value, k) => value !== b[k]);
  return i >= 0 && (a[i] ?? 0) < (b[i] ?? 0);
}
