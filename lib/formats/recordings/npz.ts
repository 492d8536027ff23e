/** NumPy's .npz archives: a raster, or lists of events, among their arrays. */
import type { EventTable } from '../events/event-table';
import { readingTables } from '../events/reading';
import type { Format, ReadingOptions } from '../format';
import type { RasterSource } from '../raster-source';
import { isListing, listsIn, type Listing } from './lists';
import { chooseMember, describeRaster, rasterInMemory } from './members';
import type { ArrayNodes } from './named-arrays';
import { isNpz, NPZ_ENDINGS, withNpz } from './npz-arrays';
import { readList } from './read-lists';

/** The lists of an archive; a structured array that is the only array is one. */
function listsOf(nodes: ArrayNodes): Listing[] {
  const [[name, content] = ['', undefined]] = [...nodes].map(
    ([each, node]) => [each, node.content] as const,
  );
  if (nodes.size === 1 && content === 'records') return [{ name, content }];
  return listsIn(nodes, () => []);
}

/** Whether an archive holds events. */
async function holdsEvents(path: string, member: string | undefined): Promise<boolean> {
  return withNpz(path, async ({ nodes }) =>
    Promise.resolve(
      member === undefined
        ? listsOf(nodes).length > 0
        : isListing({ nodes }, member) || listsOf(nodes).some(({ name }) => name === member),
    ),
  );
}

async function readEvents(path: string, options: ReadingOptions): Promise<EventTable> {
  return withNpz(path, async (arrays) => readList(arrays, listsOf(arrays.nodes), options));
}

export const npzEvents: Format = {
  name: 'npz-events',
  title: 'events in .npz',
  endings: NPZ_ENDINGS,
  input: {
    usage: ['events.npz', 'arrays named times and channels, or a structured array'],
    hasTimeUnit: true,
    recognise: async (path, { member }) =>
      (await isNpz(path)) && (await holdsEvents(path, member).catch(() => false)),
    ...readingTables('npz-events', readEvents),
  },
};

async function openRaster(path: string, { member }: ReadingOptions): Promise<RasterSource> {
  const { data, shape, name } = await withNpz(path, async ({ nodes, readArray }) => {
    const names = new Map([...nodes.keys()].map((each) => [each, each]));
    const chosen = chooseMember(names, member, path);
    return { ...(await readArray(chosen)), name: `${chosen}.npy` };
  });
  return rasterInMemory({ data, shape, path, format: 'npz', member: name });
}

export const npz: Format = {
  name: 'npz',
  title: '.npz',
  endings: NPZ_ENDINGS,
  input: {
    usage: ['arrays.npz', 'an array of such an archive'],
    recognise: async (path) => isNpz(path),
    open: openRaster,
    describe: async (path, options) => describeRaster(await openRaster(path, options)),
  },
};
