/** How an output was made: kept with it, readable by people and by `expsyn info`. */
import { readFile, realpath } from 'node:fs/promises';

import { CommandError } from '../errors/command-errors';
import { message, option } from '../errors/message';
import { isThere } from '../formats/files/complete-file';
import type { AddressOptions } from '../formats/http/reader';
import { openNpyLayout } from '../formats/npy/npy-file';
import { describeZarr } from '../formats/zarr/zarr';
import type { Job } from './job';
import { fingerprintOutput } from './output-files';

const CLASS = 'ExpSynRun';

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
  /** Of the output: see fingerprintOutput(). */
  fingerprint: string;
}

/** Beside a .npy file, which has no room for it. */
export function provenancePathOf(path: string): string {
  return `${path}.json`;
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

export function encodeProvenance(provenance: Provenance): Buffer {
  return Buffer.from(`${JSON.stringify(provenance, undefined, 2)}\n`);
}

/**
 * How an output was made; undefined when nothing tells, or only of another array.
 *
 * @param address How it is read, where it is an address.
 * @throws CommandError when what tells is corrupt.
 */
export async function readProvenance(
  path: string,
  format: 'npy' | 'zarr',
  address?: AddressOptions,
): Promise<Provenance | undefined> {
  const found = await (format === 'npy' ? readBeside(path) : readInside(path, address));
  if (!isObject(found) || found['class'] !== CLASS) return undefined;
  if (isProvenance(found)) return (await isOf(found, path, format)) ? found : undefined;
  const place = format === 'npy' ? provenancePathOf(path) : path;
  throw new CommandError(
    `Expected how ${path} was made, as 'expsyn run' writes it, in ${place} but it is corrupt; remove it.`,
  );
}

/**
 * Whether an array is the one that was made: by its shape, its type and samples of its content. What
 * lies beside a file may be about the one that was there before. The array itself may be gone or corrupt.
 */
async function isOf(
  { job, fingerprint }: Provenance,
  path: string,
  format: 'npy' | 'zarr',
): Promise<boolean> {
  if (!(await isThere(path))) return true;
  try {
    const { shape, type } =
      format === 'npy' ? (await openNpyLayout(path)).layout : await describeZarr(path);
    if (shape.join() !== job.shape.join() || type !== job.settings.dtype) return false;
    return (await fingerprintOutput(path, format)) === fingerprint;
  } catch (error) {
    if (error instanceof CommandError) return true;
    throw error;
  }
}

/** Refuses to write how an output was made over a file that is about something else. */
export async function requireOwnPlace(out: string): Promise<void> {
  const place = provenancePathOf(out);
  const text = await readFile(place, 'utf8').catch(() => undefined);
  if (text === undefined || text.includes(`"${CLASS}"`)) return;
  throw new CommandError(
    message`Expected ${place}, where it is written how ${out} was made, to be free but it is another file; \
move it, or give another ${option('out')}.`,
  );
}

/** Whether everything is there that is shown or used. */
function isProvenance(found: unknown): found is Provenance {
  if (!isObject(found) || found['version'] !== 1) return false;
  const { command, finished, node, platform, job, fingerprint } = found;
  if (!isObject(job) || !isObject(job['settings']) || !isObject(job['input'])) return false;
  const { tau, dt, dtype, noiseStd, noise, seed } = job['settings'];
  const { shape, output, software, windowLength } = job;
  const isPositive = (value: unknown): boolean =>
    typeof value === 'number' && value > 0 && value < Infinity;
  return (
    Array.isArray(command) &&
    [...(command as unknown[]), finished, node, platform, software, fingerprint].every(
      (text) => typeof text === 'string',
    ) &&
    Array.isArray(tau) &&
    tau.length > 0 &&
    tau.every(isPositive) &&
    isPositive(dt) &&
    (dtype === 'float64' || dtype === 'float32') &&
    typeof noiseStd === 'number' &&
    typeof noise === 'string' &&
    typeof seed === 'number' &&
    (windowLength === 'Infinity' || isPositive(windowLength)) &&
    typeof job['input']['path'] === 'string' &&
    isObject(output) &&
    Array.isArray(shape) &&
    shape.length === 3
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
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
  } catch {
    // Another program's, then: ours appear when they are whole.
    return undefined;
  }
}

async function readInside(path: string, address?: AddressOptions): Promise<unknown> {
  const { attributes } = await describeZarr(path, address);
  return attributes['expsyn'];
}
