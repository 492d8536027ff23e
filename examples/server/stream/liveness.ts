import type { WebSocket } from 'ws';

export interface LivenessOptions {
  idleSeconds: number;
  /** Returns how many bytes the client has sent so far. */
  readTotal: () => number;
  isPaused: () => boolean;
  /** Called when the client has sent no message for idleSeconds. */
  onIdle: () => void;
}

/** Notices clients that send no messages, and ends connections whose client does not answer pings. */
export class Liveness {
  readonly #socket: WebSocket;
  readonly #options: LivenessOptions;
  #messageAt = Date.now();
  /** Whether there was a sign of life since the last ping. */
  #isAlive = true;
  #total = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(socket: WebSocket, options: LivenessOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('pong', () => (this.#isAlive = true));
    const interval = (options.idleSeconds * 1000) / 4;
    this.#timer = setInterval(() => this.#check(), Math.max(10, interval));
  }

  /** To be called when a message has arrived. */
  markMessage(): void {
    this.#messageAt = Date.now();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const { idleSeconds, readTotal, isPaused, onIdle } = this.#options;
    if ((Date.now() - this.#messageAt) / 1000 > idleSeconds) {
      onIdle();
      return;
    }
    // A pong cannot arrive in the middle of a long frame, so the frame's bytes are a sign of life as well.
    const total = readTotal();
    if (total !== this.#total) this.#isAlive = true;
    this.#total = total;
    // Nothing is read from a paused socket, so its pongs do not arrive either.
    if (!this.#isAlive && !isPaused()) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }
}
