/** Arrays of a file by their names: those of an .npz archive, or the datasets of an HDF5 file. */
import { asList, type Elements } from '../elements';
import type { EventTable } from '../events/event-table';
import type { ReadingOptions } from '../format';

/** What stands at a name; in HDF5 also a group, whose content is another. */
export interface ArrayNode {
  /** What the elements are; cells are references to arrays, as MATLAB writes them. */
  content: 'numbers' | 'records' | 'cells' | 'other';
  shape: readonly number[];
  /** Attributes that are texts, lists of texts, and numbers. */
  texts?: Readonly<Record<string, string>>;
  lists?: Readonly<Record<string, readonly string[]>>;
  numbers?: Readonly<Record<string, number>>;
}

export type ArrayNodes = ReadonlyMap<string, ArrayNode>;

export interface NamedArrays {
  /** Of the file. */
  path: string;
  /** What to call them. */
  kind: 'arrays' | 'datasets';
  nodes: ArrayNodes;
  /** An array of numbers, in row-major (C) order. */
  readArray: (name: string) => Promise<{ data: Elements; shape: readonly number[] }>;
  readRecords: (name: string, options: ReadingOptions) => Promise<EventTable>;
  readCells: (name: string) => Promise<Elements[]>;
}

/** An array with one axis that is longer than 1, or none. */
export async function readNumbers(arrays: NamedArrays, name: string): Promise<Elements> {
  return asList(await arrays.readArray(name), `${name} of ${arrays.path}`);
}

/** The group and the name in it: 'units/id' is 'id' in 'units'. */
export function splitName(name: string): [group: string, own: string] {
  const at = name.lastIndexOf('/');
  return [name.slice(0, Math.max(0, at)), name.slice(at + 1)];
}

export function joinName(group: string, own: string): string {
  return group === '' ? own : `${group}/${own}`;
}

/** Of an array of MATLAB without elements, the dataset holds the shape. */
export function isFull({ numbers }: ArrayNode): boolean {
  return numbers?.['MATLAB_empty'] !== 1;
}

/** Whether it is a list of numbers, perhaps of one, but no single number. */
export function isFlat(node: ArrayNode | undefined): boolean {
  return (
    node?.content === 'numbers' &&
    node.shape.length > 0 &&
    node.shape.filter((size) => size !== 1).length <= 1
  );
}

/** The names of the arrays of numbers of each group. */
export function groupsOf(nodes: ArrayNodes): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, node] of nodes) {
    if (node.content !== 'numbers' || !isFull(node)) continue;
    const [group, own] = splitName(name);
    const names = groups.get(group);
    if (names === undefined) groups.set(group, [own]);
    else names.push(own);
  }
  return groups;
}
