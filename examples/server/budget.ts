/** The bytes that all clients together make the server hold: frames, bodies, and unread answers. */
export class Budget {
  readonly #limit: number;
  #used = 0;
  #isFull = false;
  /** Called when the budget becomes full, and when it has room again. */
  onTurn: (isFull: boolean) => void = () => undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** From when the limit is exceeded until an eighth of it is free. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes bytes if there is room for them. There is always room for the only holder. */
  take(bytes: number): boolean {
    if (this.#used > 0 && this.#used + bytes > this.#limit) return false;
    this.add(bytes);
    return true;
  }

  /** Takes bytes that are in memory already. */
  add(bytes: number): void {
    this.#used += bytes;
    if (!this.#isFull && this.#used > this.#limit) this.#turn(true);
  }

  release(bytes: number): void {
    this.#used -= bytes;
    if (this.#isFull && this.#used <= this.#limit * (7 / 8)) this.#turn(false);
  }

  #turn(isFull: boolean): void {
    this.#isFull = isFull;
    this.onTurn(isFull);
  }
}
