/** Back references, which every format of the Lempel-Ziv family has. */

/** Copies of fewer bytes are faster one byte at a time. */
const SHORT_COPY = 32;

/**
 * Appends `length` bytes that begin `distance` bytes before `at`. The copy may overlap its source: it
 * then repeats the last `distance` bytes. The caller has checked that all of it lies within `bytes`.
 */
export function copyBack(bytes: Uint8Array, at: number, distance: number, length: number): void {
  const end = at + length;
  if (length < SHORT_COPY) {
    for (let i = at; i < end; i++) bytes[i] = bytes[i - distance] ?? 0;
    return;
  }
  if (distance === 1) {
    bytes.fill(bytes[at - 1] ?? 0, at, end);
    return;
  }
  // What has been copied is a source too, so that each copy can be twice as long as the last.
  const begin = at - distance;
  let copied = at;
  while (copied < end) {
    const count = Math.min(copied - begin, end - copied);
    bytes.copyWithin(copied, begin, begin + count);
    copied += count;
  }
}

/** Copies literals from one array to another; both ranges have been checked. */
export function copyLiterals(
  source: Uint8Array,
  begin: number,
  target: Uint8Array,
  at: number,
  length: number,
): void {
  if (length >= SHORT_COPY) {
    target.set(source.subarray(begin, begin + length), at);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = source[begin + i] ?? 0;
}
