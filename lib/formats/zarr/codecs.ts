/** The codecs of chunks, with what they need to notice damage; zarrita knows them by names of their own. */
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';

import type * as Zarrita from 'zarrita' with { 'resolution-mode': 'import' };

import { checkBlosc } from './blosc';
import {
  CHECKED,
  DamagedChunkError,
  type Decode,
  SIZE_CHECK,
  checkAnnounced,
  roomFor,
  sizeOfZstd,
  viewOf,
} from './damage';
import type { Json } from './judge';

/**
 * How the bytes of a chunk are decoded, by the codec's name.
 *
 * @param bytes How many there will be at most, when all is well.
 * @param decode What zarrita decodes them with.
 */
export const CHECKED_CODECS: Record<
  string,
  (encoded: Uint8Array, bytes: number, decode: Decode, decodeZstd: Decode) => Promise<Uint8Array>
> = {
  // Node's own: those of zarrita neither end where a chunk is too large nor run beside this thread.
  gzip: (encoded, bytes) => promisify(gunzip)(encoded, { maxOutputLength: roomFor(bytes) }),
  zlib: (encoded, bytes) => promisify(inflate)(encoded, { maxOutputLength: roomFor(bytes) }),
  zstd: async (encoded, bytes, decode) => {
    checkAnnounced(sizeOfZstd(encoded), bytes);
    return decode(encoded);
  },
  lz4: async (encoded, bytes, decode) => {
    checkAnnounced(encoded.length < 4 ? Infinity : viewOf(encoded).getUint32(0, true), bytes);
    return decode(encoded);
  },
  blosc: async (encoded, bytes, decode, decodeZstd) => {
    await checkBlosc(encoded, bytes, decodeZstd);
    return decode(encoded);
  },
  // That of zarrita cuts the sum off and does not look at it.
  crc32c: (encoded) => {
    const end = encoded.length - 4;
    if (end < 0 || viewOf(encoded).getUint32(end, true) !== crc32c(encoded.subarray(0, end))) {
      throw new DamagedChunkError('its checksum is wrong');
    }
    return Promise.resolve(encoded.subarray(0, end));
  },
};

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

/** Gives zarrita the codecs of CHECKED_CODECS under names of their own, and the check of sizes. */
export function registerCheckedCodecs(registry: typeof Zarrita.registry): void {
  if (registry.has(SIZE_CHECK)) return;
  const register = (
    name: string,
    decodeChunk: (encoded: Uint8Array, bytes: number) => Promise<Uint8Array>,
    addedBytes = 0,
  ): void => {
    const fromConfig = (configuration: unknown) => {
      const { bytes } = configuration as { bytes: number };
      return {
        kind: 'bytes_to_bytes' as const,
        decode: (encoded: Uint8Array) => decodeChunk(encoded, bytes),
        encode: () => Promise.reject(new Error(`${name} does not encode`)),
        computeEncodedSize: (size: number) => size + addedBytes,
      };
    };
    registry.set(name, () => Promise.resolve({ kind: 'bytes_to_bytes', fromConfig }));
  };
  const decoderOf = (name: string): Decode => {
    return async (encoded) => (await codecOf(registry, name, { level: 1 })).decode(encoded);
  };
  for (const [name, decode] of Object.entries(CHECKED_CODECS)) {
    register(
      `${CHECKED}${name}`,
      async (encoded, bytes) => decode(encoded, bytes, decoderOf(name), decoderOf('zstd')),
      name === 'crc32c' ? 4 : 0,
    );
  }
  register(SIZE_CHECK, (decoded, bytes) => {
    if (decoded.length === bytes) return Promise.resolve(decoded);
    throw new DamagedChunkError(`it holds ${decoded.length} bytes of elements and not ${bytes}`);
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
