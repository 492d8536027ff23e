/** The addon in worker threads, and its own threads beside the event loop and the process's end. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';

import { ExpSyn, stats, type ExpSynOptions, type RasterInput } from '../../lib/index';
import { assertSameBits, bytesOf } from '../support/bits';
import { slowModule } from '../support/buffers';
import { spikes } from '../support/oracle';
import { messageOf, ROOT, runScript, startWorker, workerSource } from '../support/processes';

interface Case {
  size: number;
  input: { data: Uint8Array; shape: number[] };
  options: ExpSynOptions;
}

const CASES: Case[] = (['recursive', 'fft'] as const).flatMap((method) =>
  (['float64', 'float32'] as const).flatMap((dtype) =>
    [1, 3, 20].map((size) => ({
      size,
      input: { data: spikes(2 * 700 * size, 0.1, size), shape: [2, 700, size] },
      options: { method, dtype, tau: 0.013, seed: 1234 + size, noiseStd: size === 3 ? 0.5 : 0 },
    })),
  ),
);

/** A synchronous call and two asynchronous ones of each case. */
async function runCases(): Promise<(Float64Array | Float32Array)[]> {
  const outputs = [];
  for (const { size, input, options } of CASES) {
    const module = new ExpSyn(size, options);
    const first = module.evolveSync(input);
    const [second, third] = await Promise.all([module.evolve(input), module.evolve(input)]);
    outputs.push(first.output.data, second.output.data, third.output.data, module.isyn.data);
  }
  return outputs;
}

/** The same as runCases(), for a worker. */
const RUN_CASES = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    const outputs = [];
    for (const { size, input, options } of workerData) {
      const module = new ExpSyn(size, options);
      const first = module.evolveSync(input);
      const [second, third] = await Promise.all([module.evolve(input), module.evolve(input)]);
      outputs.push(first.output.data, second.output.data, third.output.data, module.isyn.data);
    }
    parentPort.postMessage(outputs);
  })();
`;

/**
 * `queue(count)` starts calls of about 20 ms on modules of their own, so that all of them are in
 * the addon's queue at once. Their input and output are shared memory: nothing is copied, and a
 * thousand of them take little room.
 */
const QUEUE = `
  // All in the same shared memory.
  const N = 64;
  const T = 20000;
  const input = { data: new Uint8Array(new SharedArrayBuffer(N * T)).fill(1), shape: [T, N] };
  const out = new Float64Array(new SharedArrayBuffer(8 * N * T));
  const queue = (count) =>
    Array.from({ length: count }, (_, i) => {
      const method = i % 2 === 0 ? 'recursive' : 'fft';
      return new ExpSyn(N, { noiseStd: 1, method }).evolve(input, { out });
    });
