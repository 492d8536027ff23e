/** A source's state as JSON. Numbers are saved as their bytes, so that a restored source has the same bits. */
import { InputError } from '../errors';

export interface SavedSource {
  /** The currents' bytes in this machine's order, in base64. */
  isyn: string;
  /** The rounding error of each current as a float64, encoded like isyn. Absent if there is none. */
  correction?: string;
  /** Absolute number of the next step. */
  step: number;
  /** Seed of the noise. */
  seed: number;
}

export function encodeSource(
  isyn: Float32Array | Float64Array,
  step: number,
  seed: number,
  correction?: Float64Array,
): SavedSource {
  const encode = ({ buffer, byteOffset, byteLength }: Float32Array | Float64Array) =>
    Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  const saved = { isyn: encode(isyn), step, seed };
  return correction === undefined ? saved : { ...saved, correction: encode(correction) };
}

/** The latest step at which a session may start: enough safe integers follow it. */
const LAST_STEP = 2 ** 52;

/** Throws an InputError if `saved` is not what encodeSource() returns for a source of `channels` channels. */
export function decodeSource<Data extends Float32Array | Float64Array>(
  saved: unknown,
  ArrayType: { new (buffer: ArrayBuffer): Data; readonly BYTES_PER_ELEMENT: number },
  channels: number,
): { isyn: Data; correction: Float64Array | undefined; step: number; seed: number } {
  const { isyn, correction, step, seed } = (saved ?? {}) as Partial<
    Record<keyof SavedSource, unknown>
  >;
  const isCount = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  const data = decodeNumbers(isyn, ArrayType, channels);
  const remainder = correction === undefined || decodeNumbers(correction, Float64Array, channels);
  if (data && remainder && isCount(step) && step <= LAST_STEP && isCount(seed)) {
    return { isyn: data, correction: remainder === true ? undefined : remainder, step, seed };
  }
  throw new InputError(`Expected a saved source of ${channels} channels but it is corrupt.`);
}

/** Decodes `length` finite numbers; returns undefined if the text is anything else. */
function decodeNumbers<Data extends Float32Array | Float64Array>(
  text: unknown,
  ArrayType: { new (buffer: ArrayBuffer): Data; readonly BYTES_PER_ELEMENT: number },
  length: number,
): Data | undefined {
  if (typeof text !== 'string') return undefined;
  const { buffer } = Uint8Array.from(Buffer.from(text, 'base64'));
  if (buffer.byteLength !== length * ArrayType.BYTES_PER_ELEMENT) return undefined;
  const data = new ArrayType(buffer);
  return data.every((value) => Number.isFinite(value)) ? data : undefined;
}
