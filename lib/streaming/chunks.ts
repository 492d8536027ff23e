/** Cuts a stream of chunks of any length into rasters of whole steps. */
import { allocate } from '../arrays/arrays';
import { outOfRange, wrongType } from '../errors/checks';
import { ELEMENT_TYPES, type ElementType, type TypedArray } from '../arrays/element-types';
import { bytesIn, typeOfArray, viewOfBytes } from '../arrays/typed-arrays';

/** Some steps of a stream. */
export interface RasterPiece {
  data: TypedArray;
  /** (T, N) */
  shape: [number, number];
  /** Whether the memory is nobody else's. */
  isOwn: boolean;
}

/** The most samples of a piece, so that memory stays bounded whatever the length of a chunk. */
const MOST_SAMPLES = 1 << 17;

/** Takes chunks of bytes or elements, of any length, and gives pieces of whole steps. */
export class ChunkReader {
  readonly #type: ElementType;
  readonly #size: number;
  readonly #rowBytes: number;
  readonly #mostSteps: number;
  /** Steps of every piece but the last; undefined if pieces are as long as the chunks allow. */
  readonly #steps: number | undefined;
  /** The beginning of the next piece. */
  #rest: Uint8Array;
  #restBytes = 0;

  /** Rows of `size` elements; `steps` of them in every piece but the last, if it is given. */
  constructor(type: ElementType, size: number, steps: number | undefined) {
    this.#type = type;
    this.#size = size;
    this.#rowBytes = size * ELEMENT_TYPES[type].BYTES_PER_ELEMENT;
    this.#steps = steps;
    this.#mostSteps = steps ?? Math.max(1, Math.floor(MOST_SAMPLES / size));
    this.#rest = allocate(Uint8Array, [steps ?? 1, this.#rowBytes], 'options.steps');
  }

  /** Whether the chunks so far have ended within a step. */
  get isWithinStep(): boolean {
    return this.#restBytes > 0;
  }

  /** The pieces that a chunk completes. Its memory must not change until the last has been used. */
  *read(chunk: unknown): Generator<RasterPiece> {
    let bytes = this.#bytesOf(chunk);
    const needed = this.#rest.length;
    if (this.#restBytes > 0) {
      const taken = bytes.subarray(0, needed - this.#restBytes);
      this.#rest.set(taken, this.#restBytes);
      this.#restBytes += taken.length;
      bytes = bytes.subarray(taken.length);
      if (this.#restBytes < needed) return;
      this.#restBytes = 0;
      yield this.#piece(this.#rest.slice(), true);
    }
    for (;;) {
      const rows = Math.min(this.#mostSteps, Math.floor(bytes.length / this.#rowBytes));
      if (rows === 0 || (this.#steps !== undefined && rows < this.#steps)) break;
      yield this.#piece(bytes.subarray(0, rows * this.#rowBytes), false);
      bytes = bytes.subarray(rows * this.#rowBytes);
    }
    this.#rest.set(bytes);
    this.#restBytes = bytes.length;
  }

  /** The last piece, if there is one. Throws a RangeError when the stream ends within a step. */
  end(): RasterPiece | undefined {
    const bytes = this.#rest.slice(0, this.#restBytes);
    this.#restBytes = 0;
    if (bytes.length % this.#rowBytes !== 0) {
      throw outOfRange(
        `whole steps of ${this.#rowBytes} bytes`,
        'the stream',
        `${bytes.length % this.#rowBytes} bytes of one more at its end`,
      );
    }
    return bytes.length === 0 ? undefined : this.#piece(bytes, true);
  }

  #piece(bytes: Uint8Array, isOwn: boolean): RasterPiece {
    const Type = ELEMENT_TYPES[this.#type];
    const isAligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0;
    const data = viewOfBytes(isAligned ? bytes : bytes.slice(), Type, Type.BYTES_PER_ELEMENT);
    return { data, shape: [data.length / this.#size, this.#size], isOwn: isOwn || !isAligned };
  }

  #bytesOf(chunk: unknown): Uint8Array {
    const Type = ELEMENT_TYPES[this.#type];
    const type = typeOfArray(chunk);
    if (type !== Type.name && type !== 'Uint8Array') {
      const what =
        Type === Uint8Array ? 'a Uint8Array' : `a ${Type.name}, or a Uint8Array of bytes,`;
      throw wrongType(what, 'a chunk', chunk);
    }
    return bytesIn(chunk as TypedArray);
  }
}
