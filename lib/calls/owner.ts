/** The order of calls: those that advance the same state run one after the other. */
import { pendingError } from '../errors/checks';

/** What a call waits for. */
export interface Pending {
  /** Resolves when the call is over, whatever its outcome. */
  readonly ended: Promise<void>;
}

/**
 * An owner of a state: a module, or one of its sessions. Calls enter when they are made and leave when
 * they have settled.
 */
export abstract class Owner {
  /** What the owner is called in messages. */
  abstract readonly kind: 'module' | 'session';
  #nPending = 0;
  #last: Pending | undefined;

  /** Calls that have not settled. */
  get nPending(): number {
    return this.#nPending;
  }

  /** The call that the next one waits for, if one is pending. */
  get last(): Pending | undefined {
    return this.#last;
  }

  /** Adds a call behind those that are pending. */
  enter(call: Pending): void {
    this.#nPending++;
    this.#last = call;
  }

  /** Removes a call that has settled. */
  leave(): void {
    // A call that still computes now has been aborted, and changes nothing.
    if (--this.#nPending === 0) this.#last = undefined;
  }

  /** Throws an error about `argument` if a call is pending. */
  requireIdle(argument: string): void {
    if (this.#nPending > 0) throw pendingError(this.kind, argument, `${this.#nPending}`);
  }
}
