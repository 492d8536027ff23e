/** How a run is cut: into blocks, which are computed at a time, and shards, which are independent. */
import { lengthOf, type Range, type Region } from '../formats/raster-source';
import type { BlockPlan } from './job';

/** Samples of a block: 1 to 2 MB, which the caches hold, and the disk takes at full speed. */
const SAMPLES_PER_BLOCK = 2 ** 18;
/** Samples of a block that is stored in files of its own, or read in many pieces. */
const SAMPLES_PER_LARGE_BLOCK = 2 ** 22;
/**
 * Little is computed twice in blocks of the first number of windows. If such blocks are too large, less
 * than half is computed twice in blocks of the second.
 */
const [PREFERRED_WINDOWS, FEWEST_WINDOWS] = [16, 2];
const SAMPLES_FOR_PREFERRED_WINDOWS = 2 ** 21;
/** With windows so long that a block is larger than this, it holds fewer channels. */
const MOST_SAMPLES_PER_BLOCK = 2 ** 23;
/** The recursion refreshes its sums every so many steps. */
const STEPS_PER_SUM = 64;
/**
 * Neighbouring channels that stay together unless memory is short: noise is drawn for 4, and 16 fill a
 * cache line.
 */
const CHANNELS_TOGETHER = 16;
/** Chunks along the channels, of all items together, if the work can be divided in no other way. */
const CHUNKS_ACROSS = 8;
/** Samples of a shard for a queue: some seconds of work. */
const SAMPLES_PER_SHARD = 2 ** 26;
/** Fewer shards than this leave workers idle at the end. */
const FEWEST_SHARDS = 32;
/** The submitting process reads a journal for each, so more would keep it busy. */
const MOST_SHARDS = 4096;

/** What a plan depends on. */
export interface PlanInput {
  /** B, T and N. */
  shape: readonly [number, number, number];
  /** In steps; Infinity where the kernels are not cut. */
  windowLength: number;
  /**
   * Whether the state is the last inputs: as many as the window has steps before the last one. Journals have
   * no room for so many, so that each block is computed from them instead.
   */
  isStateInputs?: boolean;
  /** Whether all batch items are read together. */
  isInterleaved: boolean;
  /** See RasterSource. */
  stepsAtOnce: number;
  channelsAtOnce: number;
  /** Whether the output is cut into chunks along the blocks, or the input read in many pieces. */
  hasLargeBlocks: boolean;
  /** The user's own choice of the steps of a block. */
  stepsPerBlock?: number | undefined;
}

/**
 * Cuts a raster into blocks. If the window is shorter than the run, or the state is inputs, a block is
 * computed from the steps of the window before it, and depends on no other block; otherwise each block of an
 * item starts from the state that the one before has left.
 */
export function planBlocks(input: PlanInput): BlockPlan {
  const { shape, isInterleaved, hasLargeBlocks, stepsPerBlock, stepsAtOnce } = input;
  const [batches, timesteps, synapses] = shape;
  const requested = hasLargeBlocks ? SAMPLES_PER_LARGE_BLOCK : SAMPLES_PER_BLOCK;
  const history = historyOf(input);
  const together = isInterleaved ? Math.max(1, batches) : 1;
  const width = Math.max(1, Math.min(synapses, input.channelsAtOnce) * together);
  let steps = stepsPerBlock ?? Math.max(stepsAtOnce, roundDown(requested / width, STEPS_PER_SUM));
  if (stepsPerBlock === undefined && history !== undefined) {
    const most = roundDown(SAMPLES_FOR_PREFERRED_WINDOWS / width, STEPS_PER_SUM);
    steps = Math.max(steps, Math.min(most, PREFERRED_WINDOWS * history), FEWEST_WINDOWS * history);
  }
  steps = Math.max(1, Math.min(steps, timesteps));
  const items = steps < timesteps ? 1 : Math.floor(requested / (steps * width));
  return {
    batchesPerBlock: isInterleaved ? together : Math.max(1, Math.min(items, batches)),
    stepsPerBlock: steps,
    history: steps < timesteps ? history : undefined,
  };
}

/** See BlockPlan. */
function historyOf({ shape, windowLength, isStateInputs = false }: PlanInput): number | undefined {
  if (isStateInputs) return windowLength - 1;
  return windowLength < shape[1] ? windowLength : undefined;
}

/** The largest multiple of `unit` up to `value`, or `value` without its fraction if there is none. */
function roundDown(value: number, unit: number): number {
  return value < unit ? Math.floor(value) : Math.floor(value / unit) * unit;
}

/**
 * The chunks of an output that many processes write: whole blocks; but where the blocks of an item
 * follow each other and the items are few, or where the memory asks for it, also some channels each.
 */
export function planChunkShape(
  [batches, timesteps, synapses]: readonly [number, number, number],
  blocks: BlockPlan,
  channelsAtOnce: number,
): [number, number, number] {
  const isOneAfterTheOther = blocks.history === undefined && blocks.stepsPerBlock < timesteps;
  const across = isOneAfterTheOther ? Math.ceil(CHUNKS_ACROSS / Math.max(1, batches)) : 1;
  const width = Math.min(
    Math.ceil(synapses / across / CHANNELS_TOGETHER) * CHANNELS_TOGETHER,
    mostChannels(blocks, channelsAtOnce, Math.min(CHANNELS_TOGETHER, channelsAtOnce)),
  );
  return [
    Math.max(1, Math.min(blocks.batchesPerBlock, batches)),
    Math.max(1, Math.min(blocks.stepsPerBlock, timesteps)),
    Math.max(1, Math.min(width, synapses)),
  ];
}

