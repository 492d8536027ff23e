// @ts-check
/** The window, and what its page may do: nothing but the channels of channels.js. */
import { fileURLToPath } from 'node:url';

import { BrowserWindow, nativeTheme } from 'electron';

import { handleChannels } from './channels.js';
import { PAGE_ADDRESS } from './page-files.js';

const PRELOAD = fileURLToPath(new URL('../preload.cjs', import.meta.url));

/**
 * @param {import('./engine.js').Engine} engine
 * @returns {Electron.BrowserWindow}
 */
export function openWindow(engine) {
  const window = new BrowserWindow({
    width: 1100,
    height: 1000,
    minWidth: 480,
    minHeight: 400,
    show: false,
    // What shows before the page is drawn: --page of page.css.
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#14161a' : '#ffffff',
    webPreferences: {
      preload: PRELOAD,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
    },
  });
  const { webContents } = window;
  // The page stays where it is, whatever is dropped on it or linked from it.
  webContents.on('will-navigate', (event) => event.preventDefault());
  webContents.on('will-attach-webview', (event) => event.preventDefault());
  webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
  const removeChannels = handleChannels(window, engine);
  window.once('ready-to-show', () => window.show());
  window.once('closed', () => {
    removeChannels();
    engine.stop();
  });
  void window.loadURL(PAGE_ADDRESS);
  return window;
}
