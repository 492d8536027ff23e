/**
 * The engine: what every call does, in its order. A call is made, waits for the calls before it on the
 * same owners, computes (input, state) -> (output, next state), and advances the states of its owners.
 *
 * The subclasses say which owners these are, a module or sessions, and where their states are stored.
 */
import { abortReason, isAborted, isForeign, orAborted } from './abort';
import {
  checkOut,
  checkShape,
  checkTransfer,
  extentOf,
  inputForThread,
  refuseAsyncOptions,
  transferOut,
  type GivenArguments,
} from './arguments';
import {
  checkTrials,
  countKept,
  groupAfter,
  groupFor,
  hasGroups,
  NO_DETAILS,
  numberOfReduction,
  type GivenDetails,
  type Group,
} from './details';
import { checkEvents, eventError, othersForThread, type GivenEvents } from './events';
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
import { bytesOf, isShared, lengthOf } from '../arrays/typed-arrays';
import { notFinite, outOfRange } from '../errors/checks';
import type { ExpSynError } from '../errors/error-codes';
import type { CallDetails, ComputedBy, EventFault } from '../native/native';

/** How a call was computed. */
export interface CallRecord {
  /** The method that was taken. */
  method: ComputedBy;
  /** Length of the window in steps, or Infinity. */
  windowLength: number;
}

/** The largest dt / tau with which events can be weighed by where in their step they lie. */
const MOST_EVENT_RATE = { float64: 700, float32: 80 } as const;

