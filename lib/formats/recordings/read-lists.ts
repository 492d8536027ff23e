/** Reads a list of events among the arrays of a file. */
import type { Elements } from '../elements';
import { toNumbers } from '../events/event-files';
import type { EventTable } from '../events/event-table';
import type { ReadingOptions } from '../format';
import { chooseColumns, namesIn, pairIn, secondsIn, tableOf, unitInName } from './columns';
import { chooseList, namesOf, type Listing } from './lists';
import { joinName, readNumbers, type NamedArrays } from './named-arrays';
import { indexOf, raggedOf, readRagged } from './ragged';

/** The events of the list that a user means. */
export async function readList(
  arrays: NamedArrays,
  lists: readonly Listing[],
  options: ReadingOptions,
): Promise<EventTable> {
  const { path, nodes } = arrays;
  const { name, content } = chooseList(lists, arrays, options.member);
  const [, other] = pairIn(options.member) ?? [];
  if (content === 'cells') return tableOfCells(await arrays.readCells(name));
  if (content === 'records') return arrays.readRecords(name, options);
  if (content === 'ragged') {
    const ids = other === indexOf(name) ? undefined : other;
    const ragged =
      other === undefined
        ? raggedOf(nodes, name, path)
        : { times: name, index: indexOf(name), ids };
    const table = await readRagged(ragged, path, async (each) => readNumbers(arrays, each));
    return withUnit({ ...table, timeUnit: unitInName(name), timeName: name }, name, arrays);
  }
  const names = namesOf(arrays, name, other !== undefined);
  const place = name === '' ? path : `${name} of ${path}`;
  const columns = chooseColumns({ names, place, member: options.member, kind: arrays.kind });
  const read = new Map<string, Elements>();
  for (const own of namesIn({ ...columns, part: undefined })) {
    read.set(own, await readNumbers(arrays, joinName(name, own)));
  }
  const table = tableOf(columns, (own) => read.get(own) ?? new Float64Array(0));
  return withUnit(table, joinName(name, columns.times), arrays);
}

/** The unit of times, if their name or their attribute tells. */
function withUnit(table: EventTable, times: string, { nodes }: NamedArrays): EventTable {
  const unit = nodes.get(times)?.texts?.['units'] ?? '';
  return { ...table, timeUnit: table.timeUnit ?? secondsIn(unit) };
}

/** Each cell is a unit. */
function tableOfCells(cells: readonly Elements[]): EventTable {
  const lists = cells.map(toNumbers);
  const length = lists.reduce((sum, list) => sum + list.length, 0);
  const [times, ids] = [new Float64Array(length), new Float64Array(length)];
  let begin = 0;
  lists.forEach((list, unit) => {
    times.set(list, begin);
    ids.fill(unit, begin, (begin += list.length));
  });
  return { times, ids, units: lists.map((_, unit) => unit) };
}
