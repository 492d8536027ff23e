/** Signals that end a call, read through the platform's own getters: an object cannot pose as one. */
import { types } from 'node:util';

import { wrongType } from './checks';

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

/** A signal as a caller gave it, or undefined for none. */
export function readSignal(value: unknown, name: string): AbortSignal | undefined {
  if (value === undefined) return undefined;
  try {
    // Throws for whatever is no signal.
    abortedOf(value);
    // A proxy of a signal would run its owner's code at every look.
    if (!types.isProxy(value)) return value as AbortSignal;
  } catch {
    // Said below.
  }
  throw wrongType('an AbortSignal', name, value);
}

export function isAborted(signal: AbortSignal): boolean {
  return abortedOf(signal) === true;
}

/** What an aborted call rejects with. */
export function abortReason(signal: AbortSignal): unknown {
  return reasonOf(signal);
}

/**
 * What waits for each signal, behind one listener of the platform's: it warns of more than ten, and
 * a server may give one signal to every call of a client.
 */
const waiting = new WeakMap<AbortSignal, { listeners: Set<() => void>; callAll: () => void }>();

/** Calls `listener` when the signal is aborted, until the function that is returned is called. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let entry = waiting.get(signal);
  if (entry === undefined) {
    const listeners = new Set<() => void>();
    const callAll = () => {
      // Anybody can dispatch an event of that name.
      if (!isAborted(signal)) return;
      waiting.delete(signal);
      Reflect.apply(removeListener, signal, ['abort', callAll]);
      for (const each of listeners) each();
    };
    entry = { listeners, callAll };
    waiting.set(signal, entry);
    Reflect.apply(addListener, signal, ['abort', callAll]);
  }
  const { listeners, callAll } = entry;
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || waiting.get(signal)?.listeners !== listeners) return;
    waiting.delete(signal);
    Reflect.apply(removeListener, signal, ['abort', callAll]);
  };
}

/**
 * The promise, or a rejection with the signal's reason, if `canLeave` when it is aborted, which it may
 * be already: by the code of others that ran while the promise was made.
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