`;

/** Input and expected output of a call that takes a while. */
function longCall(): { input: RasterInput; expected: Float64Array | Float32Array } {
  const input = { data: spikes(30000 * 20, 0.05, 7), shape: [30000, 20] };
  return { input, expected: longModule().evolveSync(input).output.data };
}

const longModule = () => slowModule(20);

describe('worker threads', () => {
  it('eight at once compute what the main thread computes, to the bit', async () => {
    const workers = Array.from({ length: 8 }, () => startWorker(RUN_CASES, CASES));
    const [expected, ...results] = await Promise.all([
      runCases(),
      ...workers.map((worker) => messageOf<(Float64Array | Float32Array)[]>(worker)),
    ]);
    assert.equal(expected.length, 4 * CASES.length);
    for (const result of results) {
      assert.equal(result.length, expected.length);
      result.forEach((output, i) => {
        assertSameBits(output, expected[i] as Float64Array, `output ${i}`);
      });
    }
  });

  it('plan transforms of many lengths at once, and all get the same bits', async () => {
    // In a process of its own, where no length has been planned before.
    const lengths = Array.from({ length: 36 }, (_, i) => Math.round(8 * 1.32 ** i));
    const planAndHash = `
      const { createHash } = require('node:crypto');
      const { parentPort, workerData } = require('node:worker_threads');
      const { lengths, order } = workerData;
      (async () => {
        const results = [];
        for (const i of order) {
          const T = lengths[i];
          const input = { data: Uint8Array.from({ length: T }, (_, t) => t % 3), shape: [T, 1] };
          for (const dtype of ['float64', 'float32']) {
            const module = new ExpSyn(1, { method: 'fft', dtype, tau: 1 });
            const pending = i % 2 === 0 ? module.evolve(input) : module.evolveSync(input);
            (results[i] ??= []).push((await pending).output.data);
          }
        }
        const hash = createHash('sha256');
        for (const data of results.flat()) {
          hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        }
        parentPort.postMessage(hash.digest('hex'));
      })();
    `;
    const { code, output, errors } = await runScript(
      `
      const { Worker } = require('node:worker_threads');
      const lengths = ${JSON.stringify(lengths)};
      for (let w = 0; w < 8; w++) {
        // Half of them from the shortest up, half from the longest down.
        const order = lengths.map((_, i) => (w < 4 ? i : lengths.length - 1 - i));
        const workerData = { lengths, order };
        new Worker(${JSON.stringify(workerSource(planAndHash))}, { eval: true, workerData })
          .on('message', (digest) => console.log(digest));
      }
      `,
      { isBare: true },
    );
    assert.equal(code, 0, errors);
    const hash = createHash('sha256');
    for (const timesteps of lengths) {
      const data = Uint8Array.from({ length: timesteps }, (_, t) => t % 3);
      for (const dtype of ['float64', 'float32'] as const) {
        const module = new ExpSyn(1, { method: 'fft', dtype, tau: 1 });
        hash.update(bytesOf(module.evolveSync({ data, shape: [timesteps, 1] }).output.data));
      }
    }
    const digest = hash.digest('hex');
    assert.deepEqual(output.trim().split('\n'), Array(8).fill(digest));
  });

  it('may be terminated in the middle of calls, a hundred times in a row', async () => {
    const { input, expected } = longCall();
    const queueAndTell = `
      ${QUEUE}
      const { parentPort, workerData } = require('node:worker_threads');
      queue(40);
      // Long: a short call would not wait for those before it.
      const ones = { data: new Float64Array(workerData.length).fill(1), shape: [workerData.length] };
      new ExpSyn(1).evolve(ones, { out: workerData });
      const module = new ExpSyn(N, { method: 'fft' });
      for (let i = 0; i < 5; i++) module.evolve(input);
      const sessions = Array.from({ length: 100 }, () => module.session());
      const frames = { data: new Uint8Array(100 * N * 300), shape: [100, 300, N] };
      for (let i = 0; i < 5; i++) module.evolveSessions(sessions, frames);
      parentPort.postMessage('queued');
    `;
    const own: Promise<{ output: { data: Float64Array | Float32Array } }>[] = [];
    const memory: number[] = [];
    let nUntouched = 0;
    for (let round = 0; round < 100; round++) {
      const last = new Float64Array(new SharedArrayBuffer(8 * 2e5));
      const worker = startWorker(queueAndTell, last);
      await messageOf(worker);
      if (round % 10 === 0) own.push(longModule().evolve(input));
      if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, (round % 40) / 2));
      await worker.terminate();
      // On a busy machine, the call may have begun before that; nothing goes on after it.
      const atEnd = last.slice();
      if (atEnd[0] === 0) nUntouched++;
      await new Promise(setImmediate);
      assertSameBits(last, atEnd);
      memory.push(process.memoryUsage().rss / 2 ** 20);
    }
    assert.ok(nUntouched > 0, 'queued work has started in every round');
    for (const { output } of await Promise.all(own)) assertSameBits(output.data, expected);
    const { queued, running, bytes } = stats();
    assert.deepEqual([queued, running, bytes], [0, 0, 0]);
    const [after50 = 0, after100 = 0] = [memory[49], memory[99]];
    assert.ok(after100 - after50 < 100, `${after50} MiB, then ${after100} MiB`);
  }).timeout(300000);

  it('leave nothing that computes when terminate() is over, whatever ran', async () => {
    // A transform of a million points looks at no flag on the way; noise takes long, but looks.
    const script = `
      const { parentPort, workerData: { out, isFft } } = require('node:worker_threads');
      const options = isFft
        ? { method: 'fft', tau: 1000, maxWindowLength: 1e9 }
        : { method: 'recursive', noiseStd: 1, dtype: 'float32' };
      const module = new ExpSyn(1, { ...options, threads: 1 });
      const T = isFft ? 2 ** 20 : out.length;
      module.evolve({ data: new Uint8Array(T), shape: [T] }, isFft ? {} : { out });
      parentPort.postMessage('queued');
    `;
    const stopped: boolean[] = [];
    for (let round = 0; round < 10; round++) {
      const out = new Float32Array(new SharedArrayBuffer(4 * 2e7));
      const worker = startWorker(script, { out, isFft: round % 2 === 0 });
      await messageOf(worker);
      while (stats().running === 0) await new Promise(setImmediate);
      await worker.terminate();
      const { queued, running, bytes } = stats();
      assert.deepEqual([queued, running, bytes], [0, 0, 0]);
      if (round % 2 === 1) stopped.push(out.at(-1) === 0);
    }
    // They were told to stop, too; on a busy machine, some may have been over by then.
    assert.ok(stopped.some(Boolean));
  });

  it('may be terminated in the middle of synchronous calls, again and again', async () => {
    const script = `
      const { parentPort } = require('node:worker_threads');
      const module = new ExpSyn(2, { method: 'fft' });
      parentPort.postMessage('running');
      for (let i = 0; ; i++) {
        module.tau = [0.01 + 0.001 * (i % 5), 0.02];
        module.evolveSync([[1, 0], [0, 1]]);
        new ExpSyn(1).evolve([1]);
      }
    `;
    for (let round = 0; round < 12; round++) {
      const worker = startWorker(script);
      await messageOf(worker);
      assert.equal(await worker.terminate(), 1);
    }
    assert.equal(new ExpSyn(1).evolveSync([1, 1]).output.data.length, 2);
  });

  it('may end by themselves and abandon a pending promise', async () => {
    const { input, expected } = longCall();
    const own = longModule().evolve(input);
    const exiting = startWorker(`${QUEUE} queue(50); setImmediate(() => process.exit(7));`);
    const [code] = (await once(exiting, 'exit')) as [number];
    assert.equal(code, 7);

    const failing = startWorker(`${QUEUE} queue(50); throw new RangeError('on purpose');`);
    const ended = new Promise((resolve) => failing.on('exit', resolve));
    const error = await new Promise<Error>((resolve) => failing.on('error', resolve));
    assert.equal(error.message, 'on purpose');
    assert.equal(await ended, 1);
    assertSameBits((await own).output.data, expected);
  });

  it('stay until their calls have settled, and no longer', async () => {
    const worker = startWorker(`
      const { parentPort } = require('node:worker_threads');
      new ExpSyn(1).evolve([1, 0, 0]).then(({ output }) => parentPort.postMessage(output.data));
    `);
    const ended = once(worker, 'exit');
    const data = await messageOf<Float64Array>(worker);
    assertSameBits(data, new ExpSyn(1).evolveSync([1, 0, 0]).output.data);
    assert.deepEqual(await ended, [0]);
  });

  it('may come and go where the main thread never loads the addon', async () => {
    const work = `
      ${QUEUE}
      const { parentPort, workerData: round } = require('node:worker_threads');
      const pending = queue(round % 2 === 0 ? 2 : 50);
      Promise.all(pending).then((done) => parentPort.postMessage(done.length));
      if (round % 2 === 1) parentPort.postMessage('queued');
    `;
    const { code, signal, output, errors } = await runScript(
      `
      const { once } = require('node:events');
      const { Worker } = require('node:worker_threads');
      const source = ${JSON.stringify(workerSource(work))};
      (async () => {
        for (let round = 0; round < 8; round++) {
          const worker = new Worker(source, { eval: true, workerData: round });
          const ended = once(worker, 'exit');
          const [message] = await once(worker, 'message');
          console.log(message);
          if (round % 2 === 1) await worker.terminate();
          await ended;
        }
      })();
      `,
      { isBare: true },
    );
    assert.deepEqual([code, signal], [0, null], errors);
    assert.deepEqual(output.trim().split('\n'), Array(4).fill(['2', 'queued']).flat());
  });

  it('and a thread may load the addon twice', async () => {
    const { code, output, errors } = await runScript(`
      for (const file of Object.keys(require.cache)) delete require.cache[file];
      const again = require(${JSON.stringify(ROOT)}).ExpSyn;
      if (again === ExpSyn) throw new Error('Expected another class.');
      const runs = [ExpSyn, again].map((Class) => new Class(1).evolve([1, 2, 3]));
      Promise.all(runs).then((runs) => {
        console.log(...runs.map(({ output }) => output.data.join()));
      });
    `);
    assert.equal(code, 0, errors);
    const expected = new ExpSyn(1).evolveSync([1, 2, 3]).output.data.join();
    assert.equal(output.trim(), `${expected} ${expected}`);
  });
});

describe('the process', () => {
  it('ends at process.exit() with its code, whatever runs or is queued', async () => {
    // The queue would take longer than a hang is waited for.
    const { code, signal, output, errors } = await runScript(`
      ${QUEUE}
      let nSettled = 0;
      for (const pending of queue(6000)) pending.then(() => nSettled++);
      process.on('exit', (code) => {
        new ExpSyn(1).evolve([1]).then(() => console.log('never'));
        console.log('exit', code, nSettled < 3000, new ExpSyn(1).evolveSync([1]).output.data.length);
      });
      setTimeout(() => process.exit(7), 50);
    `);
    assert.deepEqual([code, signal], [7, null], errors);
    assert.equal(output.trim(), 'exit 7 true 1');
  });

  it('ends at process.exit() with its code while transforms are planned', async () => {
    const script = `
      for (let i = 0; i < 400; i++) {
        const T = 100 + i * 97;
        const dtype = i % 2 === 0 ? 'float64' : 'float32';
        const module = new ExpSyn(1, { method: 'fft', tau: 0.01 * i + 0.01, dtype });
        module.evolve({ data: new Uint8Array(T), shape: [T, 1] });
      }
      setTimeout(() => process.exit(7), Number(process.env.DELAY));
    `;
    for (let round = 0; round < 6; round++) {
      const ends = await Promise.all(
        [0, 1, 2].map((i) => runScript(script, { env: { DELAY: String((3 * round + i) / 3) } })),
      );
      for (const { code, signal, errors } of ends)
        assert.deepEqual([code, signal], [7, null], errors);
    }
  });

  it('ends when an exception is thrown while calls run', async () => {
    const { code, signal, errors } = await runScript(`
      ${QUEUE}
      queue(6000);
      setTimeout(() => { throw new Error('on purpose'); }, 20);
    `);
    assert.deepEqual([code, signal], [1, null]);
    assert.match(errors, /on purpose/);
  });

  it('stays for a pending evolve(), and ends by itself afterwards', async () => {
    const { code, signal, output, errors } = await runScript(`
      ${QUEUE}
      process.on('exit', () => console.log('exit'));
      (async () => {
        await Promise.all(queue(8));
        console.log('first');
        // The addon has been idle in between.
        await new Promise((resolve) => setTimeout(resolve, 5));
        await Promise.all(queue(2));
        console.log('second');
      })();
    `);
    assert.deepEqual([code, signal], [0, null], errors);
    assert.deepEqual(output.trim().split('\n'), ['first', 'second', 'exit']);
  });

  it('is kept alive by nothing when the addon is idle', async () => {
    const { code, signal, output, errors } = await runScript(`
      new ExpSyn(2);
      console.log(new ExpSyn(1).evolveSync([0]).state.step);
    `);
    assert.deepEqual([code, signal], [0, null], errors);
    assert.equal(output, '1\n');
  });

  it("does not wait with files and names: libuv's threads stay free", async () => {
    const { code, output, errors } = await runScript(
      `
      ${QUEUE}
      const { lookup } = require('node:dns');
      const { stat } = require('node:fs');
      let nSettled = 0;
      const pending = queue(60);
      for (const one of pending) one.then(() => nSettled++);
      // Also an answer that there is no such name is one.
      const tell = (what) => () => console.log(what, nSettled < pending.length);
      setImmediate(() => {
        stat(process.execPath, tell('file'));
        lookup('localhost', tell('name'));
      });
      Promise.all(pending).then(() => console.log('all'));
      `,
      { env: { UV_THREADPOOL_SIZE: '1' } },
    );
    assert.equal(code, 0, errors);
    const lines = output.trim().split('\n');
    assert.deepEqual(lines.slice(0, 2).sort(), ['file true', 'name true']);
    assert.deepEqual(lines.slice(2), ['all']);
  });

  it('turns its event loop while evolve() runs', async () => {
    const { input, expected } = longCall();
    let turns = 0;
    let isRunning = true;
    const count = () => {
      turns++;
      if (isRunning) setImmediate(count);
    };
    const pending = longModule().evolve(input);
    setImmediate(count);
    const { output } = await pending;
    isRunning = false;
    assert.ok(turns > 5, `only ${turns} turns`);
    assertSameBits(output.data, expected);
  });
});
