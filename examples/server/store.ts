/** Saved sessions: a file each, written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Parameters } from './engine';
import type { SavedSource } from './saved-source';

export interface SavedSession {
  /** Of all its sources. */
  parameters: Parameters;
  sources: SavedSource[];
}

/** A file that holds no session. */
export class DamagedSessionError extends Error {}

const UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const ID = new RegExp(`^${UUID}$`);
/** Files of ours: whole ones, and those that a crash has left. */
const FILE = new RegExp(`^${UUID}\\.json(\\.${UUID}\\.tmp)?$`);

export class Store {
  readonly #folder: string;
  readonly #keepSeconds: number;

  constructor(folder: string, keepSeconds: number) {
    this.#folder = folder;
    this.#keepSeconds = keepSeconds;
  }

  static newId(): string {
    return randomUUID();
  }

  static isId(text: string): boolean {
    return ID.test(text);
  }

  /** Throws, in a sentence, where nothing can be saved. */
  async prepare(): Promise<void> {
    const probe = join(this.#folder, `${Store.newId()}.json.${randomUUID()}.tmp`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFile(probe, '');
      await rm(probe);
    } catch (error) {
      throw new Error(
        `Expected a folder that can be written for EXPSYN_SERVER_FOLDER but ${this.#folder} is none: ` +
          `${(error as NodeJS.ErrnoException).code}.`,
        { cause: error },
      );
    }
    await this.removeOld();
  }

  async save(id: string, session: SavedSession): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = join(this.#folder, `${id}.json`);
    const whole = `${file}.${randomUUID()}.tmp`;
    try {
      await writeFile(whole, JSON.stringify(session), { mode: 0o600, flush: true });
      await rename(whole, file);
    } catch (error) {
      await rm(whole, { force: true });
      throw error;
    }
  }

  /**
   * What was saved under an id, of which nothing has been checked; undefined when nothing was.
   *
   * @throws DamagedSessionError when it is no JSON; other errors where it cannot be read.
   */
  async load(id: string): Promise<{ parameters?: unknown; sources?: unknown } | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.#folder, `${id}.json`), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return (JSON.parse(text) ?? {}) as { parameters?: unknown; sources?: unknown };
    } catch (cause) {
      throw new DamagedSessionError(`Expected a saved session in ${id}.json.`, { cause });
    }
  }

  /** Removes sessions that nobody has come back for, and what a crash has left half written. */
  async removeOld(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names.filter((one) => FILE.test(one))) {
      const file = join(this.#folder, name);
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Infinity }));
      if (Date.now() - mtimeMs <= this.#keepSeconds * 1000) continue;
      // What cannot be removed is in nobody's way.
      await rm(file, { force: true }).catch(() => undefined);
    }
  }
}
