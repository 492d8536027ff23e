// @ts-check
/**
 * The channels on which the page reaches the main process. None of them takes an argument, and each answers
 * only the main frame of the window's own page. Everything else goes through the port to the engine, which
 * checks what it receives.
 */
import { basename } from 'node:path';

import { dialog, ipcMain } from 'electron';

import { PAGE_HOST, PAGE_SCHEME } from './page-files.js';

/** The kinds of files that the open dialog shows. The command line reads more; see README.md. */
const OPEN_FILTERS = [
  { name: 'Rasters and events', extensions: ['npy', 'h5', 'hdf5'] },
  { name: 'All files', extensions: ['*'] },
];
const SAVE_FILTERS = [{ name: 'NumPy array', extensions: ['npy'] }];

/**
 * @param {Electron.BrowserWindow} window
 * @param {import('./engine.js').Engine} engine
 * @returns A function that removes the handlers.
 */
export function handleChannels(window, engine) {
  const { webContents } = window;
  const handlers = {
    'engine:connect': () => {
      engine.connect(webContents, (message) => {
        if (!webContents.isDestroyed()) webContents.send('engine:ended', message);
      });
    },
    'file:choose': async () => {
      const { canceled, filePaths } = await dialog.showOpenDialog(window, {
        properties: ['openFile'],
        filters: OPEN_FILTERS,
      });
      const [path] = filePaths;
      return canceled || path === undefined ? undefined : { path, name: basename(path) };
    },
    'result:save': async () => {
      const options = { defaultPath: 'currents.npy', filters: SAVE_FILTERS };
      const { canceled, filePath } = await dialog.showSaveDialog(window, options);
      if (!canceled && filePath !== '') engine.save(filePath);
    },
  };
  for (const [channel, handle] of Object.entries(handlers)) {
    ipcMain.handle(channel, async (event, ...args) => {
      requirePage(channel, event, webContents);
      if (args.length > 0) {
        throw new TypeError(`Expected no argument for ${channel} but received ${args.length}.`);
      }
      return handle();
    });
  }
  return () => {
    for (const channel of Object.keys(handlers)) ipcMain.removeHandler(channel);
  };
}

/** Refuses a message that is not from the main frame of the window's own page. */
function requirePage(channel, { senderFrame }, webContents) {
  // The frame is null if it has been left or destroyed since it sent the message.
  const url = senderFrame === null ? undefined : new URL(senderFrame.url);
  const isOwn = url?.protocol === `${PAGE_SCHEME}:` && url.host === PAGE_HOST;
  if (senderFrame === webContents.mainFrame && isOwn) return;
  const sender = url?.href ?? 'a frame that is gone';
  throw new Error(`Expected the page of the window on ${channel} but received ${sender}.`);
}