/** The whole array as few shards, for one process: one, unless its blocks would be too large. */
export function planLocalShards(
  shape: readonly [number, number, number],
  blocks: BlockPlan,
  chunkShape: readonly [number, number, number] | undefined,
  channelsAtOnce: number,
): Region[] {
  const unit = chunkShape?.[2] ?? Math.min(CHANNELS_TOGETHER, channelsAtOnce);
  return cut(shape, [Infinity, Infinity, mostChannels(blocks, channelsAtOnce, unit)]);
}

/** How many channels fit the memory: a multiple of `unit`. */
function mostChannels(blocks: BlockPlan, channelsAtOnce: number, unit: number): number {
  const samplesPerChannel = (blocks.stepsPerBlock + (blocks.history ?? 0)) * blocks.batchesPerBlock;
  return atLeast(Math.min(MOST_SAMPLES_PER_BLOCK / samplesPerChannel, channelsAtOnce), unit);
}

/**
 * Many shards, for a queue. Batch items are parted first; then time, where blocks do not follow each
 * other; then channels, by whole chunks.
 */
export function planQueueShards(
  shape: readonly [number, number, number],
  blocks: BlockPlan,
  chunkShape: readonly [number, number, number],
): Region[] {
  const total = shape[0] * shape[1] * shape[2];
  let requested = Math.max(1, Math.min(SAMPLES_PER_SHARD, total / FEWEST_SHARDS));
  let sizes = sizesOfShards(requested, shape, blocks, chunkShape);
  // Sizes are of whole blocks, so that dividing would not do.
  while (countParts(shape, sizes) > MOST_SHARDS) {
    requested *= 1.25;
    sizes = sizesOfShards(requested, shape, blocks, chunkShape);
  }
  return cut(shape, sizes);
}

/** Items, steps and channels of shards of about so many samples. */
function sizesOfShards(
  requested: number,
  [, timesteps, synapses]: readonly [number, number, number],
  blocks: BlockPlan,
  chunkShape: readonly [number, number, number],
): [number, number, number] {
  const items = atLeast(requested / (timesteps * synapses), blocks.batchesPerBlock);
  if (items * timesteps * synapses <= requested * 2) return [items, Infinity, Infinity];
  const steps =
    blocks.history === undefined
      ? Infinity
      : atLeast(requested / (blocks.batchesPerBlock * synapses), blocks.stepsPerBlock);
  const samples = blocks.batchesPerBlock * Math.min(steps, timesteps);
  return [blocks.batchesPerBlock, steps, atLeast(requested / samples, chunkShape[2])];
}

function countParts(shape: readonly number[], sizes: readonly number[]): number {
  return shape.reduce((count, length, axis) => {
    const size = Math.min(sizes[axis] ?? length, Math.max(1, length));
    return count * Math.ceil(length / size);
  }, 1);
}

/** The multiple of `unit` next below `value`, but `unit` at least. */
function atLeast(value: number, unit: number): number {
  return Math.max(unit, Math.floor(value / unit) * unit);
}

/** Regions of at most so many items, steps and channels, in the order of the array. */
function cut(
  shape: readonly [number, number, number],
  sizes: readonly [number, number, number],
): Region[] {
  return rangesOf(shape[0], sizes[0]).flatMap((batches) =>
    rangesOf(shape[1], sizes[1]).flatMap((steps) =>
      rangesOf(shape[2], sizes[2]).map((channels) => ({ batches, steps, channels })),
    ),
  );
}

function rangesOf(length: number, size: number): Range[] {
  const count = size === Infinity ? Math.min(1, length) : Math.ceil(length / size);
  return Array.from({ length: count }, (_, index) => ({
    begin: size === Infinity ? 0 : index * size,
    end: size === Infinity ? length : Math.min((index + 1) * size, length),
  }));
}

/** A block of a shard. */
export interface Block {
  region: Region;
  /** Steps before it that are computed too, and not written. */
  history: number;
  /** Whether it goes on from the state that the block before it has left. */
  isContinued: boolean;
}

/** How many blocks a shard has. */
export function countBlocks(shard: Region, plan: BlockPlan): number {
  const groups = Math.ceil(lengthOf(shard.batches) / plan.batchesPerBlock);
  return groups * Math.ceil(lengthOf(shard.steps) / plan.stepsPerBlock);
}

/** Block `index` of a shard; they are computed in this order: of each item all of its time. */
export function blockAt(shard: Region, plan: BlockPlan, index: number): Block {
  const { batchesPerBlock, stepsPerBlock, history } = plan;
  const perGroup = Math.ceil(lengthOf(shard.steps) / stepsPerBlock);
  const place = index % perGroup;
  const batches = piece(shard.batches, batchesPerBlock, Math.floor(index / perGroup));
  const steps = piece(shard.steps, stepsPerBlock, place);
  return {
    region: { batches, steps, channels: shard.channels },
    history: history === undefined ? 0 : Math.min(history, steps.begin),
    isContinued: history === undefined && place > 0,
  };
}

/** Piece `index` of a range that is cut into pieces of `size`. */
function piece({ begin, end }: Range, size: number, index: number): Range {
  const first = begin + index * size;
  return { begin: first, end: Math.min(first + size, end) };
}
