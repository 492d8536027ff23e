/** Checks frames of Zstandard, as RFC 8878 describes them, before they are decoded. */
import { CorruptChunkError, checkAnnounced, viewOf } from './corruption';

const FRAME = 0xfd2fb528;
/** Frames of other content, whose lower four bits are free. */
const SKIPPABLE = 0x184d2a50;
const RAW = 0;
const REPEATED = 1;
const RESERVED = 3;

/**
 * Checks every frame and block. The decoder does not know how much to expect, and would allocate as much
 * memory as they claim to need.
 *
 * @param bytes How many bytes all of them hold at most.
 * @throws CorruptChunkError when they are not complete, when something else follows them, or when they
 *   hold more than that.
 */
export function checkZstd(encoded: Uint8Array, bytes: number): void {
  let at = 0;
  let held = 0;
  while (at < encoded.length) {
    const frame = readFrame(encoded, at, (more) => {
      checkAnnounced(held + more, bytes);
    });
    held += frame.held;
    at = frame.end;
  }
}

/** Where a frame ends, and the least number of bytes that it holds. `check` sees that number grow. */
function readFrame(
  encoded: Uint8Array,
  begin: number,
  check: (held: number) => void,
): { end: number; held: number } {
  const view = viewOf(encoded);
  const require = (end: number): number => {
    if (end > encoded.length) throw new CorruptChunkError('it is not complete');
    return end;
  };
  require(begin + 4);
  const magic = view.getUint32(begin, true);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
    require(begin + 8);
    return { end: require(begin + 8 + view.getUint32(begin + 4, true)), held: 0 };
  }
  if (magic !== FRAME) throw new CorruptChunkError('its Zstandard data is corrupt');
  require(begin + 5);
  const descriptor = view.getUint8(begin + 4);
  const isSingle = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 4) !== 0;
  const sizeAt = begin + 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = require(sizeAt + sizeBytes);
  const announced = sizeOf(view, sizeAt, sizeBytes);
  check(announced);
  let held = 0;
  let isLast = false;
  while (!isLast) {
    require(at + 3);
    const header = view.getUint16(at, true) + view.getUint8(at + 2) * 2 ** 16;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === RESERVED) throw new CorruptChunkError('its Zstandard data is corrupt');
    if (type === RAW || type === REPEATED) held += size;
    check(held);
    at = require(at + 3 + (type === REPEATED ? 1 : size));
    isLast = (header & 1) !== 0;
  }
  return { end: require(at + (hasChecksum ? 4 : 0)), held: Math.max(announced, held) };
}

/** The size in a frame's header; 0 where there is none. */
function sizeOf(view: DataView, at: number, bytes: number): number {
  switch (bytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    case 8:
      return Number(view.getBigUint64(at, true));
    default:
      return 0;
  }
}
