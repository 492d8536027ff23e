/**
 * The page of the example application in Chromium. What the preload script gives to the page is replaced by
 * a bridge to the real preload script, main process and engine under Node.
 */
import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { chromium, type Browser, type Page } from 'playwright-core';

import type { EngineEvent } from '../../examples/electron/window/expsyn.js' with {
  'resolution-mode': 'import',
};
import { findBrowser } from '../support/browser';
import { headerOf, npyOf } from '../support/npy-bytes';
import { Application } from './application';

/** In the page: window.expsyn, by way of two functions of this process. Calls are passed on, and events back. */
const BRIDGE = `(() => {
  let listener;
  window.tell = (event) => {
    const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (event.type === 'steps') {
      event.spikes = bytes(event.spikes);
      event.currents = new Float32Array(bytes(event.currents).buffer);
    }
    listener(event);
  };
  window.expsyn = {
    connect: (onEvent) => ((listener = onEvent), callBridge('connect')),
    // The bridge would have to answer at once, so the test says which names have no file behind them.
    takeFile: ({ name }) => (name.startsWith('unsaved') ? undefined : (callBridge('takeFile', name), name)),
    ...Object.fromEntries(['requestSteps', 'chooseFile', 'run', 'cancel', 'save'].map((name) =>
      [name, (...args) => callBridge(name, ...args)])),
  };
})()`;

