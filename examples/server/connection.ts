/** One client's WebSocket and its session of one or more sources: messages in order, limits, the end. */
import type { FastifyBaseLogger } from 'fastify';
import type { WebSocket } from 'ws';

import type { Budget } from './budget';
import type { Parameters, Source } from './engine';
import { InputError, isBadInput } from './errors';
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
  vanished: 1006,
  idle: 4000,
  replaced: 4001,
} as const;

/**
 * What a message costs besides its bytes, and a change for each source: without it, a million small
 * ones would wait.
 */
const MESSAGE_BYTES = 256;
/** Sources that are changed in one turn of the event loop: others have their turn between. */
const SOURCES_A_TURN = 64;

interface Work {
  /** Bytes that it keeps waiting, without its answer's. */
  size: number;
  /** Bytes of its answer. */
  answerSize: number;
  receivedAt: number;
  /** One of them. */
  frames?: Frames;
  change?: Record<string, unknown>;
  refusal?: Error;
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
  /** What all connections hold together. */
  budget: Budget;
  log: FastifyBaseLogger;
  /** Whether what the sources have done is saved. */
  isSaved: boolean;
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
  #nDone: number;
  #nSaved = 0;
  #saving = Promise.resolve(true);
  /** Whether the session is closed, or whether its sources go on in another connection. */
  #isOver = false;
  #isHandedOver = false;
  #lastFrameAt = Date.now();
  #isAlive = true;
  #nBytes = 0;
  #whenIdle: (() => void)[] = [];
  /** When each message was sent that the client has not taken, in their order. */
  readonly #unreadSince: number[] = [];
  /** Bytes that had come when the last message was whole, and those since then that are counted. */
  #wholeBytes = 0;
  #partBytes = 0;
  #partSince: number | undefined;
  readonly #timer: NodeJS.Timeout;
  /** When the connection is over; whether its session is saved. */
  readonly ended: Promise<boolean>;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    const { socket, settings, sources } = parts;
    const [first] = sources;
    if (first === undefined) throw new Error('Expected at least one source.');
    this.#parameters = first.parameters;
    this.#nDone = parts.isSaved ? 0 : 1;
    this.ended = new Promise((resolve) => {
      const end = (code: number) => void this.#end(code).then(resolve);
      if (socket.readyState === socket.CLOSED) end(CLOSE_CODES.vanished);
      else socket.once('close', end);
    });
    socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    this.#wholeBytes = parts.countBytes();
    socket.on('pong', () => {
      this.#isAlive = true;
      this.#receiveWhole();
    });
    // Held like any other answer: a client may ask for them without end, and read none.
    socket.on('ping', (data: Buffer) => {
      this.#receiveWhole();
      if (!this.#isRefusing) this.#send(data.length, (sent) => socket.pong(data, false, sent));
      this.holdBack();
    });
    // Told by the close that follows.
    socket.on('error', (error) => parts.log.info({ reason: error.message }, 'socket failed'));
    this.#timer = setInterval(() => this.#look(), Math.max(10, (settings.idleSeconds * 1000) / 4));
    if (socket.readyState === socket.CLOSED) clearInterval(this.#timer);
  }

  get id(): string {
    return this.#parts.id;
  }

  /** Tells the client where its session is. */
  welcome(): void {
    const { id, settings } = this.#parts;
    const { maxFrameBytes } = settings;
    const steps = this.#steps();
    this.#tell({ ...this.#parameters, type: 'welcome', session: id, steps, maxFrameBytes });
  }

  /** Absolute number of the next step of each source. */
  #steps(): number[] {
    return this.#parts.sources.map(({ step }) => step);
  }

