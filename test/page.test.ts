/** The example server's page, in a real browser. */
import assert from 'node:assert/strict';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { chromium, type Browser, type Page } from 'playwright-core';

import { createServer, type Server } from '../examples/server/server';
import { DEFAULTS } from '../examples/server/settings';

/** The browser of the system, as the set-up finds it. */
function findBrowser(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const folder of folders) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Elsewhere, perhaps.
      }
    }
  }
  return assert.fail("Expected Chromium on the PATH; 'npm test' installs it.");
}

describe('the page of the example server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-page-'));
  const settings = { ...DEFAULTS, folder, token: 'page', port: 0, logLevel: 'silent' };
  const errors: string[] = [];
  let browser: Browser;
  let page: Page;
  let server: Server;
  let port = 0;

  before(async function () {
    this.timeout(60000);
    server = await createServer(settings);
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    ({ port } = server.app.server.address() as AddressInfo);
    browser = await chromium.launch({
      executablePath: findBrowser(),
      // Containers have neither.
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    page = await browser.newPage();
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${port}/?token=page`);
  });

  after(async () => {
    await browser.close();
    await server.shutDown();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The step that the page shows. */
  const stepShown = async () =>
    Number(/step ([\d,]+)/.exec(await page.innerText('#figures'))?.[1]?.replaceAll(',', '') ?? 0);

  const untilLive = () => page.waitForSelector('#status[data-state="live"]', { timeout: 20000 });

  async function untilStep(step: number): Promise<void> {
    for (let i = 0; i < 400; i++) {
      if ((await stepShown()) > step) return;
      await wait(50);
    }
    assert.fail(`still at step ${await stepShown()}: ${errors.join()}`);
  }

  /** How many different colours a canvas shows, and the share of its columns that are not empty. */
  const look = (id: string) =>
    page.evaluate<{ colours: number; filled: number }>(`(() => {
      const canvas = document.getElementById('${id}');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Set();
      const filled = new Set();
      for (let i = 0; i < data.length; i += 4) {
        const colour = data[i] * 65536 + data[i + 1] * 256 + data[i + 2];
        colours.add(colour);
        if (colour !== 0x0b0d10) filled.add((i / 4) % canvas.width);
      }
      return { colours: colours.size, filled: filled.size / canvas.width };
    })()`);

  async function slide(id: string, value: number): Promise<void> {
    await page.evaluate(`(() => {
      const slider = document.getElementById('${id}');
      slider.value = ${value};
      slider.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
  }

  it('draws spikes and their currents as they come', async () => {
    await untilLive();
    await untilStep(1500);
    const [raster, currents, trace] = await Promise.all(['raster', 'currents', 'trace'].map(look));
    assert.ok(
      raster !== undefined && raster.colours >= 2 && raster.filled > 0.1,
      JSON.stringify(raster),
    );
    assert.ok(currents !== undefined && currents.colours > 20, JSON.stringify(currents));
    assert.ok(trace !== undefined && trace.colours >= 3, JSON.stringify(trace));
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('hands its sliders to the simulation', async () => {
    await slide('tau', 1);
    await slide('dt', 0);
    await slide('noise', 0.5);
    await page.waitForSelector('#status[title="tau 1 s, dt 0.0002 s, noise 5"]', {
      state: 'attached',
    });
    assert.equal(await page.innerText('#tau-value'), '1000 ms');
    assert.equal(await page.innerText('#noise-value'), '5.00');
    await slide('rate', 0);
    // Without spikes to speak of, the noise is still seen.
    await untilStep((await stepShown()) + 3000);
    assert.ok((await look('currents')).colours > 20);
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('comes back to its session when the server does', async () => {
    const before = await stepShown();
    await server.shutDown();
    await page.waitForSelector('#status[data-state="lost"]');
    server = await createServer(settings);
    await server.app.listen({ host: '127.0.0.1', port });
    await untilLive();
    await untilStep(before);
    assert.ok((await stepShown()) > before);
    errors.length = 0;
  }).timeout(60000);
});
