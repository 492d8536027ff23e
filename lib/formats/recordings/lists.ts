/** Lists of events among the arrays of a file: which there are, and which one a user means. */
import { CommandError } from '../../errors/command-errors';
import { listNames, message, option } from '../../errors/message';
import { isListName, nameEvents, namePixels, pairIn } from './columns';
import { groupsOf, joinName, splitName, type ArrayNodes, type NamedArrays } from './named-arrays';
import { indexOf, isRagged, raggedIn } from './ragged';
import { isPattern, trainsIn } from './trains';

/** A list of events. */
export interface Listing {
  /** What chooses it: a group, an array, that of the times of lists, or a pattern of arrays of units. */
  name: string;
  content: 'columns' | 'records' | 'cells' | 'ragged' | 'trains' | 'pairs';
}

/** What Prophesee calls the places of some events among all, by their times. */
const INDEX = /^index(?:es)?$/;

/** All lists whose names tell that they list events. */
export function listsIn(nodes: ArrayNodes, fieldsOf: (name: string) => string[]): Listing[] {
  const lists = listsNamed(nodes, fieldsOf, nameEvents);
  // Events of a camera without polarities have the names of positions, which are beside other lists.
  return lists.length > 0 ? lists : listsNamed(nodes, fieldsOf, namePixels);
}

function listsNamed(
  nodes: ArrayNodes,
  fieldsOf: (name: string) => string[],
  isNamed: (names: readonly string[]) => boolean,
): Listing[] {
  const ragged = raggedIn(nodes);
  const columns = [...groupsOf(nodes)].flatMap(([group, names]): Listing[] => {
    const hasLists = ragged.some((name) => splitName(name)[0] === group);
    return isNamed(names) && !hasLists ? [{ name: group, content: 'columns' }] : [];
  });
  const others = [...nodes].flatMap(([name, { content }]): Listing[] => {
    const [, own] = splitName(name);
    const isRecords = content === 'records' && !INDEX.test(own) && isNamed(fieldsOf(name));
    return isRecords || (content === 'cells' && isListName(own)) ? [{ name, content }] : [];
  });
  return [
    ...columns,
    ...ragged.map((name): Listing => ({ name, content: 'ragged' })),
    ...others,
    ...trainsIn(nodes).map((name): Listing => ({ name, content: 'trains' })),
  ];
}

/** Whether a user names arrays that are a list of events. */
export function isListing({ nodes }: Pick<NamedArrays, 'nodes'>, member: string): boolean {
  return pairIn(member) !== undefined || contentAt(nodes, member) !== undefined;
}

function contentAt(nodes: ArrayNodes, name: string): Listing['content'] | undefined {
  if (isPattern(name)) return 'trains';
  const content = nodes.get(name)?.content;
  if (content === 'records' || content === 'cells') return content;
  return isRagged(nodes, name) ? 'ragged' : undefined;
}

function sizeAt(nodes: ArrayNodes, name: string): number | undefined {
  return nodes.get(name)?.shape.reduce((product, size) => product * size, 1);
}

/** The list of a name, or the only one; any two arrays are one, a pair of the whole file. */
export function chooseList(
  lists: readonly Listing[],
  { nodes, path, kind }: NamedArrays,
  member: string | undefined,
): Listing {
  const pair = pairIn(member);
  if (pair !== undefined) {
    const [times, ids] = pair;
    // Of lists, the other array is their index, or has an id for each of them, not for each event.
    const [nLists, nIds] = [indexOf(times), ids].map((each) => sizeAt(nodes, each));
    const isOfLists = isRagged(nodes, times) && nLists === nIds;
    return isOfLists ? { name: times, content: 'ragged' } : { name: '', content: 'columns' };
  }
  const name = member?.replace(/^\/|\/$/g, '');
  const found =
    name === undefined
      ? lists.slice(0, lists.length === 1 ? 1 : 0)
      : lists.filter((list) => list.name === name);
  const content = name === undefined ? undefined : contentAt(nodes, name);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (name !== undefined && content !== undefined) return { name, content };
  const received = member === undefined ? 'none' : `'${member}'`;
  const names = lists.map((list) => `'${list.name || '/'}'`);
  const two = `TIMES,CHANNELS with the ${kind === 'arrays' ? 'names' : 'paths'} of two ${kind}`;
  const pattern = 'a pattern with * for the number of each unit';
  throw new CommandError(
    lists.length > 0
      ? message`Expected one of the lists of events ${listNames(names)} of ${path} for ${option('member')}, ${two}, or \
${pattern}, but received ${received}.`
      : message`Expected ${two} of ${path}, or ${pattern}, for ${option('member')} but received ${received}.`,
  );
}

/** The names of a group; of the whole file if the user has given two. */
export function namesOf({ nodes }: NamedArrays, group: string, isPair: boolean): string[] {
  const groups = [...groupsOf(nodes)];
  return isPair
    ? groups.flatMap(([each, names]) => names.map((own) => joinName(each, own)))
    : (groups.find(([each]) => each === group)?.[1] ?? []);
}
