/** Reads a list of events among the arrays of a file. */
import type { Elements } from '../elements';
import type { EventTable } from '../events/event-table';
import type { ReadingOptions } from '../format';
import { chooseColumns, namesIn, pairIn, tableOf } from './columns';
import { chooseList, namesOf, type Listing } from './lists';
import { joinName, readNumbers, type NamedArrays } from './named-arrays';
import { readPairs } from './pairs';
import { indexOf, raggedOf, readRagged } from './ragged';
import { withUnit } from './time-unit';
import { readTrains, tableOfLists, trainsOf, wordsOf } from './trains';

/** The events of the list that a user means. */
export async function readList(
  arrays: NamedArrays,
  lists: readonly Listing[],
  options: ReadingOptions,
): Promise<EventTable> {
  const { path, nodes } = arrays;
  const inUnit = async (
    table: EventTable,
    names: readonly string[],
    words?: readonly string[],
  ): Promise<EventTable> =>
    options.timeUnit === undefined ? withUnit(table, arrays, names, words) : table;
  const { name, content } = chooseList(lists, arrays, options.member);
  const [, other] = pairIn(options.member) ?? [];
  if (content === 'cells') {
    const cells = await arrays.readCells(name);
    const units = cells.map((_, unit) => unit);
    return inUnit({ ...tableOfLists(cells, units), timeName: name }, [name]);
  }
  if (content === 'records') return inUnit(await arrays.readRecords(name, options), [name], []);
  if (content === 'ragged') {
    const ids = other === indexOf(name) ? undefined : other;
    const ragged =
      other === undefined
        ? raggedOf(nodes, name, path)
        : { times: name, index: indexOf(name), ids };
    const table = await readRagged(ragged, path, async (each) => readNumbers(arrays, each));
    return inUnit({ ...table, timeName: name }, [name]);
  }
  if (content === 'trains') {
    const trains = trainsOf(nodes, name, path);
    const table = await readTrains(arrays, trains, name, options.member === undefined);
    return inUnit({ ...table, timeName: name }, [...trains.values()], wordsOf(name));
  }
  if (content === 'pairs') return inUnit(await readPairs(arrays, name, true), [name], []);
  const names = namesOf(arrays, name, other !== undefined);
  const place = name === '' ? path : `${name} of ${path}`;
  const columns = chooseColumns({ names, place, member: options.member, kind: arrays.kind });
  const read = new Map<string, Elements>();
  for (const own of namesIn({ ...columns, part: undefined })) {
    read.set(own, await readNumbers(arrays, joinName(name, own)));
  }
  const table = tableOf(
    columns,
    (own) => read.get(own) ?? new Float64Array(0),
    place,
    options.sensor,
  );
  return inUnit(table, [joinName(name, columns.times)]);
}
