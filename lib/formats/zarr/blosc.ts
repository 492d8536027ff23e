/**
 * Chunks of Blosc 1, decoded here: the library's decoder gives whatever stands in its memory where it
 * fails. A chunk has a header of 16 bytes, the places of its blocks, and the blocks, each of which is
 * compressed as one stream, or as one for every byte of an element.
 */
import { inflateSync } from 'node:zlib';

import { decodeBloscLz } from './blosclz';
import { CorruptChunkError, type Decode, checkAnnounced, viewOf } from './corruption';
import { decodeLz4 } from './lz4';
import { unshuffle, unshuffleBits } from './shuffles';
import { decodeSnappy } from './snappy';
import { checkZstd } from './zstd';

const HEADER_BYTES = 16;
/** The version of the container, and of each compressor's format in it. */
const VERSION = 2;
const COMPRESSOR_VERSION = 1;
const SHUFFLED = 0x01;
const STORED = 0x02;
const BIT_SHUFFLED = 0x04;
const RESERVED = 0x08;
const NOT_SPLIT = 0x10;
/** C-Blosc's own limits: of the bytes of a block, of an element that is split, and of a split. */
const MAX_BLOCK_BYTES = Math.floor((2 ** 31 - 1 - 255 * 4) / 3);
const MAX_SPLITS = 16;
const MIN_SPLIT_ITEMS = 128;

/** Decodes a stream into all of an array; whether it could. */
type StreamDecoder = (stream: Uint8Array, target: Uint8Array) => boolean | Promise<boolean>;

interface Header {
  flags: number;
  itemBytes: number;
  /** What the chunk decodes to. */
  bytes: number;
  blockBytes: number;
}

/**
 * Decodes a chunk. It is refused where C-Blosc refuses it, and where its blocks overlap, leave gaps, or
 * do not fill what they stand for.
 *
 * @param bytes What it decodes to at most.
 * @param decodeZstd Decodes a frame of Zstandard, or rejects.
 */
export async function decodeBlosc(
  encoded: Uint8Array,
  bytes: number,
  decodeZstd: Decode,
): Promise<Uint8Array> {
  const header = readHeader(encoded, bytes);
  const { flags, itemBytes, blockBytes } = header;
  if ((flags & STORED) !== 0) return encoded.subarray(HEADER_BYTES);
  const decodeStream = streamDecoderOf(flags >> 5, decodeZstd);
  const target = new Uint8Array(header.bytes);
  const isShuffled = (flags & SHUFFLED) !== 0 && itemBytes > 1;
  const scratch = new Uint8Array(
    isShuffled || (flags & BIT_SHUFFLED) !== 0 ? Math.min(blockBytes, header.bytes) : 0,
  );
  for (const { begin, end, streams } of blocksOf(encoded, header)) {
    const block = target.subarray(begin, end);
    const areBitsShuffled = (flags & BIT_SHUFFLED) !== 0 && block.length >= itemBytes;
    const isMoved = isShuffled || areBitsShuffled;
    const decoded = isMoved ? scratch.subarray(0, block.length) : block;
    const streamBytes = block.length / streams.length;
    for (const [index, stream] of streams.entries()) {
      const part = decoded.subarray(index * streamBytes, (index + 1) * streamBytes);
      // What does not become smaller is stored as it is.
      if (stream.length === part.length) part.set(stream);
      else if (!(await decodeStream(stream, part))) throw corrupt();
    }
    if (isShuffled) unshuffle(decoded, block, itemBytes);
    else if (areBitsShuffled) unshuffleBits(decoded, block, itemBytes);
  }
  return target;
}

function corrupt(): CorruptChunkError {
  return new CorruptChunkError('its Blosc data is corrupt');
}

