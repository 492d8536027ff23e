/** How an output was made: kept with it, readable by people and by `expsyn info`. */
import { readFile, realpath } from 'node:fs/promises';

import { CommandError } from '../errors';
import { describeZarr } from '../formats/zarr';
import type { Job } from './job';

/** Everything that is needed to make the output again, and to know what made it. */
export interface Provenance {
  class: 'ExpSynRun';
  version: 1;
  /** The command line that was given, without the program. */
  command: string[];
  /** When the run was complete, in ISO 8601. */
  finished: string;
  /** Versions and machine. */
  node: string;
  platform: string;
  job: Omit<Job, 'shards'>;
}

/** Beside a .npy file, which has no room for it. */
export function provenancePathOf(path: string): string {
  return `${path}.json`;
}

export function makeProvenance(job: Job, command: readonly string[]): Provenance {
  const description: Omit<Job, 'shards'> & { shards?: unknown } = { ...job };
  delete description.shards;
  return {
    class: 'ExpSynRun',
    version: 1,
    command: [...command],
    finished: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    job: description,
  };
}

export function encodeProvenance(provenance: Provenance): Buffer {
  return Buffer.from(`${JSON.stringify(provenance, undefined, 2)}\n`);
}

/**
 * How an output was made; undefined when nothing tells.
 *
 * @throws CommandError when what tells is damaged.
 */
export async function readProvenance(
  path: string,
  format: 'npy' | 'zarr',
): Promise<Provenance | undefined> {
  const found = await (format === 'npy' ? readBeside(path) : readInside(path));
  if (found === undefined) return undefined;
  const { class: name, version, job } = found as Partial<Provenance>;
  if (name === 'ExpSynRun' && version === 1 && job?.settings !== undefined) {
    return found as Provenance;
  }
  throw new CommandError(
    `Expected how ${path} was made, as 'expsyn run' writes it, but received something else.`,
  );
}

async function readBeside(path: string): Promise<unknown> {
  // It lies beside what a symbolic link leads to.
  const place = provenancePathOf(await realpath(path).catch(() => path));
  let text: string;
  try {
    text = await readFile(place, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new CommandError(`Expected JSON in ${place} but it is damaged.`, { cause });
  }
}

async function readInside(path: string): Promise<unknown> {
  const { attributes } = await describeZarr(path);
  return attributes['expsyn'];
}
