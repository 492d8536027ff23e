/** The WebAssembly module against the addon, bit by bit: in Node, in Chromium and in a Web Worker. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { chromium, type Browser, type Page } from 'playwright-core';

import * as addon from '../../lib/index';
import { findBrowser } from '../support/browser';

type Results = [name: string, text: string][];
interface Cases {
  computeAll: (expsyn: unknown) => Promise<Results>;
}

const root = join(__dirname, '..', '..');
const built = join(root, 'prebuilds', 'wasm');
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.mjs': 'text/javascript',
  // Not application/wasm: some servers do not know it.
  '.wasm': 'application/octet-stream',
};

/** Serves the built module at /wasm/, the cases and the worker beside it, and an empty page. */
function serve(): Server {
  return createServer(({ url = '/' }, response) => {
    const path = url === '/' ? '/page.html' : url;
    try {
      const file = path.startsWith('/wasm/')
        ? join(built, path.slice('/wasm/'.length))
        : join(__dirname, path);
      const body = path === '/page.html' ? '<!doctype html>' : readFileSync(file);
      response.setHeader('content-type', TYPES[extname(path)] ?? 'text/plain');
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
}

describe('expsyn/wasm', () => {
  let cases: Cases;
  let expected: Results;
  let server: Server;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];

  before(async () => {
    cases = (await import(pathToFileURL(join(__dirname, 'cases.mjs')).href)) as Cases;
    expected = await cases.computeAll(addon);
    server = serve();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await chromium.launch({
      executablePath: findBrowser(),
      // Containers have neither.
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    page = await browser.newPage();
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });

  after(async () => {
    await browser.close();
    server.close();
  });

  it('has the public names of the package', async () => {
    const names = await page.evaluate("import('/wasm/index.mjs').then(Object.keys)");
    assert.deepEqual(names, Object.keys(addon).sort());
  });

  it('computes the same bits on a page as the addon, and words errors the same', async () => {
    const compute =
      "Promise.all([import('/cases.mjs'), import('/wasm/index.mjs')])" +
      '.then(([cases, expsyn]) => cases.computeAll(expsyn))';
    assert.deepEqual(await page.evaluate(compute), expected);
    assert.ok(expected.length > 700);
  });

  it('computes the same bits in a Web Worker', async () => {
    const compute =
      "new Promise((resolve, reject) => { const worker = new Worker('/worker.mjs', { type: 'module' });" +
      ' worker.onmessage = ({ data }) => resolve(data);' +
      ' worker.onerror = ({ message }) => reject(new Error(message)); })';
    assert.deepEqual(await page.evaluate(compute), expected);
  });

  it('computes the same bits in Node', async () => {
    const expsyn: unknown = await import(pathToFileURL(join(built, 'index.mjs')).href);
    assert.deepEqual(await cases.computeAll(expsyn), expected);
  });

  it('needs no shared memory, which a page that is not isolated lacks', async () => {
    assert.equal(await page.evaluate('typeof SharedArrayBuffer'), 'undefined');
    assert.deepEqual(errors, []);
  });

  it('computes rasters that are larger than the memory that the module begins with', async () => {
    const compute =
      "import('/wasm/index.mjs').then(async ({ ExpSyn }) => {" +
      ' const data = new Uint8Array(200000 * 100); data[0] = 1;' +
      ' const synapses = new ExpSyn(100, { tau: 0.01 });' +
      ' const { output } = await synapses.evolve({ data, shape: [200000, 100] });' +
      ' return [output.data.length, output.data[0], output.data.at(-1)]; })';
    const [length, first, last] = await page.evaluate<number[]>(compute);
    assert.equal(length, 20_000_000);
    assert.ok(Math.abs((first ?? NaN) - Math.exp(-0.1)) < 1e-15);
    assert.equal(last, 0);
  });

  it('says that FFTW is missing, and where a call by transforms can be computed', async () => {
    const compute =
      "import('/wasm/index.mjs').then(({ ExpSyn, fftw }) =>" +
      " new ExpSyn(1, { method: 'fft' }).evolve([[1]])" +
      '.then(() => 0, ({ code, message }) => ({ code, message, fftw: fftw() })))';
    assert.deepEqual(await page.evaluate(compute), {
      code: 'ERR_EXPSYN_FFTW_MISSING',
      message:
        "Expected FFTW in double precision for method 'fft' but found none (WebAssembly cannot load " +
        "libraries); compute it in Node, which can, or use method 'auto'.",
      fftw: { float64: null, float32: null },
    });
  });

  it('says which file is missing', async () => {
    const other = await browser.newPage();
    await other.route('**/expsyn.wasm', (route) => route.fulfill({ status: 404 }));
    await other.goto(page.url());
    const load =
      "import('/wasm/index.mjs').then(() => 0, ({ code, message }) => ({ code, message }))";
    const { code, message } = await other.evaluate<{ code: string; message: string }>(load);
    await other.close();
    assert.equal(code, 'ERR_EXPSYN_ADDON');
    assert.match(
      message,
      /^Expected the WebAssembly module at http.*expsyn\.wasm but .*status 404/,
    );
  });

  it('is used by Node on a system that the package has no binary for, with a warning', () => {
    const folder = mkdtempSync(join(tmpdir(), 'expsyn-wasm-'));
    try {
      cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
      cpSync(built, join(folder, 'prebuilds', 'wasm'), { recursive: true });
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
      const script =
        "Object.defineProperty(process, 'arch', { value: 'riscv64' });" +
        "process.on('warning', ({ code }) => console.log(code));" +
        "const { ExpSyn, fftw } = require('./dist/index.js');" +
        'const { output } = new ExpSyn(1, { tau: 0.01 }).evolveSync([[1]]);' +
        'setImmediate(() => console.log(output.data[0].toFixed(9), fftw().float64));';
      const shown = execFileSync(process.execPath, ['-e', script], {
        cwd: folder,
        encoding: 'utf8',
      });
      assert.equal(shown, `WARN_EXPSYN_WASM\n${Math.exp(-0.1).toFixed(9)} null\n`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
