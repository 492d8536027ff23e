/** A source's state as JSON. Numbers are saved as their bytes, so that a restored source has the same bits. */
import { InputError } from '../errors';

export interface SavedSource {
  /** The currents' bytes in this machine's order, in base64. */
  isyn: string;
  /** The rounding error of each current as a float64, encoded like isyn. Absent if there is none. */
  correction?: string;
  /** The same of what has not reached the current yet; only of kernels that rise. */
  rising?: string;
  risingCorrection?: string;
  /** Absolute number of the next step. */
  step: number;
  /** Seed of the noise. */
  seed: number;
}

type Floats = Float32Array | Float64Array;

/** Numbers of a source, one for each channel, and their rounding errors if they have any. */
export interface Numbers<Data extends Floats = Floats> {
  data: Data;
  correction?: Float64Array | undefined;
}

/** The state of a source. */
export interface SourceState<Data extends Floats = Floats> {
  isyn: Numbers<Data>;
  /** Only of kernels that rise. */
  rising?: Numbers<Data> | undefined;
  step: number;
  seed: number;
}

export function encodeSource({ isyn, rising, step, seed }: SourceState): SavedSource {
  const encode = ({ buffer, byteOffset, byteLength }: Floats) =>
    Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  return {
    isyn: encode(isyn.data),
    ...(isyn.correction && { correction: encode(isyn.correction) }),
    ...(rising && { rising: encode(rising.data) }),
    ...(rising?.correction && { risingCorrection: encode(rising.correction) }),
    step,
    seed,
  };
}

/** The latest step at which a session may start: enough safe integers follow it. */
const LAST_STEP = 2 ** 52;

/**
 * Throws an InputError if `saved` is not what encodeSource() returns for a source of `channels` channels.
 *
 * @param isRising Whether its kernel rises.
 */
export function decodeSource<Data extends Floats>(
  saved: unknown,
  ArrayType: ArrayClass<Data>,
  channels: number,
  isRising = false,
): SourceState<Data> {
  const found = (saved ?? {}) as Partial<Record<keyof SavedSource, unknown>>;
  const { step, seed } = found;
  const isCount = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  const isyn = decodePair(found.isyn, found.correction, ArrayType, channels);
  const rising = isRising
    ? decodePair(found.rising, found.risingCorrection, ArrayType, channels)
    : undefined;
  const isWhole = isyn !== undefined && (rising !== undefined || !isRising);
  if (isWhole && isCount(step) && step <= LAST_STEP && isCount(seed)) {
    return { isyn, rising, step, seed };
  }
  throw new InputError(`Expected a saved source of ${channels} channels but it is corrupt.`);
}

interface ArrayClass<Data extends Floats> {
  new (buffer: ArrayBuffer): Data;
  readonly BYTES_PER_ELEMENT: number;
}

/** Decodes numbers and their rounding errors; returns undefined if either text is anything else. */
function decodePair<Data extends Floats>(
  text: unknown,
  correctionText: unknown,
  ArrayType: ArrayClass<Data>,
  length: number,
): Numbers<Data> | undefined {
  const data = decodeNumbers(text, ArrayType, length);
  if (data === undefined || correctionText === undefined) return data && { data };
  const correction = decodeNumbers(correctionText, Float64Array, length);
  return correction && { data, correction };
}

/** Decodes `length` finite numbers; returns undefined if the text is anything else. */
function decodeNumbers<Data extends Floats>(
  text: unknown,
  ArrayType: ArrayClass<Data>,
  length: number,
): Data | undefined {
  if (typeof text !== 'string') return undefined;
  const { buffer } = Uint8Array.from(Buffer.from(text, 'base64'));
  if (buffer.byteLength !== length * ArrayType.BYTES_PER_ELEMENT) return undefined;
  const data = new ArrayType(buffer);
  return data.every((value) => Number.isFinite(value)) ? data : undefined;
}
