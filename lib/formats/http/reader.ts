/** Reads files behind http(s) addresses: with time limits, and again when a server is in trouble. */
import { setTimeout as sleep } from 'node:timers/promises';

import { CommandError } from '../../errors/command-errors';
import { message } from '../../errors/message';
import { discardBody } from './body';
import { connectionFailure, RequestFailure, stallFailure, statusFailure } from './failure';

/** How addresses are read. */
export interface AddressOptions {
  /** Milliseconds in which an answer must begin, and in which more of it must come. */
  timeout?: number | undefined;
  /** How often a request is sent at most. */
  tries?: number | undefined;
  /** Milliseconds before a request is sent a second time; they double from one try to the next. */
  firstPause?: number | undefined;
  /** Whether status 403 means that there is no such file. */
  isForbiddenMissing?: boolean | undefined;
  /** Ends all requests, as interrupt() does. */
  signal?: AbortSignal | undefined;
  /** Called with a sentence that says what the program waits for. */
  onWait?: ((text: string) => void) | undefined;
}

export const DEFAULT_TIMEOUT = 30_000;
export const DEFAULT_TRIES = 5;
const FIRST_PAUSE = 500;
/** The longest pause, even if the server asks for a longer one. */
const LONGEST_PAUSE = 60_000;
/** A body has stalled if fewer bytes than this come within the time limit. */
const LEAST_BYTES = 1024;
/** The part of the time limit after which the user learns what the program waits for. */
const NOTICE_AFTER = 1 / 6;
/** Milliseconds from one line about waiting to the next, unless it is about a later try. */
const NOTICE_INTERVAL = 10_000;

/** A request, and what messages call the file. */
export interface FileRequest {
  address: URL;
  /** As the end of 'Could not read'. */
  name: string;
  method?: 'GET' | 'HEAD';
  headers?: Record<string, string>;
}

/** Reads an answer. It must call `onBytes` with the number of bytes whenever some have come. */
export type Take<Result> = (
  response: Response,
  onBytes: (count: number) => void,
) => Promise<Result>;

/** An address as it is shown: without passwords, and without a query, which may hold a signature. */
export function displayAddress(address: string | URL): string {
  if (!URL.canParse(address.toString())) return address.toString();
  const { origin, pathname, search } = new URL(address);
  return `${origin}${pathname}${search === '' ? '' : '?...'}`;
}

/** Sends the requests of a store. */
export class HttpReader {
  readonly #options: AddressOptions;
  readonly #timeout: number;
  readonly #tries: number;
  /** The requests that are under way. */
  readonly #active = new Set<AbortController>();
  #isInterrupted = false;
  readonly #interrupt = (): void => this.interrupt();
  #lastNotice = { at: -Infinity, attempt: 0 };

