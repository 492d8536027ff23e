/** Backpressure: streams read no more than what fits their buffers. */
import assert from 'node:assert/strict';
import { ReadableStream } from 'node:stream/web';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

import { ExpSyn } from '../../lib/index';
import { iterate, nodeTransform, webTransform } from '../../lib/streams';
import { assertSameBits } from '../support/bits';
import { collect, OPTIONS, RASTER, SIZE } from '../support/streams';

describe('backpressure', () => {
  it('keeps an iterator from reading before its caller asks', async () => {
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
    // Each byte of input makes 8 bytes of output, so 3 chunks of 125 steps fill the readable side.
    for (let i = 0; i < 40; i++) {
      void writer.write(new Uint8Array(SIZE * 125)).then(() => nWritten++);
    }
    while (nWritten < 1) await turn();
    // If it did not stop, more writes would settle in this time.
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
    assert.equal(module.step, 125, 'one chunk fills the readable side');
    stream.end();
    let bytes = 0;
    for await (const chunk of stream) bytes += (chunk as Buffer).length;
    assert.equal(bytes, 40 * 125 * SIZE * 8);
  });

  it('bounds memory by cutting long chunks', async () => {
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

  it('passes chunks on with a highWaterMark of 0', async () => {
    const module = new ExpSyn(SIZE, OPTIONS);
    const expected = await collect(iterate(new ExpSyn(SIZE, OPTIONS), [RASTER]));
    const transform = webTransform(module, { highWaterMark: 0 });
    assertSameBits(await collect(ReadableStream.from([RASTER]).pipeThrough(transform)), expected);
  });
});
