/** The example server: its limits on bytes, times, connections and saved sessions. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { WebSocket } from 'ws';

import { ROOT } from '../support/processes';
import { ByteBudget } from '../../examples/server/byte-budget';
import { addressOf } from '../../examples/server/http/client-address';
import { SessionStore } from '../../examples/server/sessions/session-store';
import { DEFAULTS } from '../../examples/server/settings';
import {
  closed,
  handshakeOf,
  metricOf,
  openSocket,
  rawSocket,
  eventually,
  startServer,
  stopServers,
  TOKEN,
  untilText,
} from '../support/servers';
import { DEFAULT_PARAMETERS } from '../../examples/server/simulation/parameters';

const MIB = 2 ** 20;
const POST_HEAD =
  `POST /evolve?channels=64 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\n` +
  'Content-Type: application/octet-stream\r\n';

/** Posts spikes; resolves with the status, or with what went wrong. */
function post(
  port: number,
  body: Uint8Array,
  options: { path?: string; isRead?: boolean } = {},
): Promise<{ status: number; retryAfter: string | undefined }> {
  const { path = '/evolve?channels=64', isRead = true } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ port, path, host: '127.0.0.1', method: 'POST', agent: false },
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'content-type': 'application/octet-stream',
          'content-length': body.length,
        },
      },
      (answer) => {
        const status = answer.statusCode ?? 0;
        if (isRead) answer.resume();
        else answer.pause();
        resolve({ status, retryAfter: answer.headers['retry-after'] });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('the limits of the example server', () => {
  afterEach(stopServers);

  it('limits the bytes of bodies and answers, and answers 503 beyond the limit', async () => {
    const { server, port } = await startServer({ maxTotalBytes: 12 * MIB, answerSeconds: 20 });
    const body = new Uint8Array(MIB);
    // Two fit: each counts its body and an answer four times as long.
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, () => post(port, body, { isRead: false })),
    );
    const count = (status: number) => outcomes.filter((one) => one.status === status).length;
    assert.equal(count(200) + count(503), 40);
    assert.ok(count(200) >= 1 && count(503) >= 30, `${count(200)} of 40`);
    for (const { status, retryAfter } of outcomes) {
      if (status === 503) assert.match(retryAfter ?? '', /^\d+$/);
    }
    assert.ok((await metricOf(server, 'held_bytes')) <= 12 * MIB);
  });

  it('releases the bytes of bodies and answers, however their requests end', async () => {
    const { server, port } = await startServer({ maxTotalBytes: 12 * MIB, bodySeconds: 0.4 });
    const body = new Uint8Array(MIB);
    const length = `Content-Length: ${MIB}\r\n\r\n`;
    const half = await rawSocket(port, `${POST_HEAD}${length}abc`);
    const left = await rawSocket(port, `${POST_HEAD}${length}abc`);
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 10 * MIB);
    assert.equal((await post(port, body)).status, 503);
    left.destroy();
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 5 * MIB);
    await closed(half);
    // Bodies that are refused after they were let in.
    for (const [path, size, status] of [
      ['/evolve?channels=64', 7, 400],
      ['/evolve?channels=0', 64, 400],
      ['/evolve?channels=64', 2 * MIB, 413],
      ['/evolve?channels=64', 64, 200],
    ] as const) {
      assert.equal((await post(port, new Uint8Array(size), { path })).status, status);
    }
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 0);
    assert.equal((await post(port, body)).status, 200);
  });

  it('counts a body without a length as the longest one until it is complete', async () => {
    const { server, port } = await startServer({ maxTotalBytes: 12 * MIB });
    const socket = await rawSocket(port, `${POST_HEAD}Transfer-Encoding: chunked\r\n\r\n40\r\n`);
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 5 * MIB);
    socket.write(`${'\0'.repeat(64)}\r\n0\r\n\r\n`);
    await untilText(socket, /^HTTP\/1.1 200 /);
    socket.destroy();
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 0);
  });

  it('cuts a client that does not read the answer to its POST, also with pipelined requests', async () => {
    const { server, port } = await startServer({ answerSeconds: 0.3 });
    const body = Buffer.alloc(MIB);
    const posts = Buffer.concat([Buffer.from(`${POST_HEAD}Content-Length: ${MIB}\r\n\r\n`), body]);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.pause();
    for (let k = 0; k < 8; k++) socket.write(posts);
    await eventually(async () => (await metricOf(server, 'held_bytes')) > 0);
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 0);
    await eventually(async () => (await metricOf(server, 'http_connections')) === 0);
    socket.destroy();
  });

  it('needs little memory for 300 posts of a megabyte whose answers are not read', async function () {
    this.timeout(120_000);
    const settings = { ...DEFAULTS, token: TOKEN, port: 0, logLevel: 'silent' };
    const folder = mkdtempSync(join(tmpdir(), 'expsyn-limits-'));
    const child = fork(join(ROOT, 'test', 'support', 'server-process.ts'), {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, SETTINGS: JSON.stringify({ ...settings, folder }) },
    });
    try {
      const [port] = (await once(child, 'message')) as [number];
      const resident = async (): Promise<number> => {
        child.send('memory');
        const [bytes] = (await once(child, 'message')) as [number];
        return bytes / MIB;
      };
      const before = await resident();
      const body = new Uint8Array(MIB);
      const sockets: Promise<unknown>[] = [];
      for (let k = 0; k < 300; k++) {
        sockets.push(post(port, body, { isRead: false }).catch(() => undefined));
      }
      let peak = 0;
      const all = Promise.all(sockets).then(() => 'over');
      while ((await Promise.race([all, wait(20)])) !== 'over') {
        peak = Math.max(peak, (await resident()) - before);
      }
      peak = Math.max(peak, (await resident()) - before);
      // They would be 1,500 MiB; the limit is 128 MiB, and some garbage is not collected yet.
      assert.ok(peak < 400, `${peak} MiB`);
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('limits the bytes of all connections together, and continues when answers are read', async () => {
    const { server, port } = await startServer({ maxTotalBytes: 4 * MIB, answerSeconds: 20 });
    const slow = await Promise.all(Array.from({ length: 8 }, () => openSocket(port)));
    const frame = frameOf(4000);
    const nAnswers = slow.map(() => 0);
    slow.forEach((socket, i) => {
      socket.on('message', (_data, isBinary) => {
        if (isBinary) nAnswers[i] = (nAnswers[i] ?? 0) + 1;
      });
      socket.pause();
      for (let k = 0; k < 20; k++) socket.send(frame);
    });
    let most = 0;
    for (let k = 0; k < 20; k++) {
      most = Math.max(most, await metricOf(server, 'held_bytes'));
      await wait(20);
    }
    // 8 clients with 20 messages of 256 kB and their answers would be 200 MiB; what comes in one piece
    // with the message that fills it is held beyond the limit.
    assert.ok(most > 2 * MIB && most < 20 * MIB, `${most / MIB} MiB`);
    for (const socket of slow) socket.resume();
    // Where this takes long, the slowest are cut meanwhile.
    const isServed = (socket: WebSocket, i: number) =>
      nAnswers[i] === 20 || socket.readyState === WebSocket.CLOSED;
    await eventually(async () => Promise.resolve(slow.every(isServed)));
    assert.ok(nAnswers.includes(20));
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 0);
  });

  it('cuts clients that leave answers unread, and the slowest one while the total is at its limit', async () => {
    const { server, port } = await startServer({ answerSeconds: 0.3 });
    const silent = await openSocket(port);
    silent.pause();
    for (let k = 0; k < 60; k++) silent.send(frameOf(4000));
    await eventually(async () => (await metricOf(server, 'cut_total')) === 1);
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 0);
    silent.terminate();
    const other = await startServer({ answerSeconds: 3, maxTotalBytes: MIB });
    const unread = await openSocket(other.port);
    unread.pause();
    for (let k = 0; k < 60; k++) unread.send(frameOf(4000));
    await eventually(async () => (await metricOf(other.server, 'cut_total')) === 1);
    const good = await openSocket(other.port);
    good.send(frameOf(10));
    const [answer] = (await once(good, 'message')) as [Buffer];
    assert.equal(answer.length, 16 + 10 * 64 * 4);
    unread.terminate();
  });

  it('counts incomplete messages, and cuts clients that do not complete them', async () => {
    const { server, port } = await startServer({ bodySeconds: 0.6 });
    const half = await rawSocket(port, handshakeOf(`/stream?token=${TOKEN}`));
    await untilText(half, /"welcome"/);
    const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0]);
    half.write(Buffer.concat([head, Buffer.alloc(700_000)]));
    await eventually(async () => (await metricOf(server, 'held_bytes')) > 600_000);
    const good = await openSocket(port);
    for (let k = 0; k < 8; k++) {
      good.send(frameOf(10));
      await once(good, 'message');
      await wait(100);
    }
    await eventually(async () => (await metricOf(server, 'cut_total')) === 1);
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 0);
    assert.equal(good.readyState, WebSocket.OPEN);
    good.close();
  });

  it('cuts the client that has stalled for the longest time if incomplete messages reach the limit', async () => {
    const { server, port } = await startServer({ maxTotalBytes: 2 * MIB, answerSeconds: 3 });
    const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0]);
    const halves: Socket[] = [];
    for (let k = 0; k < 4; k++) {
      const half = await rawSocket(port, handshakeOf(`/stream?token=${TOKEN}`));
      await untilText(half, /"welcome"/);
      half.write(Buffer.concat([head, Buffer.alloc(700_000)]));
      halves.push(half);
    }
    await eventually(async () => (await metricOf(server, 'cut_total')) >= 1);
    const good = await openSocket(port);
    good.send(frameOf(10));
    await once(good, 'message');
    good.close();
    for (const half of halves) half.destroy();
  });

  it('counts the answers to pings, and stops reading from a client that does not read them', async () => {
    const { server, port } = await startServer({ maxQueuedBytes: 50_000, answerSeconds: 0.5 });
    const socket = await openSocket(port);
    const pong = once(socket, 'pong') as Promise<[Buffer]>;
    socket.ping('here');
    assert.equal((await pong)[0].toString(), 'here');
    socket.pause();
    const payload = Buffer.alloc(125);
    for (let k = 0; k < 120_000; k++) socket.ping(payload);
    let most = 0;
    for (let k = 0; k < 100 && (await metricOf(server, 'cut_total')) === 0; k++) {
      most = Math.max(most, await metricOf(server, 'held_bytes'));
      await wait(20);
    }
    assert.equal(await metricOf(server, 'cut_total'), 1);
    // Up to what one read of the socket brings in.
    assert.ok(most < 300_000, `${most}`);
    socket.terminate();
  });

  for (const [kind, text] of [
    ['says nothing', ''],
    ['stops in the head of a request', 'GET / HTTP/1.1\r\nHost: 127.0'],
    ['stops in the handshake of a WebSocket', handshakeOf(`/stream?token=${TOKEN}`).slice(0, -2)],
    ['idles after an answer', 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'],
  ] as const) {
    it(`closes a connection that ${kind}`, async () => {
      const { server, port } = await startServer({ headerSeconds: 0.2 });
      const socket = await rawSocket(port, text);
      await closed(socket);
      await eventually(async () => (await metricOf(server, 'http_connections')) === 0);
    });
  }

  it('closes a connection that sends a few bytes of no request again and again', async () => {
    const { port } = await startServer({ headerSeconds: 0.3 });
    for (const text of [
      'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n',
      'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
      '',
    ]) {
      const socket = await rawSocket(port, text);
      // Empty lines before a request begin none, and the lines of a head go on.
      const timer = setInterval(
        () => socket.write(text.endsWith('1\r\n') ? 'A: b\r\n' : '\r\n'),
        30,
      );
      await closed(socket);
      clearInterval(timer);
    }
  });

  it('closes a connection whose body arrives too slowly', async () => {
    const { server, port } = await startServer({ bodySeconds: 0.4, headerSeconds: 0.2 });
    const socket = await rawSocket(port, `${POST_HEAD}Content-Length: 100000\r\n\r\n`);
    const timer = setInterval(() => socket.write('x'), 30);
    await closed(socket);
    clearInterval(timer);
    await eventually(async () => (await metricOf(server, 'held_bytes')) === 0);
  });

  it('accepts new clients while idle connections and incomplete requests fill every place', async () => {
    const limits = {
      maxHttpConnections: 20,
      maxConnections: 4,
      headerSeconds: 1000,
      bodySeconds: 1000,
    };
    const { server, port } = await startServer(limits);
    const texts = ['', 'GET / HT', handshakeOf('/stream').slice(0, -2), `${POST_HEAD}\r`];
    const idle: Socket[] = [];
    for (let k = 0; k < 80; k++) idle.push(await rawSocket(port, texts[k % texts.length] ?? ''));
    const clients = await Promise.all(Array.from({ length: 4 }, () => openSocket(port)));
    assert.equal((await post(port, new Uint8Array(64))).status, 200);
    assert.ok((await metricOf(server, 'http_connections')) <= 20);
    for (const one of [...idle, ...clients]) {
      if (one instanceof WebSocket) one.close();
      else one.destroy();
    }
  });

  it('does not close a connection with the token to make room', async () => {
    const { port } = await startServer({ maxHttpConnections: 4, bodySeconds: 1000 });
    const posting = await rawSocket(port, `${POST_HEAD}Content-Length: 64\r\n\r\n`);
    await wait(50);
    const idle = await Promise.all(Array.from({ length: 30 }, () => rawSocket(port, 'GET /')));
    await wait(50);
    posting.write(Buffer.alloc(64));
    await untilText(posting, /^HTTP\/1.1 200 /);
    for (const socket of [posting, ...idle]) socket.destroy();
  });

  it('closes connections of the address that has the most, and limits the connections of one address', async () => {
    const limits = { maxHttpConnections: 10, headerSeconds: 1000, maxConnectionsPerAddress: 2 };
    const { port } = await startServer(limits);
    const few = await rawSocket(port, '', '127.0.0.2');
    await wait(20);
    const many = await Promise.all(Array.from({ length: 40 }, () => rawSocket(port, '')));
    await wait(50);
    few.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await untilText(few, /^HTTP\/1.1 200 /);
    for (const socket of [few, ...many]) socket.destroy();
    const own = [await openSocket(port), await openSocket(port)];
    const third = new WebSocket(`ws://127.0.0.1:${port}/stream?token=${TOKEN}`);
    const [refused] = (await once(third, 'error')) as [Error];
    assert.match(refused.message, /503/);
    // Another address has a share of its own.
    const other = new WebSocket(`ws://127.0.0.1:${port}/stream?token=${TOKEN}`, {
      localAddress: '127.0.0.3',
    });
    await once(other, 'open');
    for (const socket of [...own, other]) socket.close();
  });

  it('counts an IPv6 network as one address', () => {
    assert.equal(addressOf('::ffff:10.0.0.1'), '10.0.0.1');
    assert.equal(addressOf('10.0.0.1'), '10.0.0.1');
    assert.equal(addressOf('2001:db8:1:2:3:4:5:6'), addressOf('2001:db8:1:2::9'));
    assert.notEqual(addressOf('2001:db8:1:2::1'), addressOf('2001:db8:1:3::1'));
    assert.equal(addressOf('fe80::1%eth0'), addressOf('fe80::2%eth1'));
    assert.equal(addressOf('::1'), addressOf('0:0:0:0:0:0:0:1'));
    assert.equal(addressOf('2001:db8::'), '2001:db8:0:0::/64');
  });

  it('does not read a body that it refuses, and answers before it closes', async () => {
    const { server, port } = await startServer();
    let accepted: Socket | undefined;
    server.app.server.on('connection', (socket: Socket) => (accepted = socket));
    const head = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${64 * MIB}\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n';
    for (const [path, status] of [
      ['/evolve', 401],
      ['/evolve?token=wrong', 401],
      ['/nope', 404],
      [`/evolve?token=${encodeURIComponent(TOKEN)}`, 413],
      [`/evolve?token=${encodeURIComponent(TOKEN)}&tau=x`, 400],
    ] as const) {
      const socket = await rawSocket(port, head(path));
      const body = Buffer.alloc(64 * MIB);
      socket.write(body);
      await untilText(socket, new RegExp(`^HTTP/1.1 ${status} [^]*connection: close`, 'i'));
      await closed(socket);
      assert.ok((accepted?.bytesRead ?? Infinity) < MIB, `${path}: ${accepted?.bytesRead}`);
    }
  });

  it('asks for a body only after it has checked the token', async () => {
    const { port } = await startServer();
    const expect = 'Expect: 100-continue\r\nContent-Length: 64\r\n\r\n';
    const refused = await rawSocket(
      port,
      `POST /evolve HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n${expect}`,
    );
    await untilText(refused, /^HTTP\/1.1 401 /);
    const taken = await rawSocket(port, `${POST_HEAD}${expect}`);
    await untilText(taken, /^HTTP\/1.1 100 Continue/);
    taken.write(Buffer.alloc(64));
    await untilText(taken, /HTTP\/1.1 200 /);
    refused.destroy();
    taken.destroy();
  });

  it('limits the number and bytes of saved sessions, and keeps the newest and the open ones', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'expsyn-saved-'));
    const id = (k: number) => `00000000-0000-0000-0000-${String(k).padStart(12, '0')}`;
    const files = () => readdirSync(folder).sort();
    const parameters = { ...DEFAULT_PARAMETERS, channels: 1 };
    const session = { parameters, sources: [] };
    for (let k = 0; k < 6; k++) {
      const file = join(folder, `${id(k)}.json`);
      writeFileSync(file, JSON.stringify(session));
      utimesSync(file, new Date(), new Date(Date.now() - 1000 * (100 - k)));
    }
    writeFileSync(join(folder, 'thesis.txt'), '');
    const limits = { folder, keepSeconds: 3600, maxSavedSessions: 4, maxSavedBytes: 1e6 };
    const open = new Set([id(2)]);
    const store = new SessionStore(limits, (one) => open.has(one));
    await store.prepare();
    assert.deepEqual(files(), [...[2, 3, 4, 5].map((k) => `${id(k)}.json`), 'thesis.txt']);
    await store.save(id(6), session);
    assert.deepEqual(files(), [...[2, 4, 5, 6].map((k) => `${id(k)}.json`), 'thesis.txt']);
    // One that is saved again is the newest, and counts once.
    await store.save(id(4), session);
    await store.save(id(7), session);
    assert.deepEqual(files(), [...[2, 4, 6, 7].map((k) => `${id(k)}.json`), 'thesis.txt']);
    const size = JSON.stringify(session).length;
    assert.deepEqual(store.saved, { sessions: 4, bytes: 4 * size });
    const small = new SessionStore({ ...limits, maxSavedBytes: 2.5 * size });
    await small.prepare();
    assert.deepEqual(files(), [...[4, 7].map((k) => `${id(k)}.json`), 'thesis.txt']);
    rmSync(folder, { recursive: true });
  });

  it('has a byte budget with room for any single request, which has room again when an eighth is free', () => {
    const budget = new ByteBudget(80);
    const turns: boolean[] = [];
    budget.onChange = (isFull) => turns.push(isFull);
    assert.equal(budget.tryAdd(100), true);
    assert.equal(budget.tryAdd(1), false);
    budget.release(25);
    assert.deepEqual([turns, budget.isFull], [[true], true]);
    budget.release(5);
    assert.deepEqual([turns, budget.isFull, budget.used], [[true, false], false, 70]);
    assert.deepEqual([budget.tryAdd(11), budget.tryAdd(10)], [false, true]);
  });
});

/** A message for one source of 64 channels. */
function frameOf(steps: number): Buffer {
  const message = Buffer.alloc(16 + steps * 64);
  message.writeUInt32LE(steps, 4);
  message.writeUInt32LE(1, 8);
  return message;
}
