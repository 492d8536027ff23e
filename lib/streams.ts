/**
 * The public names of `expsyn/streams`.
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
