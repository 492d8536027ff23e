/** Binary messages of one source, number 0. README.md describes their layout. */

export const HEADER_BYTES = 16;

/** Makes a message of `steps` steps with room for the spikes of each channel. */
export function createMessage(sequence, steps, channels) {
  const message = new Uint8Array(HEADER_BYTES + steps * channels);
  const header = new DataView(message.buffer);
  header.setUint32(0, sequence, true);
  header.setUint32(4, steps, true);
  header.setUint32(8, 1, true);
  return { message, spikes: message.subarray(HEADER_BYTES) };
}

/** Reads the answer to a message. */
export function readAnswer(buffer) {
  const header = new DataView(buffer);
  return {
    sequence: header.getUint32(0, true),
    steps: header.getUint32(4, true),
    currents: new Float32Array(buffer, HEADER_BYTES),
  };
}
