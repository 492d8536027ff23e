/** Lists of events (spike times and channels), read as rasters of spike counts. */
export type { EventOptions } from './event-files';
export { openEventsHdf5 } from './events-hdf5';
export { openEventsNpy } from './events-npy';
