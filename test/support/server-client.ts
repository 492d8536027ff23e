/** A client of the example server that behaves, and what the package computes for it. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';

import { WebSocket } from 'ws';

import { headerBytes } from '../../examples/server/stream/messages';
import { ExpSyn } from '../../lib/index';
import { spikes } from './oracle';
import { TOKEN } from './servers';

export const CHANNELS = 5;

/** A text message of the server. */
export interface TextMessage {
  type: string;
  session: string;
  /** The next step of each source. */
  steps: number[];
  message: string;
  [key: string]: unknown;
}

/** The currents for one message. */
export interface Answer {
  sequence: number;
  sources: number[];
  /** (K, T, N) */
  currents: Float32Array;
}

/** A message for some sources, with the spikes (T, N) of each. */
export function messageOf(
  sequence: number,
  frames: readonly [source: number, Uint8Array][],
): Buffer {
  const header = Buffer.alloc(headerBytes(frames.length));
  header.writeUInt32LE(sequence, 0);
  header.writeUInt32LE((frames[0]?.[1].length ?? 0) / CHANNELS, 4);
  header.writeUInt32LE(frames.length, 8);
  frames.forEach(([source], i) => header.writeUInt32LE(source, headerBytes(i)));
  return Buffer.concat([header, ...frames.map(([, data]) => data)]);
}

/** A client that keeps everything that it receives. */
export class Client {
  readonly socket: WebSocket;
  readonly answers: Answer[] = [];
  readonly texts: TextMessage[] = [];
  readonly closed: Promise<[code: number, reason: Buffer]>;
  readonly #events = new EventEmitter();

  constructor(
    port: number,
    query: Record<string, string> = {},
    { token = TOKEN, ...options }: { token?: string; autoPong?: boolean } = {},
  ) {
    const search = new URLSearchParams({ token, channels: `${CHANNELS}`, ...query });
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/stream?${search.toString()}`, options);
    this.closed = once(this.socket, 'close') as typeof this.closed;
    this.closed.catch(() => undefined);
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.#notify());
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        const count = data.readUInt32LE(8);
        const sources = Array.from({ length: count }, (_, i) => data.readUInt32LE(headerBytes(i)));
        const bytes = Uint8Array.from(data.subarray(headerBytes(count)));
        assert.equal(bytes.length, count * data.readUInt32LE(4) * CHANNELS * 4);
        const currents = new Float32Array(bytes.buffer);
        this.answers.push({ sequence: data.readUInt32LE(0), sources, currents });
      } else {
        this.texts.push(JSON.parse(data.toString()) as TextMessage);
      }
      this.#notify();
    });
  }

  #notify(): void {
    this.#events.emit('changed');
  }

  /** Waits until a condition holds, which is tested after each message. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.socket.readyState === WebSocket.CLOSED) assert.fail(JSON.stringify(this.texts));
      await once(this.#events, 'changed');
    }
  }

  /** Waits for the first text message of a type. */
  async text(type: string): Promise<TextMessage> {
    for (;;) {
      const found = this.texts.find((message) => message.type === type);
      if (found !== undefined) return found;
      const nTexts = this.texts.length;
      await this.until(() => this.texts.length > nTexts);
    }
  }

  send(sequence: number, raster: Uint8Array): void {
    this.socket.send(messageOf(sequence, [[0, raster]]));
  }

  /** All currents so far, in the order in which they arrived. */
  get currents(): Float32Array {
    return Float32Array.from(this.answers.flatMap(({ currents }) => [...currents]));
  }
}

/** Spikes (steps, CHANNELS), the same ones for the same seed. */
export const raster = (steps: number, seed: number) =>
  Uint8Array.from(spikes(steps * CHANNELS, 0.2, seed));

/** The currents that a module computes for some rasters, one after the other. */
export function expectedCurrents(rasters: readonly Uint8Array[], tau = 0.02): Float32Array {
  const module = new ExpSyn(CHANNELS, { tau: () => tau, dtype: 'float32', windowTaus: Infinity });
  return Float32Array.from(
    rasters.flatMap((data) => [
      ...module.evolveSync({ data, shape: [data.length / CHANNELS, CHANNELS] }).output.data,
    ]),
  );
}
