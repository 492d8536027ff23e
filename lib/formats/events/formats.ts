/** Lists of events (spike times and channels), which are read as rasters of spike counts. */
import type { EventOptions } from '../event-options';
import { isAddress } from '../http/address';
import { hasEnding, type Format } from '../format';
import type { RasterSource } from '../raster-source';
import { openEventsHdf5 } from './events-hdf5';
import { openEventsNpy } from './events-npy';
import { readingEvents } from './reading';

const reading = (open: (path: string, options: EventOptions) => Promise<RasterSource>) =>
  readingEvents(async (path, options) =>
    open(path, { ...options, timeUnit: options.timeUnit ?? 1 }),
  );

const HDF5_ENDINGS = ['.h5', '.hdf5', '.hdf'];

export const hdf5Events: Format = {
  name: 'hdf5',
  title: 'events in HDF5',
  endings: HDF5_ENDINGS,
  input: {
    usage: ['spikes.h5', 'HDF5 with spikes/times and spikes/units, a batch item for each element'],
    recognise: (path) => !isAddress(path) && hasEnding(path, HDF5_ENDINGS),
    ...reading(openEventsHdf5),
  },
};

export const npyEvents: Format = {
  name: 'events',
  title: 'events in .npy',
  endings: ['.npy'],
  input: {
    usage: ['events.npy', 'shape (E, 2), the time and the channel of every spike'],
    isChosen: true,
    recognise: (_, { isEventList }) => isEventList,
    ...reading(openEventsNpy),
  },
};
