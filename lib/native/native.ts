/**
 * The whole native surface, and the only place that knows the addon. The addon checks types and lengths
 * again, so that memory is safe whatever it is given, but not meaning.
 *
 * Sizes are B batch items, T time steps, N synapses and S numbers of state a synapse; arrays are
 * row-major. How many steps a call has, whether its input has one column or N, and whether its state
 * is shared, follow from the lengths of its arrays.
 */
import addon = require('./addon.cjs');
import type { Dtype, FloatArray, TypedArray } from '../arrays/element-types';

/**
 * How a call is computed: by FFTs, by the kernel's recursion, or, for a kernel that has none, by the sum
 * over the window.
 */
export type ComputedBy = 'fft' | 'recursive' | 'direct';

/** What the samples of a kernel are scaled to. */
export type Normalisation = 'peak' | 'area';

/** The kernel of N synapses: immutable, shared by synapses and calls. */
export interface Kernel {
  readonly [kernelBrand]: never;
}
declare const kernelBrand: unique symbol;

/** What follows from the parameters of a kernel. */
export interface KernelDescription {
  /** Length of the window in steps, or Infinity where it is not cut. */
  readonly windowLength: number;
  /** S, numbers of state a synapse. */
  readonly stateSize: number;
  /** The methods that can compute it. */
  readonly methods: readonly ComputedBy[];
  /**
   * The logarithm of the largest weight of an event by where in its step it lies; -1 if the kernel has no
   * such weights.
   */
  readonly largestEventRate: number;
}

/** What few calls have; see native/binding/call_details.h. All is read when the call is made. */
export interface CallDetails {
  /** T */
  readonly timesteps: number;
  /** Of the input: N or 1. */
  readonly columns: number;
  /** How many steps make a group; 0 keeps none. */
  readonly every: number;
  /** What stands for a group: 0 its last step, 1 the mean, 2 the peak. */
  readonly reduce: number;
  /** (B, N), the group before the call, then the one after it; only for the mean and the peak. */
  readonly partial: Float64Array | undefined;
  /** How many steps of the group before the call are known. */
  readonly partialSteps: number;
  /** Steps of each item. */
  readonly lengths: Float64Array | undefined;
  /** The steps at which items begin again, item after item, and where the list of each ends. */
  readonly resets: Float64Array | undefined;
  readonly resetEnds: Float64Array | undefined;
  /** Of events; their times are the input. */
  readonly channels?: TypedArray;
  readonly values?: TypedArray | undefined;
  readonly batches?: TypedArray | undefined;
  readonly dt?: number;
  readonly isOutsideDropped?: boolean;
  readonly isExact?: boolean;
}

/** An event that has no place in the raster. */
export interface EventFault {
  /** Its batch item; -1 if it has none. */
  readonly item: number;
  /** Its index in the list. */
  readonly event: number;
  readonly fault: 'time' | 'before' | 'after' | 'channel' | 'batch' | 'value';
}

/** What all calls on the same synapses have in common. */
export interface SynapsesSettings {
  /** Element type of the output. */
  readonly dtype: Dtype;
  /** 'auto': whichever is faster for a call. */
  readonly method: 'auto' | ComputedBy;
  readonly noise: 'output' | 'state' | 'input';
  /** noiseStd * sqrt(dt); without noise 0. */
  readonly noiseScale: number;
  /** Whether a NaN or infinity in the input ends the call. */
  readonly nonFinite: 'throw' | 'propagate';
  /** Whether the next state holds the noise that was added to the output. */
  readonly isStateNoisy: boolean;
  /** The most threads that compute, no more than the processor has; at least 1. */
  readonly threads: number;
}

/** What evolve() takes. */
export type EvolveArguments = [
  /** (B, T, N), or (B, T, 1) for one column that every synapse receives. */
  input: TypedArray,
  /** (B, T, N), of the dtype. */
  output: FloatArray,
  /** (S, B, N), or (S, N) for every batch item. */
  state: Float64Array,
  /** (S, B, N), filled with the state after the call. */
  nextState: Float64Array,
  /** B */
  batches: number,
  /** Seed of the noise. */
  seed: number,
  /** Absolute number of the first step. */
  step: number,
  /** The place of the first batch item and synapse in the raster whose noise is drawn; default 0. */
  firstBatch?: number,
  /** A multiple of 4. */
  firstSynapse?: number,
  details?: CallDetails,
];

