/** One client's WebSocket: its messages in order, its limits, and its end. */
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { FastifyBaseLogger } from 'fastify';
import type { WebSocket } from 'ws';

import { InputError, isBadInput } from '../errors';
import type { Services } from '../services';
import type { Session } from '../sessions/session';
import type { Source } from '../simulation/engine';
import { CLOSE_CODES } from './close-codes';
import { Liveness } from './liveness';
import { readFrames, writeCurrents, type Frames } from './messages';
import { Outbox } from './outbox';
import { PartialMessage } from './partial-message';

/**
 * What a message costs besides its bytes; a change of parameters costs this for each source. Without it, a
 * million small messages could wait.
 */
const MESSAGE_BYTES = 256;

/** A message that was accepted, or the reason for which it was refused. */
interface Work {
  /** Bytes that the message keeps in memory, without its answer. */
  size: number;
  answerSize: number;
  receivedAt: number;
  task: { frames: Frames } | { change: Record<string, unknown> } | { refusal: Error };
}

export class Connection {
  readonly session: Session;
  readonly #socket: WebSocket;
  readonly #services: Services;
  readonly #log: FastifyBaseLogger;
  readonly #outbox: Outbox;
  readonly #partial: PartialMessage;
  readonly #liveness: Liveness;
  readonly #queue: Work[] = [];
  #queuedBytes = 0;
  /** Whether a message is being worked on. */
  #isBusy = false;
  /** Whether further messages are ignored, because the connection ends. */
  #isRefusing = false;
  #isPaused = false;
  #isOver = false;
  /** Whether the session continues in another connection. */
  #isHandedOver = false;
  #whenIdle: (() => void)[] = [];
  /** Resolves when the connection is over, with whether its session is saved. */
  readonly ended: Promise<boolean>;

