/**
 * Streams of currents, for those who look for the types and options of a stream.
 *
 * @module expsyn/streams
 */
export {
  iterate,
  nodeTransform,
  webTransform,
  type BufferedStreamOptions,
  type ElementType,
  type OutputOptions,
  type StreamChunk,
  type StreamOptions,
  type StreamTarget,
  type WebStreams,
} from './streaming/streams';