  constructor(options: AddressOptions) {
    this.#options = options;
    this.#timeout = options.timeout ?? DEFAULT_TIMEOUT;
    this.#tries = options.tries ?? DEFAULT_TRIES;
    if (options.signal?.aborted === true) this.interrupt();
    else options.signal?.addEventListener('abort', this.#interrupt, { once: true });
  }

  /** Ends all requests, now and later ones, with an error. */
  interrupt(): void {
    this.#isInterrupted = true;
    for (const controller of this.#active) controller.abort();
  }

  /** Lets go of the signal. */
  close(): void {
    this.#options.signal?.removeEventListener('abort', this.#interrupt);
  }

  /**
   * Sends a request until it succeeds.
   *
   * @param take What it throws passes, except that a transient RequestFailure is another try.
   * @throws CommandError that names the file and the reason when it has failed for good.
   */
  async request<Result>(request: FileRequest, take: Take<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#abortable(async (controller) => this.#try(request, take, controller));
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error;
        if (!error.isTransient || attempt >= this.#tries) throw describe(error, request, attempt);
        await this.#pause(error, request, attempt);
      }
    }
  }

  async #try<Result>(
    { address, name, method = 'GET', headers = {} }: FileRequest,
    take: Take<Result>,
    controller: AbortController,
  ): Promise<Result> {
    let received: number | undefined;
    let sinceProgress = 0;
    let stalled: RequestFailure | undefined;
    const timer = setTimeout(() => {
      stalled = stallFailure(this.#timeout / 1000, received);
      controller.abort();
    }, this.#timeout);
    const noticeTimer = setTimeout(() => {
      this.#notify(
        `Waiting for ${name}: nothing has come for ${this.#seconds(NOTICE_AFTER)} s.`,
        1,
      );
    }, this.#timeout * NOTICE_AFTER);
    const onBytes = (count: number): void => {
      clearTimeout(noticeTimer);
      received = (received ?? 0) + count;
      sinceProgress += count;
      if (sinceProgress < LEAST_BYTES) return;
      sinceProgress = 0;
      timer.refresh();
    };
    try {
      const response = await fetch(address, {
        method,
        // Chunks are compressed already, and a part of a compressed answer is no part of the file.
        // fetch() itself adds this to requests for parts.
        headers: 'Range' in headers ? headers : { 'Accept-Encoding': 'identity', ...headers },
        signal: controller.signal,
      });
      received = 0;
      timer.refresh();
      return await take(response, onBytes);
    } catch (error) {
      this.#requireNotInterrupted(name);
      if (stalled !== undefined) throw stalled;
      // fetch() and the bodies of its answers throw TypeErrors.
      throw error instanceof TypeError ? connectionFailure(error) : error;
    } finally {
      clearTimeout(timer);
      clearTimeout(noticeTimer);
    }
  }

  /** Each pause is longer than the one before, and random, so that requests do not come all at once. */
  async #pause(failure: RequestFailure, { name }: FileRequest, attempt: number): Promise<void> {
    const { firstPause = FIRST_PAUSE } = this.#options;
    const backoff = firstPause * 2 ** (attempt - 1) * (0.5 + Math.random());
    const pause = Math.min(LONGEST_PAUSE, Math.max(backoff, failure.retryAfter ?? 0));
    const seconds = (pause / 1000).toPrecision(2);
    this.#notify(
      `Waiting for ${name}: ${failure.message}; try ${attempt + 1} of ${this.#tries} in ${seconds} s.`,
      attempt + 1,
    );
    await this.#abortable(async ({ signal }) => sleep(pause, undefined, { signal })).catch(() => {
      this.#requireNotInterrupted(name);
    });
  }

  /** Many requests may fail at once, so the user learns only of one of them. */
  #notify(text: string, attempt: number): void {
    const now = performance.now();
    const { at, attempt: last } = this.#lastNotice;
    if (attempt <= last && now - at < NOTICE_INTERVAL) return;
    this.#lastNotice = { at: now, attempt };
    this.#options.onWait?.(text);
  }

  #seconds(part: number): number {
    return Number(((this.#timeout * part) / 1000).toPrecision(2));
  }

  #requireNotInterrupted(name: string): void {
    if (this.#isInterrupted) throw new CommandError(`Could not read ${name}: it was interrupted.`);
  }

  async #abortable<Result>(
    work: (controller: AbortController) => Promise<Result>,
  ): Promise<Result> {
    const controller = new AbortController();
    if (this.#isInterrupted) controller.abort();
    this.#active.add(controller);
    try {
      return await work(controller);
    } finally {
      this.#active.delete(controller);
    }
  }
}

function describe(failure: RequestFailure, { name }: FileRequest, attempts: number): CommandError {
  const tries = failure.isTransient && attempts > 1 ? ` (try ${attempts} of ${attempts})` : '';
  const sentence = message`Could not read ${name}: ${failure.message}${tries}; ${failure.advice}.`;
  return new CommandError(sentence, { cause: failure });
}

/** Discards an answer with an error status, and throws its failure. */
export async function refuse(response: Response, onBytes: (count: number) => void): Promise<never> {
  await discardBody(response, onBytes).catch(() => undefined);
  throw statusFailure(response);
}
