/** Records a hash of each step's inputs. A step is repeated only if they have changed. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { root } from './run.mjs';

export class Stamps {
  #file;

  constructor(file) {
    this.#file = file;
  }

  isCurrent(step, hash) {
    return this.#read()[step] === hash;
  }

  /** Records a step that has succeeded. */
  record(step, hash) {
    this.#write({ ...this.#read(), [step]: hash });
  }

  /** To be called before a step changes its result. */
  forget(step) {
    const { [step]: forgotten, ...rest } = this.#read();
    if (forgotten !== undefined) this.#write(rest);
  }

  #write(stamps) {
    mkdirSync(dirname(this.#file), { recursive: true });
    const temporary = `${this.#file}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify(stamps, null, 2));
    renameSync(temporary, this.#file);
  }

  #read() {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch {
      return {};
    }
  }
}

/** A hash of files and whole folders, relative to the project, and of further words. */
export function hashOf(paths, words = []) {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of filesOf(path)) {
      hash.update(`${file}\0`);
      hash.update(readFileSync(join(root, file)));
    }
  }
  return hash.update(words.join('\0')).digest('hex');
}

function filesOf(path) {
  try {
    return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length))
      .sort();
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path];
    throw error;
  }
}
