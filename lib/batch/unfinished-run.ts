/** The folder beside an output in which a run keeps what it has done until it is complete. */
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';

import { CommandError, DamagedRunError, fileError, isMissing } from '../errors';
import {
  flushFolder,
  makeFolder,
  resolveTarget,
  writeCompleteFile,
} from '../formats/complete-file';
import type { CurrentsLayout, CurrentsSink } from '../formats/currents-sink';
import { createNpy, openNpyLayout, openNpySink } from '../formats/npy-file';
import { createZarr, describeZarr, openZarrSink, updateZarrAttributes } from '../formats/zarr';
import { isSameInput } from '../formats/raster-source';
import type { Job } from './job';
import { Journal } from './journal';
import { countBlocks } from './plan';
import { encodeProvenance, provenancePathOf, type Provenance } from './provenance';

/** The folder of the run whose output is to be `out`: hidden, and on the same disk. */
export function unfinishedFolderOf(out: string): string {
  return join(dirname(out), `.${basename(out)}.part`);
}

/**
 * Where an output is to be: what a symbolic link leads to, as an absolute path.
 *
 * @throws CommandError when something stands there that must not be replaced.
 */
export async function resolveOutput(out: string, format: 'npy' | 'zarr'): Promise<string> {
  const absolute = resolve(out);
  if (format === 'npy') return resolveTarget(absolute);
  const found = await stat(absolute).catch(() => undefined);
  if (found === undefined) return absolute;
  const isArray = await isThere(join(absolute, 'zarr.json'));
  if (found.isDirectory() && isArray) return absolute;
  throw new CommandError(
    `Expected the name of a Zarr array to write but ${out} is something else; give another name.`,
  );
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** A run that has been begun and is not complete. */
export class UnfinishedRun {
  readonly folder: string;
  readonly job: Job;

  private constructor(folder: string, job: Job) {
    this.folder = folder;
    this.job = job;
  }

  /** The run that has been begun for an output, if there is one. `out` is a resolved path. */
  static async open(out: string): Promise<UnfinishedRun | undefined> {
    return UnfinishedRun.openFolder(unfinishedFolderOf(out));
  }

  /** The run that lies in a folder, if there is one. */
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
      const job = JSON.parse(text) as Partial<Record<keyof Job, unknown>>;
      if (job.class === 'ExpSynJob' && job.version === 1) {
        return new UnfinishedRun(folder, job as unknown as Job);
      }
    } catch {
      // Told below.
    }
    throw new DamagedRunError(`the description of a run, ${path},`);
  }

  /** Removes a folder in which no run is left, where that is possible. `out` is a resolved path. */
  static async sweep(out: string): Promise<void> {
    const folder = unfinishedFolderOf(out);
    if (await isThere(join(folder, 'job.json'))) return;
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }

  /** Begins a run, in place of any other. `out` is a resolved path. */
  static async begin(out: string, job: Job): Promise<UnfinishedRun> {
    const run = new UnfinishedRun(unfinishedFolderOf(out), job);
    try {
      // What is left of another run must not be taken for a part of this one.
      await rm(join(run.folder, 'job.json'), { force: true });
      await run.#clear();
      await makeFolder(join(run.folder, 'shards'));
      await flushFolder(dirname(run.folder));
    } catch (error) {
      throw fileError('write', out, error);
    }
    const { format, chunkShape, compression } = job.output;
    if (format === 'npy') await createNpy(run.#data, layoutOf(job));
    else {
      await createZarr(run.#data, layoutOf(job), {
        chunkShape: chunkShape ?? job.shape,
        compression: compression ?? 'none',
        attributes: {},
      });
    }
    await run.#describe();
    return run;
  }

  /**
   * The same run, which from now on reads a mended input, and does what another job does about values
   * that are not finite. What is done stays.
   */
  async adapt({ settings: { nonFinite }, identity }: Job): Promise<UnfinishedRun> {
    const { job } = this;
    const isMended = !isSameInput(identity, job.identity);
    if (!isMended && nonFinite === job.settings.nonFinite) return this;
    const run = new UnfinishedRun(this.folder, {
      ...job,
      settings: { ...job.settings, nonFinite },
      ...(isMended && job.identity && { identity, mended: [...(job.mended ?? []), job.identity] }),
    });
    await run.#describe();
    return run;
  }

  async #describe(): Promise<void> {
    const text = `${JSON.stringify(this.job)}\n`;
    await writeCompleteFile(join(this.folder, 'job.json'), [Buffer.from(text)]);
  }

  journal(shard: number): Journal {
    return new Journal(this.folder, shard, this.job.settings.dtype);
  }

  async openSink(): Promise<CurrentsSink> {
    return this.job.output.format === 'npy'
      ? openNpySink(this.#data, layoutOf(this.job))
      : openZarrSink(this.#data, join(this.folder, 'temporaries'));
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

  /** Whether the output has got its name already, and only the folder is left. */
  async isPublished(out: string): Promise<boolean> {
    return !(await isThere(this.#data)) && (await isThere(out));
  }

  /** Gives the complete output its name, with what tells how it was made, and removes the folder. */
  async publish(out: string, provenance: Provenance): Promise<void> {
    try {
      if (this.job.output.format === 'npy') {
        await writeCompleteFile(provenancePathOf(out), [encodeProvenance(provenance)]);
        await rename(this.#data, out);
      } else {
        await updateZarrAttributes(this.#data, { expsyn: provenance });
        // A folder that is not empty cannot be replaced by renaming.
        if (await isThere(out)) await rename(out, join(this.folder, 'replaced'));
        await rename(this.#data, out);
      }
      await flushFolder(dirname(out));
    } catch (error) {
      throw fileError('write', out, error);
    }
    await this.remove();
  }

  async remove(): Promise<void> {
    try {
      await rm(join(this.folder, 'job.json'), { force: true });
      await this.#clear();
      await rm(this.folder, { recursive: true, force: true });
    } catch (error) {
      throw fileError('write', this.folder, error);
    }
  }

  /** Removes everything but the lock of the process that asks for it. */
  async #clear(): Promise<void> {
    for (const name of ['data.npy', 'data.zarr', 'shards', 'replaced', 'temporaries']) {
      await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }

  get #data(): string {
    return join(this.folder, this.job.output.format === 'npy' ? 'data.npy' : 'data.zarr');
  }
}

/** Whether an output has the shape and the size that a job makes. Its content is not read. */
export async function isWhole(job: Job, out: string): Promise<boolean> {
  try {
    if (job.output.format === 'zarr') {
      const { shape, type, chunkShape } = await describeZarr(out);
      const isSame = shape.join() === job.shape.join() && type === job.settings.dtype;
      const nChunks = shape.reduce(
        (product, axis, index) => product * Math.ceil(axis / (chunkShape[index] ?? 1)),
        1,
      );
      const files = await readdir(join(out, 'c'), { recursive: true }).catch(() => []);
      const chunks = files.filter((name) => name.split(sep).length === shape.length);
      return isSame && chunks.length === nChunks;
    }
    const { layout } = await openNpyLayout(out);
    return layout.shape.join() === job.shape.join() && layout.type === job.settings.dtype;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

export function layoutOf(job: Job): CurrentsLayout {
  return { shape: job.shape, dtype: job.settings.dtype };
}