  /** @param readTotal Returns how many bytes the client has sent so far. */
  constructor(
    socket: WebSocket,
    session: Session,
    services: Services,
    log: FastifyBaseLogger,
    readTotal: () => number,
  ) {
    const { budget, settings } = services;
    this.session = session;
    this.#socket = socket;
    this.#services = services;
    this.#log = log;
    this.#partial = new PartialMessage(budget, readTotal);
    this.#outbox = new Outbox(socket, budget, () => {
      this.updatePause();
      this.#next();
    });
    this.#liveness = new Liveness(socket, {
      idleSeconds: settings.idleSeconds,
      readTotal,
      isPaused: () => this.#isPaused,
      onIdle: () => {
        if (this.#hasUnread()) socket.terminate();
        else void this.close(CLOSE_CODES.idle, 'idle');
      },
    });
    this.ended = new Promise((resolve) => {
      const end = (code: number) => void this.#end(code).then(resolve);
      if (socket.readyState === socket.CLOSED) end(CLOSE_CODES.vanished);
      else socket.once('close', end);
    });
    socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    socket.on('pong', () => this.#partial.complete());
    socket.on('ping', (data: Buffer) => {
      this.#partial.complete();
      if (!this.#isRefusing) this.#outbox.sendPong(data);
      this.updatePause();
    });
    // The 'close' event follows.
    socket.on('error', (error) => log.info({ reason: error.message }, 'socket failed'));
  }

  /** Tells the client the state of its session. */
  welcome(): void {
    const { id, parameters, steps } = this.session;
    const { maxFrameBytes } = this.#services.settings;
    this.#outbox.sendText({ ...parameters, type: 'welcome', session: id, steps, maxFrameBytes });
  }

  /** Saves the session if it has changed. Resolves with whether it is saved. */
  async save(): Promise<boolean> {
    try {
      await this.session.save();
      return true;
    } catch (error) {
      this.#services.metrics.saveFailures.inc();
      this.#log.error(error, 'session not saved');
      return false;
    }
  }

  /** Closes, and returns the session, which stays open; undefined if it has been closed already. */
  async handOver(): Promise<Session | undefined> {
    if (this.#isOver) return undefined;
    this.#isHandedOver = true;
    await this.close(CLOSE_CODES.replaced, 'replaced');
    return this.session;
  }

  /** Counts what has arrived of an incomplete message. To be called regularly. */
  countPartialMessage(): void {
    if (!this.#isRefusing) this.#partial.update();
  }

  /** For how many seconds the client has left a message unread, or a message incomplete. */
  stalledFor(now: number): { reading: number; sending: number } {
    return {
      reading: (now - (this.#outbox.unreadSince ?? now)) / 1000,
      sending: (now - (this.#partial.since ?? now)) / 1000,
    };
  }

  /** Whether the server has stopped reading from the client. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Ends the connection of a client that stalls. Accepted messages are still computed and saved. */
  cut(): void {
    this.#services.metrics.cut.inc();
    this.#log.info('client stalled');
    this.#socket.terminate();
  }

  /** Answers every accepted message, then closes. Resolves with whether the session is saved. */
  async close(code: number, reason: string): Promise<boolean> {
    const socket = this.#socket;
    this.#isRefusing = true;
    // No further message is accepted, but the client's own close has to arrive.
    socket.resume();
    await this.#untilIdle();
    this.#outbox.sendText({ type: 'goodbye', reason, steps: this.session.steps });
    socket.close(code, reason);
    // A client that has stopped reading must not delay the end.
    setTimeout(() => socket.terminate(), this.#services.settings.drainSeconds * 1000).unref();
    return this.ended;
  }

  /**
   * Stops reading from a client that sends faster than it is served or does not read its answers, and from
   * every client while all of them together exceed the budget. Continues when there is room again.
   */
  updatePause(): void {
    const { settings, budget } = this.#services;
    const isFull =
      budget.isFull || this.#queuedBytes > settings.maxQueuedBytes || this.#hasUnread();
    if (isFull === this.#isPaused || this.#isRefusing) return;
    this.#isPaused = isFull;
    if (isFull) this.#socket.pause();
    else this.#socket.resume();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#partial.complete();
    if (this.#isRefusing) return;
    this.#liveness.markMessage();
    const work = this.#read(data, isBinary);
    this.#queue.push(work);
    this.#queuedBytes += work.size;
    this.#services.budget.add(work.size + work.answerSize);
    this.updatePause();
    this.#next();
  }

  #read(data: Buffer, isBinary: boolean): Work {
    const { sources, parameters } = this.session;
    const receivedAt = performance.now();
    const size = data.length + MESSAGE_BYTES;
    try {
      if (!isBinary) {
        const change = readChange(data);
        const changeSize = size + MESSAGE_BYTES * (sources.length - 1);
        return { size: changeSize, answerSize: 0, receivedAt, task: { change } };
      }
      const frames = readFrames(data, sources.length, parameters.channels);
      const answerSize =
        frames.header.length + frames.spikes.length * Float32Array.BYTES_PER_ELEMENT;
      return { size, answerSize, receivedAt, task: { frames } };
    } catch (error) {
      this.#services.metrics.refusals.inc();
      this.#isRefusing = true;
      // The client learns of it after the answers to its earlier messages, so it knows which one it was.
      return { size, answerSize: 0, receivedAt, task: { refusal: error as Error } };
    }
  }

  /** Starts the next message, unless one is being worked on or the client does not read its answers. */
  #next(): void {
    while (!this.#isBusy) {
      if (!this.#isRefusing && this.#hasUnread()) return;
      const work = this.#queue.shift();
      if (work === undefined) {
        for (const resolve of this.#whenIdle.splice(0)) resolve();
        return;
      }
      const { task } = work;
      if ('refusal' in task) this.#refuse(task.refusal, work);
      else if ('frames' in task) this.#compute(task.frames, work);
      else void this.#change(task.change, work);
    }
  }

  #compute(frames: Frames, work: Work): void {
    const { batcher, metrics } = this.#services;
    const { steps, spikes } = frames;
    const sources = this.#sourcesOf(frames);
    this.#isBusy = true;
    const settle = (error: Error | undefined, currents: Float32Array) => {
      if (error === undefined) {
        this.session.markChanged();
        this.#outbox.sendBytes(writeCurrents(frames, currents));
        metrics.frames.inc(sources.length);
        metrics.samples.inc(currents.length);
        metrics.messageSeconds.observe((performance.now() - work.receivedAt) / 1000);
      } else {
        this.#fail(frames, error);
      }
      this.#finish(work);
    };
    batcher.add({ sources, steps, spikes, settle });
  }

  #sourcesOf(frames: Frames): Source[] {
    return frames.sources.flatMap((number) => this.session.sources[number] ?? []);
  }

  /** Reports frames that were not computed, and closes, since the next frames would not follow on. */
  #fail({ sequence }: Frames, error: Error): void {
    const isBad = isBadInput(error);
    if (isBad) this.#services.metrics.refusals.inc();
    else this.#log.error(error, 'frames not computed');
    const message = isBad ? error.message : 'The frames could not be computed.';
    this.#outbox.sendText({ type: 'error', sequence, message });
    if (isBad) void this.close(CLOSE_CODES.badMessage, 'bad message');
    else void this.close(CLOSE_CODES.failure, 'failure');
  }

  async #change(change: Record<string, unknown>, work: Work): Promise<void> {
    this.#isBusy = true;
    // A client that sends nothing but changes must not keep the others waiting.
    await nextTurn();
    try {
      await this.session.change(change);
      const { parameters, steps } = this.session;
      this.#outbox.sendText({ ...parameters, type: 'changed', steps });
    } catch (error) {
      // The session continues with its old parameters.
      this.#services.metrics.refusals.inc();
      this.#outbox.sendText({ type: 'error', message: (error as Error).message });
    }
    this.#finish(work);
  }

  #refuse(error: Error, work: Work): void {
    this.#release(work);
    this.#outbox.sendText({ type: 'error', message: error.message });
    void this.close(CLOSE_CODES.badMessage, 'bad message');
  }

  #finish(work: Work): void {
    this.#isBusy = false;
    this.#release(work);
    this.updatePause();
    this.#next();
  }

  /** The message no longer waits. Its answer is counted by the outbox. */
  #release({ size, answerSize }: Work): void {
    this.#queuedBytes -= size;
    this.#services.budget.release(size + answerSize);
  }

  #hasUnread(): boolean {
    return this.#outbox.unreadBytes > this.#services.settings.maxQueuedBytes;
  }

  /** Resolves when every accepted message is answered. */
  async #untilIdle(): Promise<void> {
    if (!this.#isBusy && this.#queue.length === 0) return;
    const whenIdle = new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    // The next message may have been waiting for the client to read.
    this.#next();
    await whenIdle;
  }

  async #end(code: number): Promise<boolean> {
    const { sources } = this.session;
    this.#liveness.stop();
    this.#isRefusing = true;
    this.#partial.complete();
    // Accepted messages change the session, even if nobody reads the answers.
    await this.#untilIdle();
    const isSaved = await this.save();
    this.#isOver = true;
    const step = sources[0]?.step;
    this.#log.info({ code, step, sources: sources.length }, 'connection closed');
    if (!this.#isHandedOver) this.session.close();
    return isSaved;
  }
}

/** Reads a text message: {"type": "set", "tau": ..., "dt": ..., "noiseStd": ...}. */
function readChange(data: Buffer): Record<string, unknown> {
  let message: unknown;
  try {
    message = JSON.parse(data.toString());
  } catch {
    // Rejected below.
  }
  if (typeof message === 'object' && message !== null && 'type' in message) {
    if (message.type === 'set') return message;
  }
  throw new InputError(`Expected a JSON object with "type": "set", or a binary frame.`);
}
