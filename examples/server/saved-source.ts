/** A source's state as JSON: its currents as the bytes that they are, so that it goes on to the bit. */
import { InputError } from './errors';

export interface SavedSource {
  /** The elements' bytes in this machine's order, in base 64. */
  isyn: string;
  /** Absolute number of the next step. */
  step: number;
  /** Of the noise. */
  seed: number;
}

export function encodeSource(
  isyn: Float32Array | Float64Array,
  step: number,
  seed: number,
): SavedSource {
  const bytes = Buffer.from(isyn.buffer, isyn.byteOffset, isyn.byteLength);
  return { isyn: bytes.toString('base64'), step, seed };
}

/** A step after which there are enough others. */
const LAST_STEP = 2 ** 52;

/** Throws an InputError for what encodeSource() has not written for a source of `channels` channels. */
export function decodeSource<Data extends Float32Array | Float64Array>(
  saved: unknown,
  ArrayType: { new (buffer: ArrayBuffer): Data; readonly BYTES_PER_ELEMENT: number },
  channels: number,
): { isyn: Data; step: number; seed: number } {
  const { isyn, step, seed } = (saved ?? {}) as Partial<Record<keyof SavedSource, unknown>>;
  const isCount = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  if (typeof isyn === 'string' && isCount(step) && step <= LAST_STEP && isCount(seed)) {
    const { buffer } = Uint8Array.from(Buffer.from(isyn, 'base64'));
    if (buffer.byteLength === channels * ArrayType.BYTES_PER_ELEMENT) {
      const data = new ArrayType(buffer);
      if (data.every((value) => Number.isFinite(value))) return { isyn: data, step, seed };
    }
  }
  throw new InputError(`Expected a saved source of ${channels} channels but it is damaged.`);
}
