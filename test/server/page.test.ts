/** The example server's page, in a real browser. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { chromium, type Browser, type Page } from 'playwright-core';

import { WebSocket } from 'ws';

import { createServer, type Server } from '../../examples/server/server';
import { DEFAULTS } from '../../examples/server/settings';
import { findBrowser } from '../support/browser';

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
    await page.goto(`http://127.0.0.1:${port}/?token=page#here`);
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

  /** Waits until a condition holds. */
  async function until(holds: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < 400; i++) {
      if (await holds()) return;
      await wait(50);
    }
    assert.fail(`the condition does not come to hold: ${errors.join()}`);
  }

  const untilStep = (step: number) => until(async () => (await stepShown()) > step);

  /**
   * How many different colours the plot of a canvas shows, the share of its columns that are not empty,
   * and how many of its pixels are rather red, and rather blue.
   */
  const look = (id: string) =>
    page.evaluate<{ colours: number; filled: number; red: number; blue: number }>(`(() => {
      const canvas = document.getElementById('${id}');
      const [left, right, bottom] = [66, 94, 42];
      const width = canvas.width - left - right;
      const { data } = canvas
        .getContext('2d')
        .getImageData(left, 8, width, canvas.height - bottom - 8);
      const colours = new Set();
      const filled = new Set();
      let [red, blue] = [0, 0];
      const style = getComputedStyle(document.documentElement);
      const empty = Number.parseInt(style.getPropertyValue('--plot').trim().slice(1), 16);
      for (let i = 0; i < data.length; i += 4) {
        const colour = data[i] * 65536 + data[i + 1] * 256 + data[i + 2];
        colours.add(colour);
        if (colour !== empty) filled.add((i / 4) % width);
        if (data[i] > data[i + 2] + 30) red++;
        if (data[i + 2] > data[i] + 30) blue++;
      }
      return { colours: colours.size, filled: filled.size / width, red, blue };
    })()`);

  /** A page of its own, with what its tab remembers, which is closed at the end. */
  async function inTab(
    address: string,
    act: (tab: Page) => Promise<void>,
    options: Parameters<Browser['newPage']>[0] = {},
  ): Promise<void> {
    const tab = await browser.newPage(options);
    try {
      await tab.goto(`http://127.0.0.1:${port}/${address}`);
      await act(tab);
    } finally {
      await tab.close();
    }
  }

  const untilTabIs = (tab: Page, state: string) =>
    tab.waitForSelector(`#status[data-state="${state}"]`, { timeout: 20000 });

  const sessionOf = (tab: Page) =>
    tab.evaluate<string | null>("sessionStorage.getItem('expsyn-session')");

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
    await page.waitForSelector('#status[title="kernel exp, tau 1 s, dt 0.0002 s, noise 5"]', {
      state: 'attached',
    });
    assert.equal(await page.innerText('#tau-value'), '1000 ms');
    assert.equal(await page.innerText('#noise-value'), '5.00');
    await slide('rate', 0);
    await slide('tau', 0);
    await slide('noise', 1);
    // With few spikes, noise of both signs becomes visible as old columns leave the picture.
    await until(async () => {
      const { colours, red, blue } = await look('currents');
      return colours > 20 && red > 1000 && blue > 1000;
    });
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('lets the user choose the kernel', async () => {
    assert.ok(!(await page.isVisible('#tau-rise')));
    await slide('tau', 0.5);
    const titleOf = async (kernel: string) => {
      await page.getByLabel('Kernel', { exact: true }).selectOption(kernel);
      await page.waitForSelector(`#status[title^="kernel ${kernel}, tau "]`, { state: 'attached' });
      return page.getAttribute('#status', 'title');
    };
    assert.match((await titleOf('alpha')) ?? '', /^kernel alpha, tau 0\.0316\d* s, dt /);
    assert.match((await titleOf('double-exp')) ?? '', /tau 0\.0316\d* s, rise 0\.00316\d* s, dt /);
    assert.ok(await page.isVisible('#tau-rise'));
    for (const share of [0, 1]) {
      await slide('tau-rise', share);
      const rise = share === 0 ? /rise 0\.000316/ : /tau (0\.0316\d*) s, rise \1 s/;
      await until(async () => rise.test((await page.getAttribute('#status', 'title')) ?? ''));
    }
    assert.equal(await page.innerText('#tau-rise-value'), '1.000');
    await titleOf('exp');
    assert.ok(!(await page.isVisible('#tau-rise')));
    assert.deepEqual(errors, []);
  }).timeout(60000);

  it('names its sliders, and says their values with their units', async () => {
    for (const [name, id] of [
      ['Time constant tau', 'tau'],
      ['Time step dt', 'dt'],
      ['Noise after 1 s (standard deviation)', 'noise'],
      ['Spikes per second of a channel', 'rate'],
    ] as const) {
      const slider = page.getByRole('slider', { name, exact: true });
      assert.equal(await slider.count(), 1, name);
      assert.equal(await slider.getAttribute('id'), id);
    }
    await slide('tau', 1);
    const tau = page.getByRole('slider', { name: 'Time constant tau', exact: true });
    assert.equal(await tau.getAttribute('aria-valuetext'), '1000 milliseconds');
    await tau.press('Home');
    assert.equal(await tau.getAttribute('aria-valuetext'), '1 milliseconds');
    for (const name of [/spikes/i, /current of each/i, /current of channel 0/i]) {
      assert.equal(await page.getByRole('img', { name }).count(), 1);
    }
  });

  it('takes the token out of the address, and remembers it in the tab', async () => {
    assert.equal(page.url(), `http://127.0.0.1:${port}/#here`);
    await inTab('?a=1&token=page', async (tab) => {
      await untilTabIs(tab, 'live');
      assert.equal(tab.url(), `http://127.0.0.1:${port}/?a=1`);
      const session = await sessionOf(tab);
      await tab.reload();
      await untilTabIs(tab, 'live');
      assert.equal(await sessionOf(tab), session);
    });
    await inTab('#token=page', async (tab) => {
      await untilTabIs(tab, 'live');
      assert.equal(tab.url(), `http://127.0.0.1:${port}/`);
    });
  }).timeout(60000);

  it('draws a column for each 5 ms of the steps, however these are cut into messages', async () => {
    const results = await page.evaluate<{ dt: number; columns: number; seconds: number }[]>(
      `import('/drawing/history.js').then(({ History }) =>
        [0.0002, 0.0003, 0.0007, 0.001, 0.0016, 0.003, 0.0041, 0.005].map((dt) => {
          const history = new History(2, 64, 0.005);
          let steps = 0;
          for (let k = 0; steps * dt < 30; k++) {
            const count = Math.min(1 + (k * 7) % 23, Math.round(30 / dt) - steps);
            if (count <= 0) break;
            history.add(new Uint8Array(2 * count), new Float32Array(2 * count), count, dt);
            steps += count;
          }
          return { dt, columns: history.newest + 1, seconds: history.seconds };
        }),
      )`,
    );
    for (const { dt, columns, seconds } of results) {
      assert.ok(Math.abs(seconds - 30) <= dt, `${dt}: ${seconds} s`);
      // 200 a second, the last of which may have to begin yet.
      assert.ok(Math.abs(columns - 6000) <= 1, `${dt}: ${columns} columns`);
    }
  });

  it('puts each step in its column, and goes on where dt changes', async () => {
    const seen = await page.evaluate<
      number[][]
    >(`import('/drawing/history.js').then(({ History }) => {
      const history = new History(1, 8, 0.005);
      const ones = (count) => new Uint8Array(count).fill(1);
      history.add(ones(7), Float32Array.from([1, 2, 3, 4, 5, 6, 7]), 7, 0.001);
      history.add(ones(2), Float32Array.from([8, 9]), 2, 0.005);
      history.add(ones(1), Float32Array.from([-1]), 1, 0.001);
      history.add(ones(1), Float32Array.from([-2]), 1, 0.012);
      history.add(ones(1), Float32Array.from([-3]), 1, 0.001);
      const columns = Array.from({ length: history.newest + 1 }, (_, i) => history.indexOf(i));
      const of = (array) => columns.map((begin) => array[begin]);
      return [of(history.spikes), of(history.currents), [history.peak(2), history.peak(8)]];
    })`);
    // Seven steps of 1 ms, two of 5 ms from 7 ms on, then 17, 18 and 30 ms.
    assert.deepEqual(seen, [
      [5, 3, 1, 2, 0, 0, 1],
      [5, 8, 9, -2, -2, -2, -3],
      [3, 9],
    ]);
  });

  it('simulates the time that passes, and catches up with what it could not send', async () => {
    const tab = await browser.newPage();
    try {
      await tab.clock.install();
      await tab.goto(`http://127.0.0.1:${port}/#token=page`);
      await untilTabIs(tab, 'live');
      const seconds = async () =>
        Number(/([\d.]+) s simulated/.exec(await tab.innerText('#figures'))?.[1] ?? 0);
      await tab.locator('#dt').press('End');
      await tab.clock.pauseAt((await tab.evaluate<number>('Date.now()')) + 500);
      // Time as the page sees it, while answers come when they do.
      const pass = async (milliseconds: number) => {
        await tab.clock.runFor(milliseconds);
        await wait(20);
      };
      // How far the simulation is behind the clock, at the best of some moments.
      const lag = async () => {
        let least = Infinity;
        for (let k = 0; k < 8; k++) {
          await pass(510);
          await wait(80);
          least = Math.min(
            least,
            (await tab.evaluate<number>('Date.now()')) / 1000 - (await seconds()),
          );
        }
        return least;
      };
      const before = await lag();
      for (let k = 0; k < 40; k++) await pass(500);
      const lost = (await lag()) - before;
      assert.ok(Math.abs(lost) <= 0.6, `${lost} s of 24 s`);
      assert.doesNotMatch(await tab.innerText('#figures'), /skipped/);
    } finally {
      await tab.close();
    }
  }).timeout(60000);

  it('is light or dark as the reader prefers, and can be read in both', async () => {
    const contrasts = async (scheme: 'light' | 'dark') => {
      await page.emulateMedia({ colorScheme: scheme });
      return page.evaluate<{ lightness: number; least: number; plot: string }>(`(() => {
        const style = getComputedStyle(document.documentElement);
        const luminance = (name) => {
          const hex = style.getPropertyValue('--' + name).trim();
          const [r, g, b] = [1, 3, 5].map((i) => {
            const x = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
            return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const contrast = (a, b) => {
          const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
          return (high + 0.05) / (low + 0.05);
        };
        const least = Math.min(
          ...['ink', 'muted', 'live', 'lost'].map((name) => contrast(name, 'page')),
          ...['spike', 'trace', 'positive', 'negative'].map((name) => contrast(name, 'plot')),
        );
        const [, background] = /rgb\\((\\d+)/.exec(getComputedStyle(document.body).backgroundColor);
        return { lightness: Number(background), least, plot: style.getPropertyValue('--plot') };
      })()`);
    };
    const [light, dark] = [await contrasts('light'), await contrasts('dark')];
    assert.ok(light.lightness > 200 && dark.lightness < 60);
    assert.ok(light.least >= 4.5 && dark.least >= 4.5, JSON.stringify([light, dark]));
    // The pictures change too, their old columns included.
    const corner = () =>
      page.evaluate<string>(`(() => {
        const canvas = document.getElementById('trace');
        const { data } = canvas.getContext('2d').getImageData(70, 12, 1, 1);
        return '#' + [...data.subarray(0, 3)].map((x) => x.toString(16).padStart(2, '0')).join('');
      })()`);
    await until(async () => (await corner()) === dark.plot.trim());
    await page.emulateMedia({ colorScheme: 'light' });
    await until(async () => (await corner()) === light.plot.trim());
  }).timeout(60000);

  it('asks for another token where the first is wrong, and does not try that again', async () => {
    await inTab('#token=wrong', async (tab) => {
      await untilTabIs(tab, 'stopped');
      assert.match(await tab.innerText('#status'), /token is wrong/);
      const refusals = async () => {
        const { payload } = await server.app.inject({ url: '/metrics' });
        return Number(/^expsyn_server_refusals_total (\d+)$/m.exec(payload)?.[1]);
      };
      const before = await refusals();
      await wait(3000);
      assert.equal(await refusals(), before);
      await tab.getByLabel('Token').fill('page');
      await tab.getByRole('button', { name: 'Connect' }).click();
      await untilTabIs(tab, 'live');
      assert.equal(await tab.isVisible('#token-form'), false);
    });
    await inTab('', async (tab) => {
      await untilTabIs(tab, 'stopped');
      assert.equal(await tab.isVisible('#token-form'), true);
    });
  }).timeout(60000);

  it('leaves a session to another tab that has taken it over', async () => {
    await inTab('#token=page', async (tab) => {
      await untilTabIs(tab, 'live');
      const session = await sessionOf(tab);
      const other = new WebSocket(
        `ws://127.0.0.1:${port}/stream?token=page&session=${session ?? ''}`,
      );
      await once(other, 'message');
      await untilTabIs(tab, 'stopped');
      await wait(1000);
      assert.equal(other.readyState, WebSocket.OPEN);
      assert.match(await tab.innerText('#status'), /another tab/);
      await tab.getByRole('button', { name: 'Start a new session' }).click();
      await untilTabIs(tab, 'live');
      assert.notEqual(await sessionOf(tab), session);
      other.close();
    });
  }).timeout(60000);

  it('comes back to its session when the server does, also after a long time', async () => {
    const before = await stepShown();
    const session = await sessionOf(page);
    await server.shutDown();
    await page.waitForSelector('#status[data-state="lost"]');
    // Several tries fail, the pauses between them grow, and the reader is told.
    await wait(7000);
    assert.match(await page.innerText('#status'), /cannot be reached; the session is kept/);
    server = await createServer(settings);
    await server.app.listen({ host: '127.0.0.1', port });
    await untilLive();
    await untilStep(before);
    assert.ok((await stepShown()) > before);
    assert.equal(await sessionOf(page), session);
    errors.length = 0;
  }).timeout(60000);

  it('begins a new session only when the server says that the old one is gone', async () => {
    const session = await sessionOf(page);
    await server.shutDown();
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    server = await createServer(settings);
    await server.app.listen({ host: '127.0.0.1', port });
    for (let i = 0; i < 400 && (await sessionOf(page)) === session; i++) await wait(50);
    assert.notEqual(await sessionOf(page), session);
    await untilLive();
    await untilStep(100);
    errors.length = 0;
  }).timeout(60000);
});
