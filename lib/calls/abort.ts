/**
 * Signals that end a call. A signal of the platform is read through the platform's own getters, so that
 * an object cannot pose as one. Any other object with the properties of a signal is mirrored by an
 * AbortController of this file: the object's code runs only when a call is made, when a listener is added
 * and when it is removed.
 */
import { types } from 'node:util';

import { wrongType } from '../errors/checks';
import { isRevoked } from '../arrays/typed-arrays';

/**
 * An AbortSignal, or any object that has these properties and calls the listener once `aborted` is true.
 * If it has no `reason`, the call rejects with an AbortError.
 */
export interface AbortSignalLike {
  /** Whether it has been aborted. */
  readonly aborted: boolean;
  /** What a call rejects with when it is aborted. */
  readonly reason?: unknown;
  /** Calls the listener when it is aborted. */
  addEventListener(type: 'abort', listener: () => void): void;
  /** Removes the listener. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

function getterOf(key: 'aborted' | 'reason'): (signal: unknown) => unknown {
  const descriptor = Object.getOwnPropertyDescriptor(AbortSignal.prototype, key) as {
    get: (this: unknown) => unknown;
  };
  const { get } = descriptor;
  return (signal) => Reflect.apply(get, signal, []);
}
const abortedOf = getterOf('aborted');
const reasonOf = getterOf('reason');
type Listen = (type: string, listener: () => void) => void;
const eventTarget: object = EventTarget.prototype;
const addListener = Reflect.get(eventTarget, 'addEventListener') as Listen;
const removeListener = Reflect.get(eventTarget, 'removeEventListener') as Listen;

/** @internal A signal as a caller gave it, or undefined for none. */
export function readSignal(value: unknown, name: string): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (isOfPlatform(value)) return value;
  const signal = follow(value);
  if (signal === undefined) throw wrongType('an AbortSignal', name, value);
  return signal;
}

function isOfPlatform(value: unknown): value is AbortSignal {
  try {
    // Throws unless the value is a signal.
    abortedOf(value);
    // A proxy of a signal would run its handler's code whenever it is read.
    return !types.isProxy(value);
  } catch {
    return false;
  }
}

/** Mirrors a signal that is not the platform's in a controller. */
class Follower {
  readonly controller = new AbortController();
  readonly #source: object;
  readonly #add: Listen;
  readonly #remove: Listen;
  readonly #look = (): void => {
    this.look();
  };

  constructor(source: object, add: Listen, remove: Listen) {
    this.#source = source;
    this.#add = add;
    this.#remove = remove;
  }

  /** Aborts the controller if the signal is aborted, or if reading it throws. */
  look(): void {
    const { controller } = this;
    if (isAborted(controller.signal)) return;
    try {
      if (Reflect.get(this.#source, 'aborted') !== true) return;
      controller.abort(Reflect.get(this.#source, 'reason'));
    } catch (error) {
      controller.abort(error);
    }
  }

  listen(): void {
    try {
      Reflect.apply(this.#add, this.#source, ['abort', this.#look]);
    } catch (error) {
      this.controller.abort(error);
      return;
    }
    // It may have been aborted since it was read last.
    this.look();
  }

  stopListening(): void {
    try {
      Reflect.apply(this.#remove, this.#source, ['abort', this.#look]);
    } catch {
      // The call is over, so nobody could receive the error.
    }
  }
}

/** One for each object, so that many calls with the same signal add one listener. */
const followers = new WeakMap<object, Follower>();
/** The followers by the signals of their controllers. */
const followersOf = new WeakMap<AbortSignal, Follower>();

/** The signal that mirrors an object with the properties of a signal; undefined for any other value. */
function follow(value: unknown): AbortSignal | undefined {
  if (typeof value !== 'object' || value === null || isRevoked(value)) return undefined;
  const aborted: unknown = Reflect.get(value, 'aborted');
  if (typeof aborted !== 'boolean') return undefined;
  let follower = followers.get(value);
  if (follower === undefined || isAborted(follower.controller.signal)) {
    const add: unknown = Reflect.get(value, 'addEventListener');
    const remove: unknown = Reflect.get(value, 'removeEventListener');
    if (typeof add !== 'function' || typeof remove !== 'function') return undefined;
    follower = new Follower(value, add as Listen, remove as Listen);
    followers.set(value, follower);
    followersOf.set(follower.controller.signal, follower);
  }
  follower.look();
  return follower.controller.signal;
}

/** @internal Whether listening to a signal runs code that is not the platform's. */
export function isForeign(signal: AbortSignal | undefined): boolean {
  return signal !== undefined && followersOf.has(signal);
}

/** @internal Whether a signal is aborted, as far as is known. Runs none of the caller's code. */
export function isAborted(signal: AbortSignal): boolean {
  return abortedOf(signal) === true;
}

/** @internal Whether a signal is aborted. Reads it again if it is not the platform's. */
export function isAbortedNow(signal: AbortSignal): boolean {
  followersOf.get(signal)?.look();
  return isAborted(signal);
}

/** @internal What an aborted call rejects with. */
export function abortReason(signal: AbortSignal): unknown {
  return reasonOf(signal);
}

/**
 * The listeners of each signal. The platform's signal has one listener for all of them, since Node warns
 * of more than ten, and a server may give one signal to every call of a client.
 */
const waiting = new WeakMap<AbortSignal, { listeners: Set<() => void>; callAll: () => void }>();

/**
 * Calls `listener` when the signal is aborted, until the function that is returned is called.
 *
 * @internal
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let entry = waiting.get(signal);
  const isFirst = entry === undefined;
  if (entry === undefined) {
    const listeners = new Set<() => void>();
    const callAll = () => {
      // Anybody can dispatch an event of that name.
      if (!isAborted(signal)) return;
      stopWaiting(signal, callAll);
      for (const each of listeners) each();
    };
    entry = { listeners, callAll };
    waiting.set(signal, entry);
    Reflect.apply(addListener, signal, ['abort', callAll]);
  }
  const { listeners, callAll } = entry;
  listeners.add(listener);
  if (isFirst) followersOf.get(signal)?.listen();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || waiting.get(signal)?.listeners !== listeners) return;
    stopWaiting(signal, callAll);
  };
}

function stopWaiting(signal: AbortSignal, callAll: () => void): void {
  waiting.delete(signal);
  Reflect.apply(removeListener, signal, ['abort', callAll]);
  followersOf.get(signal)?.stopListening();
}

/**
 * Settles as the promise does, or rejects with the signal's reason when the signal is aborted, if
 * `canDetach()` then permits it. The signal may be aborted already, by code of the caller that ran while
 * the promise was made.
 *
 * @internal
 */
export function orAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
  canDetach: () => boolean,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const detach = () => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as the platform does
      if (canDetach()) reject(abortReason(signal));
    };
    if (isAborted(signal)) {
      detach();
      promise.then(resolve, reject);
      return;
    }
    const stopListening = onAbort(signal, detach);
    promise.then(resolve, reject).finally(stopListening);
  });
}
