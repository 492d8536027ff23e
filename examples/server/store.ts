/** Saved sessions: a file each, written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Parameters } from './engine';

export interface SavedSession {
  parameters: Parameters;
  source: unknown;
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

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

  /** Undefined for an id that nothing was saved under. */
  async load(id: string): Promise<SavedSession | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#folder, `${id}.json`), 'utf8')) as SavedSession;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Removes what nobody has come back for, and what a crash has left half written. */
  async removeOld(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names) {
      const file = join(this.#folder, name);
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Infinity }));
      if (Date.now() - mtimeMs > this.#keepSeconds * 1000) await rm(file, { force: true });
    }
  }
}
