/** Regions of an array and the chunks that they lie in; moving elements from one to the other. */
import type { Range, Region } from '../raster-source';
import type { ZarrMetadata } from './metadata';
import { formatShape } from '../../errors/checks';

export type Triple = readonly [number, number, number];

/** Chunks that are decoded, encoded or written at the same time. */
const CHUNKS_AT_ONCE = 4;

/** Runs a task for each item, a few at the same time; ends when all that were begun have ended. */
export async function forEachAtOnce<Item>(
  items: Iterable<Item>,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let hasFailed = false;
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      try {
        await task(next.value);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
      if (hasFailed) return;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: CHUNKS_AT_ONCE }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Name of a chunk's file, with slashes between its folders. */
export function chunkKey(
  indices: readonly number[],
  { name, separator }: ZarrMetadata['keyEncoding'],
) {
  return (name === 'default' ? ['c', ...indices] : [...indices]).join(separator);
}

/** Arrays that move elements of so many bytes as they are. */
const MOVERS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: Float64Array } as const;

type Movable = Uint8Array | Uint16Array | Uint32Array | Float64Array;

export function movableView(
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
  itemBytes: number,
): Movable {
  const Mover = MOVERS[itemBytes as keyof typeof MOVERS];
  return new Mover(buffer as ArrayBuffer, byteOffset, length);
}

/** Elements in memory, and where element (0, 0, 0) of the part in question lies. */
export interface Strided {
  data: Movable;
  begin: number;
  strides: Triple;
}

/** Runs that are shorter are moved faster one element at a time. */
const SHORT_RUN = 16;

export function copyPart(from: Strided, to: Strided, [nBatches, nSteps, width]: Triple): void {
  const [fromBatch, fromStep, fromChannel] = from.strides;
  const [toBatch, toStep, toChannel] = to.strides;
  const isRun = fromChannel === 1 && toChannel === 1 && width >= SHORT_RUN;
  for (let batch = 0; batch < nBatches; batch++) {
    for (let step = 0; step < nSteps; step++) {
      let source = from.begin + batch * fromBatch + step * fromStep;
      let target = to.begin + batch * toBatch + step * toStep;
      if (isRun) {
        to.data.set(from.data.subarray(source, source + width), target);
        continue;
      }
      for (let channel = 0; channel < width; channel++) {
        to.data[target] = from.data[source] ?? 0;
        source += fromChannel;
        target += toChannel;
      }
    }
  }
}

/** Three numbers, of fewer axes those in front are `missing`. */
export function toTriple(numbers: readonly number[], missing: number): Triple {
  const [a, b, c] = [missing, missing, missing, ...numbers].slice(-3);
  return [a ?? missing, b ?? missing, c ?? missing];
}

export function rowMajor([, steps, channels]: Triple): Triple {
  return [steps * channels, channels, 1];
}

/** A chunk's indices, and what it has in common with a region, in indices of the array. */
export interface ChunkPart {
  indices: number[];
  ranges: Range[];
  /** Whether that is all that the array has of this chunk. */
  isWhole: boolean;
}

/** The parts of a region, chunk by chunk. */
export function* partsOf(
  region: readonly Range[],
  shape: readonly number[],
  chunkShape: readonly number[],
): Generator<ChunkPart> {
  const [range, ...otherRanges] = region;
  const [length = 0, ...otherLengths] = shape;
  const [chunk = 1, ...otherChunks] = chunkShape;
  if (range === undefined) {
    yield { indices: [], ranges: [], isWhole: true };
    return;
  }
  for (let index = Math.floor(range.begin / chunk); index * chunk < range.end; index++) {
    const first = index * chunk;
    const last = Math.min(first + chunk, length);
    const part = { begin: Math.max(first, range.begin), end: Math.min(last, range.end) };
    const isWhole = part.begin === first && part.end === last;
    for (const other of partsOf(otherRanges, otherLengths, otherChunks)) {
      yield {
        indices: [index, ...other.indices],
        ranges: [part, ...other.ranges],
        isWhole: isWhole && other.isWhole,
      };
    }
  }
}

export function indexOf(place: Triple, strides: Triple): number {
  return place[0] * strides[0] + place[1] * strides[1] + place[2] * strides[2];
}

/** A programming error when it fails. */
export function checkRegion({ batches, steps, channels }: Region, shape: Triple): void {
  [batches, steps, channels].forEach(({ begin, end }, axis) => {
    const isWithin = Number.isInteger(begin) && Number.isInteger(end) && begin >= 0;
    if (!isWithin || end < begin || end > (shape[axis] ?? 0)) {
      throw new RangeError(
        `Expected a region within ${formatShape(shape)} but received ${begin} to ${end}.`,
      );
    }
  });
}
