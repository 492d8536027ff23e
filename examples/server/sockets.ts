/**
 * Limits on connections that are not WebSockets with a session: how many there are, and how long they
 * take. Nobody has to show a token for one, so that they must not keep others out.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long a client may take to read an answer that ends its connection, in milliseconds. */
const LINGER_MS = 1000;
const BUSY_ANSWER =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

export interface SocketLimits {
  maxHttpConnections: number;
  /** For the head of a request, also of the next one. */
  headerSeconds: number;
  /** For the whole of a request. */
  bodySeconds: number;
  /** For reading an answer. */
  answerSeconds: number;
}

interface Held {
  address: string;
  /** When it was opened, or began its request, or was last answered. */
  since: number;
  /** Requests without an answer. */
  nRequests: number;
  /** Whether one of them has shown the token. */
  isAuthorised: boolean;
  /** Whether it was late when it was last looked at. */
  isLate: boolean;
  /** Called when it is closed. */
  whenClosed: Set<() => void>;
}

export class Sockets {
  readonly #limits: SocketLimits;
  readonly #held = new Map<Socket, Held>();
  readonly #perAddress = new Map<string, number>();
  readonly #lingering = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;

  constructor(limits: SocketLimits) {
    this.#limits = limits;
    const { headerSeconds, bodySeconds, answerSeconds } = limits;
    const interval = (Math.min(headerSeconds, bodySeconds, answerSeconds) * 1000) / 4;
    this.#timer = setInterval(() => this.#sweep(), Math.max(10, Math.min(1000, interval))).unref();
  }

  /** Holds the connections of a server from when they are accepted. */
  attach(server: Server): void {
    server.on('connection', (socket: Socket) => this.#accept(socket));
  }

  /** How many are held. */
  get size(): number {
    return this.#held.size;
  }

  /** The head of a request has come. Returns false where its connection has been given up already. */
  begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const held = this.#held.get(socket);
    if (held === undefined) return !this.#lingering.has(socket);
    held.nRequests++;
    held.since = performance.now();
    this.whenAnswered(socket, response, () => {
      held.nRequests--;
      held.since = performance.now();
      if (held.nRequests === 0) held.isAuthorised = false;
    });
    return true;
  }

  /** A request of the connection has shown the token, so it is not closed to make room. */
  authorise(socket: Socket): void {
    const held = this.#held.get(socket);
    if (held !== undefined) held.isAuthorised = true;
  }

  /** The answer is about to be written: the client has answerSeconds to read it. */
  answer(socket: Socket, response: ServerResponse): void {
    const { answerSeconds } = this.#limits;
    const held = this.#held.get(socket);
    if (held !== undefined) held.since = performance.now();
    const timer = setTimeout(() => socket.destroy(), answerSeconds * 1000).unref();
    this.whenAnswered(socket, response, () => clearTimeout(timer));
  }

  /** Calls back once, when an answer has left or its connection is closed. */
  whenAnswered(socket: Socket, response: ServerResponse, callback: () => void): void {
    // Answers in a pipeline of requests are told nothing when the connection is closed.
    const whenClosed = this.#held.get(socket)?.whenClosed;
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

  /** The connection is a WebSocket with a session, and has other limits. */
  release(socket: Socket): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    this.#held.delete(socket);
    const count = (this.#perAddress.get(held.address) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(held.address);
    else this.#perAddress.set(held.address, count);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #accept(socket: Socket): void {
    const isFull = this.#held.size >= this.#limits.maxHttpConnections;
    const address = addressOf(socket.remoteAddress);
    const held: Held = {
      ...{ address, since: performance.now(), nRequests: 0, isAuthorised: false, isLate: false },
      whenClosed: new Set(),
    };
    this.#held.set(socket, held);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    // With Connection: close, Node destroys a connection as soon as the answer is written, which loses
    // it where the client is still sending.
    socket.destroySoon = () => this.#linger(socket);
    socket.once('close', () => {
      this.release(socket);
      this.#lingering.delete(socket);
      for (const callback of held.whenClosed) callback();
    });
    if (isFull) this.#giveUp(this.#mostExpendable() ?? socket);
  }

  /** Ends a connection that no answer is written to at the moment, with 503 where that can be said. */
  #giveUp(socket: Socket): void {
    const { nRequests = 1 } = this.#held.get(socket) ?? {};
    this.release(socket);
    if (nRequests > 0) {
      socket.destroy();
      return;
    }
    socket.write(BUSY_ANSWER);
    this.#linger(socket);
  }

  /**
   * Of the address with the most connections, the one that has been without a request for the longest
   * time, or else the oldest whose request has shown no token.
   */
  #mostExpendable(): Socket | undefined {
    let found: { socket: Socket; rank: readonly number[] } | undefined;
    for (const [socket, { address, since, nRequests, isAuthorised }] of this.#held) {
      if (nRequests > 0 && isAuthorised) continue;
      const count = this.#perAddress.get(address) ?? 0;
      const rank = [-count, Math.min(1, nRequests), since];
      if (found === undefined || isBefore(rank, found.rank)) found = { socket, rank };
    }
    return found?.socket;
  }

  /** Writes nothing more, and waits a moment for the client to close its end. */
  #linger(socket: Socket): void {
    if (this.#lingering.has(socket) || socket.destroyed) return;
    this.release(socket);
    this.#lingering.add(socket);
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    const [oldest] = this.#lingering;
    if (this.#lingering.size > this.#limits.maxHttpConnections) oldest?.destroy();
  }

  #sweep(): void {
    const { headerSeconds, bodySeconds, answerSeconds } = this.#limits;
    const now = performance.now();
    for (const [socket, held] of this.#held) {
      const seconds = held.nRequests === 0 ? headerSeconds : bodySeconds + answerSeconds;
      const isLate = now - held.since > seconds * 1000;
      // At the second look: while this process was busy, a request may have come that is not read yet.
      if (isLate && held.isLate) socket.destroy();
      held.isLate = isLate;
    }
  }
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const i = a.findIndex((value, k) => value !== b[k]);
  return i >= 0 && (a[i] ?? 0) < (b[i] ?? 0);
}

/** What counts as one address: of IPv6 the network of 64 bits, of which a household has all. */
export function addressOf(remoteAddress = ''): string {
  const address = remoteAddress.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
