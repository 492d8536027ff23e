/**
 * Streams of BloscLZ, the compressor of Blosc's own: instructions for literals and for back references.
 * The upper three bits of an instruction's first byte are the length of a back reference, less 2; 0 for
 * literals. Of the very first byte they are the version and mean nothing.
 */
import { copyBack, copyLiterals } from './back-references';

const LONG = 7;
/** A distance with these bits goes on in the two bytes that follow. */
const FAR_HIGH = 31;
const FAR_LOW = 255;
const FARTHEST_SHORT = 8191;

/**
 * Decodes a stream of BloscLZ.
 *
 * @param target What the stream must fill to its last byte.
 * @returns Whether it is a valid stream that does so, as C-Blosc requires it.
 */
export function decodeBloscLz(source: Uint8Array, target: Uint8Array): boolean {
  const { length: sourceEnd } = source;
  const { length: targetEnd } = target;
  if (sourceEnd === 0) return false;
  let from = 1;
  let to = 0;
  let control = (source[0] ?? 0) & 31;
  for (;;) {
    if (control < 32) {
      const literals = control + 1;
      if (literals > targetEnd - to || literals > sourceEnd - from) return false;
      copyLiterals(source, from, target, to, literals);
      from += literals;
      to += literals;
    } else {
      // Each byte of a back reference must be followed by another: no stream ends with one.
      const last = sourceEnd - 1;
      const high = control & 31;
      let length = (control >> 5) + 2;
      if (control >> 5 === LONG) {
        let next;
        do {
          if (from >= last) return false;
          next = source[from++] ?? 0;
          length += next;
        } while (next === 255);
      } else if (from >= last) return false;
      const low = source[from++] ?? 0;
      let distance = (high << 8) + low + 1;
      if (low === FAR_LOW && high === FAR_HIGH) {
        if (from >= last) return false;
        distance = ((source[from] ?? 0) << 8) + (source[from + 1] ?? 0) + FARTHEST_SHORT + 1;
        from += 2;
      }
      if (length > targetEnd - to || distance > to) return false;
      copyBack(target, to, distance, length);
      to += length;
    }
    if (from >= sourceEnd) return to === targetEnd;
    control = source[from++] ?? 0;
  }
}
