// @ts-check
/** The entry of the main process. It opens the window and starts the engine, and computes nothing. */
import { app, protocol, session } from 'electron';

import { Engine } from './engine.js';
import { answerPageRequest, PAGE_SCHEME, SCHEME_PRIVILEGES } from './page-files.js';
import { openWindow } from './window.js';

app.enableSandbox();
// Both are to be done before the app is ready.
protocol.registerSchemesAsPrivileged([{ scheme: PAGE_SCHEME, privileges: SCHEME_PRIVILEGES }]);

/** @type {Electron.BrowserWindow | undefined} */
let window;

// Two instances would share the folder of the runs.
if (app.requestSingleInstanceLock()) {
  const engine = new Engine();
  app.on('second-instance', () => {
    if (window?.isMinimized()) window.restore();
    window?.focus();
  });
  app.on('window-all-closed', () => app.quit());
  app.on('quit', () => engine.removeFolder());
  void app.whenReady().then(() => {
    protocol.handle(PAGE_SCHEME, answerPageRequest);
    // The page needs no camera, no notifications and so on.
    session.defaultSession.setPermissionRequestHandler((_contents, _permission, answer) =>
      answer(false),
    );
    session.defaultSession.setPermissionCheckHandler(() => false);
    window = openWindow(engine);
  });
} else {
  app.quit();
}
