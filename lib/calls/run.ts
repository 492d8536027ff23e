/**
 * Runs a call that lib/call.ts has prepared: makes the arrays that it fills, calls the addon, puts
 * the result together.
 */
import { setImmediate as turn } from 'node:timers/promises';

import { abortReason, isAborted, onAbort, orAborted } from './abort';
import { allocate, allocateState, indexIn } from '../arrays/arrays';
import { arrayClassOf, type FloatArray } from '../arrays/element-types';
import type { CarriedState, PreparedCall } from './call';
import { formatShape, notFinite, outOfRange, tooManySteps } from '../errors/checks';
import type { ExpSynError } from '../errors/error-codes';
import type { ExpSynEvolution } from '../modules/exp-syn-options';
import { native, type EvolveArguments, type Synapses } from '../native/native';
import { CarriedIsyn } from '../modules/state';
import { copyInto, isShared, lengthOf } from '../arrays/typed-arrays';

/** What a call returns, and the state that it leaves. */
export interface CallResult {
  evolution: ExpSynEvolution;
  after: CarriedState;
}

/** The state that a call starts from, given the one that the module carries. */
export function startOf(call: PreparedCall, carried: CarriedState): CarriedState {
  return call.given === undefined ? carried : { ...carried, ...call.given };
}

/** Computes on the calling thread. */
export function runHere(call: PreparedCall, before: CarriedState): CallResult {
  const output = call.out ?? allocateOutput(call);
  const nextState = allocateNextState(call);
  if (!isEmpty(call)) {
    const { synapses } = call.settings;
    const index = callNative(synapses.evolve, call, before, output, nextState, 0);
    refuseNonFinite(index, call);
  }
  return finish(call, before, output, nextState);
}

/** Computes on the addon's own threads. */
export async function runOffThread(call: PreparedCall, before: CarriedState): Promise<CallResult> {
  const nextState = allocateNextState(call);
  const output = await fillOffThread(call, async (array, id) => {
    // It may start from what another call has left.
    checkStart(call, before);
    if (isEmpty(call)) return NO_ITEMS;
    const { synapses } = call.settings;
    const index = await callNative(synapses.evolveAsync, call, before, array, nextState, id);
    if (index === undefined) throw new Cancelled();
    refuseNonFinite(index, call);
    return NO_ITEMS;
  });
  return finish(call, before, output, nextState);
}

/** The end of a call that was counted as pending; `failure` is what it rejects with. */
export function leave(call: PreparedCall, failure?: { error: unknown }): void {
  const { admission, signal } = call;
  if (failure === undefined) {
    admission?.leave('done');
    return;
  }
  const { error } = failure;
  const isEnded = signal !== undefined && isAborted(signal) && error === abortReason(signal);
  admission?.leave(isEnded ? 'aborted' : 'failed', error);
}

/**
 * The end of a call that has been aborted while it waited for others. What it holds is let go of,
 * though those that it waits for may take long.
 */
export function abandon(call: PreparedCall): void {
  if (call.signal !== undefined) leave(call, { error: abortReason(call.signal) });
  call.data = NOTHING;
  call.out = undefined;
}

const NOTHING = new Uint8Array(0);

/** Thrown by what fillOffThread() calls when the addon says that the call was cancelled. */
export class Cancelled extends Error {}

/** Numbers of the addon's calls on other threads. */
let nextId = 0;

/** For calls of which no batch item can fail by itself. */
const NO_ITEMS: readonly number[] = [];

/**
 * The output of a call, filled by `fill`, which hands the array and the call's number to the addon and
 * returns the batch items that failed, in ascending order: their part of a caller's array stays as it
 * is. Throws the signal's reason when that ends it.
 */
export async function fillOffThread(
  call: PreparedCall,
  fill: (output: FloatArray, id: number) => Promise<readonly number[]>,
): Promise<FloatArray> {
  const { signal, out } = call;
  // It may have waited for other calls.
  if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
  // The caller's own memory is filled at the end: until then it may be detached or shrink.
  const isOutSafe = out !== undefined && (call.isTransferred || isShared(out));
  const output = isOutSafe ? out : allocateOutput(call);
  const id = nextId++;
  const stopListening =
    signal &&
    onAbort(signal, () => {
      native.cancel(id, !isOutSafe);
    });
  let failed: readonly number[];
  try {
    const filling = fill(output, id);
    // What nobody else can see may still be written to after the call has ended: a transform of
    // millions of points, say, cannot be stopped on the way.
    const isWaitedFor = signal === undefined || isOutSafe;
    failed = await (isWaitedFor ? filling : orAborted(filling, signal, () => true));
  } catch (error) {
    throw error instanceof Cancelled && signal !== undefined ? abortReason(signal) : error;
  } finally {
    stopListening?.();
  }
  if (out === undefined || isOutSafe) return output;
  await copyOut(output, out, stretchesOf(call, failed), signal);
  return out;
}

