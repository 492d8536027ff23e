/** The provenance of an output: how it was made. It is kept with the output, for people and for programs. */
import { readFile } from 'node:fs/promises';

import { CommandError } from '../errors/command-errors';
import { message, option } from '../errors/message';
import { isThere } from '../formats/files/complete-file';
import type { StoredOutput } from '../formats/format';
import type { AddressOptions } from '../formats/http/reader';
import type { Job, KernelFile } from './job';
import { outputShapeOf } from './kept-steps';
import { areSettings } from './settings';

const CLASS = 'ExpSynRun';
const NO_FILE: KernelFile = { path: '', sha256: '' };

/** Everything that is needed to make the output again, and to know what made it. */
export interface Provenance {
  class: typeof CLASS;
  version: 1;
  /** The command line that was given, without the program. */
  command: string[];
  /** When the run was complete, in ISO 8601. */
  finished: string;
  /** Versions and machine. */
  node: string;
  platform: string;
  job: Omit<Job, 'shards'>;
  /** Of the output: see StoredOutput. */
  fingerprint: string;
}

export function makeProvenance(
  job: Job,
  command: readonly string[],
  fingerprint: string,
): Provenance {
  const description: Omit<Job, 'shards'> & { shards?: unknown } = { ...job };
  delete description.shards;
  return {
    class: CLASS,
    version: 1,
    command: [...command],
    finished: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    job: description,
    fingerprint,
  };
}

/**
 * How an output was made; undefined if there is no provenance, or only that of another array.
 *
 * @param address How it is read if it is an address.
 * @throws CommandError when the provenance is corrupt.
 */
export async function readProvenance(
  path: string,
  format: StoredOutput,
  address?: AddressOptions,
): Promise<Provenance | undefined> {
  const found = await format.readProvenance(path, address);
  if (!isObject(found) || found['class'] !== CLASS) return undefined;
  if (isProvenance(found)) return (await isOf(found, path, format)) ? found : undefined;
  throw new CommandError(
    `Expected how ${path} was made, as 'expsyn run' writes it, in ${format.provenancePathOf(path)} but it ` +
      'is corrupt; remove it.',
  );
}

/**
 * Whether an array is the one that was made: by its shape, its type and samples of its content. The
 * provenance beside a file may be that of an earlier file. The array itself may be gone or corrupt.
 */
async function isOf(
  { job, fingerprint }: Provenance,
  path: string,
  format: StoredOutput,
): Promise<boolean> {
  if (!(await isThere(path))) return true;
  try {
    return (await hasLayout(format, path, job)) && (await format.fingerprint(path)) === fingerprint;
  } catch (error) {
    if (error instanceof CommandError) return true;
    throw error;
  }
}

/** Whether an array has the shape and the type that a job makes. */
export async function hasLayout(
  format: StoredOutput,
  path: string,
  job: Pick<Job, 'shape' | 'settings' | 'reduction'>,
): Promise<boolean> {
  const { shape, type } = await format.readLayout(path);
  return shape.join() === outputShapeOf(job).join() && type === job.settings.dtype;
}

/** Refuses to replace a file that is no provenance by the provenance of an output. */
export async function requireOwnPlace(out: string, format: StoredOutput): Promise<void> {
  const place = format.provenancePathOf(out);
  if (place === out) return;
  const text = await readFile(place, 'utf8').catch(() => undefined);
  if (text === undefined || text.includes(`"${CLASS}"`)) return;
  throw new CommandError(
    message`Expected ${place}, where it is written how ${out} was made, to be free but it is another file; \
move it, or give another ${option('out')}.`,
  );
}

/** Whether all members are there that are shown or used. */
function isProvenance(found: unknown): found is Provenance {
  if (!isObject(found) || found['version'] !== 1) return false;
  const { command, finished, node, platform, job, fingerprint } = found;
  if (!isObject(job) || !areSettings(job['settings']) || !isObject(job['input'])) return false;
  const { shape, output, software, windowLength, fftw = '', kernelFile = NO_FILE } = job;
  const isPositive = typeof windowLength === 'number' && windowLength > 0;
  if (!isObject(kernelFile)) return false;
  const ofKernel = [kernelFile['path'], kernelFile['sha256']];
  const texts = [
    ...ofKernel,
    finished,
    node,
    platform,
    software,
    fftw,
    fingerprint,
    job['input']['path'],
  ];
  return (
    Array.isArray(command) &&
    [...(command as unknown[]), ...texts].every((text) => typeof text === 'string') &&
    (windowLength === 'Infinity' || isPositive) &&
    isObject(output) &&
    Array.isArray(shape) &&
    shape.length === 3
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
