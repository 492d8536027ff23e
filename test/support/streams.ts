/** The three kinds of stream, with a raster to send through them. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReadableStream } from 'node:stream/web';

import type { EventList, ExpSynOptions } from '../../lib/index';
import {
  iterate,
  nodeTransform,
  webTransform,
  type StreamChunk,
  type StreamOptions,
  type StreamTarget,
} from '../../lib/streams';
import { bytesOf } from './bits';
import { spikes } from './oracle';

/** A chunk of bytes or elements. */
export type ArrayChunk = Exclude<StreamChunk, EventList>;

export const SIZE = 3;
export const OPTIONS: ExpSynOptions = { tau: [0.005, 0.02, 0.1], noiseStd: 0.2, seed: 5 };
export const STEPS = 700;
export const RASTER = Uint8Array.from(spikes(STEPS * SIZE, 0.3, 1));

/** All chunks of a stream, as one array. */
export async function collect(
  currents: AsyncIterable<Float64Array | Float32Array>,
): Promise<Float64Array> {
  const chunks: (Float64Array | Float32Array)[] = [];
  for await (const chunk of currents) chunks.push(chunk);
  const all = new Float64Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Sends chunks through a stream of each kind and collects the currents. */
export const KINDS: Record<
  string,
  (target: StreamTarget, chunks: ArrayChunk[], options?: StreamOptions) => Promise<Float64Array>
> = {
  iterator: (target, chunks, options) => collect(iterate(target, chunks, options)),
  web: (target, chunks, options) =>
    collect(ReadableStream.from(chunks).pipeThrough(webTransform(target, options))),
  node: async (target, chunks, options) => {
    const bytes = chunks.map((chunk) => Buffer.from(bytesOf(chunk)));
    const parts: Buffer[] = [];
    await pipeline(
      Readable.from(bytes, { objectMode: false }),
      nodeTransform(target, options),
      async (stream: AsyncIterable<Buffer>) => {
        for await (const part of stream) parts.push(part);
      },
    );
    const all = new Uint8Array(Buffer.concat(parts));
    return new Float64Array(all.buffer);
  },
};

/** An array, cut at the given byte positions. */
export function cut(data: ArrayChunk, places: readonly number[]): Uint8Array[] {
  const bytes = bytesOf(data);
  const ends = [...new Set(places.map((place) => place % bytes.length))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}
