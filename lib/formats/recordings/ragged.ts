/** Lists of times one after the other, of which another array tells where each one ends, as in NWB. */
import { CommandError } from '../../errors/command-errors';
import { listNames, message, option } from '../../errors/message';
import type { Elements } from '../elements';
import { toNumbers } from '../events/event-files';
import type { EventTable } from '../events/event-table';
import { idNamesIn, isListName } from './columns';
import { groupsOf, isFlat, joinName, splitName, type ArrayNodes } from './named-arrays';

/** The names of the arrays. */
export interface Ragged {
  times: string;
  /** Where the list of each unit ends among the times. */
  index: string;
  /** Of the units; numbered from 0 without it. */
  ids?: string | undefined;
}

/** The name of the array that tells where the lists of another one end. */
export function indexOf(times: string): string {
  return `${times}_index`;
}

/** Whether an array of times consists of lists. */
export function isRagged(nodes: ArrayNodes, times: string): boolean {
  return isFlat(nodes.get(times)) && isFlat(nodes.get(indexOf(times)));
}

/** The names of all times that consist of lists. */
export function raggedIn(nodes: ArrayNodes): string[] {
  return [...nodes.keys()].filter(
    (name) => isListName(splitName(name)[1]) && isRagged(nodes, name),
  );
}

/** The arrays that belong to such times. */
export function raggedOf(nodes: ArrayNodes, times: string, path: string): Ragged {
  const index = indexOf(times);
  const [group] = splitName(times);
  const names = (groupsOf(nodes).get(group) ?? []).filter((own) => {
    const name = joinName(group, own);
    return name !== times && !name.endsWith('_index') && !nodes.has(indexOf(name));
  });
  const [ids, ...others] = idNamesIn(names);
  if (others.length === 0) return { times, index, ids: ids && joinName(group, ids) };
  const found = [ids ?? '', ...others].map((name) => `'${joinName(group, name)}'`);
  throw new CommandError(
    message`Expected one array with the ids of the units of ${times} in ${path} but received ${listNames(found)}; \
give ${option('member', `${times},IDS`)} with the name of one.`,
  );
}

/** The events of unit u are those before element u of the index, and not before the element before it. */
export async function readRagged(
  { times: name, index, ids: idName }: Ragged,
  path: string,
  read: (name: string) => Promise<Elements>,
): Promise<EventTable> {
  const times = await read(name);
  const ends = toNumbers(await read(index));
  const units =
    idName === undefined
      ? Array.from(ends, (_, unit) => unit)
      : Array.from(toNumbers(await read(idName)), Number);
  if (units.length !== ends.length || new Set(units).size !== units.length) {
    throw new CommandError(
      `Expected a different id for each of the ${ends.length} units in ${idName ?? index} of ${path} but received ` +
        `${units.length} ids, ${new Set(units).size} of them different.`,
    );
  }
  const ids = new Float64Array(times.length);
  let begin = 0;
  const expected = `Expected whole numbers that ascend to ${times.length}, as there are spikes, in ${index} of ${path}`;
  if (ends.length === 0 && times.length > 0)
    throw new CommandError(`${expected} but received none.`);
  ends.forEach((end, unit) => {
    const isLast = unit === ends.length - 1;
    const isEnd = Number.isInteger(end) && end >= begin && end <= times.length;
    if (!isEnd || (isLast && end !== times.length)) {
      throw new CommandError(`${expected} but received ${end} at [${unit}].`);
    }
    ids.fill(units[unit] ?? NaN, begin, end);
    begin = end;
  });
  return { times, ids, units };
}