  /**
   * Saves where the session has got to, if it has moved. Savings do not overtake each other. Resolves
   * with whether it is saved.
   */
  save(): Promise<boolean> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async #save(): Promise<boolean> {
    const { id, sources, store, metrics, log } = this.#parts;
    const nDone = this.#nDone;
    // At its end it has been saved, or could not be.
    if (this.#isOver || nDone === this.#nSaved) return nDone === this.#nSaved;
    try {
      const saved = sources.map((source) => source.save());
      await store.save(id, { parameters: this.#parameters, sources: saved });
      this.#nSaved = nDone;
      return true;
    } catch (error) {
      metrics.saveFailures.inc();
      log.error(error, 'session not saved');
      return false;
    }
  }

  /**
   * Closes, and returns the sources, which go on, and whether their state is saved; undefined when they
   * have been closed already.
   */
  async handOver(): Promise<{ sources: readonly Source[]; isSaved: boolean } | undefined> {
    if (this.#isOver) return undefined;
    this.#isHandedOver = true;
    const isSaved = await this.close(CLOSE_CODES.replaced, 'replaced');
    return { sources: this.#parts.sources, isSaved };
  }

  /** Counts what has come of a message that is not whole yet. To be called now and then. */
  countPart(): void {
    const { budget, countBytes } = this.#parts;
    const bytes = countBytes() - this.#wholeBytes;
    if (this.#isRefusing || bytes === this.#partBytes) return;
    this.#partSince ??= Date.now();
    budget.add(bytes - this.#partBytes);
    this.#partBytes = bytes;
  }

  /** For how many seconds the client has left something unread, or a message half sent. */
  stalledFor(now: number): { reading: number; sending: number } {
    const { 0: unreadSince = now } = this.#unreadSince;
    return {
      reading: (now - unreadSince) / 1000,
      sending: (now - (this.#partSince ?? now)) / 1000,
    };
  }

  /** Whether the client is kept from sending. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Ends the connection of a client that stalls; what was accepted is computed and saved. */
  cut(): void {
    const { socket, metrics, log } = this.#parts;
    metrics.cut.inc();
    log.info('client stalled');
    socket.terminate();
  }

  #receiveWhole(): void {
    const { budget, countBytes } = this.#parts;
    this.#wholeBytes = countBytes();
    budget.release(this.#partBytes);
    this.#partBytes = 0;
    this.#partSince = undefined;
  }

  /** Answers every frame that has been accepted, then closes. Resolves with whether it is saved. */
  async close(code: number, reason: string): Promise<boolean> {
    const { socket, settings } = this.#parts;
    this.#isRefusing = true;
    // Nothing more is accepted, but the client's own close has to come through.
    socket.resume();
    await this.#idle();
    this.#tell({ type: 'goodbye', reason, steps: this.#steps() });
    socket.close(code, reason);
    // A client that does not read any more is not waited for.
    setTimeout(() => socket.terminate(), settings.drainSeconds * 1000).unref();
    return this.ended;
  }

  /** When everything that was accepted is done. */
  async #idle(): Promise<void> {
    if (!this.#isBusy && this.#queue.length === 0) return;
    const whenIdle = new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    // It may have been waiting for the client to read.
    this.#next();
    await whenIdle;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#receiveWhole();
    if (this.#isRefusing) return;
    const { sources, metrics, budget } = this.#parts;
    this.#lastFrameAt = Date.now();
    const work: Work = {
      ...{ size: data.length + MESSAGE_BYTES, answerSize: 0 },
      receivedAt: performance.now(),
    };
    try {
      if (isBinary) {
        const frames = readFrames(data, sources.length, this.#parameters.channels);
        work.frames = frames;
        work.answerSize =
          frames.header.length + frames.spikes.length * Float32Array.BYTES_PER_ELEMENT;
      } else {
        work.change = readChange(data);
        work.size += MESSAGE_BYTES * (sources.length - 1);
      }
    } catch (error) {
      metrics.refusals.inc();
      // Said in its turn, so that the client knows which message it was.
      work.refusal = error as Error;
      this.#isRefusing = true;
    }
    this.#queue.push(work);
    this.#queuedBytes += work.size;
    budget.add(work.size + work.answerSize);
    this.holdBack();
    this.#next();
  }

  /** Does the next piece of work, unless one is being done, or the client does not read the answers. */
  #next(): void {
    while (!this.#isBusy) {
      if (!this.#isRefusing && this.#isUnread()) return;
      const work = this.#queue.shift();
      if (work === undefined) {
        for (const resolve of this.#whenIdle.splice(0)) resolve();
        return;
      }
      if (work.refusal !== undefined) this.#refuse(work.refusal, work);
      else if (work.frames !== undefined) this.#compute(work.frames, work);
      else void this.#change(work.change ?? {}, work);
    }
  }

  /** Some sources in a turn of the event loop: others have their turn between. */
  async #change(change: Record<string, unknown>, work: Work): Promise<void> {
    const { sources, metrics } = this.#parts;
    this.#isBusy = true;
    await turn();
    try {
      const parameters = changeParameters(change, this.#parameters);
      const isChanged = JSON.stringify(parameters) !== JSON.stringify(this.#parameters);
      for (const [index, source] of isChanged ? sources.entries() : []) {
        if (index > 0 && index % SOURCES_A_TURN === 0) await turn();
        source.change(parameters);
      }
      if (isChanged) this.#nDone++;
      this.#parameters = parameters;
      this.#tell({ ...parameters, type: 'changed', steps: this.#steps() });
    } catch (error) {
      // The session is as it was, and goes on.
      metrics.refusals.inc();
      this.#tell({ type: 'error', message: (error as Error).message });
    }
    this.#done(work);
  }

  #done(work: Work): void {
    this.#isBusy = false;
    this.#leaveQueue(work);
    this.holdBack();
    this.#next();
  }

  /** It no longer waits, and its answer is counted by itself. */
  #leaveQueue({ size, answerSize }: Work): void {
    this.#queuedBytes -= size;
    this.#parts.budget.release(size + answerSize);
  }

  #compute(frames: Frames, work: Work): void {
    const { socket, gatherer, metrics } = this.#parts;
    const { steps, spikes } = frames;
    const sources = this.#named(frames);
    this.#isBusy = true;
    const settle = (error: Error | undefined, currents: Float32Array) => {
      if (error === undefined) {
        this.#nDone++;
        const message = writeCurrents(frames, currents);
        this.#send(message.length, (sent) => socket.send(message, sent));
        metrics.frames.inc(sources.length);
        metrics.samples.inc(currents.length);
        metrics.messageSeconds.observe((performance.now() - work.receivedAt) / 1000);
      } else {
        this.#fail(frames, error);
      }
      this.#done(work);
    };
    gatherer.add({ sources, steps, spikes, settle });
  }

  /** Tells of frames that were not computed, and closes: the next ones would not follow on. */
  #fail({ sequence }: Frames, error: Error): void {
    const { metrics, log } = this.#parts;
    if (isBadInput(error)) {
      metrics.refusals.inc();
      this.#tell({ type: 'error', sequence, message: error.message });
      void this.close(CLOSE_CODES.badMessage, 'bad message');
      return;
    }
    log.error(error, 'frames not computed');
    this.#tell({ type: 'error', sequence, message: 'The frames could not be computed.' });
    void this.close(CLOSE_CODES.failure, 'failure');
  }

  /** The sources that a message is about. */
  #named(frames: Frames): Source[] {
    const { sources } = this.#parts;
    return frames.sources.flatMap((number) => sources[number] ?? []);
  }

  #isUnread(): boolean {
    const { socket, settings } = this.#parts;
    return socket.bufferedAmount > settings.maxQueuedBytes;
  }

  /** Sends something of so many bytes, which are held until the client's side has taken them. */
  #send(bytes: number, send: (sent: () => void) => void): void {
    const { budget } = this.#parts;
    budget.add(bytes);
    this.#unreadSince.push(Date.now());
    send(() => {
      budget.release(bytes);
      this.#unreadSince.shift();
      this.holdBack();
      this.#next();
    });
  }

  /**
   * Reads no more from a client that sends faster than it is served, or does not read itself, nor from
   * anybody while all of them together hold too much.
   */
  holdBack(): void {
    const { socket, settings, budget } = this.#parts;
    const isFull = budget.isFull || this.#queuedBytes > settings.maxQueuedBytes || this.#isUnread();
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
      if (this.#isUnread()) socket.terminate();
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

  #refuse(error: Error, work: Work): void {
    this.#leaveQueue(work);
    this.#tell({ type: 'error', message: error.message });
    void this.close(CLOSE_CODES.badMessage, 'bad message');
  }

  #tell(message: object): void {
    const { socket } = this.#parts;
    if (socket.readyState !== socket.OPEN) return;
    const text = JSON.stringify(message);
    this.#send(text.length, (sent) => socket.send(text, sent));
  }

  async #end(code: number): Promise<boolean> {
    const { sources, log } = this.#parts;
    clearInterval(this.#timer);
    this.#isRefusing = true;
    this.#receiveWhole();
    // What was accepted moves the session on, even if nobody reads the answers any more.
    await this.#idle();
    const isSaved = await this.save();
    this.#isOver = true;
    log.info({ code, step: sources[0]?.step, sources: sources.length }, 'connection closed');
    if (!this.#isHandedOver) for (const source of sources) source.close();
    return isSaved;
  }
}

/** When the event loop has turned. */
async function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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
  throw new InputError(`Expected a JSON object with "type": "set", or a binary frame.`);
}
