/** What the checks of chunks have in common. */

/** Names of codecs here: zarrita's own ones stay as they are for everybody else. */
export const CHECKED = 'expsyn.';

export const SIZE_CHECK = `${CHECKED}size`;

/** What is wrong with a chunk, as the end of a sentence. */
export class DamagedChunkError extends Error {}

export type Decode = (encoded: Uint8Array) => Promise<Uint8Array>;

/** Checksums and the like may be inside of what a codec has encoded. */
export function roomFor(bytes: number): number {
  return bytes + 64;
}

export function checkAnnounced(announced: number, bytes: number): void {
  if (announced > roomFor(bytes)) {
    throw new DamagedChunkError(`it says that it holds more than its ${bytes} bytes`);
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** How many bytes a frame of Zstandard says that it holds; 0 where it does not say. */
export function sizeOfZstd(encoded: Uint8Array): number {
  const view = viewOf(encoded);
  if (encoded.length < 5 || view.getUint32(0, true) !== 0xfd2fb528) return 0;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  if (encoded.length < at + sizeBytes) return 0;
  switch (sizeBytes) {
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
