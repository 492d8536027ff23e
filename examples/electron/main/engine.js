// @ts-check
/** The utility process in which expsyn computes. It is started when a page asks for it. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { app, MessageChannelMain, utilityProcess } from 'electron';

const ENTRY = fileURLToPath(new URL('../engine/main.js', import.meta.url));

export class Engine {
  /** @type {Electron.UtilityProcess | undefined} */
  #child;
  #folder;

  /**
   * Gives a page a port to the engine, which is started if it does not run.
   *
   * @param {Electron.WebContents} contents The page.
   * @param {(message: string) => void} onEnd Called if the engine ends before stop().
   */
  connect(contents, onEnd) {
    this.#child ??= this.#start(onEnd);
    const { port1, port2 } = new MessageChannelMain();
    this.#child.postMessage({ type: 'connect', folder: this.#folder }, [port1]);
    contents.postMessage('engine:port', null, [port2]);
  }

  /** Lets the engine copy its last result. */
  save(path) {
    this.#child?.postMessage({ type: 'save', path });
  }

  /** Ends the engine, and whatever it computes, at once. */
  stop() {
    const child = this.#child;
    this.#child = undefined;
    child?.kill();
  }

  /** Removes the outputs that were not saved. */
  removeFolder() {
    if (this.#folder === undefined) return;
    try {
      rmSync(this.#folder, { recursive: true, force: true });
    } catch {
      // The engine may not have ended yet. The next start removes what is left.
    }
  }

  #start(onEnd) {
    // The user's own folder, since others can read the system's folder for temporary files.
    this.#folder = join(app.getPath('userData'), 'runs');
    this.removeFolder();
    mkdirSync(this.#folder, { recursive: true });
    const child = utilityProcess.fork(ENTRY, [], { serviceName: 'expsyn' });
    child.once('exit', (code) => {
      if (this.#child === child) {
        this.#child = undefined;
        onEnd(`The process that computes has ended unexpectedly (exit code ${code}).`);
      }
      // After stop(), another engine may use the folder by now.
      if (this.#child === undefined) this.removeFolder();
    });
    return child;
  }
}
