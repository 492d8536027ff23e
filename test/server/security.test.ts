/** The example server: who may take over a session, which sites may ask, and what answers carry. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingHttpHeaders } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

import { OverloadError } from 'expsyn';
import { WebSocket } from 'ws';

import { InputError, isBadInput, isOverload } from '../../examples/server/errors';
import { Client as LoadClient } from '../../examples/server/load-test/client';
import { decodeSource, encodeSource } from '../../examples/server/simulation/saved-source';
import {
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

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Asks with headers that fetch() would not send. */
async function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  sent.end(method === 'POST' ? Buffer.alloc(64) : undefined);
  const [answer] = (await once(sent, 'response')) as [
    AsyncIterable<Buffer> & { statusCode: number; headers: IncomingHttpHeaders },
  ];
  let text = '';
  for await (const part of answer) text += part.toString('latin1');
  return { status: answer.statusCode, headers: answer.headers, text };
}

/** The status that a handshake is answered with. */
async function shake(
  port: number,
  path: string,
  headers: Record<string, string | undefined> = {},
): Promise<number> {
  const socket = await rawSocket(port, handshakeOf(path, headers));
  const text = await untilText(socket, /^HTTP\/1.1 \d+ /);
  socket.destroy();
  return Number(text.split(' ')[1]);
}

/** A message of one step of 64 spikes for source 0. */
function frame(sequence: number): Buffer {
  const message = Buffer.alloc(16 + 64, 1);
  [sequence, 1, 1, 0].forEach((value, i) => message.writeUInt32LE(value, 4 * i));
  return message;
}

async function sessionOf(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, 'message')) as [Buffer];
  return (JSON.parse(data.toString()) as { session: string }).session;
}

