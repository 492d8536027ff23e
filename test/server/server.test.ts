/** The example server: its protocol, what it refuses, and what survives. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { WebSocket } from 'ws';

import { ROOT } from '../support/processes';
import { HEADER_BYTES, headerBytes } from '../../examples/server/stream/messages';
import type { Engine, Source } from '../../examples/server/simulation/engine';
import { Batcher } from '../../examples/server/simulation/batcher';
import { createServer, type Server } from '../../examples/server/server';
import { DEFAULTS, readSettings, type Settings } from '../../examples/server/settings';
import { ExpSyn } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { spikes } from '../support/oracle';

const CHANNELS = 5;
const TOKEN = 'a token of the tests';

const folder = mkdtempSync(join(tmpdir(), 'expsyn-server-'));
const running: Server[] = [];

async function start(settings: Partial<Settings> = {}): Promise<{ server: Server; port: number }> {
  const server = await createServer({
    ...DEFAULTS,
    ...{ token: TOKEN, folder, port: 0, logLevel: 'silent', drainSeconds: 1 },
    ...settings,
  });
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  running.push(server);
  return { server, port: (server.app.server.address() as AddressInfo).port };
}

interface Told {
  type: string;
  session: string;
  /** Of each source, the next one. */
  steps: number[];
  message: string;
  [key: string]: unknown;
}

/** Waits until something is true. */
async function soon(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await isSo()) return;
    await wait(20);
  }
  assert.fail('it does not become true');
}

interface Answer {
  sequence: number;
  sources: number[];
  /** (K, T, N) */
  currents: Float32Array;
}

/** A message for some sources, with the spikes (T, N) of each. */
function messageOf(sequence: number, frames: readonly [source: number, Uint8Array][]): Buffer {
  const header = Buffer.alloc(headerBytes(frames.length));
  header.writeUInt32LE(sequence, 0);
  header.writeUInt32LE((frames[0]?.[1].length ?? 0) / CHANNELS, 4);
  header.writeUInt32LE(frames.length, 8);
  frames.forEach(([source], i) => header.writeUInt32LE(source, headerBytes(i)));
  return Buffer.concat([header, ...frames.map(([, data]) => data)]);
}

/** A client that keeps what it is told. */
class Client {
  readonly socket: WebSocket;
  readonly answers: Answer[] = [];
  readonly told: Told[] = [];
  readonly closed: Promise<[code: number, reason: Buffer]>;
  readonly #events = new EventEmitter();

