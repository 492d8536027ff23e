/** A source's state as JSON: its currents as the bytes that they are, so that it goes on to the bit. */
import { InputError } from './errors';

export interface SavedSource {
  /** The elements' bytes in this machine's order, in base 64. */
  isyn: string;
  /** What rounding the elements has left out, likewise in double precision; absent where it is nothing. */
  correction?: string;
  /** Absolute number of the next step. */
  step: number;
  /** Of the noise. */
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

/** A step after which there are enough others. */
const LAST_STEP = 2 ** 52;

/** Throws an InputError for what encodeSource() has not written for a source of `channels` channels. */
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
  const rest = correction === undefined || decodeNumbers(correction, Float64Array, channels);
  if (data && rest && isCount(step) && step <= LAST_STEP && isCount(seed)) {
    return { isyn: data, correction: rest === true ? undefined : rest, step, seed };
  }
  throw new InputError(`Expected a saved source of ${channels} channels but it is damaged.`);
}

/** Finite numbers, as encodeSource() writes them; undefined for anything else. */
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
