/** Streams whose currents come out as bytes, for responses and sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { endianness } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReadableStream } from 'node:stream/web';
import { setImmediate as turn } from 'node:timers/promises';

import { ExpSyn, type AbortSignalLike, type Dtype } from '../../lib/index';
import { iterate, nodeTransform, webTransform, type StreamChunk } from '../../lib/streams';
import { bytesOf } from '../support/bits';
import { spikes } from '../support/oracle';

const SIZE = 5;
const STEPS = 400;
const RASTER = Uint8Array.from(spikes(STEPS * SIZE, 0.3, 1));
const newModule = (dtype: Dtype) =>
  new ExpSyn(SIZE, { tau: 0.02, dtype, noiseStd: 0.1, seed: 5, windowTaus: Infinity });
const CHUNKS = [0, 3, 700, 1234, RASTER.length].flatMap((end, i, ends) =>
  i === 0 ? [] : [RASTER.slice(ends[i - 1], end)],
);

/** The currents of the raster in calls of so many steps, as bytes. */
function expectedBytes(dtype: Dtype, steps: number): Buffer {
  const module = newModule(dtype);
  const parts: Uint8Array[] = [];
  for (let t = 0; t < STEPS; t += steps) {
    const data = RASTER.subarray(t * SIZE, (t + steps) * SIZE);
    const { output } = module.evolveSync({ data, shape: [data.length / SIZE, SIZE] });
    parts.push(bytesOf(output.data));
  }
  return Buffer.concat(parts);
}

async function bytesIn(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) {
    assert.equal(Object.prototype.toString.call(chunk), '[object Uint8Array]');
    all.push(chunk);
  }
  return Buffer.concat(all);
}