  constructor(
    port: number,
    query: Record<string, string> = {},
    { token = TOKEN, ...options }: { token?: string; autoPong?: boolean } = {},
  ) {
    const search = new URLSearchParams({ token, channels: `${CHANNELS}`, ...query });
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/stream?${search.toString()}`, options);
    this.closed = once(this.socket, 'close') as typeof this.closed;
    this.closed.catch(() => undefined);
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.#tell());
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        const count = data.readUInt32LE(8);
        const sources = Array.from({ length: count }, (_, i) => data.readUInt32LE(headerBytes(i)));
        const bytes = Uint8Array.from(data.subarray(headerBytes(count)));
        assert.equal(bytes.length, count * data.readUInt32LE(4) * CHANNELS * 4);
        const currents = new Float32Array(bytes.buffer);
        this.answers.push({ sequence: data.readUInt32LE(0), sources, currents });
      } else {
        this.told.push(JSON.parse(data.toString()) as Told);
      }
      this.#tell();
    });
  }

  #tell(): void {
    this.#events.emit('changed');
  }

  /** Waits until `isThere` says so. */
  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      if (this.socket.readyState === WebSocket.CLOSED) assert.fail(JSON.stringify(this.told));
      await once(this.#events, 'changed');
    }
  }

  /** The first message of a type. */
  async hear(type: string): Promise<Told> {
    for (;;) {
      const found = this.told.find((message) => message.type === type);
      if (found !== undefined) return found;
      const nTold = this.told.length;
      await this.until(() => this.told.length > nTold);
    }
  }

  send(sequence: number, raster: Uint8Array): void {
    this.socket.send(messageOf(sequence, [[0, raster]]));
  }

  /** All currents so far, in the order in which they came. */
  get currents(): Float32Array {
    return Float32Array.from(this.answers.flatMap(({ currents }) => [...currents]));
  }
}

const raster = (steps: number, seed: number) =>
  Uint8Array.from(spikes(steps * CHANNELS, 0.2, seed));

/** What a module makes of rasters, one call each. */
function expected(rasters: readonly Uint8Array[], tau = 0.02): Float32Array {
  const module = new ExpSyn(CHANNELS, { tau: () => tau, dtype: 'float32', windowTaus: Infinity });
  return Float32Array.from(
    rasters.flatMap((data) => [
      ...module.evolveSync({ data, shape: [data.length / CHANNELS, CHANNELS] }).output.data,
    ]),
  );
}

describe('the example server', () => {
  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.shutDown()));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const engine of ['expsyn', 'loop'] as const) {
    it(`answers each frame with its currents, in order: ${engine}`, async () => {
      const { port } = await start({ engine });
      const clients = Array.from({ length: 20 }, () => new Client(port));
      await Promise.all(clients.map((client) => client.hear('welcome')));
      const rasters = clients.map((_, i) =>
        Array.from({ length: 30 }, (__, k) => raster(1 + ((i + k) % 4), 7 * i + k)),
      );
      clients.forEach((client, i) => rasters[i]?.forEach((data, k) => client.send(k, data)));
      await Promise.all(clients.map((client) => client.until(() => client.answers.length === 30)));
      clients.forEach((client, i) => {
        assert.deepEqual(
          client.answers.map(({ sequence }) => sequence),
          Array.from({ length: 30 }, (_, k) => k),
        );
        const wanted = expected(rasters[i] ?? []);
        if (engine === 'expsyn') {
          assertSameBits(client.currents, wanted);
        } else {
          client.currents.forEach((current, j) =>
            assert.ok(Math.abs(current - (wanted[j] ?? NaN)) < 1e-5),
          );
        }
      });
    });
  }

  it('carries many sources in one connection, each with a state and noise of its own', async () => {
    const { port } = await start();
    const nSources = 7;
    const query = { sources: `${nSources}`, noiseStd: '0.5' };
    const first = new Client(port, query);
    const welcome = await first.hear('welcome');
    assert.deepEqual(welcome.steps, new Array(nSources).fill(0));
    // Different sources in each message, in different orders, and different numbers of steps.
    const messages = Array.from({ length: 40 }, (_, k) => {
      const count = 1 + (k % nSources);
      return Array.from({ length: count }, (__, i): [number, Uint8Array] => [
        (3 * k + (nSources - i)) % nSources,
        raster(1 + (k % 3), 100 * k + i),
      ]);
    });
    const send = (client: Client, begin: number, end: number) => {
      for (let k = begin; k < end; k++) client.socket.send(messageOf(k, messages[k] ?? []));
    };
    send(first, 0, 25);
    await first.until(() => first.answers.length === 25);
    first.socket.send('{"type":"set","tau":0.2}');
    const changed = await first.hear('changed');
    first.socket.close();
    await first.closed;
    // Restored, with where each source was.
    const second = new Client(port, { session: welcome.session });
    const { steps } = await second.hear('welcome');
    assert.deepEqual(steps, changed.steps);
    send(second, 25, 40);
    await second.until(() => second.answers.length === 15);
    const answers = [...first.answers, ...second.answers];
    const currentsOf = (source: number): number[] =>
      answers.flatMap(({ sources, currents }) => {
        const size = currents.length / sources.length;
        const item = sources.indexOf(source);
        return item < 0 ? [] : [...currents.subarray(item * size, (item + 1) * size)];
      });
    const seeds = new Set<string>();
    for (let source = 0; source < nSources; source++) {
      const silent = new ExpSyn(CHANNELS, {
        ...{ tau: () => 0.02, dtype: 'float32', windowTaus: Infinity },
      });
      const wanted: number[] = [];
      messages.forEach((frames, k) => {
        if (k === 25) silent.tau = 0.2;
        const [, data] = frames.find(([number]) => number === source) ?? [];
        if (data === undefined) return;
        const { output } = silent.evolveSync({ data, shape: [data.length / CHANNELS, CHANNELS] });
        wanted.push(...output.data);
      });
      const noise = currentsOf(source).map((current, i) => current - (wanted[i] ?? NaN));
      // What is left is the noise: 0.5 sqrt(1 ms) a step.
      const deviation = Math.sqrt(noise.reduce((sum, x) => sum + x * x, 0) / noise.length);
      assert.ok(Math.abs(deviation / (0.5 * Math.sqrt(1e-3)) - 1) < 0.25, `${deviation}`);
      seeds.add(noise.slice(0, 5).join());
    }
    assert.equal(seeds.size, nSources);
    assert.deepEqual(
      answers.map(({ sequence }) => sequence),
      messages.map((_, k) => k),
    );
  });

  it('gives a connection no more sources and channels than it is told to', async () => {
    const { port } = await start({ maxSources: 3, maxChannels: 4 * CHANNELS });
    await new Client(port, { sources: '3' }).hear('welcome');
    await new Client(port, { sources: '2', channels: `${2 * CHANNELS}` }).hear('welcome');
    for (const query of [
      ...['0', '-1', '4', '1.5', '', 'many'].map((sources) => ({ sources })),
      { sources: '3', channels: `${2 * CHANNELS}` },
    ]) {
      const [refused] = (await once(new Client(port, query).socket, 'error')) as [Error];
      assert.match(refused.message, /400/, JSON.stringify(query));
    }
  });

  it('blames no message for what another one is to blame for', async () => {
    const source = (step: number): Source => ({
      ...{ parameters: { channels: 1, tau: 1, dt: 1, noiseStd: 0 }, step },
      change: () => undefined,
      save: () => ({ isyn: '', step, seed: 0 }),
      close: () => undefined,
    });
    const engine: Engine = {
      open: () => source(0),
      restore: () => source(0),
      keyOf: () => 'all',
      evolve: (sources, spikes) => {
        if (sources.some(({ step }) => step === 7)) throw new Error('seven');
        return Float32Array.from(spikes);
      },
    };
    const batcher = new Batcher(engine, () => undefined);
    const outcomes = await Promise.all(
      [1, 7, 2].map(
        (step) =>
          new Promise<string>((resolve) => {
            batcher.add({
              ...{ sources: [source(step)], steps: 1, spikes: Uint8Array.of(step) },
              settle: (error, currents) => resolve(error?.message ?? currents.join()),
            });
          }),
      ),
    );
    assert.deepEqual(outcomes, ['1', 'seven', '2']);
  });

  it('computes more large messages than it has threads, and answers each', async () => {
    const { port } = await start();
    const clients = Array.from({ length: 12 }, (_, i) => new Client(port, { tau: `${0.01 + i}` }));
    await Promise.all(clients.map((client) => client.hear('welcome')));
    const data = raster(40_000, 1);
    for (const client of clients) client.send(0, data);
    await Promise.all(clients.map((client) => client.until(() => client.answers.length === 1)));
    const [first] = clients;
    assertSameBits(first?.currents ?? new Float32Array(), expected([data], 0.01));
  });

  it('says what was wrong with a message after the answers to those before it', async () => {
    const { port } = await start();
    const client = new Client(port);
    await client.hear('welcome');
    let nAnswers = -1;
    client.socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary && data.includes('"error"')) nAnswers = client.answers.length;
    });
    for (let k = 0; k < 5; k++) client.send(k, raster(2, k));
    client.socket.send(Buffer.alloc(1));
    client.send(6, raster(2, 6));
    assert.equal((await client.closed)[0], 1008);
    assert.deepEqual([nAnswers, client.answers.length], [5, 5]);
  });

  it('keeps a session whose saving fails for the client that comes back, and tells of it', async () => {
    const own = mkdtempSync(join(tmpdir(), 'expsyn-broken-'));
    const { server, port } = await start({ folder: own });
    const first = new Client(port);
    const { session } = await first.hear('welcome');
    first.send(0, raster(5, 1));
    await first.until(() => first.answers.length === 1);
    rmSync(own, { recursive: true });
    writeFileSync(own, '');
    const second = new Client(port, { session });
    assert.deepEqual((await second.hear('welcome')).steps, [5]);
    assert.equal((await first.closed)[0], 4001);
    second.send(1, raster(5, 2));
    await second.until(() => second.answers.length === 1);
    assertSameBits(
      Float32Array.from([...first.currents, ...second.currents]),
      expected([raster(5, 1), raster(5, 2)]),
    );
    const { payload } = await server.app.inject({ url: '/metrics' });
    assert.match(payload, /^expsyn_server_save_failures_total 1$/m);
    running.splice(0);
    await assert.rejects(server.shutDown(), /every session but 1 could not be/);
    rmSync(own);
  });

  it('restores only what it would have saved', async () => {
    const { port } = await start({ maxSources: 2, maxChannels: 20 });
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
      { parameters: { ...parameters, dt: undefined }, sources: [source] },
      { parameters, sources: [{ ...source, step: -5 }] },
      { parameters, sources: [{ ...source, step: 2 ** 53 - 1 }] },
      { parameters, sources: [{ ...source, isyn: nan }] },
      null,
    ]) {
      assert.match(await open(damaged), /410/, JSON.stringify(damaged));
    }
  });

  it('asks for the token before it takes a body', async () => {
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /evolve HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n');
    socket.write('Content-Type: application/octet-stream\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 401 /);
    socket.destroy();
  });

  it('changes parameters between frames, and refuses bad ones without harm', async () => {
    const { port } = await start();
    const client = new Client(port, { tau: '0.05' });
    const welcome = await client.hear('welcome');
    assert.equal(welcome['tau'], 0.05);
    client.send(0, raster(10, 1));
    client.socket.send('{"type":"set","tau":0.1,"dt":0.002}');
    client.send(1, raster(10, 2));
    client.socket.send('{"type":"set","tau":"long"}');
    client.send(2, raster(10, 3));
    await client.until(() => client.answers.length === 3);
    const module = new ExpSyn(CHANNELS, {
      ...{ tau: () => 0.05, dtype: 'float32', windowTaus: Infinity },
    });
    const first = module.evolveSync({ data: raster(10, 1), shape: [10, CHANNELS] }).output.data;
    module.setAttributes({ tau: 0.1, dt: 0.002 });
    const rest = [2, 3].map(
      (seed) => module.evolveSync({ data: raster(10, seed), shape: [10, CHANNELS] }).output.data,
    );
    assertSameBits(client.currents, Float32Array.from([first, ...rest].flatMap((a) => [...a])));
    const changed = await client.hear('changed');
    assert.deepEqual([changed['tau'], changed['dt'], changed.steps], [0.1, 0.002, [10]]);
    assert.match((await client.hear('error')).message, /0.00001 to 1000 seconds for tau .*"long"/);
  });

  it('lets nobody in without the token, and no more than there is room for', async () => {
    const { port } = await start({ maxConnections: 2 });
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
    await Promise.all(clients.map((client) => client.hear('welcome')));
    const [refused] = (await once(new Client(port).socket, 'error')) as [Error];
    assert.match(refused.message, /503/);
    clients[0]?.socket.close();
    await clients[0]?.closed;
    // The server takes its time to save the session and to make room.
    await soon(async () => {
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

  it('closes who sends garbage, says why, and serves the others', async () => {
    const { port } = await start({ maxFrameBytes: 10_000 });
    const good = new Client(port);
    await good.hear('welcome');
    const header = (steps: number, ...sources: number[]) => {
      const bytes = Buffer.alloc(headerBytes(sources.length));
      bytes.writeUInt32LE(steps, 4);
      bytes.writeUInt32LE(sources.length, 8);
      sources.forEach((source, i) => bytes.writeUInt32LE(source, headerBytes(i)));
      return bytes;
    };
    const garbage: [string | Buffer, number, RegExp | undefined][] = [
      [Buffer.alloc(3), 1008, /a header of 12 bytes but received 3/],
      [header(0, 0), 1008, /at least one step/],
      [
        Buffer.concat([header(2, 0), Buffer.alloc(9)]),
        1008,
        /5 bytes .* received 2 steps of 1 in 9/,
      ],
      [header(2 ** 32 - 1, 0), 1008, /4294967295 steps of 1 in 0 bytes/],
      [header(1), 1008, /1 to 2 sources in a message but received 0/],
      [header(1).fill(255, 8), 1008, /1 to 2 sources in a message but received 4294967295/],
      [header(1, 0, 1).subarray(0, HEADER_BYTES + 2), 1008, /1 steps of 2 in 0 bytes/],
      [Buffer.concat([header(1, 2), Buffer.alloc(5)]), 1008, /sources below 2 but received 2/],
      [Buffer.concat([header(1, 1, 1), Buffer.alloc(10)]), 1008, /one of them twice/],
      ['text', 1008, /a JSON object/],
      ['{"type":"other"}', 1008, /"type": "set"/],
      ['null', 1008, /a JSON object/],
      [Buffer.alloc(20_000), 1009, undefined],
    ];
    for (const [message, code, reason] of garbage) {
      const client = new Client(port, { sources: '2' });
      await client.hear('welcome');
      client.socket.send(message);
      assert.equal((await client.closed)[0], code);
      if (reason !== undefined) {
        assert.match(client.told.find(({ type }) => type === 'error')?.message ?? '', reason);
      }
    }
    good.send(1, raster(3, 1));
    await good.until(() => good.answers.length === 1);
    assertSameBits(good.currents, expected([raster(3, 1)]));
  });

  it('gets rid of who stops in the middle of a message, or of the handshake', async () => {
    const { port, server } = await start({ idleSeconds: 0.2, maxConnections: 5 });
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
    await Promise.all(Array.from({ length: 5 }, () => new Client(port).hear('welcome')));
    const { payload } = await server.app.inject({ url: '/metrics' });
    assert.match(payload, /expsyn_server_connections [0-5]$/m);
  });

  it('goes on with a session whose client vanished, or comes back too early', async () => {
    const { port } = await start();
    const rasters = [1, 2, 3].map((seed) => raster(20, seed));
    const [a, b, c] = rasters as [Uint8Array, Uint8Array, Uint8Array];
    const first = new Client(port);
    const { session } = await first.hear('welcome');
    first.send(0, a);
    await first.until(() => first.answers.length === 1);
    first.socket.terminate();
    await first.closed;
    const second = new Client(port, { session });
    assert.deepEqual((await second.hear('welcome')).steps, [20]);
    second.send(1, b);
    await second.until(() => second.answers.length === 1);
    // The second connection is still open: it is told, and its state taken over.
    const third = new Client(port, { session });
    assert.deepEqual((await third.hear('welcome')).steps, [40]);
    assert.equal((await second.closed)[0], 4001);
    third.send(2, c);
    await third.until(() => third.answers.length === 1);
    const all = [first, second, third].flatMap((client) => [...client.currents]);
    assertSameBits(Float32Array.from(all), expected(rasters));
    const unknown = new Client(port, { session: session.replace(/^.{8}/, '00000000') });
    const [refused] = (await once(unknown.socket, 'error')) as [Error];
    assert.match(refused.message, /400/);
  });

  it('answers every accepted frame before it ends, and another process goes on', async () => {
    const { server, port } = await start();
    const rasters = Array.from({ length: 300 }, (_, k) => raster(1 + (k % 3), k));
    const client = new Client(port);
    const { session } = await client.hear('welcome');
    rasters.forEach((data, k) => client.send(k, data));
    await client.until(() => client.answers.length >= 20);
    const [ended] = await Promise.all([client.closed, server.shutDown()]);
    running.splice(0);
    assert.equal(ended[0], 1001);
    const n = client.answers.length;
    const goodbye = client.told.find(({ type }) => type === 'goodbye');
    const nSteps = rasters.slice(0, n).reduce((sum, data) => sum + data.length / CHANNELS, 0);
    assert.deepEqual(goodbye?.steps, [nSteps]);
    const next = await start();
    const again = new Client(next.port, { session });
    assert.deepEqual((await again.hear('welcome')).steps, [nSteps]);
    rasters.slice(n).forEach((data, k) => again.send(n + k, data));
    await again.until(() => again.answers.length === 300 - n);
    assertSameBits(Float32Array.from([...client.currents, ...again.currents]), expected(rasters));
  });

  it('is killed, and goes on from what was saved', async () => {
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
      const wanted = expected(frames);
      let session: string | undefined;
      let next = 0;
      for (let round = 0; round < 3; round++) {
        const { child, port } = await startProcess();
        const client = new Client(port, session === undefined ? {} : { session });
        const welcome = await client.hear('welcome');
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
        await soon(async () => {
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
      await client.hear('welcome');
      child.kill('SIGTERM');
      assert.equal((await client.closed)[0], 1001);
      const [code] = (await once(child, 'exit')) as [number];
      assert.equal(code, 0);
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });

  it('waits for a client that does not read, without growing, and serves the others', async () => {
    const { port } = await start({ maxQueuedBytes: 50_000, idleSeconds: 1 });
    const slow = new Client(port);
    const good = new Client(port);
    await Promise.all([slow.hear('welcome'), good.hear('welcome')]);
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

  it('closes who is idle, and forgets who answers no ping', async () => {
    const { port, server } = await start({ idleSeconds: 0.2 });
    const idle = new Client(port);
    assert.equal((await idle.closed)[0], 4000);
    const gone = new Client(port, {});
    await gone.hear('welcome');
    gone.socket.pause();
    for (let i = 0; i < 200; i++) {
      await wait(20);
      const { payload } = await server.app.inject({ url: '/metrics' });
      if (payload.includes('expsyn_server_connections 0')) return;
    }
    assert.fail('the connection is still there');
  });

  it('survives clients that leave while sessions are saved', async () => {
    const { port } = await start({ saveSeconds: 0.01 });
    for (let round = 0; round < 10; round++) {
      const clients = Array.from({ length: 20 }, () => new Client(port));
      await Promise.all(clients.map(async (client) => client.hear('welcome')));
      clients.forEach((client, k) => client.send(k, raster(2, k)));
      await Promise.all(
        clients.map(async (client) => client.until(() => client.answers.length > 0)),
      );
      for (const client of clients) client.socket.close();
      await Promise.all(clients.map(async (client) => client.closed));
    }
    const client = new Client(port);
    assert.deepEqual((await client.hear('welcome')).steps, [0]);
  });

  it('gives a session to one connection, however many come back to it', async () => {
    const { port } = await start();
    const first = new Client(port);
    const { session } = await first.hear('welcome');
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

  it('serves others while a client sends nothing but changes, and answers each', async () => {
    const { port } = await start({ maxChannels: 4096 });
    const flood = new Client(port, { channels: '4096' });
    await flood.hear('welcome');
    flood.socket.pause();
    for (let k = 0; k < 3000; k++) {
      flood.socket.send(JSON.stringify({ type: 'set', tau: 0.01 + k * 1e-6 }));
    }
    const other = new Client(port);
    await other.hear('welcome');
    const data = raster(3, 1);
    other.send(0, data);
    await other.until(() => other.answers.length === 1);
    const answered = () => flood.told.filter(({ type }) => type === 'changed').length;
    assert.ok(answered() < 3000, 'it was served before the changes were made');
    flood.socket.resume();
    await flood.until(() => answered() === 3000);
  });

  it('saves parameters that were changed after the last step', async () => {
    const { port } = await start({ saveSeconds: 0.02 });
    const client = new Client(port);
    const { session } = await client.hear('welcome');
    client.send(0, raster(5, 1));
    await client.until(() => client.answers.length > 0);
    await wait(100);
    client.socket.send(JSON.stringify({ type: 'set', tau: 0.5, noiseStd: 2 }));
    await client.hear('changed');
    client.socket.close();
    await client.closed;
    const again = new Client(port, { session });
    const { tau, noiseStd, steps } = await again.hear('welcome');
    assert.deepEqual({ tau, noiseStd, steps }, { tau: 0.5, noiseStd: 2, steps: [5] });
  });

  it('takes numbers for parameters, and nothing that only looks like one', async () => {
    const { port } = await start();
    const client = new Client(port);
    await client.hear('welcome');
    const changes = [
      { noiseStd: null },
      { noiseStd: false },
      { noiseStd: [] },
      { tau: true },
      { tau: [0.3] },
      { dt: '0x1' },
      { dt: '0.001' },
      { channels: 9 },
    ];
    for (const [index, change] of changes.entries()) {
      client.socket.send(JSON.stringify({ type: 'set', ...change }));
      const count = () => client.told.filter(({ type }) => type === 'error').length;
      await client.until(() => count() === index + 1);
    }
    for (const query of ['noiseStd=%20', 'tau=0x1', 'tau=', 'channels=1e99', 'tau=1&tau=2']) {
      const response = await fetch(`http://127.0.0.1:${port}/evolve?token=${TOKEN}&${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: new Uint8Array(64),
      });
      assert.equal(response.status, 400, query);
    }
  });

  it('takes the token once, in any form, and shows it to nobody', async () => {
    const { port } = await start();
    const post = (query: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${port}/evolve?channels=1&${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', ...headers },
        body: new Uint8Array(1),
      });
    assert.equal((await post(`token=${TOKEN}&token=${TOKEN}`)).status, 401);
    assert.equal((await post('', { authorization: `bearer ${TOKEN}` })).status, 200);
    const missing = await fetch(`http://127.0.0.1:${port}/nope?token=${TOKEN}`);
    assert.equal(missing.status, 404);
    assert.ok(!(await missing.text()).includes(TOKEN));
  });

  it('waits for a frame that comes slowly', async () => {
    const { port } = await start({ idleSeconds: 0.8 });
    const client = new Client(port, {}, { autoPong: false });
    await client.hear('welcome');
    const steps = 2000;
    const data = raster(steps, 3);
    const message = messageOf(0, [[0, data]]);
    // One frame of WebSocket, its bytes over a second and a half.
    const header = Buffer.alloc(14);
    header[0] = 0x82;
    header[1] = 0xff;
    header.writeBigUInt64BE(BigInt(message.length), 2);
    const stream = (client.socket as unknown as { _socket: { write: (bytes: Buffer) => void } })
      ._socket;
    stream.write(header);
    for (let sent = 0; sent < message.length; sent += Math.ceil(message.length / 15)) {
      stream.write(message.subarray(sent, sent + Math.ceil(message.length / 15)));
      await wait(50);
    }
    await client.until(() => client.answers.length === 1);
  });

  it('removes no file but its own, and says at the start where it cannot save', async () => {
    const own = mkdtempSync(join(tmpdir(), 'expsyn-sessions-'));
    const old = new Date(Date.now() - 48 * 3600_000);
    const id = '01234567-89ab-cdef-0123-456789abcdef';
    mkdirSync(join(own, 'sub'));
    for (const name of ['thesis.txt', `${id}.json`, 'sub']) {
      if (name !== 'sub') writeFileSync(join(own, name), '');
      utimesSync(join(own, name), old, old);
    }
    await start({ folder: own });
    assert.deepEqual(readdirSync(own).sort(), ['sub', 'thesis.txt']);
    await assert.rejects(
      start({ folder: join(own, 'thesis.txt', 'x') }),
      /^Error: Expected a folder that can be written for EXPSYN_SERVER_FOLDER but .* ENOTDIR\.$/,
    );
    rmSync(own, { recursive: true });
  });

  it('lets a client take over its session where there is no room for another', async () => {
    const { port } = await start({ maxConnections: 2 });
    const [first, second] = [new Client(port), new Client(port)];
    const { session } = await first.hear('welcome');
    await second.hear('welcome');
    const again = new Client(port, { session });
    assert.equal((await again.hear('welcome')).session, session);
    assert.equal((await first.closed)[0], 4001);
  });

  it('takes a run by HTTP, and tells how it is', async () => {
    const { port, server } = await start();
    const url = `http://127.0.0.1:${port}`;
    const data = new Uint8Array(raster(50, 9));
    const post = (body: Uint8Array<ArrayBuffer>, query = `channels=${CHANNELS}`) =>
      fetch(`${url}/evolve?${query}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'content-type': 'application/octet-stream',
        },
        body,
      });
    const answer = await post(data);
    assert.equal(answer.status, 200);
    assertSameBits(new Float32Array(await answer.arrayBuffer()), expected([data]));
    for (const [body, query, status] of [
      [new Uint8Array(7), undefined, 400],
      [new Uint8Array(), undefined, 400],
      [data, 'channels=-1', 400],
      [new Uint8Array(2 << 20), undefined, 413],
    ] as const) {
      const bad = await post(body, query);
      assert.equal(bad.status, status);
      assert.match(((await bad.json()) as { error: string }).error, /./);
    }
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const line of [
      /^expsyn_server_frames_total 1$/m,
      /^expsyn_server_samples_total 250$/m,
      /^expsyn_server_refusals_total 4$/m,
      /^expsyn_server_message_seconds_bucket/m,
      /^expsyn_pending_calls\{state="queued"\} 0$/m,
      /^expsyn_settled_calls\{outcome="done"\} \d+$/m,
      /^nodejs_eventloop_lag_p99_seconds/m,
    ]) {
      assert.match(metrics, line);
    }
    assert.match(await (await fetch(url)).text(), /<canvas id="raster"/);
    const ending = server.shutDown();
    const { statusCode } = await server.app.inject({ url: '/healthz' }).catch(() => ({
      statusCode: 503,
    }));
    assert.equal(statusCode, 503);
    await ending;
    running.splice(0);
  });

  it('reads its settings, and refuses those that make no sense', () => {
    const settings = readSettings({ EXPSYN_SERVER_PORT: '9000', EXPSYN_SERVER_IDLE_SECONDS: '5' });
    assert.equal(settings.port, 9000);
    assert.equal(settings.idleSeconds, 5);
    assert.match(settings.token, /^[0-9a-f]{32}$/);
    for (const environment of [
      { EXPSYN_SERVER_PORT: 'many' },
      { EXPSYN_SERVER_TOKEN: '' },
      { EXPSYN_SERVER_IDLE_SECONDS: '-1' },
      { EXPSYN_SERVER_ENGINE: 'steam' },
      { EXPSYN_SERVER_PORT: '99999' },
      { EXPSYN_SERVER_PORT: '' },
      { EXPSYN_SERVER_LOG_LEVEL: 'foo' },
      { EXPSYN_SERVER_MAX_FRAME_BYTES: '0' },
      { EXPSYN_SERVER_MAX_CHANNELS: '2.5' },
      { EXPSYN_SERVER_IDLE_SECONDS: '10000000' },
      { EXPSYN_SERVER_SAVE_SECONDS: '1e9' },
      { EXPSYN_SERVER_DRAIN_SECONDS: '1e9' },
    ]) {
      assert.throws(() => readSettings(environment), /^RangeError: Expected .* for EXPSYN_SERVER_/);
    }
  });
});
