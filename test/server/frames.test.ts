/** The example server: frames, their currents, and the messages that set parameters. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';

import { Batcher } from '../../examples/server/simulation/batcher';
import {
  KERNELS as KERNEL_NAMES,
  type Engine,
  type Source,
} from '../../examples/server/simulation/engine';
import { ExpSynEngine } from '../../examples/server/simulation/expsyn-engine';
import { LoopEngine } from '../../examples/server/simulation/loop-engine';
import { DEFAULT_PARAMETERS } from '../../examples/server/simulation/parameters';
import { HEADER_BYTES, headerBytes } from '../../examples/server/stream/messages';
import { AlphaSyn, DoubleExpSyn, ExpSyn } from '../../lib/index';
import { assertSameBits } from '../support/bits';
import { CHANNELS, Client, expectedCurrents, messageOf, raster } from '../support/server-client';
import { startServer, stopServers, TOKEN } from '../support/servers';

describe('frames of the example server', () => {
  afterEach(stopServers);

  for (const engine of ['expsyn', 'loop'] as const) {
    it(`answers each frame with its currents, in order: ${engine}`, async () => {
      const { port } = await startServer({ engine });
      const clients = Array.from({ length: 20 }, () => new Client(port));
      await Promise.all(clients.map((client) => client.text('welcome')));
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
        const wanted = expectedCurrents(rasters[i] ?? []);
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

  it('computes many sources of one connection, each with its own state and noise', async () => {
    const { port } = await startServer();
    const nSources = 7;
    const query = { sources: `${nSources}`, noiseStd: '0.5' };
    const first = new Client(port, query);
    const welcome = await first.text('welcome');
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
    const changed = await first.text('changed');
    first.socket.close();
    await first.closed;
    // Restored, with where each source was.
    const second = new Client(port, { session: welcome.session });
    const { steps } = await second.text('welcome');
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

  it('fails only the message that causes an error in a batch', async () => {
    const source = (step: number): Source => ({
      ...{ parameters: { ...DEFAULT_PARAMETERS, channels: 1 }, step },
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

  it('answers more large messages than it has threads', async () => {
    const { port } = await startServer();
    const clients = Array.from({ length: 12 }, (_, i) => new Client(port, { tau: `${0.01 + i}` }));
    await Promise.all(clients.map((client) => client.text('welcome')));
    const data = raster(40_000, 1);
    for (const client of clients) client.send(0, data);
    await Promise.all(clients.map((client) => client.until(() => client.answers.length === 1)));
    const [first] = clients;
    assertSameBits(first?.currents ?? new Float32Array(), expectedCurrents([data], 0.01));
  });

  it('reports a wrong message after the answers to earlier messages', async () => {
    const { port } = await startServer();
    const client = new Client(port);
    await client.text('welcome');
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

  it('changes parameters between frames, and rejects wrong ones without effect', async () => {
    const { port } = await startServer();
    const client = new Client(port, { tau: '0.05' });
    const welcome = await client.text('welcome');
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
    const changed = await client.text('changed');
    assert.deepEqual([changed['tau'], changed['dt'], changed.steps], [0.1, 0.002, [10]]);
    assert.match((await client.text('error')).message, /0.00001 to 1000 seconds for tau .*"long"/);
  });

  const KERNELS: [name: string, module: AlphaSyn<'float32'> | DoubleExpSyn<'float32'>][] = [
    ['alpha', new AlphaSyn(CHANNELS, { tau: () => 0.02, dtype: 'float32' })],
    [
      'double-exp',
      new DoubleExpSyn(CHANNELS, {
        ...{ tauRise: () => 0.003, tauDecay: () => 0.02, dtype: 'float32' },
      }),
    ],
  ];
  for (const [kernel, module] of KERNELS) {
    const evolve = (steps: number, seed: number) =>
      module.evolveSync({ data: raster(steps, seed), shape: [steps, CHANNELS] }).output.data;

    it(`computes with another kernel, and continues it in a saved session: ${kernel}`, async () => {
      module.resetState();
      const { port } = await startServer();
      const client = new Client(port, { kernel, tauRise: '0.003' });
      const { session, kernel: chosen } = await client.text('welcome');
      assert.equal(chosen, kernel);
      client.send(0, raster(7, 1));
      client.send(1, raster(5, 2));
      await client.until(() => client.answers.length === 2);
      const expected = [...evolve(7, 1), ...evolve(5, 2)];
      assertSameBits(client.currents, Float32Array.from(expected));
      client.socket.close();
      await client.closed;
      const again = new Client(port, { session });
      assert.equal((await again.text('welcome'))['kernel'], kernel);
      again.send(0, raster(9, 3));
      await again.until(() => again.answers.length === 1);
      assertSameBits(again.currents, Float32Array.from(evolve(9, 3)));
    });

    it(`goes on from the current if the kernel changes: ${kernel}`, async () => {
      module.resetState();
      const { port } = await startServer();
      const client = new Client(port, { kernel, tauRise: '0.003' });
      await client.text('welcome');
      client.send(0, raster(7, 1));
      client.socket.send('{"type":"set","kernel":"exp"}');
      client.send(1, raster(6, 2));
      await client.until(() => client.answers.length === 2);
      const expected = [...evolve(7, 1)];
      const next = new ExpSyn(CHANNELS, {
        ...{ tau: () => 0.02, dtype: 'float32', windowTaus: Infinity },
      });
      next.isyn = module.isyn;
      const input = { data: raster(6, 2), shape: [6, CHANNELS] };
      expected.push(...next.evolveSync(input).output.data);
      assertSameBits(client.currents, Float32Array.from(expected));
    });
  }

  it('computes the same with a plain loop, for every kernel, and through a change of it', () => {
    const steps = 40;
    for (const first of KERNEL_NAMES) {
      for (const second of KERNEL_NAMES) {
        const currents = [new ExpSynEngine(), new LoopEngine()].map((engine: Engine) => {
          const parameters = { ...DEFAULT_PARAMETERS, channels: CHANNELS, kernel: first };
          const source = engine.open(parameters);
          const begin = engine.evolve([source], raster(steps, 1), steps, true) as Float32Array;
          const head = [...begin];
          source.change({ ...parameters, kernel: second });
          const saved = JSON.parse(JSON.stringify(source.save())) as unknown;
          const copy = engine.restore(source.parameters, saved);
          const end = engine.evolve([copy], raster(steps, 2), steps, true) as Float32Array;
          head.push(...end);
          source.close();
          copy.close();
          return head;
        });
        const [expected = [], actual = []] = currents;
        const largest = Math.max(...expected);
        for (const [index, value] of expected.entries()) {
          const error = Math.abs(value - (actual[index] ?? NaN));
          assert.ok(error < 1e-5 * largest, `${first} to ${second}: ${error} at ${index}`);
        }
      }
    }
  });

  it('rejects kernels that it does not have, and times that do not fit each other', async () => {
    const { port } = await startServer();
    const client = new Client(port);
    await client.text('welcome');
    client.send(0, raster(10, 1));
    const wrong: [message: object, pattern: RegExp][] = [
      [{ kernel: 'fir' }, /Expected exp, alpha, double-exp for kernel but received "fir"/],
      [{ kernel: '__proto__' }, /for kernel but received "__proto__"/],
      [{ kernel: ['exp'] }, /for kernel but received \["exp"\]/],
      [{ kernel: null }, /for kernel but received null/],
      [
        { kernel: 'double-exp', tauRise: 0.5 },
        /at most tau, 0\.02 seconds, for tauRise but received 0\.5/,
      ],
      [{ kernel: 'double-exp', tau: 0.001 }, /at most tau, 0\.001 seconds, for tauRise/],
      [{ tauRise: 0 }, /0\.00001 to 1000 seconds for tauRise but received 0/],
      [
        { samples: [1] },
        /Expected kernel, tau, tauRise, dt or noiseStd to set but received "samples"/,
      ],
    ];
    for (const [message] of wrong) client.socket.send(JSON.stringify({ type: 'set', ...message }));
    client.send(1, raster(10, 2));
    await client.until(() => client.answers.length === 2);
    const errors = client.texts.filter(({ type }) => type === 'error');
    assert.equal(errors.length, wrong.length);
    for (const [index, [, pattern]] of wrong.entries()) {
      assert.match(errors[index]?.message ?? '', pattern);
    }
    const module = new ExpSyn(CHANNELS, {
      ...{ tau: () => 0.02, dtype: 'float32', windowTaus: Infinity },
    });
    const expected = [1, 2].flatMap((seed) => [
      ...module.evolveSync({ data: raster(10, seed), shape: [10, CHANNELS] }).output.data,
    ]);
    assertSameBits(client.currents, Float32Array.from(expected));
    for (const query of [{ kernel: 'fir' }, { kernel: 'double-exp', tauRise: '1' }]) {
      const refused = new Client(port, query);
      await assert.rejects(once(refused.socket, 'open'), /400/);
    }
  });

  it('closes a connection that sends garbage, with the reason, and serves the others', async () => {
    const { port } = await startServer({ maxFrameBytes: 10_000 });
    const good = new Client(port);
    await good.text('welcome');
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
      await client.text('welcome');
      client.socket.send(message);
      assert.equal((await client.closed)[0], code);
      if (reason !== undefined) {
        assert.match(client.texts.find(({ type }) => type === 'error')?.message ?? '', reason);
      }
    }
    good.send(1, raster(3, 1));
    await good.until(() => good.answers.length === 1);
    assertSameBits(good.currents, expectedCurrents([raster(3, 1)]));
  });

  it('serves others while a client sends only changes, and answers each change', async () => {
    const { port } = await startServer({ maxChannels: 4096 });
    const flood = new Client(port, { channels: '4096' });
    await flood.text('welcome');
    flood.socket.pause();
    for (let k = 0; k < 3000; k++) {
      flood.socket.send(JSON.stringify({ type: 'set', tau: 0.01 + k * 1e-6 }));
    }
    const other = new Client(port);
    await other.text('welcome');
    const data = raster(3, 1);
    other.send(0, data);
    await other.until(() => other.answers.length === 1);
    const answered = () => flood.texts.filter(({ type }) => type === 'changed').length;
    assert.ok(answered() < 3000, 'it was served before the changes were made');
    flood.socket.resume();
    await flood.until(() => answered() === 3000);
  });

  it('accepts only numbers for parameters', async () => {
    const { port } = await startServer();
    const client = new Client(port);
    await client.text('welcome');
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
      const count = () => client.texts.filter(({ type }) => type === 'error').length;
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

  it('waits for a frame that arrives slowly', async () => {
    const { port } = await startServer({ idleSeconds: 4 });
    const client = new Client(port, {}, { autoPong: false });
    await client.text('welcome');
    const steps = 2000;
    const data = raster(steps, 3);
    const message = messageOf(0, [[0, data]]);
    // One WebSocket frame, which takes longer than two pings.
    const header = Buffer.alloc(14);
    header[0] = 0x82;
    header[1] = 0xff;
    header.writeBigUInt64BE(BigInt(message.length), 2);
    const stream = (client.socket as unknown as { _socket: { write: (bytes: Buffer) => void } })
      ._socket;
    stream.write(header);
    for (let sent = 0; sent < message.length; sent += Math.ceil(message.length / 25)) {
      stream.write(message.subarray(sent, sent + Math.ceil(message.length / 25)));
      await wait(100);
    }
    await client.until(() => client.answers.length === 1);
  });
});
