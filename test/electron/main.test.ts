/** The main process of the example application: its window, its channels and its engine. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT } from '../support/processes';
import { Application, until } from './application';

const EXAMPLE = join(ROOT, 'examples', 'electron');

describe('the main process of the application', () => {
  let application: Application;

  before(async () => {
    application = await Application.start();
  });

  after(async () => {
    await application.end();
  });

  it('gives its page no rights beyond the channels', () => {
    const { window, electron } = application;
    const { preload, ...preferences } = window.options.webPreferences;
    assert.equal(preload, join(application.folder, 'app', 'preload.cjs'));
    assert.deepEqual(preferences, {
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
    });
    assert.ok(electron.app.isSandboxed && window.isShown);
    for (const name of ['will-navigate', 'will-attach-webview']) {
      let isPrevented = false;
      window.webContents.emit(name, { preventDefault: () => (isPrevented = true) });
      assert.ok(isPrevented, name);
    }
    assert.deepEqual(window.webContents.onWindowOpen(), { action: 'deny' });
    const answers: boolean[] = [];
    electron.session.onPermissionRequest({}, 'media', (answer) => answers.push(answer));
    assert.deepEqual([...answers, electron.session.onPermissionCheck()], [false, false]);
  });

  it('serves the files of the page, with a policy, and nothing else', async () => {
    const { protocol } = application.electron;
    assert.deepEqual(
      protocol.privileged.map(({ scheme }) => scheme),
      ['app'],
    );
    const handler = protocol.handlers.get('app');
    assert.ok(handler !== undefined);
    const get = (path: string, init = {}) => handler(new Request(`app://${path}`, init));
    for (const [path, type] of [
      ['window/index.html', 'text/html'],
      ['window/window.css', 'text/css'],
      ['window/page.css', 'text/css'],
      ['window/file-panel.js', 'text/javascript'],
      ['window/drawing/history.js', 'text/javascript'],
    ] as const) {
      const response = get(path);
      assert.equal(response.status, 200, path);
      assert.ok(response.headers.get('content-type')?.startsWith(type), path);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
      assert.doesNotMatch(policy, /unsafe|\*/);
      assert.ok((await response.text()).length > 100);
    }
    for (const path of [
      'window/',
      'window/../preload.cjs',
      'window/%2e%2e/main/main.js',
      'window/expsyn.d.ts',
      'window//etc/passwd',
      'other/index.html',
    ]) {
      assert.equal(get(path).status, 404, path);
    }
    assert.equal(get('window/index.html', { method: 'POST' }).status, 404);
  });

  it('answers only its own page, and takes no arguments', async () => {
    const { ipcMain, utilityProcess } = application.electron;
    const { mainFrame } = application.window.webContents;
    for (const channel of ['engine:connect', 'file:choose', 'result:save']) {
      const refusal = new RegExp(
        `^Error: Expected the page of the window on ${channel} but received`,
      );
      // A frame within the page, and a frame that is gone.
      await assert.rejects(ipcMain.invokeAs({ url: mainFrame.url }, channel), refusal);
      await assert.rejects(ipcMain.invokeAs(null, channel), refusal);
      await assert.rejects(
        ipcMain.invokeAs(mainFrame, channel, '/etc/passwd'),
        new RegExp(`^TypeError: Expected no argument for ${channel} but received 1`),
      );
      const own = mainFrame.url;
      for (const url of ['https://window/', 'app://other/index.html', 'file:///index.html']) {
        mainFrame.url = url;
        await assert.rejects(ipcMain.invokeAs(mainFrame, channel), refusal);
      }
      mainFrame.url = own;
    }
    assert.equal(utilityProcess.processes.length, 0);
  });

  it('tells the page only the name of a file that is chosen', async () => {
    const { electron, expsyn } = application;
    assert.equal(await expsyn.chooseFile(), undefined);
    electron.dialog.answer = { canceled: false, filePaths: ['/data/raster.npy'], filePath: '' };
    assert.equal(await expsyn.chooseFile(), 'raster.npy');
    electron.dialog.answer = { canceled: true, filePaths: [], filePath: '' };
  });

  it('does not load the package, nor do the preload script and the page', () => {
    const files = ['main', 'window']
      .flatMap((folder) => readdirSync(join(EXAMPLE, folder)).map((name) => join(folder, name)))
      .concat('preload.cjs')
      .filter((name) => !name.endsWith('.d.ts'));
    assert.ok(files.length >= 10, files.join());
    for (const name of files) {
      const text = readFileSync(join(EXAMPLE, name), 'utf8');
      assert.doesNotMatch(text, /(from|require\(|import\(|import) ?'expsyn/, name);
    }
  });

  it('brings its window to the front when it is started again', () => {
    application.electron.app.emit('second-instance');
    assert.ok(application.window.isFocused);
  });

  it('tells the page when the engine ends, and starts another', async () => {
    await application.connect();
    const { pid } = application.engine;
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    const { message } = await application.until('unavailable');
    assert.match(message, /ended unexpectedly/);
    assert.ok(!existsSync(application.runs));
    await application.connect();
    assert.notEqual(application.engine.pid, pid);
    const { currents } = await application.steps({ steps: 3, tau: 0.02, dt: 0.001, rate: 100 });
    assert.equal(currents.length, 3 * 48);
  });

  it('serves a page that is loaded again, by the same engine', async () => {
    const { length } = application.electron.utilityProcess.processes;
    await application.connect();
    await application.steps({ steps: 3, tau: 0.02, dt: 0.001, rate: 100 });
    assert.equal(application.electron.utilityProcess.processes.length, length);
  });

  it('ends with its window, together with the engine', async () => {
    const other = await Application.start();
    await other.connect();
    assert.ok(existsSync(other.runs));
    const { engine } = other;
    other.window.close();
    assert.ok(other.electron.app.hasQuit);
    await until(() => engine.pid === undefined);
    assert.ok(!existsSync(other.runs));
    await assert.rejects(
      other.expsyn.connect(() => undefined),
      /No handler registered/,
    );
    await other.end();
  });

  it('does not start twice', async () => {
    await assert.rejects(
      Application.start(({ app }) => (app.isFirstInstance = false)),
      /no window was opened/,
    );
  });
});
