/** Why a request failed, in words, and whether it may succeed if it is sent again. */
import { message, option, type Message } from '../../errors/message';

/** A request that has failed. The message is the end of a sentence. */
export class RequestFailure extends Error {
  /** Whether the same request may succeed a little later. */
  readonly isTransient: boolean;
  /** What the user can do. */
  readonly advice: Message;
  /** Milliseconds that the server asks to be left alone. */
  readonly retryAfter: number | undefined;

  constructor(
    reason: string,
    options: {
      isTransient: boolean;
      advice: Message;
      retryAfter?: number | undefined;
      cause?: unknown;
    },
  ) {
    super(reason, { cause: options.cause });
    this.isTransient = options.isTransient;
    this.advice = options.advice;
    this.retryAfter = options.retryAfter;
  }
}

/** Request Timeout, Too Early and Too Many Requests. */
const TRANSIENT_STATUSES = [408, 425, 429];
/** Server errors that do not pass: Not Implemented, an unknown version, a login is needed. */
const LASTING_STATUSES = [501, 505, 511];

const LATER = message`try again later, or give more ${option('httpTries')}`;
const OTHER_ADDRESS = message`check the address`;

/** The failure for a status that is an error. */
export function statusFailure({ status, headers }: Response): RequestFailure {
  return new RequestFailure(`the server answers with status ${status}`, {
    isTransient: isTransient(status),
    advice: adviceOn(status),
    retryAfter: retryAfterOf(headers),
  });
}

export function isTransient(status: number): boolean {
  if (status < 500) return TRANSIENT_STATUSES.includes(status);
  return !LASTING_STATUSES.includes(status);
}

function adviceOn(status: number): Message {
  if (isTransient(status)) return LATER;
  if (status === 401) {
    return message`give an address that needs no name and password, or a signed one`;
  }
  if (status === 403) {
    return message`S3 answers so for a missing file to anyone who may not list the bucket, so give \
${option('forbiddenIsMissing')} if chunks were left out because they are empty, else an address that you may read`;
  }
  return OTHER_ADDRESS;
}

/**
 * How long a server asks to be left alone: seconds, or a moment, which is compared with the server's
 * own clock where the answer tells it.
 */
function retryAfterOf(headers: Headers): number | undefined {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) return undefined;
  const serverNow = Date.parse(headers.get('date') ?? '');
  return Math.max(0, moment - (Number.isNaN(serverNow) ? Date.now() : serverNow));
}

/**
 * The failure for a server that has stopped sending.
 *
 * @param received Bytes of its answer; undefined before the answer has begun.
 */
export function stallFailure(seconds: number, received: number | undefined): RequestFailure {
  const reason =
    received === undefined
      ? `no answer came within ${seconds} s`
      : `the answer stopped ${received === 0 ? '' : `after ${received} bytes `}for ${seconds} s`;
  return new RequestFailure(reason, {
    isTransient: true,
    advice: message`try again later, or give a longer ${option('httpTimeout')}`,
  });
}

/** An answer of which a part is missing. */
export function truncationFailure(received: number, announced: number): RequestFailure {
  return new RequestFailure(`only ${received} of ${announced} bytes came`, {
    isTransient: true,
    advice: LATER,
  });
}

/** An answer that is not the file. */
export function contentFailure(reason: string): RequestFailure {
  return new RequestFailure(reason, { isTransient: false, advice: OTHER_ADDRESS });
}

/** Errors of connections that do not pass. */
const LASTING: readonly [code: RegExp, reason: string][] = [
  [/^ENOTFOUND$/, 'there is no server of that name'],
  [/CERT|SELF_SIGNED|^UNABLE_TO_|^ERR_TLS/, "the server's certificate is not accepted"],
  [/^ERR_SSL|^EPROTO$/, 'the server does not answer by TLS as https needs'],
  [/^ERR_INVALID/, 'the server redirects to an address that is not valid'],
];

const PASSING: readonly [code: RegExp, reason: string][] = [
  [/^ECONNREFUSED$/, 'no server answers there'],
  [/^EAI_AGAIN$/, 'the name of the server cannot be looked up at the moment'],
  [/^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/, 'no connection to the server came about in time'],
  [/^UND_ERR_(HEADERS|BODY)_TIMEOUT$/, 'the server stopped answering'],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'the server closed the connection'],
  [/^(E(HOST|NET)(UNREACH|DOWN))$/, 'the network does not lead to the server'],
  [/^Z_/, 'the compression of the answer is corrupt'],
];

/** The failure that an error of fetch() means. */
export function connectionFailure(error: unknown): RequestFailure {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  const find = (table: typeof LASTING) => table.find(([pattern]) => pattern.test(code ?? ''))?.[1];
  const lasting = find(LASTING);
  if (lasting !== undefined || code === undefined) {
    const detail = cause instanceof Error && cause.message !== '' ? ` (${cause.message})` : '';
    return new RequestFailure(lasting ?? `the request failed${detail}`, {
      isTransient: false,
      advice: OTHER_ADDRESS,
      cause: error,
    });
  }
  return new RequestFailure(find(PASSING) ?? `the connection to the server failed with ${code}`, {
    isTransient: true,
    advice: code === 'ECONNREFUSED' ? message`check the address, or try again later` : LATER,
    cause: error,
  });
}
