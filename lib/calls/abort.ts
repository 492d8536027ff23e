/**
 * Signals that end a call. A signal of the platform is read through the platform's own getters, so that
 * an object cannot pose as one. Any other object with the properties of a signal is followed by a
 * controller of our own: its code runs when a call is made, when it is listened to and when it is
 * listened to no more, and at no other time.
 */
import { types } from 'node:util';

import { wrongType } from '../errors/checks';
import { isRevoked } from '../arrays/typed-arrays';

/**
 * An AbortSignal, or any object that has these properties and calls the listener once `aborted` is true.
 * Without a `reason`, that is an AbortError.
 */
export interface AbortSignalLike {
  /** Whether it has been aborted. */
  readonly aborted: boolean;
  /** What a call rejects with when it is aborted. */
  readonly reason?: unknown;
  /** Calls the listener when it is aborted. */
  addEventListener(type: 'abort', listener: () => void): void;
  /** Calls the listener no longer. */
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
    // Throws for whatever is no signal.
    abortedOf(value);
    // A proxy of a signal would run its owner's code at every look.
    return !types.isProxy(value);
  } catch {
    return false;
  }
}

/** A signal that is not the platform's, and what stands for it here. */
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

  /** Aborts the controller if the signal is aborted, or if it cannot be asked. */
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
    // It may have been aborted since it was looked at last.
    this.look();
  }

  stopListening(): void {
    try {
      Reflect.apply(this.#remove, this.#source, ['abort', this.#look]);
    } catch {
      // The call is over: there is nobody to tell.
    }
  }
}

/** One for each signal, so that many calls with one signal are one listener. */
const followers = new WeakMap<object, Follower>();
/** The same by the signal of their controller. */
const followersOf = new WeakMap<AbortSignal, Follower>();

/** The signal that stands for an object with the properties of one; undefined for any other value. */
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

/** @internal Whether a signal is aborted as far as is known; runs nobody's code. */
export function isAborted(signal: AbortSignal): boolean {
  return abortedOf(signal) === true;
}

/** @internal Whether a signal is aborted; asks it, if it is not the platform's. */
export function isAbortedNow(signal: AbortSignal): boolean {
  followersOf.get(signal)?.look();
  return isAborted(signal);
}

/** @internal What an aborted call rejects with. */
export function abortReason(signal: AbortSignal): unknown {
  return reasonOf(signal);
}

/**
 * What waits for each signal, behind one listener of the platform's: it warns of more than ten, and
 * a server may give one signal to every call of a client.
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
 * The promise, or a rejection with the signal's reason, if `canLeave` when it is aborted, which it may
 * be already: by the code of others that ran while the promise was made.
 *
 * @internal
 */
export function orAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
  canLeave: () => boolean,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as the platform does
      if (canLeave()) reject(abortReason(signal));
    };
    if (isAborted(signal)) {
      leave();
      promise.then(resolve, reject);
      return;
    }
    const stopListening = onAbort(signal, leave);
    promise.then(resolve, reject).finally(stopListening);
  });
}
