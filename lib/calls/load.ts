/** What is pending in the process: limited, counted, and published on diagnostics channels. */
import { channel, type Channel } from 'node:diagnostics_channel';
import { totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';

import type { Dtype } from '../arrays/element-types';
import { readOptions, wholeNumber } from '../errors/checks';
import type { ErrorCode } from '../errors/error-codes';
import { native, type ComputedBy } from '../native/native';

/** The most calls of evolve() that may be pending, unless setLimits() says otherwise. */
const DEFAULT_MAX_CALLS = 65_536;

/** Bytes of memory that are assumed if a runtime does not tell: what small machines have. */
const ASSUMED_MEMORY = 2 * 2 ** 30;

/** Half of the memory that the process may use. */
function defaultMaxBytes(): number {
  const memory = ask(totalmem) ?? ASSUMED_MEMORY;
  // Absent in some versions; 0 or beyond all memory where there is no limit.
  const constrained = ask(() =>
    (process.constrainedMemory as (() => number | undefined) | undefined)?.(),
  );
  return Math.floor(constrained && constrained < memory ? constrained / 2 : memory / 2);
}

/** What the system says; undefined if the runtime forbids the question, as Deno may. */
function ask(question: () => number | undefined): number | undefined {
  try {
    return question();
  } catch {
    return undefined;
  }
}
native.setLimits(DEFAULT_MAX_CALLS, defaultMaxBytes(), true);

/** How many calls of evolve() may be pending in the process, and how many bytes they may hold. */
export interface Limits {
  /** Calls that have not settled. */
  calls: number;
  /** Bytes of their inputs and outputs together, without shared memory. */
  bytes: number;
}

/** Counts of the calls of evolve() of all modules and sessions in the process, in every thread. */
export interface Stats {
  /** Calls that have not settled and do not compute: they wait for others, or for a thread. */
  queued: number;
  /** Calls that compute now, including aborted ones that have not stopped yet. */
  running: number;
  /** Bytes of the inputs and outputs of both, without shared memory. */
  bytes: number;
  /** Calls that have resolved, since the process began. */
  done: number;
  /** Calls that have rejected for any other reason than the next two. */
  failed: number;
  /** Calls that were ended by their signal, or by the end of their worker. */
  aborted: number;
  /** Calls that were refused by the limits. */
  rejected: number;
  /** Sums over all settled calls. */
  seconds: {
    /** Seconds from when each call was made until it settled. */
    pending: number;
    /** Seconds of these in which each call was computed. */
    running: number;
  };
  /** Bytes of kernels, spectra and sessions, which are outside V8's heap. */
  memory: number;
  /** The limits in force. */
  limits: Limits;
}

/** What a subscriber of a channel receives. */
export interface CallEvent {
  /** (B, T, N), or (K, T, N) for K sessions. */
  shape: readonly number[];
  /** Element type of the output. */
  dtype: Dtype;
  /** The method that computes it. */
  method: ComputedBy;
  /** Bytes of input and output, without shared memory. */
  bytes: number;
  /** From when the call was made until it settled; 0 on expsyn:queued and expsyn:rejected. */
  seconds: number;
  /** What the call rejects with. */
  error?: unknown;
}

const channels: Record<'queued' | 'done' | 'failed' | 'aborted' | 'rejected', Channel> = {
  queued: channel('expsyn:queued'),
  done: channel('expsyn:done'),
  failed: channel('expsyn:failed'),
  aborted: channel('expsyn:aborted'),
  rejected: channel('expsyn:rejected'),
};

/** The error of a call for which the limits leave no room. The call has changed nothing. */
export class OverloadError extends Error {
  /** Always 'OverloadError'. */
  override readonly name = 'OverloadError';
  /** Always 'ERR_EXPSYN_OVERLOAD'. */
  readonly code = 'ERR_EXPSYN_OVERLOAD' satisfies ErrorCode;
}

/** The load of the process at this moment. */
export function stats(): Stats {
  const { maxCalls, maxBytes, pendingSeconds, runningSeconds, ...load } = native.readLoad();
  const { calls, bytes, running, detached, done, failed, aborted, rejected, memory } = load;
  return {
    // A detached call computes until a moment after its end.
    queued: Math.max(0, calls - (running - detached)),
    running,
    bytes,
    done,
    failed,
    aborted,
    rejected,
    seconds: { pending: pendingSeconds, running: runningSeconds },
    memory,
    limits: { calls: maxCalls, bytes: maxBytes },
  };
}

/**
 * Sets how much may be pending in the process, of all its threads together: 65,536 calls and half of
 * the memory by default. Calls beyond it reject at once with an OverloadError. A call always
 * runs if it is the only one pending. A limit that is not given stays as it is.
 */
export function setLimits(limits: Partial<Limits>): void {
  const given = readOptions(limits, 'limits', ['calls', 'bytes']);
  const now = stats().limits;
  const read = (key: keyof Limits) => {
    const value = given[key];
    if (value === undefined) return now[key];
    return value === Infinity ? Number.MAX_SAFE_INTEGER : wholeNumber(value, `limits.${key}`, 1);
  };
  native.setLimits(read('calls'), read('bytes'), false);
}

/** @internal A call that is counted as pending until release(). */
export class Acquisition {
  readonly #call: Omit<CallEvent, 'seconds' | 'error'>;
  readonly #start = performance.now();
  #isOver = false;

  /** Throws an OverloadError if there is no room. */
  constructor(call: Omit<CallEvent, 'seconds' | 'error'>) {
    this.#call = call;
    if (native.acquire(call.bytes)) return;
    const { calls, bytes, maxCalls, maxBytes } = native.readLoad();
    const error = new OverloadError(
      `Expected at most ${maxCalls} calls and ${maxBytes} bytes pending in the process for evolve() ` +
        `but there are ${calls} calls and ${bytes} bytes, and this one has ${call.bytes}; wait for ` +
        'pending calls, or raise the limits by setLimits().',
    );
    this.#publish('rejected', 0, error);
    throw error;
  }

  /** Publishes the call. Subscribers may do anything, so the call must have its place in order. */
  announce(): void {
    this.#publish('queued', 0);
  }

  /** The end of the call; only the first one counts. */
  release(outcome: 'done' | 'failed' | 'aborted', error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const seconds = (performance.now() - this.#start) / 1000;
    native.release(this.#call.bytes, outcome, seconds);
    this.#publish(outcome, seconds, error);
  }

  #publish(to: keyof typeof channels, seconds: number, error?: unknown): void {
    if (!channels[to].hasSubscribers) return;
    const event: CallEvent = { ...this.#call, seconds };
    channels[to].publish(error === undefined ? event : { ...event, error });
  }
}
