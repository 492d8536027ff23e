/** Limits the bytes that the server holds for all clients together: frames, bodies, and unread answers. */
export class ByteBudget {
  readonly #limit: number;
  #used = 0;
  #isFull = false;
  /** Called when the budget becomes full, and when it has room again. */
  onChange: (isFull: boolean) => void = () => undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** True from when the limit is exceeded until an eighth of it is free. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Adds bytes if there is room for them, as there always is if nothing else is held. Returns whether it did. */
  tryAdd(bytes: number): boolean {
    if (this.#used > 0 && this.#used + bytes > this.#limit) return false;
    this.add(bytes);
    return true;
  }

  /** Adds bytes that are in memory already. */
  add(bytes: number): void {
    this.#used += bytes;
    if (!this.#isFull && this.#used > this.#limit) this.#set(true);
  }

  release(bytes: number): void {
    this.#used -= bytes;
    if (this.#isFull && this.#used <= this.#limit * (7 / 8)) this.#set(false);
  }

  #set(isFull: boolean): void {
    this.#isFull = isFull;
    this.onChange(isFull);
  }
}
