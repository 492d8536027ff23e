/** Streams: iterators, Web Streams and Node streams, in chunks of any length. */
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReadableStream } from 'node:stream/web';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

import fc from 'fast-check';

import { ExpSyn, type ExpSynOptions } from '../../lib/index';
import {
  iterate,
  nodeTransform,
  webTransform,
  type StreamChunk,
  type StreamOptions,
  type StreamTarget,
} from '../../lib/streams';
import { assertSameBits, bytesOf } from '../support/bits';
import { spikes } from '../support/oracle';

const SIZE = 3;
const OPTIONS: ExpSynOptions = { tau: [0.005, 0.02, 0.1], noiseStd: 0.2, seed: 5 };
const STEPS = 700;
const RASTER = Uint8Array.from(spikes(STEPS * SIZE, 0.3, 1));

/** Everything that comes out, as one array. */
async function collect(
  currents: AsyncIterable<Float64Array | Float32Array>,
): Promise<Float64Array> {
  const chunks: (Float64Array | Float32Array)[] = [];
  for await (const chunk of currents) chunks.push(chunk);
  const all = new Float64Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The three kinds of stream, as one. */
const KINDS: Record<
  string,
  (target: StreamTarget, chunks: StreamChunk[], options?: StreamOptions) => Promise<Float64Array>
> = {
  iterator: (target, chunks, options) => collect(iterate(target, chunks, options)),
  web: (target, chunks, options) =>
    collect(ReadableStream.from(chunks).pipeThrough(webTransform(target, options))),
  node: async (target, chunks, options) => {
    const bytes = chunks.map((chunk) => Buffer.from(bytesOf(chunk)));
    const parts: Buffer[] = [];
    await pipeline(
      Readable.from(bytes, { objectMode: false }),
      nodeTransform(target, options),
      async (stream: AsyncIterable<Buffer>) => {
        for await (const part of stream) parts.push(part);
      },
    );
    const all = new Uint8Array(Buffer.concat(parts));
    return new Float64Array(all.buffer);
  },
};

/** An array cut at the places given, in bytes. */
function cut(data: StreamChunk, places: readonly number[]): Uint8Array[] {
  const bytes = bytesOf(data);
  const ends = [...new Set(places.map((place) => place % bytes.length))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}

describe('a stream', () => {
  for (const [kind, run] of Object.entries(KINDS)) {
    it(`has the same numbers whatever the chunks: ${kind}`, async () => {
      const endless = { ...OPTIONS, windowTaus: Infinity };
      const whole = new ExpSyn(SIZE, endless).evolveSync({ data: RASTER, shape: [STEPS, SIZE] });
      const blocks = new ExpSyn(SIZE, OPTIONS);
      const expected: number[] = [];
      for (let t = 0; t < STEPS; t += 64) {
        const data = RASTER.subarray(t * SIZE, (t + 64) * SIZE);
        expected.push(
          ...blocks.evolveSync({ data, shape: [data.length / SIZE, SIZE] }).output.data,
        );
      }
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(STEPS * SIZE - 1), { maxLength: 12 }), async (places) => {
          const chunks = cut(RASTER, places);
          const currents = await run(new ExpSyn(SIZE, endless), chunks);
          assert.equal(currents.length, STEPS * SIZE);
          currents.forEach((current, i) => {
            assert.ok(Math.abs(current - (whole.output.data[i] ?? NaN)) < 1e-12, `${i}`);
          });
          // A window that is cut, too, in calls of so many steps.
          const module = new ExpSyn(SIZE, OPTIONS);
          assertSameBits(await run(module, chunks, { steps: 64 }), Float64Array.from(expected));
          assertSameBits(module.isyn.data, blocks.isyn.data);
          assert.equal(module.step, STEPS);
        }),
        { numRuns: 15 },
      );
    });

    it(`takes every element type, in any place: ${kind}`, async () => {
      const counts = [...RASTER].map((value) => value * 3);
      const expected = new ExpSyn(SIZE, OPTIONS).evolveSync({
        data: Float64Array.from(counts),
        shape: [STEPS, SIZE],
      }).output.data;
      const types = {
        int8: Int8Array.from(counts),
        uint16: Uint16Array.from(counts),
        int32: Int32Array.from(counts),
        int64: BigInt64Array.from(counts, BigInt),
        float32: Float32Array.from(counts),
        float64: Float64Array.from(counts),
      } as const;
      for (const [type, data] of Object.entries(types) as [keyof typeof types, StreamChunk][]) {
        for (const chunks of [[data], cut(data, [1, 333, 1001])]) {
          const session = new ExpSyn(SIZE, OPTIONS).session({ seed: 5 });
          assertSameBits(await run(session, chunks, { type, steps: STEPS }), expected);
        }
      }
      assert.deepEqual(await run(new ExpSyn(SIZE), []), new Float64Array());
      assert.deepEqual(await run(new ExpSyn(SIZE), [new Uint8Array()]), new Float64Array());
    });

    it(`ends with what is wrong, and goes no further: ${kind}`, async () => {
      const module = new ExpSyn(SIZE);
      const rejects = async (chunks: StreamChunk[], options: StreamOptions, message: RegExp) => {
        await assert.rejects(run(module, chunks, options), message);
      };
      await rejects([new Uint8Array(10)], {}, /whole steps of 3 bytes for the stream.*1 bytes/);
      assert.equal(module.step, 3);
      const bad = new Float64Array(6).fill(NaN, 4);
      await rejects([bad, new Float64Array(3)], { type: 'float64' }, /NaN at \[1, 1\]/);
      assert.equal(module.step, 3);
      const signal = AbortSignal.abort(new Error('no more'));
      await rejects([new Uint8Array(3)], { signal }, /no more/);
      assert.equal(module.step, 3);
      if (kind !== 'node') {
        await rejects(
          [new Float32Array(3)],
          {},
          /a Uint8Array for a chunk but received a Float32Array/,
        );
        await rejects(
          [new Int8Array(3)],
          { type: 'float32' },
          /a Float32Array, or a Uint8Array of bytes,/,
        );
        await rejects(['text'] as never, {}, /a Uint8Array for a chunk but received 'text'/);
      }
    });

    it(`ends within milliseconds when it is aborted: ${kind}`, async () => {
      const module = new ExpSyn(16, { noiseStd: 1, windowTaus: Infinity });
      const controller = new AbortController();
      const { signal } = controller;
      // Some seconds of computing, if nobody stopped it.
      const chunks = Array.from({ length: 50 }, () => new Uint8Array(16 * 200_000));
      const running = run(module, chunks, { signal, steps: 200_000 });
      const failed = assert.rejects(running, /enough/);
      await turn();
      await turn();
      controller.abort(new Error('enough'));
      await failed;
      assert.ok(module.step < 50 * 200_000, `${module.step}`);
      assert.equal(module.step % 200_000, 0);
      assert.deepEqual(getEventListeners(signal, 'abort'), []);
    });
  }

  it('refuses what makes no sense', async () => {
    const module = new ExpSyn(SIZE);
    const refused: [unknown, object][] = [
      [{}, {}],
      [undefined, {}],
      [module, { type: 'complex' }],
      [module, { steps: 0 }],
      [module, { steps: 2 ** 40 }],
      [module, { step: 1 }],
      [module, { signal: {} }],
    ];
    for (const [target, options] of refused) {
      const error = /^(TypeError|RangeError): Expected .*\.$/;
      assert.throws(() => webTransform(target as never, options), error);
      assert.throws(() => nodeTransform(target as never, options), error);
      await assert.rejects(iterate(target as never, [], options).next(), error);
    }
    assert.throws(() => webTransform(module, { highWaterMark: -1 }), RangeError);
    for (const source of [5, undefined, {}, 'text', new Uint8Array(3)]) {
      const message = /an iterable of chunks for source/;
      await assert.rejects(iterate(module, source as never).next(), message);
    }
    for (const symbol of [Symbol.iterator, Symbol.asyncIterator]) {
      const broken: [unknown, RegExp][] = [
        [null, /^Expected an object with next\(\) for the source's iterator but received null\.$/],
        [5, /^Expected an object with next\(\) for the source's iterator but received 5\.$/],
        [{}, /^Expected a function for next of the source's iterator but received undefined\.$/],
        [
          { next: () => 5 },
          /^Expected an object for the result of the source's next\(\) but .* 5\.$/,
        ],
      ];
      for (const [iterator, message] of broken) {
        const source = { [symbol]: () => iterator };
        const failure = { name: 'TypeError', message };
        await assert.rejects(iterate(module, source as never).next(), failure);
      }
    }
  });
});

describe('backpressure', () => {
  it('keeps an iterator from reading before it is asked', async () => {
    let nRead = 0;
    let isReturned = false;
    const source = (function* () {
      try {
        for (;;) {
          nRead++;
          yield new Uint8Array(SIZE);
        }
      } finally {
        isReturned = true;
      }
    })();
    const currents = iterate(new ExpSyn(SIZE), source);
    await turn();
    assert.equal(nRead, 0);
    await currents.next();
    await currents.next();
    assert.equal(nRead, 2);
    await currents.return();
    assert.equal(isReturned, true);
  });

  it('counts bytes on both sides of Web Streams', async () => {
    const module = new ExpSyn(SIZE);
    const { readable, writable } = webTransform(module, { highWaterMark: 3000 });
    const writer = writable.getWriter();
    let nWritten = 0;
    // 8 bytes come out for each that goes in: 3 chunks of 125 steps fill the way out.
    for (let i = 0; i < 40; i++) {
      void writer.write(new Uint8Array(SIZE * 125)).then(() => nWritten++);
    }
    while (nWritten < 1) await turn();
    // Time enough for more, if it went on.
    await wait(100);
    assert.ok(nWritten <= 3, `${nWritten}`);
    assert.ok((writer.desiredSize ?? 0) <= 0);
    assert.equal(module.step, nWritten * 125);
    const reader = readable.getReader();
    for (let i = 0; i < 40; i++) await reader.read();
    await turn();
    assert.equal(nWritten, 40);
    void writer.close();
    assert.equal((await reader.read()).done, true);
  });

  it('counts bytes on both sides of Node streams', async () => {
    const module = new ExpSyn(SIZE);
    const stream = nodeTransform(module, { highWaterMark: 3000 });
    let isFull = false;
    for (let i = 0; i < 40; i++) isFull = !stream.write(new Uint8Array(SIZE * 125));
    assert.equal(isFull, true);
    while (module.step < 125) await turn();
    await wait(100);
    assert.equal(module.step, 125, 'one chunk fills the way out');
    stream.end();
    let bytes = 0;
    for await (const chunk of stream) bytes += (chunk as Buffer).length;
    assert.equal(bytes, 40 * 125 * SIZE * 8);
  });

  it('cuts long chunks, so that memory is bounded', async () => {
    const size = 64;
    const module = new ExpSyn(size, { dtype: 'float32' });
    const chunk = new Uint8Array(64e6);
    let most = 0;
    let total = 0;
    for await (const currents of iterate(module, [chunk])) {
      most = Math.max(most, currents.byteLength);
      total += currents.length;
    }
    assert.equal(total, 64e6);
    assert.ok(most <= 1 << 20, `${most}`);
  });
});

describe('the ends of a stream', () => {
  it('reach the other side of Web Streams', async () => {
    const make = () => webTransform(new ExpSyn(SIZE));
    const cancelled = make();
    const writer = cancelled.writable.getWriter();
    await cancelled.readable.cancel(new Error('not wanted'));
    await assert.rejects(writer.closed, /not wanted/);
    const aborted = make();
    const reading = aborted.readable.getReader().read();
    await aborted.writable.abort(new Error('source gone'));
    await assert.rejects(reading, /source gone/);
    const failed = make();
    const failing = failed.readable.getReader();
    const failingWriter = failed.writable.getWriter();
    void failingWriter.write('text' as never).catch(() => undefined);
    await assert.rejects(failing.read(), /a Uint8Array for a chunk/);
    await assert.rejects(failingWriter.closed, /a Uint8Array for a chunk/);
    // Nobody reads or writes, and still it ends.
    const controller = new AbortController();
    const idle = webTransform(new ExpSyn(SIZE), { signal: controller.signal });
    const idleReader = idle.readable.getReader();
    const idleWriter = idle.writable.getWriter();
    const ends = Promise.allSettled([idleReader.closed, idleWriter.closed]);
    controller.abort(new Error('too late'));
    for (const end of await ends) {
      assert.equal(end.status === 'rejected' && (end.reason as Error).message, 'too late');
    }
  });

  it('reach the other side of Node streams', async () => {
    const controller = new AbortController();
    const idle = nodeTransform(new ExpSyn(SIZE), { signal: controller.signal });
    idle.on('error', () => undefined);
    const closed = new Promise((resolve) => idle.once('close', resolve));
    controller.abort(new Error('too late'));
    await closed;
    assert.equal(idle.errored?.message, 'too late');
    const broken = new Readable({
      read() {
        this.destroy(new Error('source gone'));
      },
    });
    const stream = nodeTransform(new ExpSyn(SIZE));
    await assert.rejects(pipeline(broken, stream, createWriteStream('/dev/null')), /source gone/);
    assert.equal(stream.destroyed, true);
    // Destroyed while a chunk waits for its reader.
    const full = nodeTransform(new ExpSyn(SIZE), { highWaterMark: 10 });
    full.write(new Uint8Array(SIZE * 100));
    full.write(new Uint8Array(SIZE * 100));
    await turn();
    full.destroy();
    await once(full, 'close');
  });

  it('of an iterator reach its source, which is closed, also when it hangs', async () => {
    const closed: string[] = [];
    const source = async function* (name: string, chunks: unknown[]) {
      try {
        yield* chunks as Uint8Array[];
        await new Promise(() => undefined);
      } finally {
        closed.push(name);
      }
    };
    const controller = new AbortController();
    const bad = collect(iterate(new ExpSyn(SIZE), source('bad', ['text'])));
    await assert.rejects(bad, /a chunk/);
    const options = { signal: controller.signal };
    const hanging = collect(iterate(new ExpSyn(SIZE), source('hanging', []), options));
    const failed = assert.rejects(hanging, /enough/);
    await turn();
    controller.abort(new Error('enough'));
    await failed;
    assert.deepEqual(closed, ['bad']);
    const throwing = async function* () {
      yield new Uint8Array(SIZE);
      await turn();
      throw new Error('source broke');
    };
    await assert.rejects(collect(iterate(new ExpSyn(SIZE), throwing())), /source broke/);
  });

  it('of an iterator are the reason, when its source aborts the signal', async () => {
    const reason = new Error('enough');
    type Source = AsyncIterable<StreamChunk> | Iterable<StreamChunk>;
    const run = (source: (controller: AbortController) => Source) => {
      const controller = new AbortController();
      const { signal } = controller;
      return collect(iterate(new ExpSyn(SIZE), source(controller), { signal }));
    };
    const hanging = run((controller) => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          controller.abort(reason);
          return new Promise(() => undefined);
        },
      }),
    }));
    const ending = run(function* (controller) {
      yield new Uint8Array(SIZE);
      controller.abort(reason);
    });
    for (const running of [hanging, ending]) {
      await assert.rejects(Promise.race([running, wait(2000, undefined, { ref: false })]), reason);
    }
  });

  it('are those of files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'expsyn-streams-'));
    try {
      const data = Float32Array.from(spikes(20_000 * 50, 0.1, 2));
      writeFileSync(join(folder, 'raster'), bytesOf(data));
      const module = new ExpSyn(50, { dtype: 'float32', tau: 0.03 });
      await pipeline(
        createReadStream(join(folder, 'raster')),
        nodeTransform(module, { type: 'float32', steps: 1000 }),
        createWriteStream(join(folder, 'currents')),
      );
      const twin = new ExpSyn(50, { dtype: 'float32', tau: 0.03 });
      const parts = Array.from({ length: 20 }, (_, i) => {
        const part = data.subarray(i * 50_000, (i + 1) * 50_000);
        return Buffer.from(bytesOf(twin.evolveSync({ data: part, shape: [1000, 50] }).output.data));
      });
      assert.ok(readFileSync(join(folder, 'currents')).equals(Buffer.concat(parts)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('leaves the writer its memory when a write of Web Streams has settled', async () => {
    const options = { ...OPTIONS, windowTaus: Infinity };
    const expected = new ExpSyn(SIZE, options).evolveSync({ data: RASTER, shape: [STEPS, SIZE] });
    // Whole steps, steps that are cut, and calls of more than a chunk.
    for (const [length, steps] of [
      [300, undefined],
      [100, undefined],
      [100, 64],
      [2000, 64],
    ] as const) {
      const { readable, writable } = webTransform(new ExpSyn(SIZE, options), {
        ...(steps && { steps }),
        highWaterMark: 1000,
      });
      const collected = collect(readable);
      const writer = writable.getWriter();
      const buffer = new Uint8Array(length);
      for (let at = 0; at < RASTER.length; at += length) {
        const part = RASTER.subarray(at, at + length);
        buffer.set(part);
        await writer.write(buffer.subarray(0, part.length));
        buffer.fill(77);
      }
      await writer.close();
      const currents = await collected;
      assert.equal(currents.length, expected.output.data.length);
      currents.forEach((current, i) => {
        assert.ok(Math.abs(current - (expected.output.data[i] ?? NaN)) < 1e-12, `${length}: ${i}`);
      });
    }
  });

  it('of Web Streams are those of the writes that caused them', async () => {
    const module = new ExpSyn(SIZE);
    const make = (options?: StreamOptions) => {
      const { readable, writable } = webTransform(module, options);
      // Whatever it ends with is said to the writer.
      collect(readable).catch(() => undefined);
      return writable;
    };
    const refused = make({ type: 'float64' }).getWriter();
    await refused.write(new Float64Array(SIZE));
    await assert.rejects(refused.write(new Float64Array(SIZE).fill(NaN)), /NaN at \[0, 0\]/);
    await assert.rejects(refused.closed, /NaN/);
    const partial = make().getWriter();
    await partial.write(new Uint8Array(SIZE + 1));
    await assert.rejects(partial.close(), /whole steps of 3 bytes/);
    await assert.rejects(partial.closed, /whole steps/);
    const chunks = [new Uint8Array(SIZE), new Uint8Array(1)];
    await assert.rejects(ReadableStream.from(chunks).pipeTo(make()), /whole steps/);
    const bad = [new Float64Array(SIZE), new Float64Array(SIZE).fill(NaN)];
    const piped = ReadableStream.from(bad).pipeTo(make({ type: 'float64' }));
    await assert.rejects(piped, /NaN at/);
    // Once it is closed, the rest has been computed, though nobody reads yet.
    const { step } = module;
    const { readable, writable } = webTransform(module, { steps: 5, highWaterMark: 1 });
    const writer = writable.getWriter();
    await writer.write(new Uint8Array(8 * SIZE));
    await writer.close();
    assert.equal(module.step, step + 8);
    assert.equal((await collect(readable)).length, 8 * SIZE);
  });

  it('of Web Streams reach a write that waits for a reader, and leave nothing behind', async () => {
    const reason = new Error('enough');
    const ends: ((
      streams: ReturnType<typeof webTransform>,
      writer: { abort: (reason: unknown) => Promise<void> },
      controller: AbortController,
    ) => unknown)[] = [
      (streams) => streams.readable.cancel(reason),
      (_streams, writer) => writer.abort(reason),
      (_streams, _writer, controller) => {
        controller.abort(reason);
      },
    ];
    for (const end of ends) {
      const module = new ExpSyn(SIZE);
      const controller = new AbortController();
      const { signal } = controller;
      const streams = webTransform(module, { signal, highWaterMark: 1 });
      const writer = streams.writable.getWriter();
      await writer.write(new Uint8Array(SIZE));
      const waiting = writer.write(new Uint8Array(SIZE));
      const queued = writer.write(new Uint8Array(SIZE));
      const settled = Promise.allSettled([waiting, queued, writer.closed]);
      await turn();
      await end(streams, writer, controller);
      for (const each of await settled) {
        assert.equal(each.status === 'rejected' && each.reason, reason);
      }
      assert.equal(module.step, 1);
      assert.deepEqual(getEventListeners(signal, 'abort'), []);
    }
  });

  it('hands on chunks where there is to be no buffer', async () => {
    const module = new ExpSyn(SIZE, OPTIONS);
    const expected = await collect(iterate(new ExpSyn(SIZE, OPTIONS), [RASTER]));
    const transform = webTransform(module, { highWaterMark: 0 });
    assertSameBits(await collect(ReadableStream.from([RASTER]).pipeThrough(transform)), expected);
  });

  it('ends its readable side at once when its writable side is aborted', async () => {
    const { readable, writable } = webTransform(new ExpSyn(SIZE, OPTIONS), { highWaterMark: 1 });
    const writer = writable.getWriter();
    writer.write(RASTER).catch(() => undefined);
    await wait(20);
    const reader = readable.getReader();
    writer.abort('why').catch(() => undefined);
    await assert.rejects(reader.closed, (error: unknown) => error === 'why');
  });

  it('ends with an error, whatever the reason of the signal', async () => {
    for (const reason of [null, 0, '', false]) {
      const controller = new AbortController();
      const stream = nodeTransform(new ExpSyn(SIZE), { signal: controller.signal });
      const failed = once(stream, 'error');
      controller.abort(reason);
      const [error] = (await failed) as [Error];
      assert.equal(error.name, 'AbortError');
      assert.equal(error.cause, reason);
    }
  });

  it('ends with an error, whatever a call of Node streams rejects with', async () => {
    for (const reason of [undefined, null, 0, '']) {
      const target = {
        sizeIn: SIZE,
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as others may
        evolve: () => Promise.reject(reason),
      };
      // In the middle, and at the end.
      for (const steps of [1, 2]) {
        const error = /Expected an Error for a rejection of target\.evolve\(\) but received/;
        const source = Readable.from([new Uint8Array(SIZE)], { objectMode: false });
        const stream = nodeTransform(target, { steps });
        await assert.rejects(pipeline(source, stream, createWriteStream('/dev/null')), error);
      }
    }
  });

  it('ends its source as for await does, and keeps the first error', async () => {
    let nReturns = 0;
    const source = (next: () => IteratorResult<StreamChunk>) => ({
      [Symbol.iterator]: () => ({
        next,
        return: () => {
          nReturns++;
          throw new Error('from return');
        },
      }),
    });
    const wrong = () => ({ done: false, value: new Float32Array(3) });
    await assert.rejects(collect(iterate(new ExpSyn(SIZE), source(wrong))), TypeError);
    assert.equal(nReturns, 1);
    const failing = () => {
      throw new RangeError('from next');
    };
    await assert.rejects(collect(iterate(new ExpSyn(SIZE), source(failing))), /from next/);
    assert.equal(nReturns, 1);
  });
});