/** Numbers of sessions; one may be given as it is. */
export type SessionNumbers = number | Int32Array;

/** What evolveSessions() takes: item b of the input is for the session of numbers[b]. */
export type EvolveSessionsArguments = [
  table: SessionTable,
  /** B different ones. */
  numbers: SessionNumbers,
  input: TypedArray,
  output: FloatArray,
  details?: CallDetails,
];

/** A session that a call could not advance. */
export interface FailedSession {
  item: number;
  /** An event of the session that has no place, and why. */
  event?: number;
  fault?: EventFault['fault'];
  /**
   * Flat index of the first NaN or infinity of the item in the input. Absent where the session would
   * get to step 2^53 or beyond.
   */
  index?: number;
}

/**
 * A kernel and the settings of calls. It keeps the kernel's memory, unless that is released. evolve() and
 * evolveSessions() are functions of the object itself, which need no receiver.
 */
export interface Synapses {
  /** The method for a call of so many steps: if it is 'auto', never 'fft' without FFTW. */
  methodFor: (timesteps: number, isSession: boolean) => ComputedBy;
  /**
   * Whether such a call would be computed by FFTs if FFTW were there. It is computed by another method,
   * or, if the method must be 'fft', not at all.
   */
  lacksFftw: (timesteps: number, isSession: boolean) => boolean;
  /**
   * Computes on the calling thread. Returns -1, or the flat index of the first NaN or infinity of
   * the input; then `nextState` is untouched and the contents of `output` are undefined. `output` may
   * overlap `input`.
   */
  evolve: (...call: EvolveArguments) => number | EventFault;
  /**
   * The same on the addon's own threads. Until the promise settles, nobody else may have access to the
   * arrays, except to shared memory. `id` is a number that no other pending call has. Resolves with
   * undefined if the call was cancelled.
   */
  evolveAsync: (
    ...call: [
      ...(Required<EvolveArguments> extends [...infer Others, unknown] ? Others : never),
      details: CallDetails | undefined,
      id: number,
    ]
  ) => Promise<number | EventFault | undefined>;
  /**
   * Computes on the calling thread and advances the sessions. Returns an event of none of them, and then has
   * advanced none; or those that failed, by item: they
   * stay as they are, and their part of `output` is undefined, or unchanged if it is the input's own
   * memory.
   */
  evolveSessions: (...call: EvolveSessionsArguments) => FailedSession[] | EventFault;
  /**
   * The same on the addon's own threads, as evolveAsync(). The sessions stay as they are until
   * commitSessions(); `nextStates` is (S, B, N).
   */
  evolveSessionsAsync: (
    ...call: [
      table: SessionTable,
      numbers: SessionNumbers,
      input: TypedArray,
      output: FloatArray,
      details: CallDetails | undefined,
      nextStates: Float64Array,
      id: number,
    ]
  ) => Promise<FailedSession[] | EventFault | undefined>;
}

/** The sessions of one module; freed by the garbage collector. */
export interface SessionTable {
  readonly [sessionTableBrand]: never;
}
declare const sessionTableBrand: unique symbol;

/** Finds out whether times were rounded to single precision; see native/core/event_clock.h. */
export interface NativeTimeSurvey {
  /** Returns whether more times can change the answer. */
  add: (times: TypedArray) => boolean;
  /** The largest magnitude of a time if they were rounded; else 0. */
  largestSingle: () => number;
}

/** Turns times into steps. */
export interface NativeEventClock {
  /** Fills in the step of each time; NaN or infinite for a time that is, or is too large. */
  stepsOf: (times: TypedArray, steps: Float64Array) => void;
  /** Whether an event, of a list of one, lies before its step, within the tolerance. */
  isEarly: (time: TypedArray) => boolean;
  /** Of a step, at the start. */
  tolerance: () => number;
}

/** The load of the whole process. */
export interface Load {
  /** Calls that have not settled. */
  calls: number;
  /** Bytes of their inputs and outputs. */
  bytes: number;
  /** Calls that compute, and of these the ones that have settled already. */
  running: number;
  detached: number;
  /** Calls that have ended, since the process began. */
  done: number;
  failed: number;
  aborted: number;
  /** Calls that the limits left no room for. */
  rejected: number;
  /** Summed over all calls: from acquire() to release(), and computing. */
  pendingSeconds: number;
  runningSeconds: number;
  maxCalls: number;
  maxBytes: number;
  /** Bytes of kernels, spectra and sessions. */
  memory: number;
}

