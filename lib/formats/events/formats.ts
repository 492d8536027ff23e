/** Lists of events (spike times and channels), which are read as rasters of spike counts. */
import type { EventOptions } from '../event-options';
import { isAddress } from '../http/address';
import { hasEnding, type ArrayDescription, type Format, type ReadingOptions } from '../format';
import type { RasterSource } from '../raster-source';
import { openEventsHdf5 } from './events-hdf5';
import { openEventsNpy } from './events-npy';

type Open = (path: string, options: EventOptions) => Promise<RasterSource>;

function reading(open: Open) {
  const openWith = async (path: string, options: ReadingOptions): Promise<RasterSource> =>
    open(path, { timeUnit: 1, ...options });
  /** The raster of a list, all of whose events have to be read for that. */
  const describe = async (path: string, options: ReadingOptions): Promise<ArrayDescription> => {
    const source = await openWith(path, options);
    await source.close();
    const { shape, type, identity } = source;
    return { shape, type, bytes: identity.bytes, storage: { dt: options.dt }, raster: source };
  };
  return { isEventList: true, open: openWith, describe };
}

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
    recognise: (_, isEventList) => isEventList,
    ...reading(openEventsNpy),
  },
};
