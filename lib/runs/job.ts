/** A run as data: what is computed, from what, and in which parts. */
import type { InputIdentity, Region } from '../formats/raster-source';
import type { Reduce } from '../index';
import type { ComputedBy } from '../modules/kernel-definition';
import type { Encoded, SynapseSettings } from './settings';

/** The ids of channels from the first to the last, both included; null is the last one that there is. */
export type IdRange = readonly [first: number, last: number | null];

/** Which input, and how it is to be read. */
export interface InputSpecification {
  /** Absolute, an address, or '-' for the standard input. */
  path: string;
  /** The name of its format. */
  format: string;
  /** Of event lists: seconds in a unit of the times. */
  timeUnit?: number;
  /** The length of the part that is taken, in seconds; up to the end, or the last event, unless given. */
  duration?: number;
  /** Of event lists: N, where it is given. */
  channels?: number;
  /** The channels that are taken, where not all are. */
  selected?: readonly IdRange[];
  /** Which population of units, and those with which label. */
  population?: string;
  units?: string;
  /** Of archives: the name of the array. */
  member?: string;
  /** Of cameras: columns and rows of pixels. */
  sensor?: readonly [width: number, height: number];
  /** Of an address: whether status 403 means that there is no such chunk. */
  isForbiddenMissing?: true;
  /** The time at which step 0 begins, in seconds, as formatFraction() writes it; 0 unless given. */
  start?: string;
  /** Given where events before the first step or after the last are left out. */
  outside?: 'drop';
}

/** How an output is stored. */
export interface OutputSpecification {
  /** The name of its format. */
  format: string;
  /** Set if the format has chunks. */
  chunkShape?: [number, number, number];
  /** Set if the format has compressions. */
  compression?: string;
}

/** The file that the samples of a kernel were read from. The run itself reads only those that it holds. */
export interface KernelFile {
  /** Absolute. */
  path: string;
  /** Digest of its bytes, in hexadecimal digits. */
  sha256: string;
}

/** Which steps of the output are kept, and what stands for the others. */
export interface Reduction {
  /** At least 2. */
  every: number;
  reduce: Reduce;
}

/** How the array is cut into the blocks that are computed at a time. */
export interface BlockPlan {
  batchesPerBlock: number;
  stepsPerBlock: number;
  /**
   * Steps before a block that are read and computed too, because the window reaches so far back;
   * undefined where each block starts from the state that the one before has left.
   */
  history: number | undefined;
}

/**
 * A run. Two runs with the same content give the same bytes, wherever and in whatever order their
 * blocks are computed, and however often they are interrupted.
 */
export interface Job {
  class: 'ExpsynJob';
  version: 1;
  /** Of the package. */
  software: string;
  input: InputSpecification;
  /** Undefined for the standard input. */
  identity?: InputIdentity | undefined;
  /** What the input was before, where it was repaired while the run was unfinished. */
  repaired?: InputIdentity[];
  settings: SynapseSettings;
  /** Given where the kernel was read from a file; its samples are in the settings. */
  kernelFile?: KernelFile;
  /** The method that was chosen. */
  method: ComputedBy;
  /** The version of FFTW, if the method is 'fft': the last digits depend on it. */
  fftw?: string;
  /** In steps. */
  windowLength: Encoded;
  /** B, T and N. */
  shape: [number, number, number];
  /** N, or 1 for one column that every channel receives. */
  columns: number;
  /** The ids that the input has for its channels, where these are not 0, 1, 2 and so on. */
  unitIds?: readonly number[];
  output: OutputSpecification;
  /** Given where not every step is kept; see the options of calls. */
  reduction?: Reduction;
  blocks: BlockPlan;
  /** The user's own choice of the steps of a block. */
  stepsPerBlock?: number;
  /** Parts that depend on no other part: what is given to one process at a time. */
  shards: Region[];
}
