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
  if (isProvenance(found)) return found;
  const place = format === 'npy' ? provenancePathOf(path) : path;
  throw new CommandError(
    `Expected how ${path} was made, as 'expsyn run' writes it, in ${place} but received something else.`,
  );
}

/** Whether everything is there that is shown or used. */
function isProvenance(found: unknown): found is Provenance {
  if (!isObject(found) || found['class'] !== 'ExpSynRun' || found['version'] !== 1) return false;
  const { command, finished, node, platform, job } = found;
  if (!isObject(job) || !isObject(job['settings']) || !isObject(job['input'])) return false;
  const { tau, dt, dtype, noiseStd, noise, seed } = job['settings'];
  const { shape, output, software, windowLength } = job;
  const isPositive = (value: unknown): boolean =>
    typeof value === 'number' && value > 0 && value < Infinity;
  return (
    Array.isArray(command) &&
    [...(command as unknown[]), finished, node, platform, software].every(
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
  } catch (cause) {
    throw new CommandError(`Expected JSON in ${place} but it is damaged.`, { cause });
  }
}

async function readInside(path: string): Promise<unknown> {
  const { attributes } = await describeZarr(path);
  return attributes['expsyn'];
}
