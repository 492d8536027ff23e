/**
 * Streams of Snappy, as https://github.com/google/snappy/blob/main/format_description.txt describes them:
 * the number of bytes they decode to, then literals and back references. The lower two bits of a tag say
 * which of these follows.
 */
import { copyBack, copyLiterals } from './back-references';

/** A length of 60 and more in a tag of literals is the number of bytes that hold the length, and 59. */
const LONGEST_IN_TAG = 60;

/**
 * Decodes a stream of Snappy.
 *
 * @param target What the stream must fill to its last byte.
 * @returns Whether it is a valid stream that does so.
 */
export function decodeSnappy(source: Uint8Array, target: Uint8Array): boolean {
  const { length: sourceEnd } = source;
  const { length: targetEnd } = target;
  const preamble = readSize(source);
  if (preamble?.size !== targetEnd) return false;
  let from = preamble.end;
  let to = 0;
  while (from < sourceEnd) {
    const tag = source[from++] ?? 0;
    if ((tag & 3) === 0) {
      let literals = (tag >> 2) + 1;
      if (literals > LONGEST_IN_TAG) {
        const lengthBytes = literals - LONGEST_IN_TAG;
        if (lengthBytes > sourceEnd - from) return false;
        literals = littleEndian(source, from, lengthBytes) + 1;
        from += lengthBytes;
      }
      if (literals > sourceEnd - from || literals > targetEnd - to) return false;
      copyLiterals(source, from, target, to, literals);
      from += literals;
      to += literals;
      continue;
    }
    const distanceBytes = [0, 1, 2, 4][tag & 3] ?? 0;
    if (distanceBytes > sourceEnd - from) return false;
    let length = (tag >> 2) + 1;
    let distance = littleEndian(source, from, distanceBytes);
    if (distanceBytes === 1) {
      length = ((tag >> 2) & 7) + 4;
      distance += (tag >> 5) << 8;
    }
    from += distanceBytes;
    if (distance === 0 || distance > to || length > targetEnd - to) return false;
    copyBack(target, to, distance, length);
    to += length;
  }
  return to === targetEnd;
}

/** The size at the beginning of a stream, seven bits a byte, of at most 32; undefined if it is none. */
function readSize(source: Uint8Array): { size: number; end: number } | undefined {
  let size = 0;
  for (let at = 0; at < 5; at++) {
    const byte = source[at];
    if (byte === undefined) return undefined;
    size += (byte & 127) * 2 ** (7 * at);
    if (byte < 128) return size < 2 ** 32 ? { size, end: at + 1 } : undefined;
  }
  return undefined;
}

function littleEndian(source: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + (source[at + i] ?? 0);
  return value;
}
