/** .npy files that are read and written region by region, so that they need not fit the memory. */
import { open, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';

import { formatShape } from '../../errors/checks';
import { CommandError, CorruptRunError } from '../../errors/command-errors';
import { fileError, isMissing } from '../../errors/system-errors';
import { writeAll } from '../files/complete-file';
import type { FloatArray } from '../../arrays/element-types';
import type { CurrentsLayout, CurrentsSink } from '../currents-sink';
import { identifyFile, identifyPath } from '../files/fingerprint';
import { decodeBytes, decodedItemBytes, type Elements } from '../elements';
import { descrOf, encodeHeader, type NpyLayout } from './header';
import { readBytes, requireFile } from '../files/read-bytes';
import { readNpyLayout } from './npy';
import {
  lengthOf,
  type InputIdentity,
  type Range,
  type RasterSource,
  type Region,
} from '../raster-source';
import { sizeOf } from '../../arrays/arrays';
import { bytesPerElement, ELEMENT_TYPES } from '../../arrays/element-types';

/** If only some columns are requested, rows are read in pieces of at most so many bytes. */
const SLAB_BYTES = 2 ** 22;

/** Rows of at most so many bytes are read, changed and written whole: that is faster than parts of rows. */
const SHORT_ROW_BYTES = 2 ** 13;
/** If a channel lies in one piece, reading fewer bytes of it takes as long. */
const COLUMN_BYTES = 2 ** 12;
/** So many such channels at once make the written pieces of a step as long as the pieces that are read. */
const COLUMNS_AT_ONCE = 2 ** 10;

/**
 * Opens a .npy file of shape (T,), (T, N) or (B, T, N), of any element type, byte order and memory
 * order that decodeNpy() knows.
 *
 * @throws CommandError when it is no such file, or cannot be read.
 */
export async function openNpySource(path: string): Promise<RasterSource> {
  const absolute = resolve(path);
  let file: FileHandle | undefined;
  try {
    await requireFile(path);
    file = await open(absolute, 'r');
    const layout = await readNpyLayout(file, path);
    const shape = interpretShape(layout.shape, path);
    return new NpySource(file, path, layout, shape, await identifyFile(file, absolute, 'npy'));
  } catch (error) {
    await file?.close();
    throw fileError('read', path, error);
  }
}

/** B, T and the number of columns. */
export function interpretShape(shape: readonly number[], path: string): [number, number, number] {
  const [first, second, third] = shape;
  if (first === undefined) {
    throw new CommandError(
      `Expected shape (T,), (T, N) or (B, T, N) in ${path} but received a single number.`,
    );
  }
  if (shape.length > 3) {
    throw new CommandError(
      `Expected at most 3 axes in ${path} but received shape ${formatShape(shape)}.`,
    );
  }
  if (second === undefined) return [1, first, 1];
  return third === undefined ? [1, first, second] : [first, second, third];
}

class NpySource implements RasterSource {
  readonly nAxes: number;
  readonly type: string;
  readonly itemBytes: number;
  readonly isInterleaved: boolean;
  readonly stepsAtOnce: number;
  readonly channelsAtOnce: number;
  readonly #file: FileHandle;
  readonly #name: string;
  readonly #layout: NpyLayout;

  constructor(
    file: FileHandle,
    name: string,
    layout: NpyLayout,
    readonly shape: readonly [number, number, number],
    readonly identity: InputIdentity,
  ) {
    this.#file = file;
    this.#name = name;
    this.#layout = layout;
    this.nAxes = layout.shape.length;
    this.type = layout.type;
    this.itemBytes = decodedItemBytes(layout);
    this.isInterleaved = layout.isFortranOrder && shape[0] > 1;
    const isInColumns = layout.isFortranOrder && shape[2] > 1;
    const stepBytes = Math.max(1, shape[0]) * layout.itemBytes;
    this.stepsAtOnce = isInColumns ? Math.ceil(COLUMN_BYTES / stepBytes) : 1;
    this.channelsAtOnce = isInColumns ? COLUMNS_AT_ONCE : Infinity;
  }

  readonly identify = () => identifyPath(this.identity.path, 'npy');

  async read(region: Region, memory?: Uint8Array): Promise<Elements> {
    return this.#read(region, [region.channels], memory);
  }

  async readChannels(
    region: Omit<Region, 'channels'>,
    ranges: readonly Range[],
  ): Promise<Elements> {
    return this.#read(region, ranges);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #read(
    region: Omit<Region, 'channels'>,
    ranges: readonly Range[],
    memory?: Uint8Array,
  ): Promise<Elements> {
    const [first] = ranges;
    try {
      const bytes = await (this.#layout.isFortranOrder
        ? this.#readColumns(region, ranges)
        : first !== undefined && ranges.length === 1
          ? this.#readRows({ ...region, channels: first }, memory)
          : this.#readPartsOfRows(region, ranges));
      return decodeBytes(bytes, this.#layout);
    } catch (error) {
      throw fileError('read', this.#name, error);
    }
  }

  /** `length` elements from element `index` of the file on. */
  async #elements(index: number, length: number, memory?: Uint8Array): Promise<Uint8Array> {
    const { headerBytes, itemBytes } = this.#layout;
    const position = headerBytes + index * itemBytes;
    return readBytes(this.#file, position, length * itemBytes, this.#name, memory);
  }

  /** Of an array in C order. */
  async #readRows(region: Region, memory?: Uint8Array): Promise<Uint8Array> {
    const { batches, steps, channels } = region;
    const [, timesteps, columns] = this.shape;
    const { itemBytes } = this.#layout;
    const nSteps = lengthOf(steps);
    const width = lengthOf(channels);
    const isWhole = nSteps === timesteps || lengthOf(batches) === 1;
    if (width === columns && isWhole) {
      const rows = lengthOf(batches) * nSteps;
      const first = (batches.begin * timesteps + steps.begin) * columns;
      return this.#elements(first, rows * columns, memory);
    }
    const target = new Uint8Array(lengthOf(batches) * nSteps * width * itemBytes);
    const rowsPerSlab = Math.max(1, Math.floor(SLAB_BYTES / (columns * itemBytes)));
    let next = 0;
    for (let batch = batches.begin; batch < batches.end; batch++) {
      for (let step = steps.begin; step < steps.end; step += rowsPerSlab) {
        const rows = Math.min(rowsPerSlab, steps.end - step);
        const first = (batch * timesteps + step) * columns;
        // From the first requested element to the last.
        const slab = await this.#elements(first + channels.begin, (rows - 1) * columns + width);
        for (let row = 0; row < rows; row++) {
          const from = row * columns * itemBytes;
          target.set(slab.subarray(from, from + width * itemBytes), next);
          next += width * itemBytes;
        }
      }
    }
    return target;
  }

  /** Some channels of every row of an array in C order. */
  async #readPartsOfRows(
    { batches, steps }: Omit<Region, 'channels'>,
    ranges: readonly Range[],
  ): Promise<Uint8Array> {
    const [, timesteps, columns] = this.shape;
    const { itemBytes } = this.#layout;
    const width = widthOf(ranges);
    const target = new Uint8Array(lengthOf(batches) * lengthOf(steps) * width * itemBytes);
    const to = elementsIn(target, itemBytes);
    const rowsPerSlab = Math.max(1, Math.floor(SLAB_BYTES / (columns * itemBytes)));
    // Rows that are longer than a piece are not read from the first range to the last.
    const pieces = rowsPerSlab === 1 ? ranges.map((range) => [range]) : [ranges];
    let next = 0;
    for (let batch = batches.begin; batch < batches.end; batch++) {
      for (let step = steps.begin; step < steps.end; step += rowsPerSlab) {
        const rows = Math.min(rowsPerSlab, steps.end - step);
        let column = 0;
        for (const piece of pieces) {
          const begin = piece[0]?.begin ?? 0;
          const end = piece.at(-1)?.end ?? begin;
          const first = (batch * timesteps + step) * columns + begin;
          const slab = await this.#elements(first, (rows - 1) * columns + end - begin);
          const from = elementsIn(slab, itemBytes);
          for (let row = 0; row < rows; row++) {
            const start = row * columns - begin;
            let at = next + row * width + column;
            for (const range of piece) {
              for (let channel = range.begin; channel < range.end; channel++) {
                to[at++] = from[start + channel] ?? 0;
              }
            }
          }
          column += widthOf(piece);
        }
        next += rows * width;
      }
    }
    return target;
  }

  /** Of an array in Fortran order: element (b, t, n) stands at b + B (t + T n). */
  async #readColumns(
    region: Omit<Region, 'channels'>,
    ranges: readonly Range[],
  ): Promise<Uint8Array> {
    const width = widthOf(ranges);
    const { batches, steps } = region;
    const bytes = lengthOf(batches) * lengthOf(steps) * width * this.#layout.itemBytes;
    const target = new Uint8Array(bytes);
    let column = 0;
    for (const channels of ranges) {
      await this.#readRange({ ...region, channels }, target, { width, column });
      column += lengthOf(channels);
    }
    return target;
  }

  /** Puts a range of channels in an array of `width` channels, from channel `column` on. */
  async #readRange(
    { batches, steps, channels }: Region,
    target: Uint8Array,
    { width, column: from }: { width: number; column: number },
  ): Promise<void> {
    const [nBatches, timesteps] = this.shape;
    const { itemBytes } = this.#layout;
    const nSteps = lengthOf(steps);
    if (target.length === 0) return;
    // From the first requested element of a channel to the last.
    const length = nBatches * (nSteps - 1) + lengthOf(batches);
    const perSlab = Math.max(1, Math.floor(SLAB_BYTES / (nBatches * timesteps * itemBytes)));
    // Where a channel lies closely behind the one before, several are read at a time.
    const together = nSteps === timesteps ? perSlab : 1;
    for (let channel = channels.begin; channel < channels.end; channel += together) {
      const count = Math.min(together, channels.end - channel);
      const first = batches.begin + nBatches * (steps.begin + timesteps * channel);
      const stride = nBatches * timesteps;
      const slab = await this.#elements(first, stride * (count - 1) + length);
      for (let c = 0; c < count; c++) {
        const column = slab.subarray(c * stride * itemBytes);
        scatter(column, target, {
          itemBytes,
          nBatches: lengthOf(batches),
          nSteps,
          stepStride: nBatches,
          width,
          column: from + channel - channels.begin + c,
        });
      }
    }
  }
}

function widthOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, range) => sum + lengthOf(range), 0);
}

/** Arrays that move elements of so many bytes as they are. */
const MOVERS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: Float64Array } as const;

/** The elements in some bytes, as they are. */
function elementsIn(bytes: Uint8Array, itemBytes: number) {
  const Mover = MOVERS[itemBytes as keyof typeof MOVERS];
  return new Mover(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / itemBytes);
}

/** Puts one channel, in which the batch items of a step are neighbours, in its column. */
function scatter(
  source: Uint8Array,
  target: Uint8Array,
  part: {
    itemBytes: number;
    nBatches: number;
    nSteps: number;
    stepStride: number;
    width: number;
    column: number;
  },
): void {
  const { nBatches, nSteps, stepStride, width, column } = part;
  const from = elementsIn(source, part.itemBytes);
  const to = elementsIn(target, part.itemBytes);
  for (let batch = 0; batch < nBatches; batch++) {
    let at = batch * nSteps * width + column;
    for (let step = 0; step < nSteps; step++) {
      to[at] = from[step * stepStride + batch] ?? 0;
      at += width;
    }
  }
}

/** The bytes before the elements. */
function headerOf({ shape, dtype }: CurrentsLayout): Uint8Array {
  return encodeHeader(descrOf(new ELEMENT_TYPES[dtype]()), shape);
}

