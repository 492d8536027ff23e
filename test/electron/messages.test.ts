/** Messages of a page that an attacker has taken over, and what a page is told of files. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { headerOf, npyOf } from '../support/npy-bytes';
import { stage, until } from './application';

interface Message {
  type: string;
  request?: string;
  message?: string;
  notes?: string[];
  facts?: string[][];
}

/** The end of a port that the engine has. */
class Port extends EventEmitter {
  readonly sent: Message[] = [];

  postMessage(message: Message): void {
    this.sent.push(message);
  }

  start(): void {
    // A port of Electron delivers no message before.
  }

  close(): void {
    // The other end of Electron's port would be told.
  }

  receive(data: unknown): Message | undefined {
    this.emit('message', { data });
    return this.sent.at(-1);
  }

  async next(type: RegExp): Promise<Message> {
    const from = this.sent.length;
    const find = () => this.sent.slice(from).find((message) => type.test(message.type));
    await until(() => find() !== undefined);
    return find() ?? assert.fail();
  }
}

interface Client {
  save(path: string): Promise<void>;
  close(): void;
}

describe('messages between a page and the engine', () => {
  const app = stage();
  const folder = mkdtempSync(join(tmpdir(), 'expsyn-page-'));
  const port = new Port();
  let client: Client;

  const load = (name: string): Promise<unknown> =>
    import(pathToFileURL(join(app, 'app', 'engine', name)).href);

  before(async () => {
    const module = (await load('client.js')) as {
      Client: new (port: Port, folder: string) => Client;
    };
    client = new module.Client(port, join(folder, 'runs'));
  });

  after(() => {
    client.close();
    for (const path of [app, folder]) rmSync(path, { recursive: true, force: true });
  });

  const REQUEST = { type: 'run', tau: 0.02, dt: 0.001 };

  function place(name: string, content: Uint8Array | string): string {
    const path = join(folder, 'secret', name);
    mkdirSync(join(folder, 'secret'), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  const raster = () =>
    place('a.npy', npyOf(headerOf('|u1', '(20, 3)'), new Uint8Array(60).fill(1)));

  it('are refused, whatever they are', () => {
    for (const type of [{ toString: 1, valueOf: 1 }, 1n, [[]], null, undefined, 'other']) {
      const answer = port.receive({ type });
      assert.equal(answer?.type, 'refused');
      assert.equal(answer.request, typeof type === 'string' ? type : 'unknown');
      assert.match(answer.message ?? '', /^Expected a message of type steps, run or cancel but /);
    }
    for (const data of [null, undefined, 1, 'run', { type: 'steps' }, { ...REQUEST, path: 1n }]) {
      assert.equal(port.receive(data)?.type, 'refused');
    }
    const tau = { toString: 1, toJSON: 1, valueOf: 1 };
    const answer = port.receive({ type: 'steps', steps: 1, tau, dt: 1, rate: 1 });
    assert.match(answer?.message ?? '', /for tau but received/);
  });

  it('may name only files on a disk of this computer', async () => {
    const { isLocalPath } = (await load('requests.js')) as {
      isLocalPath: (path: string, platform?: string) => boolean;
    };
    for (const path of ['C:\\a.npy', 'd:/a.npy']) assert.ok(isLocalPath(path, 'win32'), path);
    for (const path of [
      ...['\\\\server\\share\\a.npy', '//server/share/a.npy', '\\/server/a.npy'],
      ...['\\\\?\\UNC\\server\\a.npy', '\\\\.\\pipe\\a', '\\a.npy', 'C:a.npy', 'a.npy'],
      ...['http://host/a.npy', '--help', 'C:\\a\0.npy'],
    ]) {
      assert.ok(!isLocalPath(path, 'win32'), path);
    }
    assert.ok(isLocalPath('/home/a.npy', 'linux'));
    for (const path of ['a.npy', '--help', 'http://host/a', 'C:\\a', '/a\0']) {
      assert.ok(!isLocalPath(path, 'linux'), path);
    }
  });

  it('have names of files in place of paths', async () => {
    const path = place('broken.npy', 'no array');
    port.receive({ ...REQUEST, path, name: 'broken.npy' });
    const failed = await port.next(/^run-(failed|finished)$/);
    assert.equal(failed.type, 'run-failed');
    assert.ok(failed.message?.includes('broken.npy'), failed.message);
    port.receive({ ...REQUEST, path: raster(), name: 'a.npy' });
    assert.equal((await port.next(/^run-(failed|finished)$/)).type, 'run-finished');
    await client.save(join(folder, 'secret', 'none', 'out.npy'));
    assert.match(port.sent.at(-1)?.message ?? '', /ENOENT.*out\.npy/);
    port.receive({ ...REQUEST, path: 'secret/a.npy', name: 'a.npy' });
    for (const message of port.sent) {
      const told = { ...message, picture: undefined };
      assert.ok(!JSON.stringify(told).includes(folder), JSON.stringify(told));
      assert.ok(!JSON.stringify(told).includes('secret'), JSON.stringify(told));
    }
  });

  it('save a result without replacing what nobody was asked about', async () => {
    const path = join(folder, 'secret', 'saved.npy');
    const other = place('saved.npy.json', '{"mine": true}');
    await client.save(path);
    assert.match(port.sent.at(-1)?.message ?? '', /^Expected no file saved\.npy\.json but /);
    place('saved.npy', 'currents of another program');
    await client.save(path);
    assert.equal(port.sent.at(-1)?.type, 'not-saved');
    assert.equal(readFileSync(other, 'utf8'), '{"mine": true}');
    rmSync(other);
    for (let i = 0; i < 2; i++) {
      await client.save(path);
      assert.equal(port.sent.at(-1)?.type, 'saved');
    }
    // The provenance of currents that are gone.
    rmSync(path);
    await client.save(path);
    assert.equal(port.sent.at(-1)?.type, 'not-saved');
  });
});
