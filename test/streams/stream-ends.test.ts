/** How streams end: closed, cancelled, aborted and failed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

import { ExpSyn } from '../../lib/index';
import { iterate, nodeTransform, type StreamChunk } from '../../lib/streams';
import { collect, SIZE } from '../support/streams';

describe('the end of an iterator', () => {
  it('closes its source on an error, and does not wait for one that hangs', async () => {
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

  it('is the reason of the signal if its source aborts it', async () => {
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

  it('closes its source as for await does, and keeps the first error', async () => {
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

describe('the end of a Node stream', () => {
  it('reaches the other side', async () => {
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
    // The stream is destroyed while a chunk waits for its reader.
    const full = nodeTransform(new ExpSyn(SIZE), { highWaterMark: 10 });
    full.write(new Uint8Array(SIZE * 100));
    full.write(new Uint8Array(SIZE * 100));
    await turn();
    full.destroy();
    await once(full, 'close');
  });

  it('is an error for any reason of the signal', async () => {
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

  it('is an error for anything that evolve() rejects with', async () => {
    for (const reason of [undefined, null, 0, '']) {
      const target = {
        sizeIn: SIZE,
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- targets may do so
        evolve: () => Promise.reject(reason),
      };
      // In the middle of the stream, and at its end.
      for (const steps of [1, 2]) {
        const error = /Expected an Error for a rejection of target\.evolve\(\) but received/;
        const source = Readable.from([new Uint8Array(SIZE)], { objectMode: false });
        const stream = nodeTransform(target, { steps });
        await assert.rejects(pipeline(source, stream, createWriteStream('/dev/null')), error);
      }
    }
  });
});
