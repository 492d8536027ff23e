/** The folder beside an output in which a run keeps what it has done until it is complete. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { CommandError, CorruptRunError } from '../errors/command-errors';
import { fileError, isMissing } from '../errors/system-errors';
import {
  flushFolder,
  isThere,
  makeFolder,
  writeCompleteFile,
} from '../formats/files/complete-file';
import type { CurrentsLayout, CurrentsSink } from '../formats/currents-sink';
import type { StoredOutput } from '../formats/format';
import { rename } from '../formats/files/patience';
import { storedFormatOf } from '../formats/registry';
import { isSameInput } from '../formats/raster-source';
import type { Job } from './job';
import { Journal } from './journal';
import { countBlocks } from './plan';
import { dismissWorkers } from './submission';
import { outputShapeOf } from './kept-steps';
import { hasLayout, type Provenance } from './provenance';
import { addChecksum, verifyChecksum } from './checksummed';

/** The content of job.json. */
interface Description {
  attempt: string;
  job: Job;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Size of the blocks that stat() counts. */
const BLOCK_BYTES = 512;
/** Where an attempt moves the output that its own replaces. */
const REPLACED = 'replaced';
/** A worker that has not noticed yet may put a file into a folder that is being removed. */
const PATIENTLY = { maxRetries: 5, retryDelay: 100 };

/** The folder of the run whose output is to be `out`: hidden, and on the same disk. */
export function unfinishedFolderOf(out: string): string {
  return join(dirname(out), `.${basename(out)}.part`);
}

/**
 * A run that was started and is not complete. Each attempt has a folder of its own in the run's folder,
 * so that workers of an earlier attempt write where nothing is read.
 */
export class UnfinishedRun {
  readonly folder: string;
  readonly job: Job;
  readonly #attempt: string;

  private constructor(folder: string, attempt: string, job: Job) {
    this.folder = folder;
    this.job = job;
    this.#attempt = attempt;
  }

  /** The folder of this attempt alone. */
  get workFolder(): string {
    return join(this.folder, this.#attempt);
  }

  /** The unfinished run of an output, if there is one. `out` is a resolved path. */
  static async open(out: string): Promise<UnfinishedRun | undefined> {
    return UnfinishedRun.openFolder(unfinishedFolderOf(out));
  }

  /** The unfinished run in a folder, if there is one. */
  static async openFolder(folder: string): Promise<UnfinishedRun | undefined> {
    const path = join(folder, 'job.json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError('read', folder, error);
    }
    try {
      const { attempt, job } = verifyChecksum(text) as {
        attempt: string;
        job: Partial<Record<keyof Job, unknown>>;
      };
      if (job.class === 'ExpsynJob' && job.version === 1 && UUID.test(attempt)) {
        return new UnfinishedRun(folder, attempt, job as unknown as Job);
      }
    } catch {
      // Reported below.
    }
    throw new CorruptRunError(`the description of a run, ${path},`);
  }

  /**
   * Empties the folder of an output that has no unfinished run, except for the lock. This process must
   * hold the lock, since another one may be about to start a run there. `out` is a resolved path.
   */
  static async sweep(out: string): Promise<void> {
    const folder = unfinishedFolderOf(out);
    if (await isThere(join(folder, 'job.json'))) return;
    await clear(folder).catch(() => undefined);
  }

  /** Bytes that the unfinished run of an output takes on its disk. `out` is a resolved path. */
  static async bytesOnDisk(out: string): Promise<number> {
    const folder = unfinishedFolderOf(out);
    let bytes = 0;
    for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
      const found = await stat(join(folder, name)).catch(() => undefined);
      bytes += (found?.blocks ?? 0) * BLOCK_BYTES;
    }
    return bytes;
  }

  /** Begins a run, in place of any other. `out` is a resolved path. */
  static async begin(out: string, job: Job): Promise<UnfinishedRun> {
    const run = new UnfinishedRun(unfinishedFolderOf(out), randomUUID(), job);
    try {
      await putBack(run.folder, out);
      await clear(run.folder);
      await makeFolder(join(run.workFolder, 'shards'));
      await flushFolder(dirname(run.folder));
    } catch (error) {
      throw fileError('write', out, error);
    }
    await run.#format.create(run.#data, layoutOf(job), job.output);
    await run.#describe();
    return run;
  }

