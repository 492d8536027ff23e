/** Saved sessions in a folder: one file each, which replaces the old one in one step. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Parameters } from '../simulation/engine';
import type { SavedSource } from '../simulation/saved-source';

export interface SavedSession {
  /** All its sources have the same parameters. */
  parameters: Parameters;
  sources: SavedSource[];
}

/** The file of a session is not valid JSON. */
export class CorruptSessionError extends Error {}

const UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const ID = new RegExp(`^${UUID}$`);
const ID_LENGTH = 36;
/** The store's own files: sessions, and temporary files that a crash has left. */
const FILE = new RegExp(`^${UUID}\\.json(\\.${UUID}\\.tmp)?$`);

export interface StoreSettings {
  folder: string;
  keepSeconds: number;
  maxSavedSessions: number;
  maxSavedBytes: number;
}

export class SessionStore {
  readonly #folder: string;
  readonly #limits: StoreSettings;
  readonly #isOpen: (id: string) => boolean;
  /** Bytes of each saved session. The one that was saved last is at the end. */
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  /** @param isOpen Whether a connection uses the session, so that its file must not be removed. */
  constructor(limits: StoreSettings, isOpen: (id: string) => boolean = () => false) {
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

  /** Creates the folder and removes old sessions. Rejects if the folder cannot be written. */
  async prepare(): Promise<void> {
    const probe = join(this.#folder, `${SessionStore.newId()}.json.${randomUUID()}.tmp`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFile(probe, '');
      await rm(probe);
    } catch (error) {
      throw new Error(
        `Expected a folder that can be written for EXPSYN_SERVER_FOLDER but ${this.#folder} cannot be: ` +
          `${(error as NodeJS.ErrnoException).code}.`,
        { cause: error },
      );
    }
    await this.removeOld();
  }

  /** The number of saved sessions, and the bytes of their files. */
  get saved(): { sessions: number; bytes: number } {
    return { sessions: this.#sizes.size, bytes: this.#bytes };
  }

  async save(id: string, session: SavedSession): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = join(this.#folder, `${id}.json`);
    const temporary = `${file}.${randomUUID()}.tmp`;
    try {
      const text = JSON.stringify(session);
      await writeFile(temporary, text, { mode: 0o600, flush: true });
      await rename(temporary, file);
      this.#count(id, text.length);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await this.#makeRoom();
  }

  /**
   * Reads a saved session without checking its content. Resolves with undefined if there is none.
   *
   * @throws CorruptSessionError if the file is not valid JSON; a system error if it cannot be read.
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
      throw new CorruptSessionError(`Expected a saved session in ${id}.json.`, { cause });
    }
  }

  /**
   * Removes sessions that no client has used for keepSeconds, temporary files that a crash has left, and
   * the oldest sessions if there are too many. Reads the folder again, since other servers may use it too.
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

  /** Removes the oldest sessions that are not open until the others are within the limits. */
  async #makeRoom(): Promise<void> {
    const { maxSavedSessions, maxSavedBytes } = this.#limits;
    const isOver = () => this.#sizes.size > maxSavedSessions || this.#bytes > maxSavedBytes;
    const removed: string[] = [];
    for (const id of this.#sizes.keys()) {
      // The newest one has just been saved.
      if (!isOver() || this.#sizes.size === 1) break;
      if (this.#isOpen(id)) continue;
      this.#forget(id);
      removed.push(id);
    }
    for (const id of removed) {
      if (!this.#sizes.has(id)) await this.#remove(join(this.#folder, `${id}.json`));
    }
  }

  /** A file that cannot be removed does no harm. */
  async #remove(file: string): Promise<void> {
    await rm(file, { force: true }).catch(() => undefined);
  }
}
