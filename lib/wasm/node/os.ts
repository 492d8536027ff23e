/** What the package uses of node:os. */

/** The memory that a WebAssembly module can have. */
export function totalmem(): number {
  return 2 ** 32;
}
