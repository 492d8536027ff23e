/** The example application under Node, with a stand-in for Electron; everything else is real. */
import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import type {
  EngineEvent,
  ExpsynBridge,
  StepsEvent,
} from '../../examples/electron/window/expsyn.js' with { 'resolution-mode': 'import' };
import { ROOT } from '../support/processes';

export interface Frame {
  url: string;
}

/** What tests use of stand-in/electron.cjs. */
export interface StandIn {
  app: EventEmitter & {
    userData: string;
    isFirstInstance: boolean;
    isSandboxed: boolean;
    hasQuit: boolean;
  };
  BrowserWindow: { last: StandInWindow | undefined };
  contextBridge: { exposed: { expsyn?: ExpsynBridge } };
  dialog: { answer: { canceled: boolean; filePaths: string[]; filePath: string } };
  ipcMain: { invokeAs(frame: Frame | null, channel: string, ...args: unknown[]): Promise<unknown> };
  protocol: {
    privileged: { scheme: string }[];
    handlers: Map<string, (request: Request) => Response>;
  };
  session: {
    onPermissionRequest(contents: unknown, permission: string, answer: (is: boolean) => void): void;
    onPermissionCheck(): boolean;
  };
  utilityProcess: { processes: { pid: number | undefined; kill(): boolean }[] };
  webUtils: { paths: Map<string, string> };
}

export interface StandInWindow extends EventEmitter {
  options: { webPreferences: Record<string, unknown> };
  isShown: boolean;
  isFocused?: boolean;
  webContents: EventEmitter & { mainFrame: Frame; onWindowOpen(): { action: string } };
  close(): void;
}

/** Makes a folder as `npm install` and a packager would: the application with its packages. */
export function stage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-electron-'));
  const app = join(folder, 'app');
  cpSync(join(ROOT, 'examples', 'electron'), app, { recursive: true });
  cpSync(join(ROOT, 'examples', 'page'), join(app, 'page'), { recursive: true });
  cpSync(join(__dirname, 'stand-in'), join(app, 'node_modules', 'electron'), { recursive: true });
  symlinkSync(ROOT, join(app, 'node_modules', 'expsyn'));
  mkdirSync(join(folder, 'user-data'));
  return folder;
}

export class Application {
  readonly events: EngineEvent[] = [];
  /** Called with each event. */
  onEvent: (event: EngineEvent) => void = () => undefined;

  private constructor(
    /** Of the application, its data and files that a test makes. */
    readonly folder: string,
    readonly electron: StandIn,
    readonly window: StandInWindow,
    readonly expsyn: ExpsynBridge,
  ) {}

  /** Starts the main process, and the preload script of its window. */
  static async start(change: (electron: StandIn) => void = () => undefined): Promise<Application> {
    const folder = stage();
    try {
      return await Application.#startIn(folder, change);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  static async #startIn(folder: string, change: (electron: StandIn) => void): Promise<Application> {
    const require = createRequire(join(folder, 'app', 'package.json'));
    const electron = require('electron') as StandIn;
    electron.app.userData = join(folder, 'user-data');
    change(electron);
    await import(pathToFileURL(join(folder, 'app', 'main', 'main.js')).href);
    await wait(20);
    const window = electron.BrowserWindow.last;
    assert.ok(window !== undefined, 'no window was opened');
    require('./preload.cjs');
    const { expsyn } = electron.contextBridge.exposed;
    assert.ok(expsyn !== undefined);
    return new Application(folder, electron, window, expsyn);
  }

  get runs(): string {
    return join(this.folder, 'user-data', 'runs');
  }

  /** The process that computes. */
  get engine(): { pid: number | undefined; kill(): boolean } {
    const engine = this.electron.utilityProcess.processes.at(-1);
    assert.ok(engine !== undefined);
    return engine;
  }

  /** Does what the page does when it is loaded. */
  async connect(): Promise<void> {
    await this.expsyn.connect((event) => {
      this.events.push(event);
      this.onEvent(event);
    });
    await this.until('connected', 'unavailable');
  }

  /** The next event of some types that no test has asked for yet. */
  async until<Type extends EngineEvent['type']>(
    ...types: Type[]
  ): Promise<Extract<EngineEvent, { type: Type }>> {
    for (let i = 0; i < 3000; i++) {
      const place = this.events.findIndex(({ type }) => types.includes(type as Type));
      if (place >= 0) {
        const [event] = this.events.splice(0, place + 1).slice(-1);
        return event as Extract<EngineEvent, { type: Type }>;
      }
      await wait(20);
    }
    return assert.fail(`expected ${types.join()} but received ${JSON.stringify(this.events)}`);
  }

  async steps(request: Parameters<ExpsynBridge['requestSteps']>[0]): Promise<StepsEvent> {
    this.expsyn.requestSteps(request);
    return this.until('steps');
  }

  /** Drops a file on the window, or the path of one that is not there. */
  drop(path: string): void {
    const name = path.slice(path.lastIndexOf('/') + 1);
    this.electron.webUtils.paths.set(name, path);
    this.expsyn.takeFile({ name } as never);
  }

  async end(): Promise<void> {
    const { processes } = this.electron.utilityProcess;
    this.window.close();
    await until(() => processes.every(({ pid }) => pid === undefined));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1500; i++) {
    if (holds()) return;
    await wait(20);
  }
  assert.fail(`the condition does not come to hold: ${holds.toString()}`);
}
