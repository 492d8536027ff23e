/** A client of the load test, whose sources send frames at fixed times. */
import { WebSocket } from 'ws';

import { headerBytes } from '../stream/messages';

export const LOAD_TOKEN = 'load';

export interface Load {
  sources: number;
  /** Sources that share a connection. */
  perConnection: number;
  /** Frames that each source sends in a second. */
  rate: number;
  channels: number;
  /** Steps of a frame. */
  steps: number;
  noiseStd: number;
  seconds: number;
  engine: string;
}

/** A message that was sent: its header, and when each of its frames was due. */
interface Sent {
  header: Buffer;
  dueAt: number[];
}

/** A connection with some sources. Counts the frames that it sends and receives. */
export class Client {
  readonly socket: WebSocket;
  readonly #load: Load;
  /** For each source, the part of the interval at which its frames are due, and how many it has sent. */
  readonly #phases: readonly number[];
  readonly #nSent: number[];
  /** The spikes of every frame. */
  readonly #spikes: Buffer;
  /** The most sources of a message, which follows from the server's welcome. */
  #most = 1;
  /** Resolves when the server has welcomed the client. */
  readonly welcome: Promise<void>;
  /** Messages without an answer, in their order. */
  readonly #pending: Sent[] = [];
  #nMessages = 0;
  sent = 0;
  answered = 0;
  reordered = 0;

  constructor(
    port: number,
    load: Load,
    phases: readonly number[],
    onAnswer: (milliseconds: number) => void,
  ) {
    const { channels, steps, noiseStd } = load;
    this.#load = load;
    this.#phases = phases;
    this.#nSent = phases.map(() => 0);
    const query = `token=${LOAD_TOKEN}&sources=${phases.length}&channels=${channels}&noiseStd=${noiseStd}`;
    // Frames are masked with random numbers, as every client does it: unmasking is a part of the load.
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/stream?${query}`, {
      perMessageDeflate: false,
    });
    this.#spikes = Buffer.from(
      Uint8Array.from({ length: steps * channels }, () => (Math.random() < 0.02 ? 1 : 0)),
    );
    this.welcome = new Promise((resolve, reject) => {
      this.socket.once('error', (error) => {
        reject(new Error(`The server does not take ${phases.length} sources: ${error.message}.`));
      });
      this.socket.once('message', (data: Buffer) => {
        const { maxFrameBytes } = JSON.parse(data.toString()) as { maxFrameBytes: number };
        const room = maxFrameBytes - headerBytes(0);
        this.#most = Math.floor(room / (headerBytes(1) - headerBytes(0) + this.#spikes.length));
        if (this.#most >= 1) resolve();
        else reject(new Error(`A frame has more than the ${maxFrameBytes} bytes of a message.`));
      });
    });
    this.welcome.catch(() => undefined);
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) return;
      const sent = this.#pending.shift();
      if (sent === undefined) {
        this.reordered++;
        return;
      }
      const { header, dueAt } = sent;
      const size = header.length + 4 * this.#spikes.length * dueAt.length;
      const isOther = data.compare(header, 0, header.length, 0, header.length) !== 0;
      if (isOther || data.length !== size) this.reordered += dueAt.length;
      const now = performance.now();
      for (const due of dueAt) onAnswer(now - due);
      this.answered += dueAt.length;
    });
  }

  /** Sends all frames that are due. A message contains at most one frame of each source. */
  send(begin: number, now: number): void {
    const interval = 1000 / this.#load.rate;
    for (;;) {
      const sources: number[] = [];
      const dueAt: number[] = [];
      this.#phases.forEach((phase, source) => {
        const due = begin + ((this.#nSent[source] ?? 0) + phase) * interval;
        if (due > now || sources.length === this.#most) return;
        sources.push(source);
        dueAt.push(due);
      });
      if (sources.length === 0) return;
      this.#sendMessage(sources, dueAt);
    }
  }

  #sendMessage(sources: readonly number[], dueAt: number[]): void {
    const header = Buffer.alloc(headerBytes(sources.length));
    header.writeUInt32LE(this.#nMessages++ % 2 ** 32, 0);
    header.writeUInt32LE(this.#load.steps, 4);
    header.writeUInt32LE(sources.length, 8);
    sources.forEach((source, i) => {
      header.writeUInt32LE(source, headerBytes(i));
      this.#nSent[source] = (this.#nSent[source] ?? 0) + 1;
    });
    this.#pending.push({ header, dueAt });
    this.sent += sources.length;
    this.socket.send(Buffer.concat([header, ...sources.map(() => this.#spikes)]));
  }
}
