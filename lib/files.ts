/**
 * Files: arrays as .npy, and figures of currents, for those who look for the types, options and errors.
 *
 * @module expsyn/files
 */
export type { FilePath } from './files/paths';
export { readNpy, writeNpy, type NpyElements, type ReadNpyOptions } from './files/npy';
export {
  plot,
  type FigureFileOptions,
  type FigureFormat,
  type FigureOptions,
  type PlotOptions,
} from './files/plot';