/** Size of the file in bytes. */
export function sizeOfNpy(layout: CurrentsLayout): number {
  return headerOf(layout).length + sizeOf(layout.shape) * bytesPerElement(layout.dtype);
}

/** The beginning of the file, for a pipe that the elements follow. */
export function encodeNpyStart(layout: CurrentsLayout): Uint8Array {
  return headerOf(layout);
}

/** Makes a .npy file, replacing what there is, whose elements are zeros until they are written. */
export async function createNpy(path: string, layout: CurrentsLayout): Promise<void> {
  try {
    const file = await open(path, 'w');
    try {
      await writeAll(file, headerOf(layout), 0);
      await file.truncate(sizeOfNpy(layout));
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/**
 * Opens a .npy file that createNpy() made.
 *
 * @throws CommandError when its size or header is another one.
 */
export async function openNpySink(path: string, layout: CurrentsLayout): Promise<CurrentsSink> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r+');
    const header = headerOf(layout);
    const found = await readBytes(file, 0, header.length, path);
    const { size } = await file.stat();
    if (size !== sizeOfNpy(layout) || Buffer.compare(found, header) !== 0) {
      throw new CorruptRunError(path);
    }
    return new NpySink(file, path, layout, header.length);
  } catch (error) {
    await file?.close();
    if (isMissing(error)) throw new CorruptRunError(path, error);
    throw fileError('write', path, error);
  }
}

class NpySink implements CurrentsSink {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #layout: CurrentsLayout;
  readonly #headerBytes: number;

  constructor(file: FileHandle, path: string, layout: CurrentsLayout, headerBytes: number) {
    this.#file = file;
    this.#path = path;
    this.#layout = layout;
    this.#headerBytes = headerBytes;
  }

  async write(region: Region, data: FloatArray): Promise<void> {
    const [, timesteps, synapses] = this.#layout.shape;
    const { batches, steps, channels } = region;
    const width = lengthOf(channels);
    const nSteps = lengthOf(steps);
    const itemBytes = data.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (width < synapses && synapses * itemBytes <= SHORT_ROW_BYTES) {
      await this.#writeColumns(region, bytes, itemBytes);
      return;
    }
    // What lies in one piece in the file: everything, an item's steps, or a step's channels.
    const isFullWidth = width === synapses;
    const rowsTogether = !isFullWidth
      ? 1
      : nSteps === timesteps
        ? nSteps * lengthOf(batches)
        : nSteps;
    const pieceBytes = rowsTogether * width * itemBytes;
    try {
      for (let row = 0; row * width * itemBytes < bytes.length; row += rowsTogether) {
        const batch = batches.begin + Math.floor(row / nSteps);
        const step = steps.begin + (row % nSteps);
        const index = (batch * timesteps + step) * synapses + channels.begin;
        const begin = row * width * itemBytes;
        const piece = bytes.subarray(begin, begin + pieceBytes);
        await writeAll(this.#file, piece, this.#headerBytes + index * itemBytes);
      }
    } catch (error) {
      throw fileError('write', this.#path, error);
    }
  }

  /** Some channels of short rows; nobody else writes these rows at the same time. */
  async #writeColumns(region: Region, bytes: Uint8Array, itemBytes: number): Promise<void> {
    const [, timesteps, synapses] = this.#layout.shape;
    const { batches, steps, channels } = region;
    const rowBytes = synapses * itemBytes;
    const pieceBytes = lengthOf(channels) * itemBytes;
    const rowsPerSlab = Math.floor(SLAB_BYTES / rowBytes);
    let next = 0;
    try {
      for (let batch = batches.begin; batch < batches.end; batch++) {
        for (let step = steps.begin; step < steps.end; step += rowsPerSlab) {
          const rows = Math.min(rowsPerSlab, steps.end - step);
          const position = this.#headerBytes + (batch * timesteps + step) * rowBytes;
          const slab = await readBytes(this.#file, position, rows * rowBytes, this.#path);
          for (let at = channels.begin * itemBytes; at < slab.length; at += rowBytes) {
            slab.set(bytes.subarray(next, next + pieceBytes), at);
            next += pieceBytes;
          }
          await writeAll(this.#file, slab, position);
        }
      }
    } catch (error) {
      throw fileError('write', this.#path, error);
    }
  }

  async sync(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (error) {
      throw fileError('write', this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** What a .npy file says about itself, and its size in bytes. */
export async function openNpyLayout(path: string): Promise<{ layout: NpyLayout; bytes: number }> {
  try {
    await requireFile(path);
    const file = await open(path, 'r');
    try {
      const layout = await readNpyLayout(file, path);
      return { layout, bytes: (await file.stat()).size };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('read', path, error);
  }
}
