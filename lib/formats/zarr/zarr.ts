/**
 * Reads Zarr arrays of formats 2 and 3, in a folder or behind an address, and writes those of
 * format 3.
 *
 * The formats are described at https://zarr-specs.readthedocs.io: a document that describes the
 * array, and a file for each chunk of it; a chunk without a file holds the fill value. What puts the
 * elements of chunks together, and encodes them, is zarrita. It trusts what it reads, so the document
 * is validated here before it gets it, and the bytes of chunks are decoded here, with checks.
 */
export { type ZarrDescription } from './metadata';
export {
  createZarr,
  largestChunk,
  openZarrSink,
  type ZarrOptions,
  updateZarrAttributes,
} from './sink';
export { describeZarr, openZarrSource, remarkOnZarr } from './source';
