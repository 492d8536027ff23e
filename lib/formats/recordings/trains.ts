/** An array of times for each unit, whose name has the unit's number: unit_0, unit_1, or units/7/spike_times. */
import { CommandError } from '../../errors/command-errors';
import { listNames, message, option } from '../../errors/message';
import type { Elements } from '../elements';
import { toNumbers } from '../events/event-files';
import type { EventTable } from '../events/event-table';
import { isListName, isUnitName } from './columns';
import { isFlat, readNumbers, type ArrayNodes, type NamedArrays } from './named-arrays';

/** What stands for the number in a pattern. */
const STAR = '*';
/** Such names may also be those of the beginning and the end of something. */
const VAGUE = /^(?:t|ts|time|time_?stamp)[^a-z]*$/i;

/** Whether a user names arrays by a pattern. */
export function isPattern(member: string): boolean {
  return member.split(STAR).length === 2;
}

/** The arrays of a pattern by what the star stands for. */
function matching(nodes: ArrayNodes, pattern: string): [star: string, name: string][] {
  const [before = '', after = ''] = pattern.replace(/^\/|\/$/g, '').split(STAR);
  return [...nodes.keys()].flatMap((name): [string, string][] => {
    const star = name.slice(before.length, name.length - after.length);
    const isMatch =
      name === before + star + after && star !== '' && name.length >= before.length + after.length;
    return isMatch && !star.includes('/') ? [[star, name]] : [];
  });
}

/** The patterns whose words say that they are of times of units, and whose arrays are all lists of numbers. */
export function trainsIn(nodes: ArrayNodes): string[] {
  const patterns = new Set(
    [...nodes].flatMap(([name, node]) => {
      if (!isFlat(node)) return [];
      return [...name.matchAll(/\d+/g)].map(
        ({ index, 0: digits }) => name.slice(0, index) + STAR + name.slice(index + digits.length),
      );
    }),
  );
  return [...patterns].filter((pattern) => {
    if (!isPlain(pattern)) return false;
    const found = matching(nodes, pattern).filter(([star]) => /^\d+$/.test(star));
    const sizes = found.map(([, name]) => nodes.get(name)?.shape ?? []);
    // One array alone may be of anything, unless it is called times.
    const isPlural = found.length > 1 || wordsOf(pattern).some(isListName);
    return (
      isPlural &&
      found.every(([, name]) => isFlat(nodes.get(name))) &&
      sizes.some((shape) => shape.some((size) => size !== 1))
    );
  });
}

/** Whether the words of a pattern name times, and what the number is of, and nothing else. */
function isPlain(pattern: string): boolean {
  const groups = pattern.split('/');
  const at = groups.findIndex((word) => word.includes(STAR));
  const [before = '', after = ''] = groups[at]?.split(STAR) ?? [];
  const [parent = '', leaf = '', ...inner] = [groups[at - 1], ...groups.slice(at + 1)];
  const hasParent = parent !== '';
  const isOfUnits = hasParent && (isUnitName(parent) || isListName(parent));
  if ((hasParent && !isOfUnits) || inner.length > 0) return false;
  if (leaf !== '') return (before === '' || isUnitName(before)) && after === '' && isListName(leaf);
  if (before === '') return isOfUnits && after === '';
  return isUnitName(before)
    ? after === '' || isListName(after)
    : isListName(before) && !VAGUE.test(before) && after === '';
}

/** The arrays of a pattern by the ids of their units, in order. */
export function trainsOf(nodes: ArrayNodes, pattern: string, path: string): Map<number, string> {
  const all = matching(nodes, pattern).filter(([, name]) => nodes.get(name)?.content !== 'other');
  if (all.length === 0) {
    const names = [...nodes].flatMap(([name, { content }]) => (content === 'other' ? [] : [name]));
    throw new CommandError(
      message`Expected arrays with a number in place of * for ${option('member')} but received '${pattern}', as which \
none of the arrays ${listNames(names)} of ${path} is named.`,
    );
  }
  const ids = all.map(([star]) => (/^\d+$/.test(star) ? Number(star) : NaN));
  if (!ids.every(Number.isSafeInteger) || new Set(ids).size < ids.length) {
    throw new CommandError(
      message`Expected a different whole number for each unit in place of * in '${pattern}' for ${option('member')} but \
received ${listNames(all.map(([star]) => `'${star}'`))} in ${path}; give a pattern that only such names have.`,
    );
  }
  const names = all.map(([, name], index) => [ids[index] ?? NaN, name] as const);
  return new Map(names.sort(([a], [b]) => a - b));
}

/** The words of a pattern, the last one first. */
export function wordsOf(pattern: string): string[] {
  return pattern
    .split(/[/*]/)
    .filter((word) => word !== '')
    .reverse();
}

/**
 * The events of such arrays.
 *
 * @param trains Those of the pattern, by the ids of their units.
 * @param isGuess Whether their names alone say that they are times.
 */
export async function readTrains(
  arrays: NamedArrays,
  trains: ReadonlyMap<number, string>,
  pattern: string,
  isGuess: boolean,
): Promise<EventTable> {
  const { nodes, path } = arrays;
  const lists: Elements[] = [];
  for (const name of trains.values()) {
    if (nodes.get(name)?.shape.length === 0) {
      throw new CommandError(
        `Expected shape (E,) for ${name} of ${path} but received a single number.`,
      );
    }
    const list = await readNumbers(arrays, name);
    if (isGuess && !isAscending(list)) {
      throw new CommandError(
        message`Expected times of spikes in ascending order in ${name} of ${path} but received others; give \
${option('member', `'${pattern}'`)} if these are times.`,
      );
    }
    lists.push(list);
  }
  return tableOfLists(lists, [...trains.keys()]);
}

/** Whether a list may be times of spikes by its order. */
export function isAscending(list: Elements): boolean {
  let isRising = list.length < 2;
  for (let event = 1; event < list.length; event++) {
    const [last = NaN, next = NaN] = [list[event - 1], list[event]];
    if (!(next >= last)) return false;
    isRising ||= next > last;
  }
  return isRising;
}

/** The events of lists of times, of which each is a unit. */
export function tableOfLists(all: readonly Elements[], units: readonly number[]): EventTable {
  // Lists without times may be of another type.
  const types = new Set(all.filter((list) => list.length > 0).map((list) => list.constructor));
  const [type = Float64Array] = types;
  const length = all.reduce((sum, list) => sum + list.length, 0);
  const isOne = types.size < 2;
  const times = new (isOne ? (type as Float64ArrayConstructor) : Float64Array)(length);
  const ids = new Float64Array(length);
  let begin = 0;
  all.forEach((list, index) => {
    if (list.length > 0) times.set(isOne ? (list as Float64Array) : toNumbers(list), begin);
    ids.fill(units[index] ?? NaN, begin, (begin += list.length));
  });
  return { times, ids, units };
}
