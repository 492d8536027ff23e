// @ts-check
/**
 * Connects the page with the other processes. It runs in a world of its own: the page sees only the object
 * `window.expsyn`, whose type is in window/expsyn.d.ts, and never a path, a port or ipcRenderer.
 */
const { contextBridge, ipcRenderer, webUtils } = require('electron');

/** @type {MessagePort | undefined} To the engine. */
let port;
/** The file that was opened last, as { path, name }. */
let file;
/** @type {(event: any) => void} */
let listener = () => undefined;

ipcRenderer.on('engine:port', ({ ports }) => {
  port?.close();
  const [next] = ports;
  next.onmessage = ({ data }) => listener(data);
  port = next;
});
ipcRenderer.on('engine:ended', (_event, message) => {
  port = undefined;
  listener({ type: 'unavailable', message });
});

const post = (message) => port?.postMessage(message);

contextBridge.exposeInMainWorld('expsyn', {
  connect(onEvent) {
    listener = onEvent;
    return ipcRenderer.invoke('engine:connect');
  },
  requestSteps({ steps, tau, dt, rate }) {
    post({ type: 'steps', steps, tau, dt, rate });
  },
  async chooseFile() {
    const chosen = await ipcRenderer.invoke('file:choose');
    file = chosen ?? file;
    return chosen?.name;
  },
  takeFile(dropped) {
    const path = webUtils.getPathForFile(dropped);
    if (path === '') return undefined;
    file = { path, name: path.slice(path.search(/[^\\/]*$/)) };
    return file.name;
  },
  run({ tau, dt, timeUnit }) {
    post({ type: 'run', ...file, tau, dt, timeUnit });
  },
  cancel() {
    post({ type: 'cancel' });
  },
  save() {
    return ipcRenderer.invoke('result:save');
  },
});
