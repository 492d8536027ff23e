// @ts-check
/**
 * Computes the currents of files, one at a time, by the command line of the package. It reads every format
 * that the package knows, files larger than memory included, reports progress and draws the picture. It runs
 * in a worker thread, so that the live simulation continues and a run can be ended at any time.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';

import { messageOf, RequestError } from './requests.js';

const CURRENTS = 'currents.npy';
const PICTURE = 'picture.svg';

/** The file that the package's package.json names as its command. */
function findCommand() {
  const description = createRequire(import.meta.url).resolve('expsyn/package.json');
  const { bin } = JSON.parse(readFileSync(description, 'utf8'));
  return join(dirname(description), bin.expsyn);
}

const COMMAND = findCommand();

/** The arguments of the command for a request that was checked. */
function argumentsOf({ path, tau, dt, timeUnit }, folder) {
  return [
    ...['run', path, '--tau', `${tau}s`, '--dt', `${dt}s`],
    ...(timeUnit === undefined ? [] : ['--events', '--time-unit', timeUnit]),
    ...['--out', join(folder, CURRENTS), '--plot', join(folder, PICTURE), '--progress', 'json'],
  ];
}

export class FileRuns {
  #folder;
  #post;
  /** @type {{ name: string, path: string, worker: Worker, isCancelled: boolean, ended: Promise<void> } | undefined} */
  #run;
  /** The folder of the last result. */
  #result;

  /**
   * @param {string} folder For outputs, each in a folder of its own.
   * @param {(event: object) => void} post Tells the page.
   */
  constructor(folder, post) {
    this.#folder = folder;
    this.#post = post;
  }

  /** Starts a run, unless another one is in progress. */
  start(request) {
    if (this.#run !== undefined) {
      throw new RequestError(
        `Expected no other run but ${this.#run.name} is being computed; wait for its end or cancel it, then open ${request.name}.`,
      );
    }
    mkdirSync(this.#folder, { recursive: true });
    // Another name each time, since a run of an earlier page may not have ended yet.
    const folder = mkdtempSync(join(this.#folder, 'run-'));
    const worker = new Worker(COMMAND, {
      argv: argumentsOf(request, folder),
      stdout: true,
      stderr: true,
    });
    const { name, path } = request;
    const run = { name, path, worker, isCancelled: false, ended: Promise.resolve() };
    this.#run = run;
    this.#post({ type: 'run-started', name: request.name });
    run.ended = this.#follow(run, folder);
  }

  /** Ends the run that is in progress, if there is one. */
  async cancel() {
    const run = this.#run;
    if (run === undefined) return;
    run.isCancelled = true;
    // The package cancels the calls of a thread that ends, and waits for them.
    await run.worker.terminate();
    await run.ended;
  }

  /** Ends what is in progress, and removes the result. */
  async close() {
    await this.cancel();
    if (this.#result !== undefined) await removeFolder(this.#result);
  }

  /** Copies the last result, and the file beside it that says how it was made. */
  async save(path) {
    const from = this.#result;
    try {
      if (from === undefined) throw new Error('Expected a result to save but found none.');
      const description = `${path}.json`;
      if (existsSync(description) && !(existsSync(path) && isProvenance(description))) {
        // The dialog has asked only whether to replace the other file.
        throw new Error(
          `Expected no file ${basename(description)} but found one, which belongs to no currents; ` +
            'choose another name.',
        );
      }
      await copyFile(join(from, CURRENTS), path);
      await copyFile(join(from, `${CURRENTS}.json`), description);
      this.#post({ type: 'saved', name: basename(path) });
    } catch (error) {
      const message = withoutFolders(messageOf(error), [path, join(from ?? '', CURRENTS)]);
      this.#post({ type: 'not-saved', message });
    }
  }

  /** Tells the page how a run proceeds and ends, and removes what is not needed any more. */
  async #follow(run, folder) {
    const event = await this.#outcome(run, folder);
    const paths = [run.path, join(folder, CURRENTS)];
    const hide = (text) => withoutFolders(text, paths);
    if ('message' in event) event.message = hide(event.message);
    if ('notes' in event) event.notes = event.notes.map(hide);
    if ('facts' in event) event.facts = event.facts.map((fact) => fact.map(hide));
    const unneeded = event.type === 'run-finished' ? this.#result : folder;
    if (event.type === 'run-finished') this.#result = folder;
    if (unneeded !== undefined) await removeFolder(unneeded);
    this.#run = undefined;
    this.#post({ name: run.name, ...event });
  }

  async #outcome(run, folder) {
    const { worker } = run;
    const notes = [];
    const onLine = (line) => {
      const progress = readProgress(line);
      if (progress === undefined) notes.push(line);
      else this.#post({ type: 'progress', ...progress });
    };
    try {
      const [exitCode, facts] = await Promise.all([
        exitOf(worker),
        linesOf(worker.stdout),
        linesOf(worker.stderr, onLine),
      ]);
      if (run.isCancelled) return { type: 'run-cancelled' };
      if (exitCode !== 0) {
        const message = notes.pop() ?? `The run ended with exit code ${exitCode}.`;
        return { type: 'run-failed', message, notes };
      }
      const picture = await readFile(join(folder, PICTURE), 'utf8');
      return { type: 'run-finished', facts: facts.flatMap(readFact), notes, picture };
    } catch (error) {
      if (run.isCancelled) return { type: 'run-cancelled' };
      return { type: 'run-failed', message: messageOf(error), notes };
    }
  }
}

/** The exit code of a worker; rejects with an error that the worker does not handle. */
function exitOf(worker) {
  return new Promise((resolve, reject) => {
    worker.once('exit', resolve);
    worker.once('error', reject);
  });
}

/** All lines of a stream, or those that `onLine` does not take. */
async function linesOf(stream, onLine) {
  const lines = [];
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (onLine === undefined) lines.push(line);
    else onLine(line);
  }
  return lines;
}

/** The progress in a line of `--progress json`; undefined for any other line. */
function readProgress(line) {
  if (!line.startsWith('{')) return undefined;
  try {
    const { done, total, secondsLeft } = JSON.parse(line);
    return { share: total > 0 ? done / total : 1, secondsLeft };
  } catch {
    return undefined;
  }
}

/** What a line of the summary is about, and what it says. Names of temporary files are left out. */
function readFact(line) {
  const [, label, text] = /^(\w+) {2,}(.*)$/.exec(line) ?? [];
  return label === undefined || label === 'files' ? [] : [[label, text]];
}

/** Whether a file is what the package has written beside the currents of a run. */
function isProvenance(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).class === 'ExpSynRun';
  } catch {
    return false;
  }
}

/** A text in which files have their names in place of their paths, because pages see no paths. */
export function withoutFolders(text, paths) {
  const folders = paths.map(dirname).filter((folder) => dirname(folder) !== folder);
  const named = paths.reduce((shorter, path) => shorter.replaceAll(path, basename(path)), text);
  return folders.reduce((shorter, folder) => shorter.replaceAll(folder + sep, ''), named);
}

/** A virus scanner may hold a file open for a moment. What is still there is removed at the next start. */
async function removeFolder(folder) {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
}
