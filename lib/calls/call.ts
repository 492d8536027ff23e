/**
 * The engine: what every call does, in its order. A call is made, waits for the calls before it on the
 * same owners, computes (input, state) -> (output, next state), and advances the states of its owners.
 *
 * The subclasses say which owners these are, a module or sessions, and where their states are stored.
 */
import { abortReason, isAborted, isForeign, orAborted } from './abort';
import {
  checkOut,
  checkTransfer,
  extentOf,
  inputForThread,
  refuseAsyncOptions,
  transferOut,
  type GivenArguments,
} from './arguments';
import { Acquisition } from './load';
import { fillOffThread } from './off-thread';
import type { Owner } from './owner';
import type { PreparedSynapses } from './prepared';
import { allocate, checkSize, indexIn, sizeOf } from '../arrays/arrays';
import {
  arrayClassOf,
  bytesPerElement,
  type FloatArray,
  type TypedArray,
} from '../arrays/element-types';
import { bytesOf, isShared } from '../arrays/typed-arrays';
import { notFinite } from '../errors/checks';
import type { ExpSynError } from '../errors/error-codes';
import type { ComputedBy } from '../native/native';

/** How a call was computed. */
export interface CallRecord {
  /** The method that was taken. */
  method: ComputedBy;
  /** Length of the window in steps, or Infinity. */
  windowLength: number;
}

/** Replaces the input of a call that is over, so that its memory is freed. */
const NOTHING = new Uint8Array(0);

/**
 * A call as it was made: later changes of its owners' attributes or of the caller's arguments do not
 * affect it. `Found` is what the addon reports, such as the index of a NaN in the input.
 *
 * @internal
 */
export abstract class Call<Found, Result> {
  /** Sizes of the output, (B, T, N). */
  readonly batches: number;
  readonly timesteps: number;
  readonly shape: number[];
  readonly method: CallRecord['method'];
  protected input: TypedArray;
  protected readonly inputShape: readonly number[];
  readonly #given: GivenArguments;
  #out: FloatArray | undefined;
  #acquisition: Acquisition | undefined;
  #ended: Promise<void> | undefined;
  #hasLeft = false;

  /** Checks the arguments against the synapses. Runs none of the caller's code, as all that follows. */
  constructor(
    given: GivenArguments,
    protected readonly synapses: PreparedSynapses,
    protected readonly owners: readonly Owner[],
    areSessions = false,
  ) {
    const { raster, out } = given;
    const { size, dtype } = synapses;
    checkSize(raster, 'input');
    const { batches, timesteps } = extentOf(raster, size);
    this.#given = given;
    this.batches = batches;
    this.timesteps = timesteps;
    this.shape = [batches, timesteps, size];
    this.#out = checkOut(out, dtype, this.shape);
    this.input = raster.data;
    this.inputShape = raster.shape;
    this.method = synapses.methodFor(timesteps, areSessions);
  }

  /** Resolves when a call that evolve() has made is over, whatever its outcome. */
  get ended(): Promise<void> {
    return this.#ended ?? Promise.resolve();
  }

  /** Throws if the call does not fit the state that it starts from, as far as that is known. */
  protected checkStart(): void {
    // The addon checks sessions, whose states it holds.
  }

  /** Takes the state that the calls before it have left. */
  protected begin(): void {
    // The addon holds the states of sessions.
  }

  /** Computes on the calling thread; `output` may overlap the input. */
  protected abstract compute(output: FloatArray): Found;
  /** Computes on the addon's threads; undefined if the call of this number was cancelled. */
  protected abstract computeAsync(output: FloatArray, id: number): Promise<Found | undefined>;
  /**
   * The batch items that have failed, in ascending order: their part of the caller's array stays as it
   * is. Throws if the call fails as a whole.
   */
  protected abstract failedItems(found: Found): readonly number[];
  /**
   * Advances the states of the owners and returns the result; `found` is undefined if there was nothing
   * to compute.
   */
  protected abstract commit(output: FloatArray, found: Found | undefined): Result;

