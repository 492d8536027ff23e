/** Web Streams: how writes and both sides end, and the memory of the writer. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { ReadableStream } from 'node:stream/web';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

import { ExpSyn } from '../../lib/index';
import { webTransform, type StreamOptions } from '../../lib/streams';
import { collect, OPTIONS, RASTER, SIZE, STEPS } from '../support/streams';

describe('Web Streams', () => {
  it('pass the end of one side to the other', async () => {
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
    // It ends although nobody reads or writes.
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

  it('end their readable side at once when the writable side is aborted', async () => {
    const { readable, writable } = webTransform(new ExpSyn(SIZE, OPTIONS), { highWaterMark: 1 });
    const writer = writable.getWriter();
    writer.write(RASTER).catch(() => undefined);
    await wait(20);
    const reader = readable.getReader();
    writer.abort('why').catch(() => undefined);
    await assert.rejects(reader.closed, (error: unknown) => error === 'why');
  });

  it('use no memory of the writer after its write has settled', async () => {
    const options = { ...OPTIONS, windowTaus: Infinity };
    const expected = new ExpSyn(SIZE, options).evolveSync({ data: RASTER, shape: [STEPS, SIZE] });
    // Chunks of whole steps, chunks that cut a step, and calls of more than one chunk.
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

  it('reject the writes that caused an error', async () => {
    const module = new ExpSyn(SIZE);
    const make = (options?: StreamOptions) => {
      const { readable, writable } = webTransform(module, options);
      // The writer gets the same error.
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
    // Once the writer is closed, the remainder has been computed although nobody reads yet.
    const { step } = module;
    const { readable, writable } = webTransform(module, { steps: 5, highWaterMark: 1 });
    const writer = writable.getWriter();
    await writer.write(new Uint8Array(8 * SIZE));
    await writer.close();
    assert.equal(module.step, step + 8);
    assert.equal((await collect(readable)).length, 8 * SIZE);
  });

  it('reject a write that waits for a reader, and remove their listeners', async () => {
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
});