function readHeader(encoded: Uint8Array, maxBytes: number): Header {
  if (encoded.length < HEADER_BYTES) throw new CorruptChunkError('it is not complete');
  const view = viewOf(encoded);
  const [version, compressorVersion, flags = 0, itemBytes = 0] = encoded;
  const bytes = view.getUint32(4, true);
  const blockBytes = view.getUint32(8, true);
  const encodedBytes = view.getUint32(12, true);
  if (version !== VERSION || (flags & RESERVED) !== 0) throw corrupt();
  if (encodedBytes !== encoded.length) {
    throw new CorruptChunkError(
      `it says that it has ${encodedBytes} bytes and has ${encoded.length}`,
    );
  }
  checkAnnounced(bytes, maxBytes);
  const isBlock = blockBytes > 0 && blockBytes <= bytes && blockBytes <= MAX_BLOCK_BYTES;
  if (!isBlock || itemBytes === 0) throw corrupt();
  const isStored = (flags & STORED) !== 0;
  if (isStored ? encodedBytes !== HEADER_BYTES + bytes : compressorVersion !== COMPRESSOR_VERSION) {
    throw corrupt();
  }
  return { flags, itemBytes, bytes, blockBytes };
}

/** The decoder of a compressor, by its number in the header. */
function streamDecoderOf(compressor: number, decodeZstd: Decode): StreamDecoder {
  switch (compressor) {
    case 0:
      return decodeBloscLz;
    case 1:
      return decodeLz4;
    case 2:
      return decodeSnappy;
    case 3:
      return decodeZlib;
    case 4:
      return async (stream, target) => {
        try {
          checkZstd(stream, target.length);
          return fill(target, await decodeZstd(stream));
        } catch {
          return false;
        }
      };
    default:
      throw corrupt();
  }
}

function decodeZlib(stream: Uint8Array, target: Uint8Array): boolean {
  try {
    return fill(target, inflateSync(stream, { maxOutputLength: target.length }));
  } catch {
    return false;
  }
}

function fill(target: Uint8Array, decoded: Uint8Array): boolean {
  if (decoded.length !== target.length) return false;
  target.set(decoded);
  return true;
}

/** Where a block lies in the decoded chunk, and its streams. */
interface Block {
  begin: number;
  end: number;
  streams: Uint8Array[];
}

/** The blocks of a chunk, once all of them have been found where they must be. */
function blocksOf(encoded: Uint8Array, header: Header): Block[] {
  const { bytes, blockBytes } = header;
  const view = viewOf(encoded);
  const count = Math.ceil(bytes / blockBytes);
  const first = HEADER_BYTES + 4 * count;
  if (first > encoded.length) throw corrupt();
  const blocks: Block[] = [];
  const extents: [begin: number, end: number][] = [];
  for (let index = 0; index < count; index++) {
    const begin = index * blockBytes;
    const end = Math.min(begin + blockBytes, bytes);
    const place = view.getUint32(HEADER_BYTES + 4 * index, true);
    const streams: Uint8Array[] = [];
    let at = place;
    for (let rest = splitsOf(header, end - begin); rest > 0; rest--) {
      if (at + 4 > encoded.length) throw corrupt();
      const streamEnd = at + 4 + view.getUint32(at, true);
      if (streamEnd > encoded.length) throw corrupt();
      streams.push(encoded.subarray(at + 4, streamEnd));
      at = streamEnd;
    }
    blocks.push({ begin, end, streams });
    extents.push([place, at]);
  }
  // Blocks that were compressed in parallel stand in any order.
  let at = first;
  for (const [begin, end] of extents.sort(([one], [other]) => one - other)) {
    if (begin !== at) throw corrupt();
    at = end;
  }
  if (at !== encoded.length) throw corrupt();
  return blocks;
}

/** How many streams a block is compressed as. */
function splitsOf({ flags, itemBytes, blockBytes }: Header, bytes: number): number {
  const isSplit =
    (flags & NOT_SPLIT) === 0 &&
    itemBytes <= MAX_SPLITS &&
    Math.floor(blockBytes / itemBytes) >= MIN_SPLIT_ITEMS &&
    bytes === blockBytes;
  if (!isSplit) return 1;
  if (blockBytes % itemBytes !== 0) throw corrupt();
  return itemBytes;
}
