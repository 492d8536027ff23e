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
const ID_LENGTH = 36;
/** Files of ours: whole ones, and those that a crash has left. */
const FILE = new RegExp(`^${UUID}\\.json(\\.${UUID}\\.tmp)?$`);

export interface StoreLimits {
  folder: string;
  keepSeconds: number;
  maxSavedSessions: number;
  maxSavedBytes: number;
}

export class Store {
  readonly #folder: string;
  readonly #limits: StoreLimits;
  readonly #isOpen: (id: string) => boolean;
  /** Bytes of each saved session, the one that was saved last at the end. */
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  /** @param isOpen Whether a connection has the session, so that it must not be removed. */
  constructor(limits: StoreLimits, isOpen: (id: string) => boolean = () => false) {
    this.#folder = limits.folder;
    this.#limits = limits;
    this.#isOpen = isOpen;
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

  /** How many sessions are saved, and the bytes of their files. */
  get saved(): { sessions: number; bytes: number } {
    return { sessions: this.#sizes.size, bytes: this.#bytes };
  }

  async save(id: string, session: SavedSession): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = join(this.#folder, `${id}.json`);
    const whole = `${file}.${randomUUID()}.tmp`;
    try {
      const text = JSON.stringify(session);
      await writeFile(whole, text, { mode: 0o600, flush: true });
      await rename(whole, file);
      this.#count(id, text.length);
    } catch (error) {
      await rm(whole, { force: true });
      throw error;
    }
    await this.#makeRoom();
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

  /**
   * Removes sessions that nobody has come back for, what a crash has left half written, and the oldest
   * sessions where there are too many. The folder is read anew: other servers may use it as well.
   */
  async removeOld(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const found: { id: string; size: number; savedAt: number }[] = [];
    for (const name of names.filter((one) => FILE.test(one))) {
      const file = join(this.#folder, name);
      const { mtimeMs, size } = await stat(file).catch(() => ({ mtimeMs: Infinity, size: 0 }));
      if (mtimeMs === Infinity) continue;
      if (Date.now() - mtimeMs > this.#limits.keepSeconds * 1000) {
        if (!this.#isOpen(name.slice(0, ID_LENGTH))) await this.#remove(file);
      } else if (name.endsWith('.json')) {
        found.push({ id: name.slice(0, -'.json'.length), size, savedAt: mtimeMs });
      }
    }
    this.#sizes.clear();
    this.#bytes = 0;
    found.sort((a, b) => a.savedAt - b.savedAt);
    for (const { id, size } of found) this.#count(id, size);
    await this.#makeRoom();
  }

  #count(id: string, size: number): void {
    this.#forget(id);
    this.#sizes.set(id, size);
    this.#bytes += size;
  }

  #forget(id: string): void {
    this.#bytes -= this.#sizes.get(id) ?? 0;
    this.#sizes.delete(id);
  }

  /** Removes the oldest sessions that are not open, until what is left is within the limits. */
  async #makeRoom(): Promise<void> {
    const { maxSavedSessions, maxSavedBytes } = this.#limits;
    const isOver = () => this.#sizes.size > maxSavedSessions || this.#bytes > maxSavedBytes;
    const removed: string[] = [];
    for (const id of this.#sizes.keys()) {
      // The newest has just been saved.
      if (!isOver() || this.#sizes.size === 1) break;
      if (this.#isOpen(id)) continue;
      this.#forget(id);
      removed.push(id);
    }
    for (const id of removed) {
      if (!this.#sizes.has(id)) await this.#remove(join(this.#folder, `${id}.json`));
    }
  }

  /** What cannot be removed is in nobody's way. */
  async #remove(file: string): Promise<void> {
    await rm(file, { force: true }).catch(() => undefined);
  }
}
