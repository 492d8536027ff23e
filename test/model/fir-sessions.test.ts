/** Sessions of FirSyn, which keep what partitioned convolution needs. */
import assert from 'node:assert/strict';

import { FirSyn } from '../../lib/index';
import { rasterOf, samplesOf } from '../support/fir';
import { relativeError, TOLERANCE } from '../support/oracle';

const SIZE = 3;

describe('sessions of FirSyn', () => {
  it('can be aborted while they run, again and again, and go on from where they were', async () => {
    const module = new FirSyn(SIZE, { kernel: samplesOf(3000, SIZE), method: 'fft' });
    const raster = rasterOf(4000, SIZE, 9);
    const part = (begin: number, end: number) => ({
      data: raster.data.slice(begin * SIZE, end * SIZE),
      shape: [1, end - begin, SIZE],
    });
    const session = module.session();
    const outputs: number[] = [];
    let nAborted = 0;
    for (let step = 0; step < 4000; step += 50) {
      const stop = new AbortController();
      const aborted = session.evolve(part(0, 2500), { signal: stop.signal });
      // Every other one at once: then it cannot be over before.
      if (step % 100 === 0) stop.abort();
      else {
        setImmediate(() => {
          stop.abort();
        });
      }
      await aborted.then(
        // It was over before.
        () => session.resetState(),
        () => nAborted++,
      );
      if (session.step !== step) {
        session.resetState();
        outputs.length = 0;
        if (step > 0) outputs.push(...session.evolveSync(part(0, step)).output.data);
      }
      outputs.push(...(await session.evolve(part(step, step + 50))).output.data);
    }
    assert.ok(nAborted >= 40);
    const expected = new FirSyn(SIZE, { kernel: samplesOf(3000, SIZE) }).evolveSync(part(0, 4000))
      .output.data;
    assert.ok(relativeError(Float64Array.from(outputs), expected) <= TOLERANCE.float64);
    assert.deepEqual(session.inputs, module.restoreSession(session.toJSON()).inputs);
  });
});
