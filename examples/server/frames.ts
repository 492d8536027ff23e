/**
 * The layout of binary messages, little-endian.
 *
 *     client to server                       server to client
 *     0  uint32  sequence number             0  uint32  the same sequence number
 *     4  uint32  steps, T >= 1               4  uint32  T
 *     8  T * N bytes: spikes of each         8  T * N float32: the currents of the same steps
 *        step and channel, step after step
 */
export const HEADER_BYTES = 8;

export interface Frame {
  sequence: number;
  steps: number;
  /** (T, N) */
  spikes: Uint8Array;
}

/** Reads a message; throws a RangeError that tells the client what is wrong. */
export function readFrame(message: Uint8Array, channels: number): Frame {
  if (message.length < HEADER_BYTES) {
    throw new RangeError(
      `Expected a header of ${HEADER_BYTES} bytes but received ${message.length} bytes.`,
    );
  }
  const header = new DataView(message.buffer, message.byteOffset, HEADER_BYTES);
  const sequence = header.getUint32(0, true);
  const steps = header.getUint32(4, true);
  const expected = steps * channels;
  const received = message.length - HEADER_BYTES;
  if (steps === 0 || received !== expected) {
    throw new RangeError(
      `Expected at least one step, and ${channels} bytes a step, but received ${steps} steps in ` +
        `${received} bytes.`,
    );
  }
  return { sequence, steps, spikes: message.subarray(HEADER_BYTES) };
}

/** Makes a message of a frame's currents. */
export function writeCurrents(sequence: number, steps: number, currents: Float32Array): Buffer {
  const message = Buffer.allocUnsafe(HEADER_BYTES + currents.byteLength);
  message.writeUInt32LE(sequence, 0);
  message.writeUInt32LE(steps, 4);
  message.set(
    new Uint8Array(currents.buffer, currents.byteOffset, currents.byteLength),
    HEADER_BYTES,
  );
  return message;
}