describe('the window of the application', () => {
  const errors: string[] = [];
  let application: Application;
  let browser: Browser;
  let page: Page;

  before(async function () {
    this.timeout(60000);
    application = await Application.start();
    browser = await chromium.launch({
      executablePath: findBrowser(),
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    page = await browser.newPage({ viewport: { width: 1100, height: 1000 } });
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    const answer = application.electron.protocol.handlers.get('app');
    assert.ok(answer !== undefined);
    await page.route('http://window/**', async (route) => {
      const url = route.request().url().replace('http:', 'app:');
      const response = answer(new Request(url));
      await route.fulfill({
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: Buffer.from(await response.arrayBuffer()),
      });
    });
    await page.exposeFunction('callBridge', callBridge);
    await page.addInitScript(BRIDGE);
    await page.goto('http://window/index.html');
  });

  after(async () => {
    await browser.close();
    await application.end();
  });

  const at = (name: string) => join(application.folder, name);

  async function callBridge(name: string, ...args: unknown[]): Promise<unknown> {
    const { expsyn } = application;
    if (name === 'connect') return expsyn.connect(tell);
    if (name === 'takeFile') {
      application.drop(at(String(args[0])));
      return;
    }
    const method: unknown = Reflect.get(expsyn, name);
    return Reflect.apply(method as () => unknown, expsyn, args);
  }

  function tell(event: EngineEvent): void {
    const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array) =>
      Buffer.from(buffer, byteOffset, byteLength).toString('base64');
    const plain =
      event.type === 'steps'
        ? { ...event, spikes: base64(event.spikes), currents: base64(event.currents) }
        : event;
    // The page may have been closed.
    page.evaluate(`tell(${JSON.stringify(plain)})`).catch(() => undefined);
  }

  const untilState = (state: string) =>
    page.waitForSelector(`#status[data-state="${state}"]`, { timeout: 30000 });

  /** The step that the page shows. */
  const stepShown = async () =>
    Number(/step ([\d,]+)/.exec(await page.innerText('#figures'))?.[1]?.replaceAll(',', '') ?? 0);

  async function untilStep(step: number): Promise<void> {
    for (let i = 0; i < 1200 && (await stepShown()) <= step; i++) await page.waitForTimeout(50);
    assert.ok((await stepShown()) > step, `${await page.innerText('#figures')}: ${errors.join()}`);
  }

  /** How many different colours the plot of a canvas shows. */
  const coloursOf = (id: string) =>
    page.evaluate<number>(`(() => {
      const canvas = document.getElementById('${id}');
      const { data } = canvas
        .getContext('2d')
        .getImageData(66, 8, canvas.width - 160, canvas.height - 50);
      const colours = new Set();
      for (let i = 0; i < data.length; i += 4) colours.add(data[i] * 65536 + data[i + 1] * 256 + data[i + 2]);
      return colours.size;
    })()`);

  /** Drops files of these names on the window. */
  const drop = (...names: string[]) =>
    page.evaluate(`(() => {
      const dataTransfer = new DataTransfer();
      for (const name of ${JSON.stringify(names)}) dataTransfer.items.add(new File(['x'], name));
      for (const type of ['dragover', 'drop']) {
        document.body.dispatchEvent(
          new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }),
        );
      }
    })()`);

  function writeRaster(name: string, steps: number, channels: number): void {
    const spikes = new Uint8Array(steps * channels).map(() => (Math.random() < 0.01 ? 1 : 0));
    writeFileSync(at(name), npyOf(headerOf('|u1', `(${steps}, ${channels})`), spikes));
  }

  /** Drops a raster without spikes that takes some seconds to compute, and waits until it is computed. */
  async function dropLongRaster(): Promise<void> {
    const head = npyOf(headerOf('|u1', '(2000000, 64)'), new Uint8Array());
    writeFileSync(at('long.npy'), head);
    truncateSync(at('long.npy'), head.length + 128_000_000);
    await drop('long.npy');
    await page.waitForSelector('#run:not([hidden])');
  }

  const click = (name: string) => page.getByRole('button', { name, exact: true }).click();
  const textOf = (id: string) => page.innerText(`#${id}`);
  const untilText = (id: string, text: string) =>
    page.waitForSelector(`#${id}:text("${text}")`, { timeout: 60000 });

  it('draws spikes and their currents as they come', async () => {
    await untilState('live');
    await untilStep(1500);
    assert.equal(await coloursOf('raster'), 2);
    assert.ok((await coloursOf('currents')) > 20);
    assert.ok((await coloursOf('trace')) >= 3);
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('hands its sliders to the simulation, and says their values', async () => {
    const requests: unknown[] = [];
    const { requestSteps } = application.expsyn;
    application.expsyn.requestSteps = (request) => {
      requests.push(request);
      requestSteps(request);
    };
    const tau = page.getByRole('slider', { name: 'Time constant tau', exact: true });
    await tau.press('End');
    assert.equal(await tau.getAttribute('aria-valuetext'), '1000 milliseconds');
    await page.getByRole('slider', { name: 'Time step dt' }).press('Home');
    await page.getByRole('slider', { name: 'Spikes per second of a channel' }).press('Home');
    await untilStep((await stepShown()) + 3000);
    const { steps, ...last } = requests.at(-1) as Record<string, number>;
    assert.deepEqual(last, { tau: 1, dt: 0.0002, rate: 0.5 });
    assert.ok(steps !== undefined && steps >= 1 && steps <= 1250);
    application.expsyn.requestSteps = requestSteps;
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('stands still while it is paused or not shown', async () => {
    await click('Pause');
    await page.waitForTimeout(700);
    const paused = await stepShown();
    await page.waitForTimeout(700);
    assert.equal(await stepShown(), paused);
    await click('Pause');
    await untilStep(paused);
    await page.getByRole('tab', { name: 'Live' }).press('ArrowRight');
    assert.equal(await page.getByRole('tabpanel', { name: 'File' }).count(), 1);
    assert.equal(await page.getByRole('tabpanel', { name: 'Live' }).count(), 0);
    assert.equal(await page.evaluate('document.activeElement.id'), 'file-tab');
    await page.getByRole('tab', { name: 'File' }).press('ArrowLeft');
    await untilStep((await stepShown()) + 100);
  }).timeout(60000);

  it('computes a file that is dropped, and shows its picture', async () => {
    writeRaster('dropped.npy', 3000, 20);
    await drop('dropped.npy');
    await untilText('run-status', 'dropped.npy is computed.');
    assert.equal(await page.getByRole('tabpanel', { name: 'File' }).count(), 1);
    assert.match(await textOf('facts'), /\(3000, 20\) uint8/);
    const picture = page.getByRole('img', { name: /spikes of dropped\.npy/ });
    assert.equal(await picture.count(), 1);
    await page.evaluate("document.getElementById('picture').decode()");
    assert.ok(
      (await page.evaluate<number>("document.getElementById('picture').naturalWidth")) > 500,
    );
    assert.equal(await page.evaluate('document.activeElement.id'), 'save');
    assert.equal(await page.isVisible('#run'), false);
    assert.deepEqual(errors, []);
  }).timeout(90000);

  it('computes it again with other values, and rejects values out of range', async () => {
    await page.getByLabel('Time constant tau (ms)').fill('0');
    await click('Compute again');
    assert.equal(await page.evaluate('document.activeElement.id'), 'file-tau');
    await page.getByLabel('Time constant tau (ms)').fill('50');
    await click('Compute again');
    await page.waitForSelector('#facts dd:text("tau 50 ms")', { timeout: 60000 });
  }).timeout(90000);

  it('opens a list of events by its dialog, with the keyboard, and saves the currents', async () => {
    const times = Float64Array.from([0, 1, 2.5, 0, 3, 1, 900, 0]);
    const events = npyOf(headerOf('<f8', '(4, 2)'), new Uint8Array(times.buffer));
    writeFileSync(at('events.npy'), events);
    assert.ok(await page.getByLabel('Times are in').isDisabled());
    await page.getByRole('radio', { name: 'a list of events' }).press('Space');
    await page.getByLabel('Times are in').selectOption('milliseconds');
    application.electron.dialog.answer = {
      canceled: false,
      filePaths: [at('events.npy')],
      filePath: at('saved.npy'),
    };
    await page.getByRole('button', { name: 'Open a file…' }).press('Enter');
    await untilText('run-status', 'events.npy is computed.');
    assert.match(await textOf('facts'), /4 events/);
    await page.getByRole('button', { name: 'Save the currents…' }).press('Enter');
    await untilText('run-status', 'saved.npy was saved.');
    await page.getByRole('radio', { name: 'a raster' }).check();
  }).timeout(90000);

  it('shows what is wrong with a file', async () => {
    writeFileSync(at('noise.npy'), 'this is no array');
    await drop('noise.npy');
    await page.waitForSelector('#run-error:text("noise.npy")', { timeout: 30000 });
    assert.equal(await page.getByRole('alert').innerText(), await textOf('run-error'));
    assert.equal(await page.isVisible('#result'), false);
    await drop('a.npy', 'b.npy');
    assert.equal(
      await textOf('run-error'),
      'Expected one file but received 2; drop one at a time.',
    );
    await drop('unsaved.npy');
    assert.match(await textOf('run-error'), /^Expected a file on a disk but received unsaved\.npy/);
  }).timeout(60000);

  it('keeps computing a file while another is dropped, and cancels', async () => {
    await dropLongRaster();
    await drop('dropped.npy');
    assert.match(await textOf('run-error'), /^Expected no other run but long\.npy is being/);
    assert.equal(await page.isVisible('#run'), true);
    assert.ok(await page.getByRole('button', { name: 'Open a file…' }).isDisabled());
    assert.equal(await page.getByRole('progressbar', { name: /^Computing long\.npy/ }).count(), 1);
    await page.getByRole('button', { name: 'Cancel' }).press('Enter');
    await untilText('run-status', 'long.npy was cancelled.');
    assert.equal(await textOf('run-error'), '');
    assert.equal(await page.evaluate('document.activeElement.id'), 'choose');
    assert.equal(await page.isVisible('#run'), false);
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('says when the engine has ended, and starts it again', async () => {
    await dropLongRaster();
    application.engine.kill();
    await untilState('stopped');
    assert.match(await textOf('status'), /ended unexpectedly/);
    assert.match(await textOf('run-error'), /^long\.npy was not computed/);
    assert.ok(await page.getByRole('button', { name: 'Compute again' }).isDisabled());
    await page.getByRole('button', { name: 'Start again' }).press('Enter');
    await untilState('live');
    await page.getByRole('tab', { name: 'Live' }).click();
    await untilStep(100);
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('is light or dark as the reader prefers', async () => {
    const background = async (colorScheme: 'light' | 'dark') => {
      await page.emulateMedia({ colorScheme });
      return page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    };
    assert.equal(await background('light'), 'rgb(255, 255, 255)');
    assert.equal(await background('dark'), 'rgb(20, 22, 26)');
  });

  it('names everything that can be operated', async () => {
    for (const tab of ['Live', 'File']) {
      await page.getByRole('tab', { name: tab }).click();
      const nameless = await page.evaluate<string[]>(`
        [...document.querySelectorAll('button, input, select, progress, canvas')]
          .filter((one) => one.offsetParent !== null)
          .filter((one) => !one.labels?.length && !one.ariaLabel && one.textContent.trim() === '')
          .map((one) => one.outerHTML)`);
      assert.deepEqual(nameless, []);
    }
  });
});