async function collect(chunks: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

describe('currents as bytes', () => {
  for (const dtype of ['float64', 'float32'] as const) {
    it(`are the body of a Response, ${dtype}`, async () => {
      const expected = expectedBytes(dtype, 64);
      const options = { steps: 64, bytes: true } as const;
      const web = ReadableStream.from<StreamChunk>(CHUNKS).pipeThrough(
        webTransform(newModule(dtype), options),
      );
      const iterated = ReadableStream.from(iterate(newModule(dtype), CHUNKS, options));
      for (const body of [web, iterated]) {
        const response = new Response(body as never);
        assert.ok(Buffer.from(await response.arrayBuffer()).equals(expected));
      }
      // As text of a request and a response would be: the body of one is piped into the other.
      const input = new Response(RASTER).body;
      assert.ok(input !== null);
      const echoed = new Response(input.pipeThrough(webTransform(newModule(dtype), options)));
      assert.ok(Buffer.from(await echoed.arrayBuffer()).equals(expected));
    });

    it(`are elements in the machine's byte order, ${dtype}`, async () => {
      const all = await bytesIn(iterate(newModule(dtype), [RASTER], { bytes: true, steps: STEPS }));
      const { output } = newModule(dtype).evolveSync({ data: RASTER, shape: [STEPS, SIZE] });
      const elementBytes = output.data.BYTES_PER_ELEMENT;
      assert.equal(all.length, STEPS * SIZE * elementBytes);
      if (endianness() !== 'LE') return;
      output.data.forEach((current, i) => {
        const place = i * elementBytes;
        assert.equal(
          dtype === 'float64' ? all.readDoubleLE(place) : all.readFloatLE(place),
          current,
        );
      });
    });

    it(`are those that Node streams give, in the same chunks, ${dtype}`, async () => {
      for (const steps of [1, 7, 64, 1000]) {
        const expected = expectedBytes(dtype, steps);
        const parts: Buffer[] = [];
        await pipeline(
          Readable.from(CHUNKS, { objectMode: false }),
          nodeTransform(newModule(dtype), { steps }),
          async (stream: AsyncIterable<Buffer>) => {
            for await (const part of stream) parts.push(part);
          },
        );
        const options = { steps, bytes: true } as const;
        const { readable, writable } = webTransform(newModule(dtype), options);
        const writing = ReadableStream.from(CHUNKS).pipeTo(writable);
        const lengths: number[] = [];
        const all: Uint8Array[] = [];
        for await (const chunk of readable as AsyncIterable<Uint8Array>) {
          lengths.push(chunk.length);
          all.push(chunk);
        }
        await writing;
        assert.ok(Buffer.concat(parts).equals(expected));
        assert.ok(Buffer.concat(all).equals(expected));
        assert.equal(lengths.length, Math.ceil(STEPS / steps));
      }
    });
  }

  it('go out by an HTTP server, and come back', async () => {
    const server = createServer((incoming, response) => {
      const module = newModule('float32');
      const run = async () => {
        for await (const bytes of iterate(module, incoming, { bytes: true })) response.write(bytes);
        response.end();
      };
      run().catch(() => response.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const outgoing = request({ port, host: '127.0.0.1', method: 'POST' });
      outgoing.end(RASTER);
      const [response] = (await once(outgoing, 'response')) as [AsyncIterable<Uint8Array>];
      const parts: Uint8Array[] = [];
      for await (const part of response) parts.push(part);
      const all = Buffer.concat(parts);
      assert.equal(all.length, STEPS * SIZE * 4);
      const last = newModule('float32').evolveSync({ data: RASTER, shape: [STEPS, SIZE] });
      const actual = new Float32Array(new Uint8Array(all).buffer);
      actual.forEach((current, i) => {
        assert.ok(Math.abs(current - (last.output.data[i] ?? NaN)) < 1e-4, `${i}`);
      });
    } finally {
      server.close();
    }
  });

  it('are elements where that is not asked for', async () => {
    for (const options of [{}, { bytes: false }, { bytes: undefined }] as { bytes?: false }[]) {
      for await (const chunk of iterate(newModule('float32'), CHUNKS, options)) {
        assert.ok(chunk instanceof Float32Array);
      }
      const { readable, writable } = webTransform(newModule('float64'), options);
      const writing = ReadableStream.from(CHUNKS).pipeTo(writable);
      for await (const chunk of readable as AsyncIterable<unknown>) {
        assert.ok(chunk instanceof Float64Array);
      }
      await writing;
    }
  });

  it('count as bytes where they wait', async () => {
    const module = newModule('float64');
    const { readable, writable } = webTransform(module, { bytes: true, highWaterMark: 1000 });
    const writer = writable.getWriter();
    const writes = Array.from({ length: 10 }, () => writer.write(new Uint8Array(SIZE * 10)));
    await writes[2];
    for (let i = 0; i < 20; i++) await turn();
    // 400 bytes a chunk: the third goes beyond 1,000, and the fourth waits.
    assert.equal(module.step, 30);
    const reading = bytesIn(readable as AsyncIterable<Uint8Array>);
    await Promise.all(writes);
    await writer.close();
    assert.equal((await reading).length, 100 * SIZE * 8);
  });

  it('are an option of those streams that have a choice, and true or false', async () => {
    const module = newModule('float64');
    for (const bytes of [1, 'true', null]) {
      const refused = {
        name: 'TypeError',
        code: 'ERR_EXPSYN_ARGUMENT_TYPE',
        message: /^Expected true or false for options\.bytes but received .*\.$/,
      };
      assert.throws(() => webTransform(module, { bytes: bytes as never }), refused);
      await assert.rejects(iterate(module, [], { bytes: bytes as never }).next(), refused);
    }
    const message = /only type, .*, highWaterMark for options but .* 'bytes'/;
    assert.throws(() => nodeTransform(module, { bytes: true } as never), message);
  });
});

describe('a signal that is not an AbortSignal', () => {
  function newSignal() {
    const listeners = new Set<() => void>();
    const signal = {
      aborted: false,
      reason: undefined as unknown,
      addEventListener: (_: 'abort', listener: () => void) => void listeners.add(listener),
      removeEventListener: (_: 'abort', listener: () => void) => void listeners.delete(listener),
    } satisfies AbortSignalLike;
    const abort = (reason: unknown) => {
      Object.assign(signal, { aborted: true, reason });
      for (const listener of [...listeners]) listener();
    };
    return { signal, abort, listeners };
  }

  it('ends every kind of stream, and is listened to no more', async () => {
    const reason = new Error('enough');
    // Whether the source hangs, or aborts the signal between two chunks without a word.
    for (const isSilent of [false, true]) {
      const source = async function* ({ signal, abort }: ReturnType<typeof newSignal>) {
        yield RASTER.subarray(0, SIZE);
        await turn();
        if (isSilent) Object.assign(signal, { aborted: true, reason });
        else abort(reason);
        yield RASTER.subarray(0, SIZE);
        await new Promise(() => undefined);
      };
      const hangingReadable = ({ abort }: ReturnType<typeof newSignal>) => {
        const readable = new Readable({ read: () => undefined });
        readable.push(RASTER.subarray(0, SIZE));
        void turn().then(() => {
          abort(reason);
          readable.push(RASTER.subarray(0, SIZE));
        });
        return readable;
      };
      const kinds: ((
        own: ReturnType<typeof newSignal>,
        module: ExpSyn<Dtype>,
      ) => Promise<unknown>)[] = [
        async (own, module) => {
          await collect(iterate(module, source(own), { signal: own.signal }));
        },
      ];
      if (!isSilent) {
        kinds.push(
          (own, module) =>
            new Response(
              ReadableStream.from(source(own)).pipeThrough(
                webTransform(module, { signal: own.signal, bytes: true }),
              ) as never,
            ).arrayBuffer(),
          (own, module) =>
            pipeline(
              // Not from an iterator: pipeline() waits for that to return, which this one never does.
              hangingReadable(own),
              nodeTransform(module, { signal: own.signal }),
              async (stream: AsyncIterable<Buffer>) => {
                await collect(stream);
              },
            ),
        );
      }
      for (const run of kinds) {
        const own = newSignal();
        const module = newModule('float64');
        await assert.rejects(run(own, module), (error) => error === reason);
        assert.ok(module.step <= 1, `${module.step}`);
        await turn();
        assert.equal(own.listeners.size, 0);
      }
    }
    const { signal, abort } = newSignal();
    abort(reason);
    const idle = webTransform(newModule('float64'), { signal, bytes: true });
    for (const ended of [
      iterate(newModule('float64'), CHUNKS, { signal }).next(),
      idle.readable.getReader().closed,
      idle.writable.getWriter().closed,
      once(nodeTransform(newModule('float64'), { signal }), 'end'),
    ]) {
      await assert.rejects(ended, (error) => error === reason);
    }
  });
});
