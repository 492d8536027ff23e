/** The interface of inputs: a raster that is read region by region. */
import type { TypedArray } from '../arrays/element-types';
import type { EventList } from '../arrays/event-list';

/** Indices from `begin` to the one before `end`. */
export interface Range {
  begin: number;
  end: number;
}

/** A part of an array of shape (B, T, N). */
export interface Region {
  batches: Range;
  steps: Range;
  channels: Range;
}

/** Identifies the content of an input, so that a change is detected. JSON. */
export interface InputIdentity {
  /** Absolute, or an address. */
  path: string;
  /** The name of the format. */
  format: string;
  bytes: number;
  /** When the file was last changed, in nanoseconds since 1970; a text, since it is that large. */
  modified: string;
  /** SHA-256 of the metadata and of samples of the content, in hexadecimal digits. */
  fingerprint: string;
}

/** Whether two identities show no change of the input. */
export function isSameInput(
  one: InputIdentity | undefined,
  other: InputIdentity | undefined,
): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What the events of a list are like. */
export interface EventSummary {
  /** Events in the raster, and others that were left out because they lie outside of it. */
  count: number;
  dropped: number;
  /** The earliest and the latest time of the events in the raster, in seconds; none without events. */
  first?: number;
  last?: number;
  /** The first and the last step, and the last channel, that have an event; -1 where none has. */
  firstStep: number;
  lastStep: number;
  lastChannel: number;
  isChannelZeroEmpty: boolean;
  /** How far below the beginning of a step a time may be to belong to it, in steps. */
  tolerance: number;
  /** Set where these are the events of the whole list, of which the raster has some channels. */
  isOfMore?: true;
}

/** A raster of shape (B, T, N), or of (B, T, 1) for one column that every channel receives. */
export interface RasterSource {
  /** What the input was when it was opened. */
  readonly identity: InputIdentity;
  /** What it is now. */
  readonly identify: () => Promise<InputIdentity>;
  /** B, T and N (or 1). */
  readonly shape: readonly [batches: number, timesteps: number, columns: number];
  /** How many axes the file's own array has: (T,), (T, N) or (B, T, N). */
  readonly nAxes: number;
  /** Element type as NumPy calls it: 'uint8', 'float32', 'bool' ... */
  readonly type: string;
  /** Bytes of one element as read() gives it. */
  readonly itemBytes: number;
  /**
   * Whether the file holds the batch items interleaved, so that all items together are read as fast as
   * one.
   */
  readonly isInterleaved: boolean;
  /** Of lists of events. */
  readonly events?: EventSummary | undefined;
  /** Of lists of events whose file names the units: the id of the unit of each channel. */
  readonly unitIds?: readonly number[] | undefined;
  /** The smallest number of steps worth reading at once: fewer take as long. 1 unless given. */
  readonly stepsAtOnce?: number;
  /** The largest number of channels that fit the memory if they are read from the first step to the last. */
  readonly channelsAtOnce?: number;
  /**
   * The elements of a region in row-major (C) order and this machine's byte order. The array
   * belongs to the caller.
   *
   * @param memory Where the elements may be put, to save new memory; it may be too small.
   * @throws CommandError that names the file and the place when they cannot be had.
   */
  read(region: Region, memory?: Uint8Array): Promise<TypedArray>;
  /**
   * Like read(), of several ranges of channels side by side. Given where this takes less time than a read
   * of each.
   *
   * @param channels Ascending, and apart from each other.
   */
  readChannels?(region: Omit<Region, 'channels'>, channels: readonly Range[]): Promise<TypedArray>;
  /**
   * Of lists of events: the events of a region, as a call takes them, with times in the middle of their
   * steps of `dt` seconds.
   */
  readEvents?: ((region: Region, dt: number) => Promise<EventList>) | undefined;
  /** What a user should know before the input is read, in one sentence. */
  readonly remark?: string | undefined;
  /** Makes all reads fail, now and later. Only of sources that may have to wait, such as servers and pipes. */
  interrupt?: (() => void) | undefined;
  close(): Promise<void>;
}

export function lengthOf({ begin, end }: Range): number {
  return end - begin;
}

/** The region that holds all of an array. */
export function wholeRegion([batches, timesteps, columns]: RasterSource['shape']): Region {
  return {
    batches: { begin: 0, end: batches },
    steps: { begin: 0, end: timesteps },
    channels: { begin: 0, end: columns },
  };
}

/**
 * Where the channels of some ranges stand if the ranges are side by side, for every channel from the first
 * to the last; -1 for those that are in none.
 *
 * @param ranges Ascending, and apart from each other.
 */
export function columnsOf(ranges: readonly Range[]): Int32Array {
  const first = ranges[0]?.begin ?? 0;
  const columns = new Int32Array((ranges.at(-1)?.end ?? first) - first).fill(-1);
  let column = 0;
  for (const { begin, end } of ranges) {
    for (let channel = begin; channel < end; channel++) columns[channel - first] = column++;
  }
  return columns;
}

export function sizeOfRegion({ batches, steps, channels }: Region): number {
  return lengthOf(batches) * lengthOf(steps) * lengthOf(channels);
}
