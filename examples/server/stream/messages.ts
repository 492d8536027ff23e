import { InputError } from '../errors';

/**
 * The layout of binary messages, little-endian. A message contains the next steps of one or more of the
 * connection's sources. The steps of one source are called a frame.
 *
 *     client to server                       server to client
 *     0       uint32  sequence number        0       uint32  the same sequence number
 *     4       uint32  steps, T >= 1          4       uint32  T
 *     8       uint32  sources, K >= 1        8       uint32  K
 *     12      K uint32: which sources        12      K uint32: the same
 *     12 + 4K K * T * N bytes: spikes of     12 + 4K K * T * N float32: the currents of the
 *             each source, step and channel          same sources, steps and channels
 */
export const HEADER_BYTES = 12;

/** Bytes before the spikes or currents of K sources. */
export function headerBytes(nSources: number): number {
  return HEADER_BYTES + 4 * nSources;
}

export interface Frames {
  sequence: number;
  steps: number;
  /** The numbers of K different sources. */
  sources: number[];
  /** (K, T, N) */
  spikes: Uint8Array;
  /** The bytes before the spikes. The answer begins with the same. */
  header: Uint8Array;
}

/**
 * Reads a message to a connection that has `nSources` sources of `channels` channels each. Throws an
 * InputError, which tells the client what is wrong.
 */
export function readFrames(message: Uint8Array, nSources: number, channels: number): Frames {
  if (message.length < HEADER_BYTES) {
    throw new InputError(
      `Expected a header of ${HEADER_BYTES} bytes but received ${message.length} bytes.`,
    );
  }
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const sequence = view.getUint32(0, true);
  const steps = view.getUint32(4, true);
  const count = view.getUint32(8, true);
  if (count === 0 || count > nSources) {
    throw new InputError(`Expected 1 to ${nSources} sources in a message but received ${count}.`);
  }
  const begin = headerBytes(count);
  const received = message.length - begin;
  if (steps === 0 || received !== count * steps * channels) {
    throw new InputError(
      `Expected at least one step, and ${channels} bytes a step of each source, but received ` +
        `${steps} steps of ${count} in ${Math.max(0, received)} bytes.`,
    );
  }
  const sources = new Array<number>(count);
  for (let i = 0; i < count; i++) {
    const source = view.getUint32(HEADER_BYTES + 4 * i, true);
    if (source >= nSources) {
      throw new InputError(`Expected sources below ${nSources} but received ${source}.`);
    }
    sources[i] = source;
  }
  if (new Set(sources).size < count) {
    throw new InputError('Expected different sources in a message but received one of them twice.');
  }
  return {
    ...{ sequence, steps, sources },
    spikes: message.subarray(begin),
    header: message.subarray(0, begin),
  };
}

/** Makes the answer to a message. */
export function writeCurrents({ header }: Frames, currents: Float32Array): Buffer {
  const message = Buffer.allocUnsafe(header.length + currents.byteLength);
  message.set(header, 0);
  message.set(
    new Uint8Array(currents.buffer, currents.byteOffset, currents.byteLength),
    header.length,
  );
  return message;
}
