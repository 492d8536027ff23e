/** What was found in the last file that was asked about, since every format asks whether it is one of its own. */
import { stat } from 'node:fs/promises';

/** Keeps one answer as long as the file is as it was. */
export class LastFile<Answer> {
  #last: { key: string; answer: Promise<Answer> } | undefined;

  /**
   * The answer about a file.
   *
   * @param question What is asked, where more than one question may be.
   */
  async ask(path: string, question: string, find: () => Promise<Answer>): Promise<Answer> {
    const { ino, size, mtimeMs } = await stat(path);
    const key = JSON.stringify([path, ino, size, mtimeMs, question]);
    if (this.#last?.key !== key) this.#last = { key, answer: find() };
    return this.#last.answer;
  }
}
