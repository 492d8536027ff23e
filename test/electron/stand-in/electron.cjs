/**
 * Stands in for the module 'electron' under Node: for what the example's main process and its preload
 * script use of it, as Electron documents it. Both get the same object. The utility process is a child
 * process of Node; utility-process.cjs gives it `process.parentPort`.
 */
const { fork } = require('node:child_process');
const { EventEmitter } = require('node:events');
const { join } = require('node:path');
const { MessageChannel } = require('node:worker_threads');

const UTILITY_PROCESS = join(__dirname, 'utility-process.cjs');

class App extends EventEmitter {
  isSandboxed = false;
  isFirstInstance = true;
  userData = '';
  hasQuit = false;
  enableSandbox() {
    this.isSandboxed = true;
  }
  requestSingleInstanceLock() {
    return this.isFirstInstance;
  }
  async whenReady() {
    await new Promise((resolve) => setImmediate(resolve));
  }
  getPath(name) {
    if (name !== 'userData') throw new Error(`Unexpected path ${name}.`);
    return this.userData;
  }
  quit() {
    this.hasQuit = true;
    this.emit('quit');
  }
}
const app = new App();

/** Schemes, and the handlers of their requests. */
const protocol = {
  privileged: [],
  handlers: new Map(),
  registerSchemesAsPrivileged: (schemes) => protocol.privileged.push(...schemes),
  handle: (scheme, handler) => protocol.handlers.set(scheme, handler),
};

const session = {
  defaultSession: {
    setPermissionRequestHandler: (handler) => (session.onPermissionRequest = handler),
    setPermissionCheckHandler: (handler) => (session.onPermissionCheck = handler),
  },
};

const nativeTheme = { shouldUseDarkColors: true };

/** What the user chooses in the next dialog. */
const dialog = {
  answer: { canceled: true, filePaths: [], filePath: '' },
  showOpenDialog: async () => dialog.answer,
  showSaveDialog: async () => dialog.answer,
};

class MessagePortMain extends EventEmitter {
  constructor(port) {
    super();
    this.port = port;
  }
  start() {
    this.port.on('message', (data) => this.emit('message', { data, ports: [] }));
    this.port.on('close', () => this.emit('close'));
  }
  postMessage(message) {
    this.port.postMessage(message);
  }
  close() {
    this.port.close();
  }
}

class MessageChannelMain {
  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.port1 = new MessagePortMain(port1);
    this.port2 = new MessagePortMain(port2);
  }
}

class UtilityProcess extends EventEmitter {
  #ports = [];
  constructor(path, args) {
    super();
    this.child = fork(path, args, {
      execArgv: ['--require', UTILITY_PROCESS],
      serialization: 'advanced',
    });
    this.pid = this.child.pid;
    this.child.on('message', ({ port, data, isClosed }) => {
      if (isClosed) this.#ports[port].close();
      else this.#ports[port].postMessage(data);
    });
    this.child.once('exit', (code, signal) => {
      this.pid = undefined;
      for (const port of this.#ports) port.close();
      this.emit('exit', code ?? signal);
    });
  }
  postMessage(message, transfer = []) {
    const ports = transfer.map(({ port }) => {
      const number = this.#ports.push(port) - 1;
      port.on('message', (data) => this.#send({ port: number, data }));
      port.on('close', () => this.#send({ port: number, isClosed: true }));
      return number;
    });
    this.#send({ message, ports });
  }
  kill() {
    return this.child.kill();
  }
  #send(message) {
    if (this.child.connected) this.child.send(message);
  }
}

const utilityProcess = {
  processes: [],
  fork(path, args, options) {
    const process = new UtilityProcess(path, args, options);
    utilityProcess.processes.push(process);
    return process;
  },
};

/** What the preload script of the window has: its end of the channels. */
const ipcRenderer = new EventEmitter();
/** Handlers of ipcMain. `frame` sends as another frame than the window's own. */
const handlers = new Map();
const ipcMain = {
  handle: (channel, handler) => {
    if (handlers.has(channel)) throw new Error(`There is a handler for ${channel} already.`);
    handlers.set(channel, handler);
  },
  removeHandler: (channel) => handlers.delete(channel),
  invokeAs: async (senderFrame, channel, ...args) => {
    const handler = handlers.get(channel);
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
    return structuredClone(await handler({ senderFrame }, ...args));
  },
};
ipcRenderer.invoke = (channel, ...args) =>
  ipcMain.invokeAs(BrowserWindow.last.webContents.mainFrame, channel, ...args);

const contextBridge = {
  exposed: {},
  exposeInMainWorld: (key, api) => (contextBridge.exposed[key] = api),
};

/** Paths of files that are dropped, by their names. */
const webUtils = {
  paths: new Map(),
  getPathForFile: ({ name }) => webUtils.paths.get(name) ?? '',
};

class WebContents extends EventEmitter {
  isGone = false;
  mainFrame = { url: '' };
  #ports = [];
  isDestroyed() {
    return this.isGone;
  }
  setWindowOpenHandler(handler) {
    this.onWindowOpen = handler;
  }
  send(channel, ...args) {
    ipcRenderer.emit(channel, {}, ...structuredClone(args));
  }
  postMessage(channel, message, transfer) {
    const ports = transfer.map(({ port }) => port);
    this.#ports.push(...ports);
    ipcRenderer.emit(channel, { ports }, message);
  }
  destroy() {
    this.isGone = true;
    for (const port of this.#ports) port.close();
  }
}

class BrowserWindow extends EventEmitter {
  static last;
  isShown = false;
  webContents = new WebContents();
  constructor(options) {
    super();
    this.options = options;
    BrowserWindow.last = this;
  }
  async loadURL(url) {
    this.webContents.mainFrame.url = url;
    this.emit('ready-to-show');
  }
  show() {
    this.isShown = true;
  }
  isMinimized() {
    return true;
  }
  restore() {
    this.isRestored = true;
  }
  focus() {
    this.isFocused = true;
  }
  close() {
    this.webContents.destroy();
    this.emit('closed');
    app.emit('window-all-closed');
  }
}

module.exports = {
  app,
  BrowserWindow,
  contextBridge,
  dialog,
  ipcMain,
  ipcRenderer,
  MessageChannelMain,
  nativeTheme,
  protocol,
  session,
  utilityProcess,
  webUtils,
};
