import type { ByteBudget } from '../byte-budget';

/** Counts in the budget the bytes of a message that has not arrived completely. */
export class PartialMessage {
  readonly #budget: ByteBudget;
  readonly #readTotal: () => number;
  /** Bytes that had arrived when the last message was complete. */
  #completeBytes: number;
  /** Bytes since then that are counted in the budget. */
  #counted = 0;
  #since: number | undefined;

  /** @param readTotal Returns how many bytes the client has sent so far. */
  constructor(budget: ByteBudget, readTotal: () => number) {
    this.#budget = budget;
    this.#readTotal = readTotal;
    this.#completeBytes = readTotal();
  }

  /** When the message was first seen; undefined if no part of a message has arrived. */
  get since(): number | undefined {
    return this.#since;
  }

  /** To be called regularly: counts what has arrived since the last call. */
  update(): void {
    const bytes = this.#readTotal() - this.#completeBytes;
    if (bytes === this.#counted) return;
    this.#since ??= Date.now();
    this.#budget.add(bytes - this.#counted);
    this.#counted = bytes;
  }

  /** To be called when a message is complete. */
  complete(): void {
    this.#completeBytes = this.#readTotal();
    this.#budget.release(this.#counted);
    this.#counted = 0;
    this.#since = undefined;
  }
}
