/** Errors and checks that all decoders of chunks share. */

/** The names of the codecs that are registered here. The codecs of zarrita itself stay as they are. */
export const CHECKED_CODEC = 'expsyn.codec';

export const SIZE_CHECK = 'expsyn.size';

/** What is wrong with a chunk, as the end of a sentence. */
export class CorruptChunkError extends Error {
  /** What that says of the chunk's file, as the end of a sentence. */
  readonly verdict: string = 'its file is corrupt or not complete';
}

/** A chunk with an element that its type cannot hold, as a writer that rounds may have stored it. */
export class UnfitElementError extends CorruptChunkError {
  override readonly verdict = 'its file may be corrupt';
}

export type Decode = (encoded: Uint8Array) => Promise<Uint8Array>;

export function checkAnnounced(announced: number, bytes: number): void {
  if (announced > bytes) {
    throw new CorruptChunkError(`it says that it holds more than its ${bytes} bytes`);
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
