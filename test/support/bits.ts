/** Results compared bit by bit. */
import assert from 'node:assert/strict';

import type { TypedArray } from '../../lib/index';

/** The bytes of an array, in the array's own memory. */
export function bytesOf(array: TypedArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Fails unless both arrays are of one type and hold the same bits. */
export function assertSameBits(actual: TypedArray, expected: TypedArray, what = 'result'): void {
  assert.equal(actual[Symbol.toStringTag], expected[Symbol.toStringTag], what);
  assert.equal(actual.length, expected.length, `length of ${what}`);
  if (Buffer.compare(bytesOf(actual), bytesOf(expected)) === 0) return;
  const index = [...expected].findIndex((element, i) => !Object.is(element, actual[i]));
  assert.fail(`${what} is ${actual[index]} at ${index}, expected ${expected[index]}`);
}