/** The bytes of an input that are not in shared memory. */
function bytesToCopy(input: TypedArray, events: GivenEvents | undefined): number {
  const lists = [input, events?.channels, events?.values, events?.batches];
  return lists.reduce((sum, list) => {
    return sum + (list === undefined || isShared(list) ? 0 : bytesOf(list));
  }, 0);
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
  protected readonly details: GivenDetails;
  #events: GivenEvents | undefined;
  #columns: number;
  /** The shape of the output: of the steps that are kept, known when the call begins. */
  #keptShape: number[];
  /** The group that is not over, of a call that has to remember one. */
  #group: Group | undefined;
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
    const { raster, events, details, out } = given;
    const { size, dtype } = synapses;
    if (events === undefined) checkSize(raster, 'input');
    else checkEvents(events, 'input');
    const { batches, timesteps, columns } = extentOf(raster, size);
    this.#given = given;
    this.#events = events;
    this.#columns = columns;
    this.details = details;
    if (details !== NO_DETAILS) this.#checkDetails(batches, timesteps);
    const nEvents = events === undefined ? 0 : lengthOf(events.times);
    if (nEvents > 0 && batches * timesteps === 0 && !details.isOutsideDropped) {
      const advice = 'a raster without steps has no place for them';
      throw outOfRange('no events', 'input', `${nEvents}`, advice);
    }
    this.batches = batches;
    this.timesteps = timesteps;
    this.shape = [batches, timesteps, size];
    this.#keptShape = this.shape;
    // How many steps are kept depends on the step that the call starts from.
    this.#out = checkOut(out, dtype, details.every === 1 ? this.shape : undefined);
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

  /** Absolute numbers of the first step of each owner's state, once the call has begun. */
  protected abstract firstSteps(): readonly number[];
  /** The group that the calls before it have left. */
  protected abstract groupBefore(): Group | undefined;

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
    this.#settleOutput();
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
    if (this.#given.isTransferred) checkTransfer(this.input, this.#out, this.#events);
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
      this.#events = undefined;
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
    this.#settleOutput();
    const { signal, isTransferred } = this.#given;
    let found: Found | undefined;
    const output = await fillOffThread({
      out: this.#out,
      isOutOwn: this.#out !== undefined && (isTransferred || isShared(this.#out)),
      allocate: () => this.#allocateOutput(),
      itemSize: sizeOf(this.#keptShape.slice(1)),
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
    const events = this.#events;
    const outputBytes =
      out !== undefined && isShared(out)
        ? 0
        : Math.ceil(sizeOf(shape) / this.details.every) * bytesPerElement(dtype);
    const acquisition = new Acquisition({
      shape: [...shape],
      dtype,
      method,
      bytes: bytesToCopy(input, events) + outputBytes,
    });
    this.#acquisition = acquisition;
    try {
      // Before the times are transferred, in whose memory they may be.
      const others = events && othersForThread(events);
      // The output first: an input that cannot be transferred is copied instead.
      if (out !== undefined && isTransferred) this.#out = transferOut(out);
      this.input = inputForThread(input, isTransferred);
      this.#events = others && { ...others, times: this.input };
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
    return allocate(arrayClassOf(this.synapses.dtype), this.#keptShape, 'output');
  }

  #checkDetails(batches: number, timesteps: number): void {
    const { details } = this;
    checkTrials(details, batches, timesteps);
    if (!details.isExact) return;
    const { dtype, kernel } = this.synapses;
    if (this.#events === undefined) {
      throw outOfRange("'step'", 'options.timing', "'exact'", 'it is for inputs of events');
    }
    const { largestEventRate } = kernel.description;
    if (largestEventRate < 0) {
      const advice = 'only the exponential kernel jumps and then decays';
      throw outOfRange("'step'", 'options.timing', "'exact'", advice);
    }
    if (largestEventRate > MOST_EVENT_RATE[dtype]) {
      const expected = `time constants of at least dt / ${MOST_EVENT_RATE[dtype]}`;
      throw outOfRange(expected, "options.timing 'exact'", 'a shorter one', 'take shorter steps');
    }
  }

  /** Finds out which steps are kept, and whether the caller's array has room for them. */
  #settleOutput(): void {
    const { every } = this.details;
    if (every === 1) return;
    const [batches = 0, timesteps = 0, size = 0] = this.shape;
    const steps = this.firstSteps();
    const kept = steps.map((step) => countKept(every, step, timesteps));
    const [first = 0] = kept;
    const item = kept.findIndex((count) => count !== first);
    if (item >= 0) {
      const expected = `${first} steps that are kept, as the first session has,`;
      const advice = 'give sessions at the same step modulo options.every';
      throw outOfRange(expected, `sessions[${item}]`, `${kept[item]}`, advice);
    }
    this.#keptShape = [batches, first, size];
    if (this.#out !== undefined) {
      checkShape({ data: this.#out, shape: this.#given.out?.shape }, this.#keptShape);
    }
    if (!hasGroups(this.details)) return;
    const [step = 0] = steps;
    this.#group = groupFor(this.details, this.groupBefore(), { batches, size, step });
  }

  /** What the addon has to know beside the arrays; undefined for most calls. */
  protected get nativeDetails(): CallDetails | undefined {
    const { details } = this;
    const events = this.#events;
    if (events === undefined && details === NO_DETAILS) return undefined;
    const { resets, lengths, every, reduce, isExact, isOutsideDropped } = details;
    let end = 0;
    const ends = resets?.map(({ length }) => (end += length));
    return {
      timesteps: this.timesteps,
      columns: this.#columns,
      every: every === Infinity ? 0 : every,
      reduce: numberOfReduction(reduce),
      partial: this.#group?.values,
      partialSteps: this.#group?.steps ?? 0,
      lengths,
      resets: resets && Float64Array.from(resets.flatMap((list) => [...list])),
      resetEnds: ends && Float64Array.from(ends),
      ...(events !== undefined && {
        channels: events.channels,
        values: events.values,
        batches: events.batches,
        dt: this.synapses.kernel.dt,
        isOutsideDropped,
        isExact,
      }),
    };
  }

  /** The group after the call, if it has to remember one. */
  protected get groupLeft(): Group | undefined {
    return this.#group && groupAfter(this.#group, this.timesteps);
  }

  /** The shape of the output. */
  protected get keptShape(): number[] {
    return this.#keptShape;
  }

  /** The error for an event that has no place. */
  protected eventError(fault: EventFault): RangeError {
    const events = this.#events;
    if (events === undefined) throw new TypeError('Expected a call of events.');
    const { batches, timesteps } = this;
    const { dt } = this.synapses.kernel;
    const place = { batches, timesteps, columns: this.#columns, dt };
    return eventError(fault, events, place, 'input');
  }
}
