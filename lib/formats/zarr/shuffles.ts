/** The inverse of the filters that gather equal bytes, or equal bits, of elements. */

/**
 * Puts the bytes of elements together again: `source` has the first byte of each, then the second of
 * each, and so on. Bytes that are no whole element stand at its end, as they are.
 */
export function unshuffle(source: Uint8Array, target: Uint8Array, itemBytes: number): void {
  const count = Math.floor(source.length / itemBytes);
  if (itemBytes % 4 === 0 && target.byteOffset % 4 === 0) unshuffleWords(source, target, itemBytes);
  else {
    for (let byte = 0; byte < itemBytes; byte++) {
      const begin = byte * count;
      for (let i = 0, at = byte; i < count; i++, at += itemBytes) {
        target[at] = source[begin + i] ?? 0;
      }
    }
  }
  target.set(source.subarray(count * itemBytes), count * itemBytes);
}

/** The same for whole words, four bytes at a time, on a machine that stores the low byte first. */
function unshuffleWords(source: Uint8Array, target: Uint8Array, itemBytes: number): void {
  const count = Math.floor(source.length / itemBytes);
  const step = itemBytes / 4;
  const words = new Int32Array(target.buffer, target.byteOffset, count * step);
  for (let word = 0; word < step; word++) {
    const first = 4 * word * count;
    const [second, third, fourth] = [first + count, first + 2 * count, first + 3 * count];
    for (let i = 0, at = word; i < count; i++, at += step) {
      words[at] =
        (source[first + i] ?? 0) |
        ((source[second + i] ?? 0) << 8) |
        ((source[third + i] ?? 0) << 16) |
        ((source[fourth + i] ?? 0) << 24);
    }
  }
}

/** Bit k of a byte as the lowest bit of byte k of a word, for k below 4. */
const SPREAD = Uint32Array.from({ length: 16 }, (_, bits) => {
  return (bits & 1) | ((bits & 2) << 7) | ((bits & 4) << 14) | ((bits & 8) << 21);
});

/**
 * Puts the bits of elements together again: `source` has the lowest bit of each, eight elements a byte,
 * then the next bit of each, and so on. Of elements whose number is no multiple of eight, the bits are
 * where they belong already, as are those of bytes that are no whole element.
 */
export function unshuffleBits(source: Uint8Array, target: Uint8Array, itemBytes: number): void {
  const count = Math.floor(source.length / itemBytes);
  if (count % 8 !== 0) {
    target.set(source);
    return;
  }
  const groups = count / 8;
  for (let byte = 0; byte < itemBytes; byte++) {
    const begin = byte * 8 * groups;
    for (let group = 0; group < groups; group++) {
      let low = 0;
      let high = 0;
      for (let bit = 0, at = begin + group; bit < 8; bit++, at += groups) {
        const bits = source[at] ?? 0;
        low |= (SPREAD[bits & 15] ?? 0) << bit;
        high |= (SPREAD[bits >> 4] ?? 0) << bit;
      }
      let at = group * 8 * itemBytes + byte;
      for (let i = 0; i < 4; i++, at += itemBytes) target[at] = low >>> (8 * i);
      for (let i = 0; i < 4; i++, at += itemBytes) target[at] = high >>> (8 * i);
    }
  }
  target.set(source.subarray(count * itemBytes), count * itemBytes);
}
