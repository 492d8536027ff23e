/** What formats whose arrays are single files have in common: their provenance lies in a file beside them. */
import { chmod, readFile, realpath } from 'node:fs/promises';

import { resolve } from 'node:path';

import type { StoredOutput } from '../format';
import { permissionsOf, resolveTarget, writeCompleteFile } from './complete-file';
import { identifyPath } from './fingerprint';
import { rename } from './patience';

type SingleFileOutput = Pick<
  StoredOutput,
  | 'kind'
  | 'compressions'
  | 'resolve'
  | 'isComplete'
  | 'fingerprint'
  | 'provenancePathOf'
  | 'readProvenance'
  | 'publish'
>;

function provenancePathOf(path: string): string {
  return `${path}.json`;
}

async function readProvenance(path: string): Promise<unknown> {
  // It lies beside the file that a symbolic link leads to.
  const place = provenancePathOf(await realpath(path).catch(() => path));
  try {
    return JSON.parse(await readFile(place, 'utf8')) as unknown;
  } catch {
    // A file that is no JSON belongs to another program: ours appear only when they are complete.
    return undefined;
  }
}

/** The parts of an output format that are the same for every single file without compression. */
export const SINGLE_FILE: SingleFileOutput = {
  kind: 'stored',
  compressions: [],
  resolve: async (out) => resolveTarget(resolve(out)),
  isComplete: () => Promise.resolve(true),
  fingerprint: async (path) => (await identifyPath(path, '')).fingerprint,
  provenancePathOf,
  readProvenance,
  publish: async (data, out, provenance, { temporaries }) => {
    const text = `${JSON.stringify(provenance, undefined, 2)}\n`;
    await writeCompleteFile(provenancePathOf(out), [Buffer.from(text)], { temporaries });
    const permissions = await permissionsOf(out);
    if (permissions !== undefined) await chmod(data, permissions);
    await rename(data, out);
  },
};
