/** The codecs of chunks, with what they need to notice corruption; zarrita knows them by names of their own. */
import { promisify } from 'node:util';
import { gunzip, inflate, type InputType, type ZlibOptions } from 'node:zlib';

import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { decodeBlosc } from './blosc';
import {
  CHECKED_CODEC,
  CorruptChunkError,
  type Decode,
  SIZE_CHECK,
  checkAnnounced,
  viewOf,
} from './corruption';
import type { Json } from './validator';
import { decodeLz4 } from './lz4';
import { checkZstd } from './zstd';

/**
 * Decodes the bytes of a chunk.
 *
 * @param bytes How many there will be at most, when all is well.
 * @param decodeZstd Decodes frames of Zstandard that have been checked, or rejects.
 */
type ByteDecoder = (encoded: Uint8Array, bytes: number, decodeZstd: Decode) => Promise<Uint8Array>;

/** Codecs of bytes by name, those that compress first. */
export const COMPRESSORS: Record<string, ByteDecoder> = {
  blosc: decodeBlosc,
  // Node's own: those of zarrita neither end where a chunk is too large nor run beside this thread.
  gzip: (encoded, bytes) => inflateAll(gunzip, encoded, bytes),
  zlib: (encoded, bytes) => inflateAll(inflate, encoded, bytes),
  zstd: async (encoded, bytes, decodeZstd) => {
    checkZstd(encoded, bytes);
    return decodeZstd(encoded);
  },
  lz4: (encoded, bytes) => Promise.resolve(decodeSizedLz4(encoded, bytes)),
};

/** What crc32c adds. */
export const CHECKSUM_BYTES = 4;

/** Cuts off a checksum that is right. That of zarrita does not look at it. */
export function decodeChecksum(encoded: Uint8Array, isAtStart: boolean): Uint8Array {
  const length = encoded.length - CHECKSUM_BYTES;
  const begin = isAtStart ? CHECKSUM_BYTES : 0;
  const content = encoded.subarray(begin, begin + Math.max(length, 0));
  const isRight =
    length >= 0 && viewOf(encoded).getUint32(isAtStart ? 0 : length, true) === crc32c(content);
  if (!isRight) throw new CorruptChunkError('its checksum is wrong');
  return content;
}

type Inflate = (
  encoded: InputType,
  options: ZlibOptions,
  callback: (error: Error | null, result: unknown) => void,
) => void;

/** Decodes with zlib; nothing may follow but the zeros with which gzip files may be filled up. */
async function inflateAll(
  decode: Inflate,
  encoded: Uint8Array,
  bytes: number,
): Promise<Uint8Array> {
  const options = { maxOutputLength: bytes, info: true };
  const { buffer, engine } = (await promisify(decode)(encoded, options)) as {
    buffer: Uint8Array;
    engine: { bytesWritten: number };
  };
  const rest = encoded.subarray(engine.bytesWritten);
  if (rest.length > 0 && (decode === inflate || rest.some((byte) => byte !== 0))) {
    throw new CorruptChunkError(`${rest.length} bytes follow its end`);
  }
  return buffer;
}

/** As numcodecs has it, a block after its size. */
function decodeSizedLz4(encoded: Uint8Array, bytes: number): Uint8Array {
  if (encoded.length < 4) throw new CorruptChunkError('it is not complete');
  const size = viewOf(encoded).getUint32(0, true);
  checkAnnounced(size, bytes);
  const decoded = new Uint8Array(size);
  if (decodeLz4(encoded.subarray(4), decoded)) return decoded;
  throw new CorruptChunkError('its LZ4 data is corrupt');
}

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  }
  return remainder;
});

export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ (CRC32C_TABLE[(sum ^ byte) & 0xff] ?? 0);
  return (sum ^ 0xffffffff) >>> 0;
}

/** The configuration of CHECKED_CODEC. */
export interface CheckedCodec {
  /** What users call the codec. */
  name: string;
  readonly decode: (encoded: Uint8Array, decodeZstd: Decode) => Uint8Array | Promise<Uint8Array>;
}

/** Gives zarrita a codec that is what its configuration says, and the check of sizes. */
export function registerCheckedCodecs(registry: typeof Zarrita.registry): void {
  if (registry.has(SIZE_CHECK)) return;
  const register = (
    name: string,
    decode: (encoded: Uint8Array, configuration: unknown) => Promise<Uint8Array>,
  ): void => {
    const fromConfig = (configuration: unknown) => ({
      kind: 'bytes_to_bytes' as const,
      decode: (encoded: Uint8Array) => decode(encoded, configuration),
      encode: () => Promise.reject(new Error(`${name} does not encode`)),
    });
    registry.set(name, () => Promise.resolve({ kind: 'bytes_to_bytes', fromConfig }));
  };
  const decodeZstd: Decode = async (encoded) => {
    return (await codecOf(registry, 'zstd', { level: 1 })).decode(encoded);
  };
  register(CHECKED_CODEC, async (encoded, configuration) => {
    const { name, decode } = configuration as CheckedCodec;
    try {
      return await decode(encoded, decodeZstd);
    } catch (cause) {
      if (cause instanceof CorruptChunkError) throw cause;
      throw new CorruptChunkError(`the codec ${name} cannot decode it`, { cause });
    }
  });
  register(SIZE_CHECK, (decoded, configuration) => {
    const { bytes } = configuration as { bytes: number };
    if (decoded.length === bytes) {
      // The library takes slice() for a copy, which it is not of one of Node's buffers.
      return Promise.resolve(new Uint8Array(decoded.buffer, decoded.byteOffset, bytes));
    }
    throw new CorruptChunkError(`it holds ${decoded.length} bytes of elements and not ${bytes}`);
  });
}

interface ByteCodec {
  encode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A codec of zarrita's that turns bytes into bytes. */
export async function codecOf(
  registry: typeof Zarrita.registry,
  name: string,
  configuration: Json,
): Promise<ByteCodec> {
  const entry = await registry.get(name)?.();
  if (entry === undefined) throw new RangeError(`Expected a codec but received '${name}'.`);
  const meta = { dataType: 'uint8' as const, shape: [], codecs: [], fillValue: 0 };
  // The types of numcodecs, where this one comes from, cannot be found from CommonJS.
  const codec: unknown = entry.fromConfig(configuration, meta);
  return codec as ByteCodec;
}
