/** One client's WebSocket and its session of one or more sources: messages in order, limits, the end. */
import type { FastifyBaseLogger } from 'fastify';
import type { WebSocket } from 'ws';

import type { Parameters, Source } from './engine';
import { readFrames, writeCurrents, type Frames } from './frames';
import type { Gatherer } from './gatherer';
import type { Metrics } from './metrics';
import { changeParameters } from './parameters';
import type { Settings } from './settings';
import type { Store } from './store';

/** Reasons for which the server closes a connection; those from 4000 on are its own. */
export const CLOSE_CODES = {
  shutdown: 1001,
  badMessage: 1008,
  failure: 1011,
  idle: 4000,
  replaced: 4001,
} as const;

/** What a message costs besides its bytes: without it, a million small ones would wait. */
const MESSAGE_BYTES = 256;

interface Work {
  /** Bytes that it keeps waiting. */
  size: number;
  receivedAt: number;
  /** Either of them. */
  frames?: Frames;
  change?: Record<string, unknown>;
}

export interface ConnectionParts {
  id: string;
  socket: WebSocket;
  /** At least one, all with the same parameters. */
  sources: readonly Source[];
  settings: Settings;
  gatherer: Gatherer;
  store: Store;
  metrics: Metrics;
  log: FastifyBaseLogger;
  /** Bytes that have come from the client so far. */
  countBytes: () => number;
}

export class Connection {
  readonly #parts: ConnectionParts;
  readonly #queue: Work[] = [];
  #queuedBytes = 0;
  #isBusy = false;
  #isRefusing = false;
  #isPaused = false;
  #parameters: Parameters;
  /** What the sources have done so far, in messages, and how much of it is saved. */
  #nDone = 0;
  #nSaved = -1;
  #saving = Promise.resolve();
  /** Whether the session is closed. */
  #isOver = false;
  #lastFrameAt = Date.now();
  #isAlive = true;
  #nBytes = 0;
  #whenIdle: (() => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  /** When the connection is over and its session saved. */
  readonly ended: Promise<void>;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    const { socket, settings, sources } = parts;
    const [first] = sources;
    if (first === undefined) throw new Error('Expected at least one source.');
    this.#parameters = first.parameters;
    this.ended = new Promise((resolve) => {
      socket.once('close', (code) => {
        void this.#end(code).then(resolve);
      });
    });
    socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    socket.on('pong', () => (this.#isAlive = true));
    // Told by the close that follows.
    socket.on('error', (error) => parts.log.info({ reason: error.message }, 'socket failed'));
    this.#timer = setInterval(() => this.#look(), Math.max(10, (settings.idleSeconds * 1000) / 4));
  }

  get id(): string {
    return this.#parts.id;
  }

  /** Tells the client where its session is. */
  welcome(): void {
    const { id, settings } = this.#parts;
    const { maxFrameBytes } = settings;
    const steps = this.#steps();
    this.#tell({ type: 'welcome', session: id, steps, ...this.#parameters, maxFrameBytes });
  }

  /** Absolute number of the next step of each source. */
  #steps(): number[] {
    return this.#parts.sources.map(({ step }) => step);
  }

