/** Memory over many calls: none of them keeps any. */
import assert from 'node:assert/strict';

import { runScript, workerSource } from '../support/processes';

/** What a call may leave behind in V8's heap and array buffers: less than any object. */
const HEAP_BYTES_A_CALL = 50;

/**
 * measure(count, step) calls step(i) for i = 0 .. count - 1 and prints by how much memory grew a
 * call after the first quarter of them, as the slope of a line through 25 samples: V8's heap with
 * the array buffers, and what of the process is not V8's. Whatever can be collected is, before.
 */
const MEASURE = `
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  async function sample() {
    for (let i = 0; i < 2; i++) {
      gc();
      await turn();
    }
    const { heapUsed, heapTotal, external, rss } = process.memoryUsage();
    return { heap: heapUsed + external, native: rss - heapTotal };
  }
  function slope(points) {
    const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
    const [x, y] = [0, 1].map((axis) => mean(points.map((point) => point[axis])));
    const sum = (f) => points.reduce((total, point) => total + f(point[0] - x, point[1] - y), 0);
    return sum((dx, dy) => dx * dy) / sum((dx) => dx * dx);
  }
  async function measure(count, step) {
    const samples = [];
    const interval = Math.max(1, count / 32);
    for (let i = 0; i < count; i++) {
      if (i >= count / 4 && i % interval < 1) samples.push([i, await sample()]);
      const pending = step(i);
      if (pending !== undefined) await pending;
    }
    samples.push([count, await sample()]);
    console.log(JSON.stringify({
      heap: slope(samples.map(([i, { heap }]) => [i, heap])),
      native: slope(samples.map(([i, { native }]) => [i, native])),
    }));
  }
`;

/** With these, glibc gives back to the system what is freed. */
const MALLOC = { MALLOC_TRIM_THRESHOLD_: '65536', MALLOC_ARENA_MAX: '1' };

/** Runs a script that calls measure() once. */
async function growth(script: string): Promise<{ heap: number; native: number }> {
  const { code, output, errors } = await runScript(MEASURE + script, {
    flags: ['--expose-gc'],
    env: MALLOC,
  });
  assert.equal(code, 0, errors);
  return JSON.parse(output) as { heap: number; native: number };
}

/**
 * Fails when a call leaves more bytes behind than HEAP_BYTES_A_CALL in V8's heap, or `nativeBytes`
 * elsewhere, which is known by the page only. A step is `callsAStep` calls.
 */
async function assertFlat(script: string, nativeBytes: number, callsAStep = 1): Promise<void> {
  const { heap, native } = await growth(script);
  const [heapACall, nativeACall] = [heap / callsAStep, native / callsAStep];
  assert.ok(heapACall < HEAP_BYTES_A_CALL, `the heap grows by ${heapACall} bytes a call`);
  assert.ok(nativeACall < nativeBytes, `the process grows by ${nativeACall} bytes a call`);
}

