/** The arrays of NumPy's .npz archives. */
import { open } from 'node:fs/promises';

import { fileError } from '../../errors/system-errors';
import { LastFile } from '../files/last-file';
import { isRegularFile } from '../files/read-bytes';
import { hasEnding, type Given } from '../format';
import { isAddress } from '../http/address';
import { parseLayout } from '../npy/header';
import { decodeNpy } from '../npy/npy';
import { chooseMember } from './members';
import type { ArrayNode, ArrayNodes, NamedArrays } from './named-arrays';
import { isStructured, readStructured } from './structured';
import { withZip, type Zip, type ZipEntry } from './zip';

export const NPZ_ENDINGS = ['.npz'];
const SIGNATURE = 'PK\x03\x04';

/** The beginning of each array has to be read for that. */
const last = new LastFile<ArrayNodes>();

export async function isNpz(path: string): Promise<boolean> {
  if (isAddress(path) || !hasEnding(path, NPZ_ENDINGS) || !(await isRegularFile(path)))
    return false;
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === SIGNATURE;
  } finally {
    await file.close();
  }
}

/** Opens an archive for some reading. */
export async function withNpz<Result>(
  path: string,
  use: (arrays: NamedArrays) => Promise<Result>,
): Promise<Result> {
  try {
    return await withZip(path, async (zip) => {
      const files = zip.entries.filter(({ name }) => name.endsWith('.npy'));
      const entries = new Map(files.map((entry) => [entry.name.slice(0, -'.npy'.length), entry]));
      const nodes = await last.ask(path, '', async () => nodesOf(zip, entries));
      const bytesOf = async (name: string) => zip.read(chooseMember(entries, name, path));
      return use({
        path,
        kind: 'arrays',
        nodes,
        readArray: async (name) => decodeNpy(await bytesOf(name), `${name} of ${path}`),
        readRecords: async (name, options) => {
          const bytes = await bytesOf(name);
          const read = async (from: number, length: number) =>
            Promise.resolve(bytes.subarray(from, from + length));
          const source = { size: bytes.length, read };
          return readStructured(source, `${name}.npy of ${path}`, options);
        },
        // NumPy has none.
        readCells: async () => Promise.resolve([]),
      });
    });
  } catch (error) {
    throw fileError('read', path, error);
  }
}

async function nodesOf(zip: Zip, entries: ReadonlyMap<string, ZipEntry>): Promise<ArrayNodes> {
  const nodes = new Map<string, ArrayNode>();
  for (const [name, entry] of entries) nodes.set(name, nodeOf(await zip.readHead(entry)));
  return nodes;
}

/** What an array is by the beginning of its file; reading one that cannot be read tells why. */
function nodeOf(head: Uint8Array): ArrayNode {
  if (isStructured(head)) return { content: 'records', shape: [] };
  try {
    return { content: 'numbers', shape: parseLayout(head, '').shape };
  } catch {
    return { content: 'numbers', shape: [] };
  }
}

/** Whether an archive, of which the user names no array, holds arrays of some names. */
export async function holdsArrays(
  path: string,
  { member }: Given,
  has: (nodes: ArrayNodes) => boolean,
): Promise<boolean> {
  if (member !== undefined || !(await isNpz(path))) return false;
  return withNpz(path, async ({ nodes }) => Promise.resolve(has(nodes))).catch(() => false);
}