  /** Saves where the session has got to, if it has moved. Savings do not overtake each other. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<void> {
    // It has been saved at its end.
    if (this.#isOver) return;
    const { id, sources, store, log } = this.#parts;
    const nDone = this.#nDone;
    if (nDone === this.#nSaved) return;
    try {
      const saved = sources.map((source) => source.save());
      await store.save(id, { parameters: this.#parameters, sources: saved });
      this.#nSaved = nDone;
    } catch (error) {
      log.error(error, 'session not saved');
    }
  }

  /** Answers every frame that has been accepted, then closes. */
  async close(code: number, reason: string): Promise<void> {
    const { socket, settings } = this.#parts;
    this.#isRefusing = true;
    // Nothing more is accepted, but the client's own close has to come through.
    socket.resume();
    if (this.#isBusy || this.#queue.length > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
    this.#tell({ type: 'goodbye', reason, steps: this.#steps() });
    socket.close(code, reason);
    // A client that does not read any more is not waited for.
    setTimeout(() => socket.terminate(), settings.drainSeconds * 1000).unref();
    await this.ended;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#isRefusing) return;
    const { sources, metrics } = this.#parts;
    this.#lastFrameAt = Date.now();
    try {
      const size = data.length + MESSAGE_BYTES;
      const work: Work = { size, receivedAt: performance.now() };
      if (isBinary) work.frames = readFrames(data, sources.length, this.#parameters.channels);
      else work.change = readChange(data);
      this.#queue.push(work);
      this.#queuedBytes += work.size;
    } catch (error) {
      metrics.refusals.inc();
      this.#refuse(error as Error);
      return;
    }
    this.#holdBack();
    this.#next();
  }

  /** Does the next piece of work, unless one is being done. */
  #next(): void {
    while (!this.#isBusy) {
      const work = this.#queue.shift();
      if (work === undefined) {
        for (const resolve of this.#whenIdle.splice(0)) resolve();
        return;
      }
      if (work.frames !== undefined) this.#compute(work.frames, work);
      else this.#change(work.change ?? {}, work);
    }
  }

  /** One change in a turn of the event loop, since each makes kernels: others have their turn between. */
  #change(change: Record<string, unknown>, { size }: Work): void {
    this.#isBusy = true;
    setImmediate(() => {
      this.#isBusy = false;
      this.#queuedBytes -= size;
      this.#apply(change);
      this.#holdBack();
      this.#next();
    });
  }

  #apply(change: Record<string, unknown>): void {
    const { sources, metrics } = this.#parts;
    try {
      const parameters = changeParameters(change, this.#parameters);
      for (const source of sources) source.change(parameters);
      this.#parameters = parameters;
      this.#nDone++;
      this.#tell({ type: 'changed', steps: this.#steps(), ...parameters });
    } catch (error) {
      // The session is as it was, and goes on.
      metrics.refusals.inc();
      this.#tell({ type: 'error', message: (error as Error).message });
    }
  }

  #compute(frames: Frames, { size, receivedAt }: Work): void {
    const { socket, gatherer, metrics, log } = this.#parts;
    const { sequence, steps, spikes } = frames;
    const sources = this.#named(frames);
    this.#isBusy = true;
    const settle = (error: Error | undefined, currents: Float32Array) => {
      this.#isBusy = false;
      this.#queuedBytes -= size;
      if (error === undefined) {
        this.#nDone++;
        socket.send(writeCurrents(frames, currents), () => this.#holdBack());
        metrics.frames.inc(sources.length);
        metrics.samples.inc(currents.length);
        metrics.frameSeconds.observe((performance.now() - receivedAt) / 1000);
      } else {
        log.error(error, 'frames not computed');
        this.#tell({ type: 'error', sequence, message: 'The frames could not be computed.' });
        void this.close(CLOSE_CODES.failure, 'failure');
      }
      this.#holdBack();
      this.#next();
    };
    gatherer.add({ sources, steps, spikes, settle });
  }

  /** The sources that a message is about. */
  #named(frames: Frames): Source[] {
    const { sources } = this.#parts;
    return frames.sources.flatMap((number) => sources[number] ?? []);
  }

  /** Reads no more from a client that sends faster than it is served, or does not read itself. */
  #holdBack(): void {
    const { socket, settings } = this.#parts;
    const isFull =
      this.#queuedBytes > settings.maxQueuedBytes ||
      socket.bufferedAmount > settings.maxQueuedBytes;
    if (isFull === this.#isPaused || this.#isRefusing) return;
    this.#isPaused = isFull;
    if (isFull) socket.pause();
    else socket.resume();
  }

  /** Looks whether the client is still there, every quarter of idleSeconds. */
  #look(): void {
    const { socket, settings } = this.#parts;
    const silentFor = (Date.now() - this.#lastFrameAt) / 1000;
    if (silentFor > settings.idleSeconds) {
      const isStuck = socket.bufferedAmount > settings.maxQueuedBytes;
      if (isStuck) socket.terminate();
      else void this.close(CLOSE_CODES.idle, 'idle');
      return;
    }
    // A pong cannot come in the middle of a long frame, so its bytes are a sign of life as well.
    const nBytes = this.#parts.countBytes();
    if (nBytes !== this.#nBytes) this.#isAlive = true;
    this.#nBytes = nBytes;
    // A paused socket reads no pongs either.
    if (!this.#isAlive && !this.#isPaused) {
      socket.terminate();
      return;
    }
    this.#isAlive = false;
    socket.ping();
  }

  #refuse(error: Error): void {
    this.#tell({ type: 'error', message: error.message });
    void this.close(CLOSE_CODES.badMessage, 'bad message');
  }

  #tell(message: object): void {
    const { socket } = this.#parts;
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(message), () => this.#holdBack());
  }

  async #end(code: number): Promise<void> {
    const { sources, log } = this.#parts;
    clearInterval(this.#timer);
    this.#isRefusing = true;
    // What was accepted moves the session on, even if nobody reads the answers any more.
    if (this.#isBusy || this.#queue.length > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
    await this.save();
    this.#isOver = true;
    log.info({ code, step: sources[0]?.step, sources: sources.length }, 'connection closed');
    for (const source of sources) source.close();
  }
}

/** Reads a text message: {"type": "set", "tau": ..., "dt": ..., "noiseStd": ...}. */
function readChange(data: Buffer): Record<string, unknown> {
  let message: unknown;
  try {
    message = JSON.parse(data.toString());
  } catch {
    // Said below.
  }
  if (typeof message === 'object' && message !== null && 'type' in message) {
    if (message.type === 'set') return message;
  }
  throw new RangeError(`Expected a JSON object with "type": "set", or a binary frame.`);
}
