/** Streams of lists of events, and streams of which not every step comes out. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';

import { ExpSyn, type EventList } from '../../lib/index';
import { iterate, nodeTransform, webTransform } from '../../lib/streams';
import { collect, OPTIONS, RASTER, SIZE, STEPS } from '../support/streams';

/** The raster as lists of events of some steps each. */
function listsOf(steps: number): EventList[] {
  const { dt } = new ExpSyn(SIZE);
  const lists: EventList[] = [];
  for (let first = 0; first < STEPS; first += steps) {
    const length = Math.min(steps, STEPS - first);
    const times: number[] = [];
    const channels: number[] = [];
    for (let step = 0; step < length; step++) {
      for (let channel = 0; channel < SIZE; channel++) {
        const count = RASTER[(first + step) * SIZE + channel] ?? 0;
        for (let event = 0; event < count; event++) {
          times.push((step + 0.5) * dt);
          channels.push(channel);
        }
      }
    }
    lists.push({ times, channels, shape: [length, SIZE] });
  }
  return lists;
}

const newSession = () => new ExpSyn(SIZE, OPTIONS).session({ seed: 5 });

describe('streams of events', () => {
  it('have the output of the raster, whole or reduced, from an iterator and from Web Streams', async () => {
    for (const details of [{}, { every: 7, reduce: 'peak' } as const]) {
      const rasters = [RASTER.subarray(0, 300 * SIZE), RASTER.subarray(300 * SIZE)];
      const whole = newSession();
      const expected = rasters.flatMap((data) => [
        ...whole.evolveSync({ data, shape: [data.length / SIZE, SIZE] }, details).output.data,
      ]);
      const lists = listsOf(300);
      const found = [
        await collect(
          iterate(newSession(), [rasters[0] ?? assert.fail(), ...lists.slice(1)], details),
        ),
        await collect(ReadableStream.from(lists).pipeThrough(webTransform(newSession(), details))),
      ];
      assert.equal(found[0]?.length, expected.length);
      found.forEach((currents) => {
        currents.forEach((value, index) => {
          assert.ok(Math.abs(value - (expected[index] ?? NaN)) <= 1e-12);
        });
      });
    }
  });

  it('give no chunk where no step is kept', async () => {
    const chunks: number[] = [];
    for await (const chunk of iterate(newSession(), listsOf(10), { every: 25 })) {
      chunks.push(chunk.length / SIZE);
    }
    assert.deepEqual(chunks, new Array(STEPS / 25).fill(1));
    const bytes: Buffer[] = [];
    const stream = Readable.from([RASTER], { objectMode: false }).pipe(
      nodeTransform(newSession(), { every: 350 }),
    );
    for await (const part of stream) bytes.push(part as Buffer);
    assert.equal(Buffer.concat(bytes).length, 2 * SIZE * 8);
  });

  it('refuse lists of events that cannot be computed in one call, and wrong options', async () => {
    const [list = assert.fail()] = listsOf(10);
    const first = async (chunks: Parameters<typeof iterate>[1], options: object) => {
      for await (const chunk of iterate(newSession(), chunks, options)) assert.ok(chunk);
    };
    await assert.rejects(first([list], { steps: 5 }), {
      message:
        'Expected none for options.steps but received 5; a list of events is computed in one call.',
    });
    await assert.rejects(first([new Uint8Array(1), list], {}), {
      message:
        'Expected the rest of a step for a chunk but received a list of events; end the step before it.',
    });
    await assert.rejects(first([], { every: 0 }), /for options\.every but received 0\.$/);
    await assert.rejects(
      first([{ times: [-1], channels: [0], shape: [1, SIZE] }], {}),
      /for input\.times\[0\] but received -1;/,
    );
  });
});