  /** Computes on the calling thread. None of the owners may have a call pending. */
  evolveSync(): Result {
    refuseAsyncOptions(this.#given);
    this.checkStart();
    this.#requireIdle();
    this.begin();
    const output = this.#out ?? this.#allocateOutput();
    if (this.isEmpty) return this.commit(output, undefined);
    const found = this.compute(output);
    this.failedItems(found);
    return this.commit(output, found);
  }

  /**
   * Computes on the addon's threads. Throws if the call cannot be made; the promise rejects if it fails
   * or is aborted.
   */
  evolve(): Promise<Result> {
    const { signal } = this.#given;
    // Before memory is transferred or copied.
    if (signal !== undefined && isAborted(signal)) throw abortReason(signal);
    if (this.#given.isTransferred) checkTransfer(this.input, this.#out);
    this.checkStart();
    const acquisition = this.#acquire();
    const before = new Set<Promise<void>>();
    for (const { last } of this.owners) if (last !== undefined) before.add(last.ended);
    // The code of a signal that is not the platform's runs once the call has its place.
    let hasBegun = before.size === 0 && !isForeign(signal);
    const run = async (): Promise<Result> => {
      if (!hasBegun) await Promise.all(before);
      hasBegun = true;
      return this.#runOffThread();
    };
    const { kernel } = this.synapses;
    kernel.hold();
    const settled = run().then(
      (result) => {
        this.#leave();
        acquisition.release('done');
        return result;
      },
      (error: unknown) => {
        this.#leave();
        this.#fail(error);
        throw error;
      },
    );
    const end = (): void => {
      kernel.drop();
    };
    this.#ended = settled.then(end, end);
    for (const owner of this.owners) owner.enter(this);
    acquisition.announce();
    if (signal === undefined) return settled;
    // A call that waits for others rejects at once; one that runs ends by itself.
    return orAborted(settled, signal, () => {
      if (hasBegun) return false;
      this.#leave();
      this.#fail(abortReason(signal));
      // The calls that it waits for may take long.
      this.input = NOTHING;
      this.#out = undefined;
      return true;
    });
  }

  protected get isEmpty(): boolean {
    return this.batches === 0 || this.timesteps === 0;
  }

  protected get record(): CallRecord {
    return { method: this.method, windowLength: this.synapses.windowLength };
  }

  /** The error for a NaN or infinity at flat index `flat` of the input. */
  protected nonFiniteInput(flat: number): RangeError & ExpSynError {
    const index = indexIn(this.inputShape, flat);
    const value = Number(this.input[flat]);
    const received = `${value} at [${index.join(', ')}]`;
    return notFinite('finite numbers', 'input', received, { argument: 'input', index, value });
  }

  async #runOffThread(): Promise<Result> {
    this.begin();
    const { signal, isTransferred } = this.#given;
    let found: Found | undefined;
    const output = await fillOffThread({
      out: this.#out,
      isOutOwn: this.#out !== undefined && (isTransferred || isShared(this.#out)),
      allocate: () => this.#allocateOutput(),
      itemSize: sizeOf(this.shape.slice(1)),
      signal,
      fill: async (array, id) => {
        // It may start from what another call has left.
        this.checkStart();
        if (this.isEmpty) return [];
        found = await this.computeAsync(array, id);
        return found === undefined ? undefined : this.failedItems(found);
      },
    });
    return this.commit(output, found);
  }

  /** Throws if a call of an owner is pending. */
  #requireIdle(): void {
    const { owners } = this;
    for (let item = 0; item < owners.length; item++) {
      const owner = owners[item];
      if (owner === undefined || owner.nPending === 0) continue;
      owner.requireIdle(owners.length === 1 ? 'evolveSync()' : `${owner.kind}s[${item}]`);
    }
  }

  /** Counts the call as pending, then copies or transfers its arrays. */
  #acquire(): Acquisition {
    const { method, shape, input } = this;
    const { dtype } = this.synapses;
    const { isTransferred } = this.#given;
    const out = this.#out;
    const inputBytes = isShared(input) ? 0 : bytesOf(input);
    const outputBytes =
      out !== undefined && isShared(out) ? 0 : sizeOf(shape) * bytesPerElement(dtype);
    const acquisition = new Acquisition({
      shape: [...shape],
      dtype,
      method,
      bytes: inputBytes + outputBytes,
    });
    this.#acquisition = acquisition;
    try {
      // The output first: an input that cannot be transferred is copied instead.
      if (out !== undefined && isTransferred) this.#out = transferOut(out);
      this.input = inputForThread(input, isTransferred);
    } catch (error) {
      acquisition.announce();
      acquisition.release('failed', error);
      throw error;
    }
    return acquisition;
  }

  /** The end of a call with an error, which is the signal's reason if that has ended it. */
  #fail(error: unknown): void {
    const { signal } = this.#given;
    const isEnded = signal !== undefined && isAborted(signal) && error === abortReason(signal);
    this.#acquisition?.release(isEnded ? 'aborted' : 'failed', error);
  }

  /** Lets the next calls of the owners no longer count this one as pending. */
  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    for (const owner of this.owners) owner.leave();
  }

  #allocateOutput(): FloatArray {
    return allocate(arrayClassOf(this.synapses.dtype), this.shape, 'output');
  }
}