describe('memory stays as it is', () => {
  it('over 100,000 synchronous calls of one step', async () => {
    await assertFlat(
      `
      const modules = ['recursive', 'fft'].map((method) => new ExpSyn(20, { method }));
      const input = { data: new Uint8Array(20).fill(1), shape: [1, 20] };
      measure(100000, (i) => { modules[i % 2].evolveSync(input); });
      `,
      150,
    );
  });

  it('over 300,000 asynchronous calls, a hundred at a time', async () => {
    await assertFlat(
      `
      const modules = Array.from({ length: 100 }, (_, i) =>
        new ExpSyn(20, { method: i % 2 === 0 ? 'recursive' : 'fft' }),
      );
      const input = { data: new Uint8Array(100).fill(1), shape: [5, 20] };
      measure(3000, () => Promise.all(modules.map((module) => module.evolve(input))));
      `,
      150,
      100,
    );
  });

  it('over 10,000 new values of tau, in a loop that never waits and in one that does', async () => {
    for (const wait of ['', 'if (i % 10 === 0) return turn();']) {
      await assertFlat(
        `
        const taus = [1, 2].map((k) => Float64Array.from({ length: 20 }, (_, n) => 0.001 * (n + k)));
        const module = new ExpSyn(20, { method: 'fft' });
        const input = { data: new Uint8Array(200).fill(1), shape: [10, 20] };
        measure(10000, (i) => {
          module.tau = taus[i % 2];
          module.evolveSync(input);
          ${wait}
        });
        `,
        1000,
      );
    }
  });

  it('while tau changes in a loop that never waits: the spectra go at once', async () => {
    // Those of one tau take 1.6 MB, of all 640 MB.
    const { code, output, errors } = await runScript(
      `
      const taus = [1, 2].map((k) => Float64Array.from({ length: 100 }, (_, n) => 0.08 + 1e-4 * n * k));
      const module = new ExpSyn(100, { method: 'fft' });
      const input = { data: new Uint8Array(100 * 800).fill(1), shape: [800, 100] };
      const out = new Float64Array(100 * 800);
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 400; i++) {
        module.tau = taus[i % 2];
        module.evolveSync(input, { out });
      }
      console.log(process.memoryUsage().rss - before);
      `,
      { env: MALLOC },
    );
    assert.equal(code, 0, errors);
    assert.ok(Number(output) < 200e6, `the process has grown by ${output.trim()} bytes`);
  });

  it('over 10,000 calls that fail', async () => {
    await assertFlat(
      `
      const module = new ExpSyn(20);
      const data = new Float64Array(100);
      data[99] = NaN;
      const input = { data, shape: [5, 20] };
      const out = new Float64Array(100);
      const ignore = () => {};
      measure(10000, (i) => {
        try {
          module.evolveSync(input, { out });
        } catch {
          return module.evolve(input, { out }).catch(ignore);
        }
      });
      `,
      1000,
    );
  });

  it('over 10,000 modules', async () => {
    await assertFlat(
      `
      const input = { data: new Uint8Array(100).fill(1), shape: [5, 20] };
      measure(10000, (i) => {
        const module = new ExpSyn(20, { method: i % 2 === 0 ? 'fft' : 'recursive', tau: 0.001 });
        return i % 5 === 0 ? module.evolve(input) : void module.evolveSync(input);
      });
      `,
      1000,
    );
  });

  it('over the lives of 24 workers, where the main thread never loads the addon', async () => {
    const work = `
      const input = { data: new Uint8Array(100000), shape: [100000, 1] };
      new ExpSyn(1, { method: 'fft', tau: 10 }).evolve(input);
    `;
    const { code, output, errors } = await runScript(
      `
      ${MEASURE}
      const { once } = require('node:events');
      const { Worker } = require('node:worker_threads');
      measure(24, () => once(new Worker(${JSON.stringify(workerSource(work))}, { eval: true }), 'exit'));
      `,
      {
        flags: ['--expose-gc'],
        env: MALLOC,
        isBare: true,
      },
    );
    assert.equal(code, 0, errors);
    // FFTW's tables for this length take 4 MB.
    const { native } = JSON.parse(output) as { native: number };
    assert.ok(native < 1e6, `the process grows by ${native} bytes a worker`);
  });

  it('for each of many idle modules is some states, whatever others do', async () => {
    const { code, output, errors } = await runScript(
      `
      const input = { data: new Uint8Array(16), shape: [1, 16] };
      const busy = new ExpSyn(16);
      const idle = [];
      gc();
      const before = process.memoryUsage().arrayBuffers;
      for (let i = 0; i < 300; i++) {
        idle.push(new ExpSyn(16));
        idle[i].evolveSync(input);
        for (let j = 0; j < 600; j++) busy.evolveSync(input);
      }
      // Memory that is collected may be freed later, on another thread.
      const bytes = () => (process.memoryUsage().arrayBuffers - before) / idle.length;
      const check = (tries) => {
        gc();
        if (tries > 0 && bytes() >= 50 * 128) setTimeout(check, 50, tries - 1);
        else console.log(bytes());
      };
      check(40);
      `,
      { flags: ['--expose-gc'] },
    );
    assert.equal(code, 0, errors);
    // The state has 128 bytes, and tau as many.
    assert.ok(Number(output) < 50 * 128, `${output.trim()} bytes a module`);
  });
});
