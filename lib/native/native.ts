/** The whole native surface, and the only place that knows the addon. */
import addon = require('./addon.cjs');
import type { TypedArray } from '../arrays/element-types';

/** Codes of the methods, as the addon numbers them. */
export const METHOD_CODES = { fft: 0, recursive: 1 } as const;

/** Codes of the noise's placements, as the addon numbers them. */
export const NOISE_CODES = { none: 0, output: 1, state: 2, input: 3 } as const;

/** Codes of how a pending call ended. */
export const OUTCOME_CODES = { done: 0, failed: 1, aborted: 2 } as const;

/** What readLoad() returns. */
export type LoadNumbers = [
  calls: number,
  bytes: number,
  running: number,
  done: number,
  failed: number,
  aborted: number,
  rejected: number,
  pendingSeconds: number,
  runningSeconds: number,
  maxCalls: number,
  maxBytes: number,
  memory: number,
  abandoned: number,
];

/** What evolveAsync() returns for a call that was cancelled. */
export const CANCELLED = -2;

/** The kernels of N synapses: immutable, shared by calls; freed by release() or the collector. */
export interface Kernels {
  readonly [kernelsBrand]: never;
}
declare const kernelsBrand: unique symbol;

/** The sessions of one module; freed by the collector. */
export interface SessionTable {
  readonly [sessionTableBrand]: never;
}
declare const sessionTableBrand: unique symbol;

/**
 * The arguments that every call has, by position. Sizes are B batch items, T time steps, N synapses;
 * arrays are row-major. The addon checks types and lengths again, so that memory is safe, but not
 * meaning.
 */
export type CallArguments = [
  kernels: Kernels,
  method: number,
  /** (B, T, N), or (B, T, 1) for one column that every synapse receives. */
  input: TypedArray,
  batches: number,
  timesteps: number,
  /** Whether the input has N columns rather than one. */
  isInputPerSynapse: boolean,
  /** (B, T, N), of the module's dtype. */
  output: Float64Array | Float32Array,
  /** Whether a NaN or infinity in the input ends the call. */
  throwNonFinite: boolean,
  noisePlacement: number,
  /** noiseStd * sqrt(dt) */
  noiseScale: number,
  /** Whether the next state holds the noise that was added to the output. */
  isStateNoisy: boolean,
  /** The most threads that compute; more than the processor has count as those. */
  threads: number,
];

/** What evolve() takes. */
export type EvolveArguments = [
  ...CallArguments,
  /** (2, B, N), or (2, N) for every item: currents, then what rounding them left out. */
  state: Float64Array,
  isStateShared: boolean,
  /** (2, B, N), filled with the state after the call. */
  nextState: Float64Array,
  seed: number,
  /** Absolute number of the first step. */
  step: number,
  /** The place of the first item and synapse in the raster whose noise is drawn. */
  firstBatch: number,
  /** A multiple of 4. */
  firstSynapse: number,
];

/** Numbers of sessions; one may be given as it is. */
export type SessionNumbers = number | Int32Array;

/** What evolveSessions() takes: item b of the input is for the session of numbers[b]. */
export type EvolveSessionsArguments = [
  ...CallArguments,
  table: SessionTable,
  /** All different. */
  numbers: SessionNumbers,
];

interface Native {
  /**
   * `tau` in seconds, one value a synapse; `dt` in seconds; `windowLength` in steps, 0 for kernels
   * that are not cut.
   */
  readonly Kernels: new (tau: Float64Array, dt: number, windowLength: number) => Kernels;
  /**
   * Computes on the calling thread. Returns -1, or the flat index of the first NaN or infinity of
   * the input; then `nextState` is untouched and `output` is void. `output` may overlap `input`.
   */
  evolve: (...call: EvolveArguments) => number;
  /**
   * The same on the addon's own threads. The arrays must be out of everybody's reach, or shared
   * memory, until the promise settles. `id` is a number that no other call has; -2 is returned for
   * a call that was cancelled.
   */
  evolveAsync: (...call: [...EvolveArguments, id: number]) => Promise<number>;
  readonly SessionTable: new (size: number) => SessionTable;
  /** The number of a new session at step 0 whose state is 0. */
  openSession: (table: SessionTable, seed: number) => number;
  /** Its number may be given to another session; no call of it may be pending. */
  closeSession: (table: SessionTable, session: number) => void;
  /** Fills a state (2, N), if it is given, and returns the step. */
  readSession: (table: SessionTable, session: number, state: Float64Array | undefined) => number;
  /** Without a state (2, N), that is left as it is. */
  writeSession: (
    table: SessionTable,
    session: number,
    state: Float64Array | undefined,
    step: number,
    seed: number,
  ) => void;
  /**
   * Computes on the calling thread and moves the sessions on. Returns -1, or [item, index, item,
   * index, ...] of the sessions that failed: with the flat index of the first NaN or infinity of the
   * item, or -1 where the session would get to step 2^53 or beyond. These sessions stay as they are,
   * and their part of `output` is void, but as it was where it is the input's own memory.
   */
  evolveSessions: (...call: EvolveSessionsArguments) => number | number[];
  /**
   * The same on the addon's own threads, as evolveAsync(). The sessions stay as they are until
   * commitSessions(); `nextStates` is (2, B, N).
   */
  evolveSessionsAsync: (
    ...call: [...EvolveSessionsArguments, nextStates: Float64Array, id: number]
  ) => Promise<number | number[]>;
  /** Moves sessions on by `timesteps`; numbers that are no session's are passed over. */
  commitSessions: (
    table: SessionTable,
    numbers: SessionNumbers,
    nextStates: Float64Array,
    timesteps: number,
  ) => void;
  /**
   * Ends a call on another thread, if it is not over: soon, or at once if it has not begun. One that
   * is abandoned is pending no more, though it may compute on for a while.
   */
  cancel: (id: number, isAbandoned: boolean) => void;
  /** Counts a call of so many bytes as pending, or as rejected when the limits leave no room. */
  admit: (bytes: number) => boolean;
  /** The end of a call that was admitted; `outcome` is one of OUTCOME_CODES. */
  leave: (bytes: number, outcome: number, seconds: number) => void;
  /** The process's limits; a default one counts only if none have been set. */
  setLimits: (calls: number, bytes: number, isDefault: boolean) => void;
  /**
   * Of the whole process: pending calls, their bytes, those that compute; calls done, failed,
   * aborted, rejected; seconds pending, computing; the most calls and bytes; bytes of kernels,
   * spectra and sessions; those that compute and are pending no more.
   */
  readLoad: () => LoadNumbers;
  /**
   * Frees kernels, which no later call may be given, as soon as no call uses them. The garbage
   * collector does so too, but only when the event loop turns.
   */
  release(kernels: Kernels): void;
  /** The vector instructions in use: 'baseline', 'avx2' or 'avx512'. */
  instructionSet(): string;
  /** The code of the method that is faster for a run of `timesteps`. */
  chooseMethod(kernels: Kernels, timesteps: number): number;
}

export const native = addon as Native;
