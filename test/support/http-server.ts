/** A Zarr array behind a server of this machine that misbehaves as it is told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Whether a request was answered; else it is answered as it should be. */
export type Manner = (
  request: IncomingMessage,
  response: ServerResponse,
  file: { key: string; bytes: Buffer | undefined; attempt: number },
) => boolean;

const RIGHT: Manner = () => false;

export class ZarrServer {
  readonly files = new Map<string, Buffer>();
  /** How often each file was asked for. */
  readonly counts = new Map<string, number>();
  manner: Manner = RIGHT;
  #server: Server | undefined;

  async start(): Promise<void> {
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      const key = path.replace(/^\/a\.zarr\//, '');
      const attempt = (this.counts.get(key) ?? 0) + 1;
      this.counts.set(key, attempt);
      const bytes = this.files.get(key);
      if (!this.manner(request, response, { key, bytes, attempt }))
        answer(request, response, bytes);
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  reset(): void {
    this.files.clear();
    this.counts.clear();
    this.manner = RIGHT;
  }

  /** As it should be from here on. */
  recover(): void {
    this.counts.clear();
    this.manner = RIGHT;
  }

  stop(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server?.address() as AddressInfo).port}`;
  }

  get address(): string {
    return `${this.origin}/a.zarr`;
  }
}

/** As a server of files should. */
export function answer(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer | undefined,
  more: Record<string, string> = {},
): void {
  if (bytes === undefined) {
    response.writeHead(404).end('<html>not here</html>');
    return;
  }
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const isPart = first !== '' || last !== '';
  const begin = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1);
  if (isPart && begin >= bytes.length) {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
    return;
  }
  const body = isPart ? bytes.subarray(begin, end) : bytes;
  response.writeHead(isPart ? 206 : 200, {
    'Content-Length': body.length,
    ETag: `"${bytes.length}"`,
    ...(isPart && { 'Content-Range': `bytes ${begin}-${end - 1}/${bytes.length}` }),
    ...more,
  });
  response.end(method === 'HEAD' ? undefined : body);
}

/** The files of an array of uint8, of format 3. */
export function arrayFiles(
  data: Uint8Array,
  [steps, channels]: readonly [number, number],
  stepsPerChunk: number,
): [string, Buffer][] {
  const document = documentOf([steps, channels], [stepsPerChunk, channels], [BYTES]);
  const size = stepsPerChunk * channels;
  return [
    ['zarr.json', document],
    ...Array.from({ length: Math.ceil(steps / stepsPerChunk) }, (_, index): [string, Buffer] => {
      const chunk = Buffer.alloc(size);
      chunk.set(data.subarray(index * size, (index + 1) * size));
      return [`c/${index}/0`, chunk];
    }),
  ];
}

const BYTES = { name: 'bytes', configuration: { endian: 'little' } };

/** The same in one shard, whose index is at its end. */
export function shardFiles(
  data: Uint8Array,
  [steps, channels]: readonly [number, number],
  stepsPerChunk: number,
): [string, Buffer][] {
  const configuration = {
    chunk_shape: [stepsPerChunk, channels],
    codecs: [BYTES],
    index_codecs: [BYTES],
    index_location: 'end',
  };
  const codecs = [{ name: 'sharding_indexed', configuration }];
  const size = stepsPerChunk * channels;
  const index = Buffer.alloc((steps / stepsPerChunk) * 16);
  for (let chunk = 0; chunk * stepsPerChunk < steps; chunk++) {
    index.writeBigUInt64LE(BigInt(chunk * size), chunk * 16);
    index.writeBigUInt64LE(BigInt(size), chunk * 16 + 8);
  }
  return [
    ['zarr.json', documentOf([steps, channels], [steps, channels], codecs)],
    ['c/0/0', Buffer.concat([data, index])],
  ];
}

function documentOf(shape: number[], chunkShape: number[], codecs: unknown[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      zarr_format: 3,
      node_type: 'array',
      shape,
      data_type: 'uint8',
      chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
      chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
      codecs,
      fill_value: 0,
      attributes: {},
    }),
  );
}
