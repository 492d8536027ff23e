/** What formats of events have in common as inputs. */
import type { ArrayDescription, ReadingOptions } from '../format';
import type { RasterSource } from '../raster-source';
import { openEventTable, type EventTable } from './event-table';

type Open = (path: string, options: ReadingOptions) => Promise<RasterSource>;

/** Opening such a file, and describing the raster that it becomes. */
export function readingEvents(open: Open) {
  /** The raster of a list, all of whose events have to be read for that. */
  const describe = async (path: string, options: ReadingOptions): Promise<ArrayDescription> => {
    const source = await open(path, options);
    await source.close();
    const { shape, type, identity, unitIds } = source;
    const storage = { dt: options.dt, ...(unitIds && { units: unitIds }) };
    return { shape, type, bytes: identity.bytes, storage, raster: source };
  };
  return { isEventList: true, open, describe };
}

/**
 * The same for a format whose files are tables that are in memory as a whole.
 *
 * @param format What identities call it.
 */
export function readingTables(
  format: string,
  read: (path: string, options: ReadingOptions) => Promise<EventTable>,
) {
  return readingEvents((path, options) =>
    openEventTable(path, options, { format, files: [path], read: async () => read(path, options) }),
  );
}
