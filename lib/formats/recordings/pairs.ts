/** Arrays of shape (E, 2) in HDF5, MATLAB 7.3 and .npz archives: a row for each event, with its time and channel. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import type { EventTable } from '../events/event-table';
import { everySecond, isPairs, requirePairs } from '../events/pair-columns';
import { chooseColumns, isEventsName, nameEvents, tableOf } from './columns';
import { splitName, type ArrayNode, type ArrayNodes, type NamedArrays } from './named-arrays';
import { isAscending } from './trains';

/** Attributes with the names of columns. */
const COLUMNS = /^(?:(?:column|field|dim)s?_?)?(?:names?|labels?)$|^(?:columns|fields|header)$/i;

/** The shape as whoever has written it sees it: MATLAB's first axis varies fastest. */
function shapeOf({ shape, texts }: ArrayNode): readonly number[] {
  return texts?.['MATLAB_class'] === undefined ? shape : shape.toReversed();
}

/** Whether an array may list events. */
export function mayBePairs(node: ArrayNode | undefined): boolean {
  return node?.content === 'numbers' && isPairs(shapeOf(node));
}

/** The names of the columns; those of .npy files unless the array says otherwise. */
function columnNames({ texts = {}, lists = {} }: ArrayNode): readonly string[] {
  const all = [
    ...Object.entries(lists),
    ...Object.entries(texts).map(([key, text]) => [key, text.split(/[\s,;]+/)] as const),
  ];
  const found = all.find(([key, names]) => COLUMNS.test(key) && names.length === 2);
  return found?.[1] ?? ['time', 'channel'];
}

/** The arrays whose names say that they list events. A variable of MATLAB is a raster unless the user says more. */
export function pairsIn(nodes: ArrayNodes): { name: string; content: 'pairs' }[] {
  return [...nodes].flatMap(([name, node]) => {
    const isNamed = isEventsName(splitName(name)[1]) && node.texts?.['MATLAB_class'] === undefined;
    return isNamed && mayBePairs(node) && nameEvents(columnNames(node))
      ? [{ name, content: 'pairs' as const }]
      : [];
  });
}

/**
 * The events of such an array.
 *
 * @param isGuess Whether its name alone says that it is no raster of two channels.
 */
export async function readPairs(
  arrays: NamedArrays,
  name: string,
  isGuess: boolean,
): Promise<EventTable> {
  const node = arrays.nodes.get(name) ?? { content: 'numbers', shape: [] };
  const place = `${name} of ${arrays.path}`;
  const shape = shapeOf(node);
  requirePairs(shape, place);
  const { data } = await arrays.readArray(name);
  const [length = 0] = shape;
  const isApart = shape !== node.shape;
  const read = (column: 0 | 1) =>
    isApart ? data.slice(column * length, (column + 1) * length) : everySecond(data, column);
  const names = columnNames(node);
  const columns = chooseColumns({ names, place, member: undefined });
  const table = tableOf(columns, (own) => read(own === names[0] ? 0 : 1), place);
  const isEvents = isAscending(table.times) && Array.from(table.ids).every(Number.isInteger);
  if (isGuess && !(isEvents && length > 1)) {
    throw new CommandError(
      message`Expected times that ascend and whole numbers of channels in the columns of ${place} but received \
others; give ${option('events')} and ${option('member', name)} if it lists events.`,
    );
  }
  return table;
}
