/** The example server: how sessions are saved, restored and taken over. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { WebSocket } from 'ws';

import { assertSameBits } from '../support/bits';
import { ROOT } from '../support/processes';
import { CHANNELS, Client, expectedCurrents, raster } from '../support/server-client';
import { endServer, eventually, startServer, stopServers, TOKEN } from '../support/servers';

describe('sessions of the example server', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'expsyn-sessions-'));
  });
  afterEach(async () => {
    await stopServers();
    rmSync(folder, { recursive: true, force: true });
  });

  it('restores only what it could have saved', async () => {
    const { port } = await startServer({ folder, maxSources: 2, maxChannels: 20 });
    const isyn = Buffer.from(new Float32Array(CHANNELS).buffer).toString('base64');
    const parameters = { channels: CHANNELS, tau: 0.02, dt: 0.001, noiseStd: 0 };
    const source = { isyn, step: 3, seed: 1 };
    const id = '11111111-2222-3333-4444-555555555555';
    const open = async (content: unknown) => {
      writeFileSync(join(folder, `${id}.json`), JSON.stringify(content));
      const client = new Client(port, { session: id });
      return once(client.socket, 'open').then(
        async () => {
          client.socket.close();
          await client.closed;
          return 'open';
        },
        (error: unknown) => (error as Error).message,
      );
    };
    assert.equal(await open({ parameters, sources: [source, source] }), 'open');
    const nan = Buffer.from(new Float32Array(CHANNELS).fill(NaN).buffer).toString('base64');
    for (const damaged of [
      { parameters, sources: [source, source, source] },
      { parameters, sources: [] },
      { parameters, sources: {} },
      { parameters: { ...parameters, channels: 21 }, sources: [source] },
      { parameters: { ...parameters, tau: 1e9 }, sources: [source] },
      { parameters: { ...parameters, kernel: 'fir', tauRise: 0.01 }, sources: [source] },
      { parameters: { ...parameters, kernel: 'alpha', tauRise: 0.01 }, sources: [source] },
      { parameters: { ...parameters, kernel: 'double-exp', tauRise: 1 }, sources: [source] },
      { parameters: { ...parameters, kernel: 'exp' }, sources: [source] },
      { parameters: { ...parameters, dt: undefined }, sources: [source] },
      { parameters, sources: [{ ...source, step: -5 }] },
      { parameters, sources: [{ ...source, step: 2 ** 53 - 1 }] },
      { parameters, sources: [{ ...source, isyn: nan }] },
      null,
    ]) {
      assert.match(await open(damaged), /410/, JSON.stringify(damaged));
    }
  });

  it('saves parameters that were changed after the last step', async () => {
    const { port } = await startServer({ saveSeconds: 0.02 });
    const client = new Client(port);
    const { session } = await client.text('welcome');
    client.send(0, raster(5, 1));
    await client.until(() => client.answers.length > 0);
    await wait(100);
    client.socket.send(JSON.stringify({ type: 'set', tau: 0.5, noiseStd: 2 }));
    await client.text('changed');
    client.socket.close();
    await client.closed;
    const again = new Client(port, { session });
    const { tau, noiseStd, steps } = await again.text('welcome');
    assert.deepEqual({ tau, noiseStd, steps }, { tau: 0.5, noiseStd: 2, steps: [5] });
  });

  it('removes only its own files, and fails at the start if it cannot save', async () => {
    const old = new Date(Date.now() - 48 * 3600_000);
    const id = '01234567-89ab-cdef-0123-456789abcdef';
    mkdirSync(join(folder, 'sub'));
    for (const name of ['thesis.txt', `${id}.json`, 'sub']) {
      if (name !== 'sub') writeFileSync(join(folder, name), '');
      utimesSync(join(folder, name), old, old);
    }
    await startServer({ folder });
    assert.deepEqual(readdirSync(folder).sort(), ['sub', 'thesis.txt']);
    await assert.rejects(
      startServer({ folder: join(folder, 'thesis.txt', 'x') }),
      /^Error: Expected a folder that can be written for EXPSYN_SERVER_FOLDER but .* ENOTDIR\.$/,
    );
  });

  it('keeps a session that could not be saved for its client, and reports the failure', async () => {
    const { server, port } = await startServer({ folder });
    const first = new Client(port);
    const { session } = await first.text('welcome');
    first.send(0, raster(5, 1));
    await first.until(() => first.answers.length === 1);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, '');
    const second = new Client(port, { session });
    assert.deepEqual((await second.text('welcome')).steps, [5]);
    assert.equal((await first.closed)[0], 4001);
    second.send(1, raster(5, 2));
    await second.until(() => second.answers.length === 1);
    assertSameBits(
      Float32Array.from([...first.currents, ...second.currents]),
      expectedCurrents([raster(5, 1), raster(5, 2)]),
    );
    const { payload } = await server.app.inject({ url: '/metrics' });
    assert.match(payload, /^expsyn_server_save_failures_total 1$/m);
    await assert.rejects(endServer(server), /every session but 1 could not be/);
  });

  it('continues a session whose client has vanished, or returns before it is missed', async () => {
    const { port } = await startServer();
    const rasters = [1, 2, 3].map((seed) => raster(20, seed));
    const [a, b, c] = rasters as [Uint8Array, Uint8Array, Uint8Array];
    const first = new Client(port);
    const { session } = await first.text('welcome');
    first.send(0, a);
    await first.until(() => first.answers.length === 1);
    first.socket.terminate();
    await first.closed;
    const second = new Client(port, { session });
    assert.deepEqual((await second.text('welcome')).steps, [20]);
    second.send(1, b);
    await second.until(() => second.answers.length === 1);
    // The second connection is still open: it is told, and its state taken over.
    const third = new Client(port, { session });
    assert.deepEqual((await third.text('welcome')).steps, [40]);
    assert.equal((await second.closed)[0], 4001);
    third.send(2, c);
    await third.until(() => third.answers.length === 1);
    const all = [first, second, third].flatMap((client) => [...client.currents]);
    assertSameBits(Float32Array.from(all), expectedCurrents(rasters));
    const unknown = new Client(port, { session: session.replace(/^.{8}/, '00000000') });
    const [refused] = (await once(unknown.socket, 'error')) as [Error];
    assert.match(refused.message, /400/);
  });

  it('gives a session to one connection, however many ask for it', async () => {
    const { port } = await startServer();
    const first = new Client(port);
    const { session } = await first.text('welcome');
    first.send(0, raster(5, 1));
    await first.until(() => first.answers.length > 0);
    first.socket.close();
    await first.closed;
    for (let round = 0; round < 5; round++) {
      const sockets = Array.from({ length: 30 }, () => new Client(port, { session }));
      const isOpen = ({ socket }: Client) => socket.readyState === WebSocket.OPEN;
      for (const { socket } of sockets) socket.on('error', () => undefined);
      await wait(300);
      assert.ok(sockets.filter(isOpen).length <= 1);
      for (const { socket } of sockets) socket.terminate();
      await wait(50);
    }
  });

  it('lets a client take over its session when there is no room for another connection', async () => {
    const { port } = await startServer({ maxConnections: 2 });
    const [first, second] = [new Client(port), new Client(port)];
    const { session } = await first.text('welcome');
    await second.text('welcome');
    const again = new Client(port, { session });
    assert.equal((await again.text('welcome')).session, session);
    assert.equal((await first.closed)[0], 4001);
  });

  it('survives clients that leave while their sessions are saved', async () => {
    const { port } = await startServer({ saveSeconds: 0.01 });
    for (let round = 0; round < 10; round++) {
      const clients = Array.from({ length: 20 }, () => new Client(port));
      await Promise.all(clients.map(async (client) => client.text('welcome')));
      clients.forEach((client, k) => client.send(k, raster(2, k)));
      await Promise.all(
        clients.map(async (client) => client.until(() => client.answers.length > 0)),
      );
      for (const client of clients) client.socket.close();
      await Promise.all(clients.map(async (client) => client.closed));
    }
    const client = new Client(port);
    assert.deepEqual((await client.text('welcome')).steps, [0]);
  });

  it('answers every accepted frame before it ends, and another server continues', async () => {
    const { server, port } = await startServer({ folder });
    const rasters = Array.from({ length: 300 }, (_, k) => raster(1 + (k % 3), k));
    const client = new Client(port);
    const { session } = await client.text('welcome');
    rasters.forEach((data, k) => client.send(k, data));
    await client.until(() => client.answers.length >= 20);
    const [ended] = await Promise.all([client.closed, endServer(server)]);
    assert.equal(ended[0], 1001);
    const n = client.answers.length;
    const goodbye = client.texts.find(({ type }) => type === 'goodbye');
    const nSteps = rasters.slice(0, n).reduce((sum, data) => sum + data.length / CHANNELS, 0);
    assert.deepEqual(goodbye?.steps, [nSteps]);
    const next = await startServer({ folder });
    const again = new Client(next.port, { session });
    assert.deepEqual((await again.text('welcome')).steps, [nSteps]);
    rasters.slice(n).forEach((data, k) => again.send(n + k, data));
    await again.until(() => again.answers.length === 300 - n);
    assertSameBits(
      Float32Array.from([...client.currents, ...again.currents]),
      expectedCurrents(rasters),
    );
  });

  it('continues from the saved sessions after it was killed', async () => {
    const children: ChildProcess[] = [];
    const startProcess = async () => {
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', join(ROOT, 'examples', 'server', 'main.ts')],
        {
          cwd: ROOT,
          stdio: ['ignore', 'pipe', 'inherit'],
          env: {
            ...process.env,
            EXPSYN_SERVER_PORT: '0',
            EXPSYN_SERVER_TOKEN: TOKEN,
            EXPSYN_SERVER_FOLDER: folder,
            EXPSYN_SERVER_SAVE_SECONDS: '0.02',
          },
        },
      );
      children.push(child);
      let log = '';
      for await (const text of child.stdout) {
        log += String(text);
        const port = /listening at http:\/\/127.0.0.1:(\d+)/.exec(log)?.[1];
        if (port !== undefined) return { child, port: Number(port) };
      }
      return assert.fail(log);
    };
    try {
      const frames = Array.from({ length: 400 }, (_, k) => raster(1, k));
      const wanted = expectedCurrents(frames);
      let session: string | undefined;
      let next = 0;
      for (let round = 0; round < 3; round++) {
        const { child, port } = await startProcess();
        const client = new Client(port, session === undefined ? {} : { session });
        const welcome = await client.text('welcome');
        ({ session } = welcome);
        const [begin = NaN] = welcome.steps;
        // From where it was saved, which the client may have passed already.
        assert.ok(begin <= next, `${begin} of ${next}`);
        if (round > 0) assert.ok(begin > 0, 'nothing was saved');
        for (let k = begin; k < begin + 100; k++) {
          client.send(k, frames[k] ?? new Uint8Array());
          await client.until(() => client.answers.length === k - begin + 1);
          if (k % 10 === 0) await wait(10);
        }
        assertSameBits(
          client.currents,
          wanted.subarray(begin * CHANNELS, (begin + 100) * CHANNELS).slice(),
        );
        next = begin + 100;
        // Something of this round has been saved, however long that takes here.
        await eventually(async () => {
          const text = await readFile(join(folder, `${session}.json`), 'utf8').catch(() => '{}');
          const { sources = [] } = JSON.parse(text) as { sources?: { step: number }[] };
          return (sources[0]?.step ?? 0) > begin;
        });
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      writeFileSync(join(folder, `${session ?? ''}.json`), '{"parameters":');
      const { child, port } = await startProcess();
      const [refused] = (await once(
        new Client(port, { session: session ?? '' }).socket,
        'error',
      )) as [Error];
      assert.match(refused.message, /410/);
      const client = new Client(port);
      await client.text('welcome');
      child.kill('SIGTERM');
      assert.equal((await client.closed)[0], 1001);
      const [code] = (await once(child, 'exit')) as [number];
      assert.equal(code, 0);
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });
});
