import type { WebSocket } from 'ws';

import type { ByteBudget } from '../byte-budget';

/** Sends to a client, and counts in the budget what the client has not read yet. */
export class Outbox {
  readonly #socket: WebSocket;
  readonly #budget: ByteBudget;
  readonly #onRead: () => void;
  /** When each message was sent that the client has not read, the oldest one first. */
  readonly #sentAt: number[] = [];

  /** @param onRead Called whenever the client has read a message. */
  constructor(socket: WebSocket, budget: ByteBudget, onRead: () => void) {
    this.#socket = socket;
    this.#budget = budget;
    this.#onRead = onRead;
  }

  /** Bytes that the client has not read. */
  get unreadBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** When the oldest message was sent that the client has not read. */
  get unreadSince(): number | undefined {
    return this.#sentAt[0];
  }

  /** Sends a text message, unless the connection is closing. */
  sendText(message: object): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const text = JSON.stringify(message);
    this.#count(text.length, (done) => this.#socket.send(text, done));
  }

  sendBytes(message: Uint8Array): void {
    this.#count(message.length, (done) => this.#socket.send(message, done));
  }

  /** Answers a ping. Counts like every other message, since a client could send pings and read nothing. */
  sendPong(data: Buffer): void {
    this.#count(data.length, (done) => this.#socket.pong(data, false, done));
  }

  #count(bytes: number, send: (done: () => void) => void): void {
    this.#budget.add(bytes);
    this.#sentAt.push(Date.now());
    send(() => {
      this.#budget.release(bytes);
      this.#sentAt.shift();
      this.#onRead();
    });
  }
}
