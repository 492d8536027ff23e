/** Populations and segments of units, of which one is read. */
import { CommandError } from '../../errors/command-errors';
import { message, option } from '../../errors/message';
import type { EventTable } from '../events/event-table';

/** The population of a name, or the only one. */
export function choosePopulation<One extends { name: string }>(
  populations: readonly One[],
  wanted: string | undefined,
  path: string,
): One {
  const [first] = populations;
  const isOne = populations.length === 1 && wanted === undefined;
  const found = isOne ? first : populations.find(({ name }) => name === wanted);
  if (found !== undefined) return found;
  const names = populations.map(({ name }) => `'${name}'`).join(', ');
  throw new CommandError(
    message`Expected one of the populations ${names} of ${path} for ${option('population')} but received \
${wanted === undefined ? 'none' : `'${wanted}'`}.`,
  );
}

/** The events of one population, given that of each event. */
export function choosePart(
  table: EventTable,
  parts: ArrayLike<string | number>,
  wanted: string | undefined,
  path: string,
): EventTable {
  const populations = [...new Set(Array.from(parts, String))].map((name) => ({ name }));
  if (populations.length === 0) return table;
  const { name } = choosePopulation(populations, wanted, path);
  return populations.length === 1
    ? table
    : keepEvents(table, (event) => String(parts[event]) === name);
}

/** Some of the events. */
export function keepEvents(table: EventTable, isKept: (event: number) => boolean): EventTable {
  const { times, ids } = table;
  return {
    ...table,
    times: times.filter((_: number | bigint, event: number) => isKept(event)),
    ids: Array.from(ids).filter((_, event) => isKept(event)),
  };
}
