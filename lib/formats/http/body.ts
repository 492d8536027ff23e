/** Reads the bodies of answers, and keeps the bytes that are requested. */
import { contentFailure, truncationFailure } from './failure';

/** Which bytes of a file are requested. */
export type Selection =
  /** All; more than `limit` are refused. */
  | { limit: number }
  | { offset: number; length: number }
  /** The last ones. */
  | { suffixLength: number };

/** Thrown for a file of more bytes than the limit. */
export class TooLargeError extends Error {}

/** Enough to know a web page by. */
const HEAD_BYTES = 256;

/** Keeps the selected bytes of a file that comes in pieces, and no others. */
class Collector {
  readonly #selection: Selection;
  #pieces: Uint8Array[] = [];
  #kept = 0;
  /** Bytes that have come. */
  received = 0;

  constructor(selection: Selection) {
    this.#selection = selection;
  }

  /** Whether all requested bytes have come. */
  get isFull(): boolean {
    const selection = this.#selection;
    return 'offset' in selection && this.received >= selection.offset + selection.length;
  }

  add(piece: Uint8Array): void {
    const selection = this.#selection;
    const begin = this.received;
    this.received += piece.length;
    if ('limit' in selection) {
      if (this.received > selection.limit) throw new TooLargeError();
      this.#keep(piece);
    } else if ('offset' in selection) {
      const { offset, length } = selection;
      const clamp = (at: number): number => Math.min(Math.max(at - begin, 0), piece.length);
      this.#keep(piece.subarray(clamp(offset), clamp(offset + length)));
    } else {
      this.#keep(piece);
      this.#dropFront(selection.suffixLength);
    }
  }

  /** The bytes, of an array of their own; fewer than selected where the file ends before. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.#kept);
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    const { length } = bytes;
    return 'suffixLength' in this.#selection
      ? bytes.subarray(Math.max(0, length - this.#selection.suffixLength))
      : bytes;
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#kept += piece.length;
  }

  #dropFront(requested: number): void {
    let dropped = 0;
    for (const piece of this.#pieces) {
      if (this.#kept - piece.length < requested) break;
      this.#kept -= piece.length;
      dropped++;
    }
    this.#pieces.splice(0, dropped);
  }
}

/**
 * Reads the requested bytes from the body of an answer.
 *
 * @param onBytes Told how many bytes have come.
 * @throws TooLargeError when it is larger than the selection's limit.
 * @throws RequestFailure when it is a web page, or encoded in a way that is not known.
 */
export async function readBody(
  response: Response,
  selection: Selection,
  onBytes: (count: number) => void,
): Promise<Uint8Array> {
  requireKnownEncoding(response);
  const announced = announcedLength(response);
  if (announced !== undefined && 'limit' in selection && announced > selection.limit) {
    throw new TooLargeError();
  }
  const collector = new Collector(selection);
  let head = Buffer.alloc(0);
  let isComplete = true;
  for await (const piece of piecesOf(response)) {
    onBytes(piece.length);
    if (head.length < HEAD_BYTES) {
      head = Buffer.concat([head, piece.subarray(0, HEAD_BYTES)]);
      if (isWebPage(response, head)) throw contentFailure('the server sends a web page instead');
    }
    collector.add(piece);
    if (!collector.isFull) continue;
    isComplete = false;
    break;
  }
  if (isComplete && announced !== undefined && collector.received < announced) {
    throw truncationFailure(collector.received, announced);
  }
  return collector.take();
}

/** Leaving the loop early closes the connection. */
async function* piecesOf({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  yield* body as unknown as AsyncIterable<Uint8Array>;
}

/** Reads and discards a short body, so that the connection can be used again. */
export async function discardBody(
  response: Response,
  onBytes: (count: number) => void,
): Promise<void> {
  const most = 2 ** 16;
  let received = 0;
  for await (const piece of piecesOf(response)) {
    onBytes(piece.length);
    received += piece.length;
    if (received > most) break;
  }
}

/** The length of the body; unknown if it is compressed, since fetch() decodes it. */
function announcedLength({ headers }: Response): number | undefined {
  const length = headers.get('content-length');
  if (length === null || encodingsOf(headers).length > 0) return undefined;
  return Number(length);
}

/** How a body is compressed on its way, without the codings that change nothing. */
export function encodingsOf(headers: Headers): string[] {
  const names = (headers.get('content-encoding') ?? '').toLowerCase().split(',');
  // The second is what S3 keeps of how a file was sent to it.
  return names.map((name) => name.trim()).filter((name) => !/^(identity|aws-chunked|)$/.test(name));
}

/** Refuses encodings that fetch() does not decode: it would return the encoded bytes without an error. */
function requireKnownEncoding({ headers }: Response): void {
  const unknown = encodingsOf(headers).find((name) => !/^(x-)?gzip$|^deflate$|^br$/.test(name));
  if (unknown === undefined) return;
  throw contentFailure(`the server compresses it by '${unknown}', which was not asked for`);
}

/** Whether a server sends a web page in place of a missing file, with a status of success. */
function isWebPage({ headers }: Response, head: Buffer): boolean {
  const type = headers.get('content-type') ?? 'text/html';
  if (!/^(text\/|application\/xhtml)/i.test(type)) return false;
  return /^(\xef\xbb\xbf)?\s*<(!doctype\s+html|html)[\s>]/i.test(head.toString('latin1'));
}
