/** The example server: who may connect, and how connections end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

import { CHANNELS, Client, raster } from '../support/server-client';
import { eventually, startServer, stopServers, TOKEN } from '../support/servers';

describe('connections to the example server', () => {
  afterEach(stopServers);

  it('checks the token before it reads a body', async () => {
    const { port } = await startServer();
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /evolve HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n');
    socket.write('Content-Type: application/octet-stream\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 401 /);
    socket.destroy();
  });

  it('accepts no client without the token, and no more than maxConnections', async () => {
    const { port } = await startServer({ maxConnections: 2 });
    const url = `http://127.0.0.1:${port}`;
    for (const token of ['', 'wrong', `${TOKEN}x`]) {
      const [refused] = (await once(new Client(port, {}, { token: token }).socket, 'error')) as [
        Error,
      ];
      assert.match(refused.message, /401/);
      const options = { method: 'POST', headers: { authorization: `Bearer ${token}` } };
      assert.equal((await fetch(`${url}/evolve`, options)).status, 401);
    }
    const clients = [new Client(port), new Client(port)];
    await Promise.all(clients.map((client) => client.text('welcome')));
    const [refused] = (await once(new Client(port).socket, 'error')) as [Error];
    assert.match(refused.message, /503/);
    clients[0]?.socket.close();
    await clients[0]?.closed;
    // The server takes its time to save the session and to make room.
    await eventually(async () => {
      return once(new Client(port).socket, 'open').then(
        () => true,
        () => false,
      );
    });
    for (const query of [{ channels: '0' }, { tau: 'x' }, { session: '../../etc/passwd' }]) {
      const [bad] = (await once(new Client(port, query).socket, 'error')) as [Error];
      assert.match(bad.message, /400|503/);
    }
    assert.equal((await fetch(`${url}/stream?token=${encodeURIComponent(TOKEN)}`)).status, 426);
  });

  it('accepts one token, as a bearer or in the query, and never repeats it', async () => {
    const token = 'a token with spaces';
    const { port } = await startServer({ token });
    const post = (query: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${port}/evolve?channels=1&${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', ...headers },
        body: new Uint8Array(1),
      });
    assert.equal((await post(`token=${token}&token=${token}`)).status, 401);
    assert.equal((await post('', { authorization: `bearer ${token}` })).status, 200);
    const missing = await fetch(`http://127.0.0.1:${port}/nope?token=${token}`);
    assert.equal(missing.status, 404);
    assert.ok(!(await missing.text()).includes('spaces'));
  });

  it('limits the sources and channels of a connection', async () => {
    const { port } = await startServer({ maxSources: 3, maxChannels: 4 * CHANNELS });
    await new Client(port, { sources: '3' }).text('welcome');
    await new Client(port, { sources: '2', channels: `${2 * CHANNELS}` }).text('welcome');
    for (const query of [
      ...['0', '-1', '4', '1.5', '', 'many'].map((sources) => ({ sources })),
      { sources: '3', channels: `${2 * CHANNELS}` },
    ]) {
      const [refused] = (await once(new Client(port, query).socket, 'error')) as [Error];
      assert.match(refused.message, /400/, JSON.stringify(query));
    }
  });

  it('frees the place of a client that stops in a message or in the handshake', async () => {
    const { port, server } = await startServer({ idleSeconds: 0.2, maxConnections: 5 });
    const search = new URLSearchParams({ token: TOKEN, channels: `${CHANNELS}` }).toString();
    const handshake =
      `GET /stream?${search} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n` +
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
    // A frame of 100 bytes that ends after 20, and one with a reserved opcode.
    const half = Buffer.concat([Buffer.from([0x82, 0xe4, 0, 0, 0, 0]), Buffer.alloc(14)]);
    const reserved = Buffer.from([0x83, 0x80, 0, 0, 0, 0]);
    for (const message of [half, reserved, Buffer.alloc(0)]) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(`${handshake}\r\n`);
      await once(socket, 'data');
      socket.write(message);
      // Closed by the server.
      socket.resume();
      await once(socket, 'close');
    }
    const stopped = connect(port, '127.0.0.1');
    stopped.write(handshake);
    await wait(50);
    stopped.destroy();
    // Gone as soon as it has asked: nothing of it stays.
    for (let i = 0; i < 30; i++) {
      const gone = connect(port, '127.0.0.1');
      gone.on('error', () => undefined);
      gone.end(`${handshake}\r\n`);
      await once(gone, 'connect');
      if (i % 2 === 0) gone.destroy();
    }
    await wait(400);
    // There is room for all five again.
    await Promise.all(Array.from({ length: 5 }, () => new Client(port).text('welcome')));
    const { payload } = await server.app.inject({ url: '/metrics' });
    assert.match(payload, /expsyn_server_connections [0-5]$/m);
  });

  it('waits for a client that does not read, without using more memory, and serves the others', async () => {
    const { port } = await startServer({ maxQueuedBytes: 50_000, idleSeconds: 1 });
    const slow = new Client(port);
    const good = new Client(port);
    await Promise.all([slow.text('welcome'), good.text('welcome')]);
    slow.socket.pause();
    const data = raster(2000, 1);
    for (let k = 0; k < 2000; k++) slow.send(k, data);
    const before = process.memoryUsage().rss;
    for (let k = 0; k < 50; k++) {
      good.send(k, raster(1, k));
      await good.until(() => good.answers.length === k + 1);
      await wait(2);
    }
    // 80 MB would come back, if it went on.
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grown < 60, `${grown} MiB`);
    slow.socket.resume();
    await slow.until(() => slow.answers.length === 2000);
    assert.deepEqual([slow.answers[1999]?.sequence], [1999]);
  });

  it('closes idle connections, and those whose client answers no ping', async () => {
    const { port, server } = await startServer({ idleSeconds: 0.2 });
    const idle = new Client(port);
    assert.equal((await idle.closed)[0], 4000);
    const gone = new Client(port, {});
    await gone.text('welcome');
    gone.socket.pause();
    for (let i = 0; i < 200; i++) {
      await wait(20);
      const { payload } = await server.app.inject({ url: '/metrics' });
      if (payload.includes('expsyn_server_connections 0')) return;
    }
    assert.fail('the connection is still there');
  });
});
