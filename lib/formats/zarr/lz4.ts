/**
 * Blocks of LZ4, as https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md describes them: a list of
 * sequences, each a token, literals, and a back reference, which the last sequence lacks.
 */
import { copyBack, copyLiterals } from './back-references';

/** A length of 15 in a token goes on in the bytes that follow. */
const LONG = 15;
const SHORTEST_MATCH = 4;
/** A block ends with at least so many literals. */
const LAST_LITERALS = 5;
/** The last back reference begins at least so many bytes before the end. */
const LAST_MATCH = 12;
/** What follows literals that are not the last: an offset, a token, and the last literals. */
const SHORTEST_REST = 2 + 1 + LAST_LITERALS;

/**
 * Decodes a block of LZ4.
 *
 * @param target What the block must fill to its last byte.
 * @returns Whether it is a valid block that does so, as LZ4's own decoder requires it.
 */
export function decodeLz4(source: Uint8Array, target: Uint8Array): boolean {
  const { length: sourceEnd } = source;
  const { length: targetEnd } = target;
  let from = 0;
  let to = 0;
  while (from < sourceEnd) {
    const token = source[from++] ?? 0;
    let literals = token >> 4;
    if (literals === LONG) {
      let next;
      do {
        if (from >= sourceEnd) return false;
        next = source[from++] ?? 0;
        literals += next;
      } while (next === 255);
    }
    if (literals > sourceEnd - from || literals > targetEnd - to) return false;
    copyLiterals(source, from, target, to, literals);
    from += literals;
    to += literals;
    if (sourceEnd - from < SHORTEST_REST || targetEnd - to < LAST_MATCH) {
      return from === sourceEnd && to === targetEnd;
    }
    const distance = (source[from] ?? 0) | ((source[from + 1] ?? 0) << 8);
    from += 2;
    let length = token & 15;
    if (length === LONG) {
      let next;
      do {
        if (from >= sourceEnd) return false;
        next = source[from++] ?? 0;
        length += next;
      } while (next === 255);
    }
    length += SHORTEST_MATCH;
    if (distance === 0 || distance > to || length > targetEnd - LAST_LITERALS - to) return false;
    copyBack(target, to, distance, length);
    to += length;
  }
  return false;
}