/** Elements that are copied in one go: a millisecond or two. */
const COPIED_AT_ONCE = 1 << 19;

/** Where the parts of an output begin and end that lie between the items which failed. */
function* stretchesOf(call: PreparedCall, failed: readonly number[]): Generator<[number, number]> {
  const itemSize = call.timesteps * call.settings.size;
  let begin = 0;
  for (const item of failed) {
    yield [begin, item * itemSize];
    begin = (item + 1) * itemSize;
  }
  yield [begin, call.batches * itemSize];
}

/** Copies stretches of an output to the caller's array; the event loop turns on the way. */
async function copyOut(
  output: FloatArray,
  out: FloatArray,
  stretches: Iterable<[number, number]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let copied = 0;
  for (const [begin, end] of stretches) {
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

/** Whether there is nothing to compute. */
export function isEmpty(call: PreparedCall): boolean {
  return call.batches === 0 || call.timesteps === 0;
}

export function allocateOutput(call: PreparedCall): FloatArray {
  const { size, dtype } = call.settings;
  return allocate(arrayClassOf(dtype), [call.batches, call.timesteps, size], 'output');
}

/** Room for the state of each batch item after the call. */
export function allocateNextState(call: PreparedCall): Float64Array {
  return allocateState(isEmpty(call) ? 0 : call.batches * call.settings.size);
}

/** Checks a call against the state that it starts from. */
export function checkStart(call: PreparedCall, before: CarriedState): void {
  const { batches, timesteps } = call;
  if (isEmpty(call)) return;
  const held = before.isyn.shape.length === 2 ? before.isyn.shape[0] : undefined;
  if (held !== undefined && held !== batches) {
    throw outOfRange(
      `${held} batch items, as isyn of shape ${formatShape(before.isyn.shape)} holds,`,
      'input',
      `${batches}`,
      'reset the state, or pass one in with the call',
    );
  }
  if (!Number.isSafeInteger(before.step + timesteps)) {
    throw tooManySteps('step', before.step, timesteps, 'reset the state');
  }
}

/** Puts the result together, and the state after it. */
function finish(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: Float64Array,
): CallResult {
  const { batches, timesteps } = call;
  const { size, dtype, isRockpool, windowLength } = call.settings;
  let after = before;
  if (batches > 0 && timesteps > 0) {
    const isyn = new CarriedIsyn(dtype, nextState, batches === 1 ? [size] : [batches, size]);
    after = {
      isyn: isRockpool && batches > 1 ? isyn.firstItem() : isyn,
      step: before.step + timesteps,
    };
  }
  return {
    after,
    evolution: {
      output: { data: output, shape: [batches, timesteps, size] },
      state: stateFor(after),
      record: { method: call.method, windowLength, firstStep: before.step },
    },
  };
}

/** The state that a call leaves, in memory of the caller's own. */
function stateFor({ isyn, step }: CarriedState): ExpSynEvolution['state'] {
  return { isyn: isyn.copy(), step };
}

/** Calls one of the addon's functions with a call. Not by spreading an array, which takes longer. */
function callNative<Result>(
  evolve: (this: Synapses, ...call: [...Required<EvolveArguments>, id: number]) => Result,
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: Float64Array,
  id: number,
): Result {
  const { settings } = call;
  return evolve.call(
    settings.synapses,
    call.data,
    output,
    before.isyn.numbers,
    nextState,
    call.batches,
    settings.seed,
    before.step,
    call.firstBatch,
    call.firstSynapse,
    id,
  );
}

/** Throws when the addon found a NaN or infinity at flat index `index` >= 0. */
function refuseNonFinite(index: number, call: PreparedCall): void {
  if (index >= 0) throw nonFiniteInput(index, call);
}

/** The error for a NaN or infinity at flat index `flat` of a call's input. */
export function nonFiniteInput(flat: number, call: PreparedCall): RangeError & ExpSynError {
  const index = indexIn(call.inputShape, flat);
  const value = Number(call.data[flat]);
  const received = `${value} at [${index.join(', ')}]`;
  return notFinite('finite numbers', 'input', received, { argument: 'input', index, value });
}