  /**
   * The same run, which from now on reads the repaired input of another job, and has its policy on values
   * that are not finite. Blocks that are done stay.
   */
  async adapt({ settings: { nonFinite }, identity }: Job): Promise<UnfinishedRun> {
    const { job } = this;
    const isRepaired = !isSameInput(identity, job.identity);
    if (!isRepaired && nonFinite === job.settings.nonFinite) return this;
    const run = new UnfinishedRun(this.folder, this.#attempt, {
      ...job,
      settings: { ...job.settings, nonFinite },
      ...(isRepaired &&
        job.identity && { identity, repaired: [...(job.repaired ?? []), job.identity] }),
    });
    await run.#describe();
    return run;
  }

  async #describe(): Promise<void> {
    const description: Description = { attempt: this.#attempt, job: this.job };
    await writeCompleteFile(join(this.folder, 'job.json'), [addChecksum(description)], {
      folders: 'own',
    });
  }

  journal(shard: number): Journal {
    return new Journal(this.workFolder, shard, this.job);
  }

  async openSink(): Promise<CurrentsSink> {
    const temporaries = join(this.workFolder, 'temporaries');
    return this.#format.openSink(this.#data, layoutOf(this.job), temporaries);
  }

  /** Makes all workers of the run stop. */
  async dismissWorkers(): Promise<void> {
    await dismissWorkers(this.workFolder);
  }

  /** Blocks of a shard. */
  countBlocks(shard: number): number {
    const region = this.job.shards[shard];
    return region === undefined ? 0 : countBlocks(region, this.job.blocks);
  }

  /** How many blocks are done, and of how many. */
  async progress(): Promise<{ done: number; total: number }> {
    let [done, total] = [0, 0];
    for (const index of this.job.shards.keys()) {
      done += (await this.journal(index).read()).blocksDone;
      total += this.countBlocks(index);
    }
    return { done, total };
  }

  /** Whether the output has its name already, and only the folder is left. */
  async isPublished(out: string): Promise<boolean> {
    return !(await isThere(this.#data)) && (await isThere(out));
  }

  /** Identifies the complete output. See StoredOutput. */
  async fingerprint(): Promise<string> {
    return this.#format.fingerprint(this.#data);
  }

  /**
   * Gives the complete output its name, with its provenance, and removes the remaining files.
   *
   * @throws CommandError when files of it have gone, or it cannot be written there.
   */
  async publish(out: string, provenance: Provenance): Promise<void> {
    try {
      await this.#format.publish(this.#data, out, provenance, {
        temporaries: this.workFolder,
        aside: join(this.workFolder, REPLACED),
      });
      await flushFolder(dirname(out));
    } catch (error) {
      throw fileError('write', out, error);
    }
    await this.remove();
  }

  /** Removes everything but the folder. Removes nothing if another run was started in its place. */
  async remove(): Promise<void> {
    const current = await UnfinishedRun.openFolder(this.folder).catch(() => undefined);
    if (current !== undefined && current.#attempt !== this.#attempt) return;
    try {
      await rm(join(this.folder, 'job.json'), { force: true });
      await rm(this.workFolder, { recursive: true, force: true, ...PATIENTLY });
    } catch (error) {
      throw fileError('write', this.folder, error);
    }
  }

  get #format(): StoredOutput {
    return storedFormatOf(this.job.output.format);
  }

  /** Where the output lies until it is complete. */
  get #data(): string {
    return join(this.workFolder, `data.${this.job.output.format}`);
  }
}

/**
 * Gives an output its name again that a run had moved aside for its own, but could not replace: it was
 * killed in between.
 */
async function putBack(folder: string, out: string): Promise<void> {
  for (const attempt of await readdir(folder).catch(() => [])) {
    const aside = join(folder, attempt, REPLACED);
    if (!UUID.test(attempt) || !(await isThere(aside)) || (await isThere(out))) continue;
    await rename(aside, out);
    await flushFolder(dirname(out));
  }
}

/** Removes everything in a folder but its lock: first the description of the run. */
async function clear(folder: string): Promise<void> {
  await rm(join(folder, 'job.json'), { force: true });
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((one) => !one.startsWith('lock'))) {
    await rm(join(folder, name), { recursive: true, force: true, ...PATIENTLY });
  }
}

/** Whether an output has the shape and the size that a job makes. Its content is not read. */
export async function isWhole(job: Job, out: string): Promise<boolean> {
  const format = storedFormatOf(job.output.format);
  try {
    return (await hasLayout(format, out, job)) && (await format.isComplete(out));
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

export function layoutOf(job: Job): CurrentsLayout {
  return { shape: outputShapeOf(job), dtype: job.settings.dtype };
}
