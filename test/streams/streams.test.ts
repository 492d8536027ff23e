/** Streams: iterators, Web Streams and Node streams, in chunks of any length. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
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
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';

import fc from 'fast-check';

import { ExpSyn } from '../../lib/index';
import { iterate, nodeTransform, webTransform, type StreamOptions } from '../../lib/streams';
import { assertSameBits, bytesOf } from '../support/bits';
import { spikes } from '../support/oracle';
import { cut, KINDS, OPTIONS, RASTER, SIZE, STEPS, type ArrayChunk } from '../support/streams';

describe('a stream', () => {
  for (const [kind, run] of Object.entries(KINDS)) {
    it(`has the same output for chunks of any length: ${kind}`, async () => {
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
          // With a cut window too, if every call has the same number of steps.
          const module = new ExpSyn(SIZE, OPTIONS);
          assertSameBits(await run(module, chunks, { steps: 64 }), Float64Array.from(expected));
          assertSameBits(module.isyn.data, blocks.isyn.data);
          assert.equal(module.step, STEPS);
        }),
        { numRuns: 15 },
      );
    });

    it(`takes every element type, in chunks cut anywhere: ${kind}`, async () => {
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
      for (const [type, data] of Object.entries(types) as [keyof typeof types, ArrayChunk][]) {
        for (const chunks of [[data], cut(data, [1, 333, 1001])]) {
          const session = new ExpSyn(SIZE, OPTIONS).session({ seed: 5 });
          assertSameBits(await run(session, chunks, { type, steps: STEPS }), expected);
        }
      }
      assert.deepEqual(await run(new ExpSyn(SIZE), []), new Float64Array());
      assert.deepEqual(await run(new ExpSyn(SIZE), [new Uint8Array()]), new Float64Array());
    });

    it(`ends with an error for wrong chunks, and computes no more: ${kind}`, async () => {
      const module = new ExpSyn(SIZE);
      const rejects = async (chunks: ArrayChunk[], options: StreamOptions, message: RegExp) => {
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
      // Some seconds of computation if it is not aborted.
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

  it('copies from file to file by Node streams', async () => {
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

  it('refuses wrong targets, sources and options', async () => {
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
