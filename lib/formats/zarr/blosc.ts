/** Checks of Blosc, whose decoder does not notice damage. */
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';

import { DamagedChunkError, type Decode, checkAnnounced, sizeOfZstd, viewOf } from './damage';

/**
 * Looks at everything in a chunk of Blosc that could be wrong, since zarrita's codec gives whatever
 * stands in its memory where the decoder fails. Streams of BloscLZ and Snappy are not looked into.
 */
export async function checkBlosc(
  encoded: Uint8Array,
  bytes: number,
  decodeZstd: Decode,
): Promise<void> {
  const headerBytes = 16;
  const damaged = new DamagedChunkError('its Blosc data is damaged');
  if (encoded.length < headerBytes) throw new DamagedChunkError('it is not complete');
  const view = viewOf(encoded);
  const [version = 0, , flags = 0, typeBytes = 0] = encoded;
  const [size, blockBytes, encodedBytes] = [4, 8, 12].map((at) => view.getUint32(at, true));
  if (size === undefined || blockBytes === undefined || version === 0 || version > 2) throw damaged;
  if (encodedBytes !== encoded.length) {
    throw new DamagedChunkError(
      `it says that it has ${encodedBytes} bytes and has ${encoded.length}`,
    );
  }
  checkAnnounced(size, bytes);
  if ((flags & 2) !== 0) {
    if (encoded.length !== headerBytes + size) throw damaged;
    return;
  }
  if (size === 0) return;
  if (blockBytes === 0 || typeBytes === 0) throw damaged;
  const nBlocks = Math.ceil(size / blockBytes);
  if (headerBytes + 4 * nBlocks > encoded.length) throw damaged;
  for (let block = 0; block < nBlocks; block++) {
    const length = Math.min(blockBytes, size - block * blockBytes);
    const isSplit =
      (flags & 0x10) === 0 &&
      typeBytes <= 16 &&
      blockBytes / typeBytes >= 128 &&
      length === blockBytes;
    const nStreams = isSplit ? typeBytes : 1;
    let at = view.getUint32(headerBytes + 4 * block, true);
    for (let stream = 0; stream < nStreams; stream++) {
      if (at < headerBytes || at + 4 > encoded.length) throw damaged;
      const end = at + 4 + view.getUint32(at, true);
      if (end > encoded.length) throw damaged;
      const content = encoded.subarray(at + 4, end);
      const isRight = await isBloscStream(
        content,
        flags >> 5,
        Math.floor(length / nStreams),
        decodeZstd,
      );
      if (!isRight) throw damaged;
      at = end;
    }
  }
}

/** Whether a stream of Blosc, by the number of its compressor, decodes to so many bytes. */
async function isBloscStream(
  stream: Uint8Array,
  compressor: number,
  bytes: number,
  decodeZstd: Decode,
): Promise<boolean> {
  // What does not become smaller is stored as it is.
  if (stream.length === bytes) return true;
  try {
    if (compressor === 1) return isLz4(stream, bytes);
    if (compressor === 3) {
      return (await promisify(inflate)(stream, { maxOutputLength: bytes })).length === bytes;
    }
    if (compressor === 4) {
      return sizeOfZstd(stream) <= bytes && (await decodeZstd(stream)).length === bytes;
    }
  } catch {
    return false;
  }
  return true;
}

/** Whether a block of LZ4 decodes to so many bytes: its sequences are counted and not carried out. */
function isLz4(block: Uint8Array, bytes: number): boolean {
  let at = 0;
  let written = 0;
  const lengthAfter = (start: number): number => {
    if (start < 15) return start;
    let length = start;
    let next: number | undefined;
    do {
      next = block[at++];
      if (next === undefined) return Infinity;
      length += next;
    } while (next === 255);
    return length;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = lengthAfter(token >> 4);
    at += literals;
    written += literals;
    if (at === block.length) return written === bytes;
    const offset = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    if (at > block.length || offset === 0 || offset > written) return false;
    written += lengthAfter(token & 15) + 4;
    if (written > bytes) return false;
  }
  return false;
}