export interface Native {
  /**
   * The kernel that the addon knows by `name`, for `size` synapses. Parameters are those of the kernel,
   * in its order, one value a synapse; `dt` is in seconds, `windowTaus` the length of the window in
   * units of the largest time constant (Infinity does not cut it), `maxWindowLength` the longest
   * window in steps; `normalise` says what its samples are scaled to. A kernel that is given by its
   * samples takes them as an array (W, columns), which is copied; one column is that of every synapse.
   * Throws a RangeError where they cannot be scaled. Freed by releaseKernel() or the garbage collector.
   */
  readonly Kernel: new (
    name: string,
    size: number,
    parameters: readonly Float64Array[],
    dt: number,
    windowTaus: number,
    maxWindowLength: number,
    normalise: Normalisation,
    samples?: Float64Array,
    columns?: number,
  ) => Kernel;
  describeKernel: (kernel: Kernel) => KernelDescription;
  /**
   * Frees a kernel as soon as no call uses it; no later call may. The garbage collector does so too,
   * but only when the event loop turns.
   */
  releaseKernel: (kernel: Kernel) => void;
  readonly Synapses: new (kernel: Kernel, settings: SynapsesSettings) => Synapses;
  /**
   * Sessions of `size` synapses with `stateSize` numbers of state each. If these are inputs, `inputs` is
   * their element type.
   */
  readonly SessionTable: new (
    size: number,
    stateSize: number,
    inputs: Dtype | undefined,
  ) => SessionTable;
  readonly TimeSurvey: new () => NativeTimeSurvey;
  /**
   * A clock whose step 0 begins at `wholeStart` + `restOfStart` units of the times. `isWhole` is for times of
   * integer types; `largestSingle` is a survey's.
   */
  readonly EventClock: new (
    stepsPerUnit: number,
    unitsPerStep: number,
    wholeStart: number,
    restOfStart: number,
    isWhole: boolean,
    largestSingle: number,
  ) => NativeEventClock;
  /** The number of a new session at step 0 whose state is 0. */
  openSession: (table: SessionTable, seed: number) => number;
  /** Its number may be given to another session; no call of it may be pending. */
  closeSession: (table: SessionTable, session: number) => void;
  /** Fills a state (S, N), if it is given, and returns the step. */
  readSession: (table: SessionTable, session: number, state: Float64Array | undefined) => number;
  /** Sets step, seed and, if it is given, the state (S, N). */
  writeSession: (
    table: SessionTable,
    session: number,
    state: Float64Array | undefined,
    step: number,
    seed: number,
  ) => void;
  /**
   * Advances sessions by `timesteps`, after evolveSessionsAsync(). Numbers of sessions that are not open
   * are ignored.
   */
  commitSessions: (
    table: SessionTable,
    numbers: SessionNumbers,
    nextStates: Float64Array,
    timesteps: number,
  ) => void;
  /**
   * Ends a call on another thread, if it is not over: soon, or at once if it has not begun. A detached
   * call no longer counts as pending, though it may compute for a while.
   */
  cancel: (id: number, isDetached: boolean) => void;
  /** Counts a call of so many bytes as pending, or as rejected when the limits leave no room. */
  acquire: (bytes: number) => boolean;
  /** Ends a call that acquire() has counted; `seconds` is the time since then. */
  release: (bytes: number, outcome: 'done' | 'failed' | 'aborted', seconds: number) => void;
  /** Sets the process's limits. Default ones count only if none have been set. */
  setLimits: (calls: number, bytes: number, isDefault: boolean) => void;
  readLoad: () => Load;
  /** The vector instructions in use: 'baseline', 'avx2' or 'avx512'. */
  instructionSet: () => string;
  /** The library of FFTW that is loaded, now if it was not yet; or why there is none. */
  fftw: (dtype: Dtype) => { path: string; version: string } | { reason: string };
  /**
   * Fills a raster (B, T, N), zeros, with the events. Returns -1, or 0 if a count is too large for its type,
   * or an event that has no place.
   */
  countEvents: (
    times: TypedArray,
    channels: TypedArray,
    values: TypedArray | undefined,
    batches: TypedArray | undefined,
    dt: number,
    isOutsideDropped: boolean,
    batchCount: number,
    columns: number,
    counts: Uint16Array | Float64Array,
  ) => number | EventFault;
  /** True for the first caller in the process. */
  takeFftwWarning: () => boolean;
}

export const native = addon as Native;