describe('the security of the example server', () => {
  afterEach(stopServers);

  it('leaves a session to its connection when a handshake is refused', async () => {
    const { server, port } = await startServer({ maxConnectionsPerAddress: 1 });
    const live = new WebSocket(`ws://127.0.0.1:${port}/stream?token=${TOKEN}`);
    const session = await sessionOf(live);
    const path = `/stream?token=${TOKEN}&session=${session}`;
    const refused: [string, Record<string, string | undefined>][] = [
      [`/stream?session=${session}`, {}],
      [`/stream?token=wrong&session=${session}`, {}],
      [path, { 'Sec-WebSocket-Key': undefined }],
      [path, { 'Sec-WebSocket-Key': 'short' }],
      [path, { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAAAA' }],
      [path, { 'Sec-WebSocket-Version': undefined }],
      [path, { 'Sec-WebSocket-Version': '8' }],
      [path, { 'Sec-WebSocket-Version': '12' }],
      [path, { 'Sec-WebSocket-Protocol': 'a,,b' }],
      [path, { Upgrade: 'h2c' }],
      [path, { Origin: 'http://evil.example' }],
      [path, { Origin: 'null' }],
      [path, { Host: 'evil.example' }],
      // Asks without wanting a WebSocket.
      [path, { Upgrade: undefined, Connection: undefined }],
    ];
    for (const [target, headers] of refused) {
      const status = await shake(port, target, headers);
      assert.ok(status >= 400 && status < 500, `${status}: ${JSON.stringify(headers)}`);
    }
    const post = handshakeOf(path).replace(/^GET/, 'POST');
    await untilText(await rawSocket(port, post), /^HTTP\/1.1 40\d /);
    // Half a handshake, and one that is gone before its answer.
    (await rawSocket(port, handshakeOf(path).slice(0, -2))).destroy();
    await wait(50);
    live.send(frame(0));
    const [answer] = (await once(live, 'message')) as [Buffer];
    assert.equal(answer.readUInt32LE(0), 0);
    assert.equal(await metricOf(server, 'connections'), 1);
    // The right one takes it over, with what the first one has done.
    const next = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    const ended = once(live, 'close') as Promise<[number]>;
    const [data] = (await once(next, 'message')) as [Buffer];
    assert.deepEqual((JSON.parse(data.toString()) as { steps: number[] }).steps, [1]);
    assert.equal((await ended)[0], 4001);
    next.close();
  });

  it('loses no message that a client sends while its session is taken over', async () => {
    const { port } = await startServer();
    const first = new WebSocket(`ws://127.0.0.1:${port}/stream?token=${TOKEN}`);
    const session = await sessionOf(first);
    // Does not answer the server's closing, so that the session is long in coming.
    first.pause();
    const next = new WebSocket(`ws://127.0.0.1:${port}/stream?token=${TOKEN}&session=${session}`);
    const sequences: number[] = [];
    next.on('message', (data: Buffer, isBinary) => {
      if (isBinary) sequences.push(data.readUInt32LE(0));
    });
    await once(next, 'open');
    for (let k = 0; k < 5; k++) next.send(frame(k));
    await eventually(async () => Promise.resolve(sequences.length === 5));
    assert.deepEqual(sequences, [0, 1, 2, 3, 4]);
    first.terminate();
    next.close();
  });

  it('survives clients that leave while they take a session over', async () => {
    const { server, port } = await startServer();
    const first = new WebSocket(`ws://127.0.0.1:${port}/stream?token=${TOKEN}`);
    const session = await sessionOf(first);
    first.send(frame(0));
    await once(first, 'message');
    first.pause();
    const path = `/stream?token=${TOKEN}&session=${session}`;
    const gone = await rawSocket(port, handshakeOf(path));
    await untilText(gone, /^HTTP\/1.1 101 /);
    gone.destroy();
    await eventually(async () => (await metricOf(server, 'connections')) === 0);
    const again = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    const [data] = (await once(again, 'message')) as [Buffer];
    assert.deepEqual((JSON.parse(data.toString()) as { steps: number[] }).steps, [1]);
    again.close();
    first.terminate();
  });

  it('answers only requests for its own names', async () => {
    const { port } = await startServer({ allowedHosts: 'Lab.Example, other:8443,10.1.2.3' });
    const paths = ['/', '/page.js', '/metrics', '/healthz', `/evolve?token=${TOKEN}`, '/nope'];
    const statusOf = async (path: string, host: string) =>
      (await ask(port, path, { host }, path.startsWith('/evolve') ? 'POST' : 'GET')).status;
    for (const host of [
      ...[
        'evil.example',
        `evil.example:${port}`,
        'localhost.evil.example',
        '127.0.0.1.evil.example',
      ],
      ...['10.0.0.1', '0.0.0.0', '[::2]', 'user@localhost', 'localhost:99999', 'localhost, evil'],
      ...['other', 'other:80', 'evil.example#localhost', '1270.0.1'],
    ]) {
      for (const path of paths) assert.equal(await statusOf(path, host), 403, `${host} ${path}`);
      assert.equal(await shake(port, `/stream?token=${TOKEN}`, { Host: host }), 403, host);
    }
    for (const host of [
      ...[
        'localhost',
        `LOCALHOST:${port}`,
        `127.0.0.1:${port}`,
        '127.3.2.1',
        '[::1]',
        '[0:0::1]:80',
      ],
      ...['lab.example', 'LAB.example:1234', 'other:8443', '10.1.2.3:5'],
    ]) {
      assert.equal(await statusOf('/', host), 200, host);
      assert.equal(await shake(port, `/stream?token=${TOKEN}`, { Host: host }), 101, host);
    }
    for (const lines of ['Host: localhost\r\nHost: evil.example', 'Host: ', 'A: b']) {
      for (const version of ['1.0', '1.1']) {
        const socket = await rawSocket(port, `GET / HTTP/${version}\r\n${lines}\r\n\r\n`);
        await untilText(socket, /^HTTP\/1.1 40[03] /);
        socket.destroy();
      }
    }
    const any = await startServer({ allowedHosts: '*' });
    assert.equal((await ask(any.port, '/', { host: 'evil.example' })).status, 200);
    const [policy = ''] = [
      (await ask(any.port, '/', { host: "x; script-src 'unsafe-inline'" })).headers[
        'content-security-policy'
      ],
    ];
    assert.ok(!String(policy).includes("script-src 'unsafe-inline'"), String(policy));
  });

  it('answers at the address that was reached if it listens at all addresses', async () => {
    const { port } = await startServer({ host: '0.0.0.0' });
    assert.equal((await ask(port, '/', { host: '127.0.0.1' })).status, 200);
    assert.equal((await ask(port, '/', { host: '0.0.0.0' })).status, 403);
    assert.equal((await ask(port, '/', { host: '8.8.8.8' })).status, 403);
  });

  it('refuses requests of other sites', async () => {
    const { port } = await startServer({ allowedOrigins: 'https://Lab.Example' });
    const host = `localhost:${port}`;
    const evolve = `/evolve?token=${TOKEN}`;
    const stream = `/stream?token=${TOKEN}`;
    for (const origin of [
      ...['http://evil.example', 'null', '', `http://localhost:${port + 1}`, 'http://localhost'],
      ...[`ftp://localhost:${port}`, `http://localhost:${port}.evil.example`, 'file://'],
      ...[`http://localhost:${port}, http://evil.example`, `http://x@localhost:${port}`],
      ...[`http://127.0.0.1:${port}`, 'http://lab.example'],
    ]) {
      for (const path of ['/', '/metrics', '/page.js']) {
        assert.equal((await ask(port, path, { host, origin })).status, 403, `${origin} ${path}`);
      }
      assert.equal((await ask(port, evolve, { host, origin }, 'POST')).status, 403, origin);
      assert.equal(await shake(port, stream, { Host: host, Origin: origin }), 403, origin);
    }
    for (const origin of [`http://localhost:${port}`, `https://${host}`, 'https://lab.example']) {
      const headers = { host, origin, 'content-type': 'application/octet-stream' };
      assert.equal((await ask(port, '/metrics', headers)).status, 200, origin);
      assert.equal((await ask(port, evolve, headers, 'POST')).status, 200, origin);
      assert.equal(await shake(port, stream, { Host: host, Origin: origin }), 101, origin);
    }
    // The port that a scheme implies may be left out.
    const tls = { host: 'localhost', origin: 'https://localhost:443' };
    assert.equal((await ask(port, '/', tls)).status, 200);
    assert.equal((await ask(port, '/', { ...tls, origin: 'https://localhost:80' })).status, 403);
  });

  it('refuses images and scripts to other sites, and accepts their links', async () => {
    const { port } = await startServer();
    const from = (site: string, mode: string, dest: string) =>
      ask(port, '/', {
        'sec-fetch-site': site,
        'sec-fetch-mode': mode,
        'sec-fetch-dest': dest,
      });
    for (const site of ['cross-site', 'same-site']) {
      assert.equal((await from(site, 'no-cors', 'script')).status, 403);
      assert.equal((await from(site, 'navigate', 'iframe')).status, 403);
      assert.equal((await from(site, 'navigate', 'document')).status, 200);
    }
    assert.equal((await from('same-origin', 'cors', 'empty')).status, 200);
    assert.equal((await from('none', 'navigate', 'document')).status, 200);
  });

  it('accepts WebSockets at /stream only', async () => {
    const { server, port } = await startServer();
    for (const path of ['/', '/metrics', '/healthz', '/nope', '/page.js']) {
      const status = await shake(port, path);
      assert.ok(status === 400 || status === 404, `${status} ${path}`);
    }
    await eventually(async () => (await metricOf(server, 'http_connections')) === 0);
  });

  it('sends security headers with every answer', async () => {
    const { port } = await startServer();
    for (const [path, status] of [
      ['/', 200],
      ['/page.css', 200],
      ['/metrics', 200],
      ['/healthz', 200],
      ['/nope', 404],
      ['/evolve', 404],
      ['/stream', 401],
      [`/stream?token=${TOKEN}`, 426],
    ] as const) {
      const answer = await ask(port, path);
      assert.equal(answer.status, status, path);
      const { headers } = answer;
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['x-frame-options'], 'DENY');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
      assert.equal(headers['cache-control'], 'no-store');
      assert.match(String(headers['permissions-policy']), /camera=\(\)/);
      assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/);
      assert.doesNotMatch(String(headers['content-security-policy']), /unsafe/);
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
    const answer = await ask(port, `/evolve?token=${TOKEN}`, {}, 'POST');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  });

  it('tells a page without a WebSocket whether its session exists', async () => {
    const { server, port } = await startServer();
    const live = await openSocket(port);
    live.close();
    await once(live, 'close');
    await eventually(async () => (await metricOf(server, 'connections')) === 0);
    const unknown = '00000000-0000-0000-0000-000000000000';
    const statusOf = async (query: string) => (await ask(port, `/stream?${query}`)).status;
    assert.equal(await statusOf('token=wrong'), 401);
    assert.equal(await statusOf(`token=${TOKEN}`), 426);
    assert.equal(await statusOf(`token=${TOKEN}&session=${unknown}`), 400);
  });

  it('is loaded with masked frames, as every client sends them', async () => {
    const received: Buffer[] = [];
    const listener = createServer((socket) => {
      let text = '';
      socket.on('data', (data) => {
        if (text.endsWith('\r\n\r\n')) {
          received.push(data);
          return;
        }
        text += data.toString('latin1');
        const key = /^sec-websocket-key: (.*)\r$/im.exec(text)?.[1] ?? '';
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        const welcome = '{"type":"welcome","maxFrameBytes":100000}';
        socket.write(Buffer.concat([Buffer.from([0x81, welcome.length]), Buffer.from(welcome)]));
      });
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const load = { sources: 1, perConnection: 1, rate: 1000, channels: 8, steps: 10, noiseStd: 0 };
    const client = new LoadClient(
      (listener.address() as AddressInfo).port,
      { ...load, seconds: 1, engine: 'expsyn' },
      [0],
      () => undefined,
    );
    await client.welcome;
    // Eight frames of 16 + 80 bytes each.
    client.send(0, 7.5);
    const size = 6 + 96;
    await eventually(async () => Promise.resolve(Buffer.concat(received).length === 8 * size));
    const bytes = Buffer.concat(received);
    const masks = Array.from({ length: 8 }, (_, k) => bytes.readUInt32BE(k * size + 2));
    assert.equal(bytes[1], 0x80 | 96);
    assert.equal(new Set(masks).size, 8);
    client.socket.terminate();
    listener.close();
  });

  it('saves the rounding error of a source, and rejects a corrupt one', () => {
    const isyn = Float32Array.of(1, 2, 3);
    const correction = Float64Array.of(1e-9, 0, -1e-9);
    const state = { isyn: { data: isyn, correction }, step: 7, seed: 8 };
    const saved = encodeSource(state);
    const text = JSON.stringify(saved);
    const restored = decodeSource(JSON.parse(text), Float32Array, 3);
    assert.deepEqual(restored, { ...state, rising: undefined });
    const plain = { isyn: { data: isyn }, rising: undefined, step: 7, seed: 8 };
    assert.deepEqual(decodeSource(encodeSource(plain), Float32Array, 3), plain);
    const rising = { ...state, rising: { data: isyn.slice().reverse(), correction } };
    const encoded = encodeSource(rising);
    assert.deepEqual(decodeSource(encoded, Float32Array, 3, true), rising);
    assert.throws(() => decodeSource(saved, Float32Array, 3, true), InputError);
    const ofBytes = (bytes: ArrayBufferView) =>
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
    for (const bad of [
      null,
      5,
      '',
      ofBytes(correction.subarray(1)),
      ofBytes(Float64Array.of(0, NaN, 0)),
    ]) {
      const corrupt = { ...saved, correction: bad };
      assert.throws(() => decodeSource(corrupt, Float32Array, 3), InputError);
      for (const name of ['rising', 'risingCorrection']) {
        const other = { ...encoded, [name]: bad };
        assert.throws(() => decodeSource(other, Float32Array, 3, true), InputError);
      }
    }
  });

  it('recognises errors that a client has caused by their kind and code', () => {
    const coded = (error: Error, code: string) => Object.assign(error, { code });
    for (const [error, isBad] of [
      [new InputError('x'), true],
      [new RangeError('x'), true],
      [coded(new RangeError('x'), 'ERR_EXPSYN_ARGUMENT_VALUE'), true],
      [coded(new TypeError('x'), 'ERR_EXPSYN_ARGUMENT_TYPE'), true],
      [coded(new RangeError('x'), 'ERR_EXPSYN_STEP_LIMIT'), true],
      [coded(new RangeError('x'), 'ERR_EXPSYN_NON_FINITE'), true],
      [coded(new RangeError('x'), 'ERR_EXPSYN_OUT_OF_MEMORY'), false],
      [coded(new RangeError('x'), 'ERR_EXPSYN_INTERNAL'), false],
      [coded(new Error('x'), 'ERR_EXPSYN_CLOSED'), false],
      [coded(new RangeError('x'), 'ERR_OUT_OF_RANGE'), false],
      [coded(new TypeError('x'), 'ERR_INVALID_ARG_TYPE'), false],
      [new TypeError('x is not a function'), false],
      [new Error('x'), false],
      [new OverloadError('x'), false],
      [undefined, false],
    ] as const) {
      assert.equal(isBadInput(error), isBad, String(error));
    }
    assert.equal(isOverload(new OverloadError('x')), true);
    assert.equal(isOverload(coded(new RangeError('x'), 'ERR_EXPSYN_OUT_OF_MEMORY')), true);
    assert.equal(isOverload(new Error('x')), false);
  });
});
