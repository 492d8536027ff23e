/** The output of a call on other threads: where it is computed, and how it gets to the caller. */
import { setImmediate as turn } from 'node:timers/promises';

import { abortReason, isAborted, onAbort, orAborted } from './abort';
import type { FloatArray } from '../arrays/element-types';
import { copyInto, lengthOf } from '../arrays/typed-arrays';
import { outOfRange } from '../errors/checks';
import { native } from '../native/native';

/** An output that is to be filled. */
interface Filling {
  /** The array that the caller gave, if there is one. */
  out: FloatArray | undefined;
  /** Whether it may be written to at any time: it was transferred, or is shared memory. */
  isOutOwn: boolean;
  /** Makes an array for the output. */
  allocate: () => FloatArray;
  /** Elements of a batch item. */
  itemSize: number;
  signal: AbortSignal | undefined;
  /**
   * Hands an array and the number of the call to the addon. Resolves with the batch items that failed,
   * in ascending order, or with undefined if the call of that number was cancelled.
   */
  fill: (output: FloatArray, id: number) => Promise<readonly number[] | undefined>;
}

/** Numbers of the addon's calls on other threads. */
let nextId = 0;

/**
 * The output of a call. A caller's array is filled except for the batch items that failed, which stay as
 * they are. Throws the signal's reason if that ends the call.
 */
export async function fillOffThread(filling: Filling): Promise<FloatArray> {
  const { out, isOutOwn, signal, itemSize } = filling;
  // The call may have waited for others.
  if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
  // The caller's own memory is filled at the end, since it may be detached or shrink until then.
  const output = out !== undefined && isOutOwn ? out : filling.allocate();
  const failed = await fillOrAbort(filling, output);
  if (out === undefined || isOutOwn) return output;
  await copyOut(output, out, rangesWithout(failed, itemSize, output.length), signal);
  return out;
}

async function fillOrAbort(
  { fill, isOutOwn, signal }: Filling,
  output: FloatArray,
): Promise<readonly number[]> {
  const id = nextId++;
  if (signal === undefined) return (await fill(output, id)) ?? [];
  const stopListening = onAbort(signal, () => {
    native.cancel(id, !isOutOwn);
  });
  try {
    const filled = fill(output, id);
    // Memory that nobody else can see may still be written to after the call has ended: a transform
    // of millions of points, say, cannot be stopped on the way.
    const failed = await (isOutOwn ? filled : orAborted(filled, signal, () => true));
    // The addon may have been faster than the signal.
    if (failed === undefined || isAborted(signal)) throw abortReason(signal);
    return failed;
  } finally {
    stopListening();
  }
}

/** Elements that are copied at once: a millisecond or two. */
const COPIED_AT_ONCE = 1 << 19;

/** Where the parts of an output begin and end that lie between the items which failed. */
function* rangesWithout(
  failed: readonly number[],
  itemSize: number,
  length: number,
): Generator<[number, number]> {
  let begin = 0;
  for (const item of failed) {
    yield [begin, item * itemSize];
    begin = (item + 1) * itemSize;
  }
  yield [begin, length];
}

/** Copies ranges of an output to the caller's array; the event loop turns on the way. */
async function copyOut(
  output: FloatArray,
  out: FloatArray,
  ranges: Iterable<[number, number]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let copied = 0;
  for (const [begin, end] of ranges) {
    for (let first = begin; first < end;) {
      if (copied >= COPIED_AT_ONCE) {
        copied = 0;
        await turn();
        if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
      }
      requireLength(out, output.length);
      const next = Math.min(end, first + COPIED_AT_ONCE - copied);
      copyInto(out, output.subarray(first, next), first);
      copied += next - first;
      first = next;
    }
  }
}

/** Throws unless a caller's array still has its elements. */
function requireLength(out: FloatArray, length: number): void {
  if (lengthOf(out) === length) return;
  throw outOfRange(
    `${length} elements`,
    'options.out',
    `${lengthOf(out)}`,
    'it was detached or resized while the call ran',
  );
}
