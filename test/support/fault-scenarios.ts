/**
 * A program: runs asynchronous calls while allocations, or starts of threads, of the addon fail, each
 * once in turn and from each on. Arguments: the folder of a package whose addon is expsyn_faults.node,
 * 'allocations' or 'threads', and of how many allocations one fails (1). Prints a line for each
 * scenario, as JSON, and ends with an exception when a call has settled otherwise than it should, or
 * not at all.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import type * as Package from '../../lib/index';

interface Faults {
  failAllocations(first: number, isLasting: boolean): void;
  failThreads(first: number, isLasting: boolean): void;
  readFaults(): [allocations: number, threads: number];
}

/** A call that has been prepared, so that nothing but itself meets failures. */
interface Prepared {
  start(): Promise<unknown>;
  /**
   * The outputs of a call that has resolved, which are to be what they are without failures. Absent
   * where the outcome depends on how fast the call is, as it does when a timer aborts it.
   */
  outputs?: (resolved: never) => ArrayLike<number>[];
}

const [, , folder = '', kind, step = '1'] = process.argv;
/** Of so many allocations of a scenario, one fails; another one in the next scenario. */
const STEP = Number(step);
/** Far beyond what a call takes on a busy machine under a sanitizer. */
const HANG_MS = 30_000;
const OUT_OF_MEMORY = /^Expected enough memory for .* close other programs\.$/;
/** An object of JavaScript's, such as the addon's handle of kernels, is allocated by its library. */
const BARE = /^(std::)?bad_alloc$/;
const NO_THREAD = /^Expected a thread for the call but the system can start none; .*\.$/;

const SIZE = 20;
const STEPS = 300;

function scenarios({ ExpSyn, FirSyn, OverloadError, setLimits }: typeof Package) {
  const shape = [STEPS, SIZE];
  const data = () => Float64Array.from({ length: STEPS * SIZE }, (_, i) => Math.sin(i * i));
  const options = (more: object) => ({ tau: 0.02, noiseStd: 1, seed: 7, ...more });
  const arrays = ({ output }: { output: { data: ArrayLike<number> } }) => [output.data];

  function evolve(more: object, call: object = {}, make: () => Float64Array = data) {
    return (): Prepared => {
      const module = new ExpSyn(SIZE, options(more));
      const input = { data: make(), shape };
      const out = 'out' in call ? { out: new Float64Array(input.data.buffer) } : {};
      return { start: () => module.evolve(input, { ...call, ...out }), outputs: arrays };
    };
  }
  const shared = () => {
    const values = data();
    const memory = new Float64Array(new SharedArrayBuffer(values.byteLength));
    memory.set(values);
    return memory;
  };
  // A module of its own for each call, so that all of them are in the addon's queue at once.
  const many = (): Prepared => {
    const modules = Array.from({ length: 6 }, (_, i) => {
      const method = i % 2 === 0 ? 'fft' : 'recursive';
      return new ExpSyn(SIZE, options({ method, seed: i }));
    });
    const input = { data: data(), shape };
    return {
      start: async () => {
        const ends = await Promise.allSettled(modules.map((module) => module.evolve(input)));
        for (const end of ends) if (end.status === 'rejected') throw end.reason as Error;
        return ends.map((end) => (end as PromiseFulfilledResult<Package.ExpSynEvolution>).value);
      },
      outputs: (all: Package.ExpSynEvolution[]) => all.flatMap(arrays),
    };
  };
  const chained = (): Prepared => {
    const module = new ExpSyn(SIZE, options({}));
    const input = { data: data(), shape };
    return {
      start: async () => {
        const state = JSON.stringify(module);
        const ends = await Promise.allSettled([module.evolve(input), module.evolve(input)]);
        const failed = ends.filter((end) => end.status === 'rejected');
        if (failed.length === 2) assert.equal(JSON.stringify(module), state);
        for (const end of failed) throw end.reason as Error;
        return ends.map((end) => (end as PromiseFulfilledResult<Package.ExpSynEvolution>).value);
      },
      outputs: (all: Package.ExpSynEvolution[]) => all.flatMap(arrays),
    };
  };
  // Large enough to be shared with helpers.
  const large = (more: object) => (): Prepared => {
    const module = new ExpSyn(300, options({ ...more, threads: 4 }));
    const input = { data: new Uint8Array(1000 * 300).fill(1), shape: [1000, 300] };
    return { start: () => module.evolve(input), outputs: arrays };
  };
  const sessionsTogether =
    (more: object, bad: number, count = 30) =>
    (): Prepared => {
      const module = new ExpSyn(SIZE, options(more));
      const sessions = Array.from({ length: count }, (_, seed) => module.session({ seed }));
      const values = new Float64Array(count * STEPS * SIZE).fill(1);
      for (let i = 0; i < bad; i++) values[i * 2 * STEPS * SIZE + 5] = NaN;
      const input = { data: values, shape: [count, STEPS, SIZE] };
      return {
        start: async () => {
          const states = sessions.map((session) => JSON.stringify(session));
          try {
            const { output, failures } = await module.evolveSessions(sessions, input);
            assert.equal(failures.length, bad);
            for (const { item } of failures) output.data.fill(0, item * 6000, (item + 1) * 6000);
            return { output };
          } catch (error) {
            assert.deepEqual(
              sessions.map((session) => JSON.stringify(session)),
              states,
            );
            throw error;
          }
        },
        outputs: arrays,
      };
    };
  // The first call makes the kernel.
  const samples = (method: Package.Method) => (): Prepared => {
    const kernel = { data: data().subarray(0, 50 * SIZE), shape: [50, SIZE] };
    const module = new FirSyn(SIZE, { kernel, method });
    const input = { data: data(), shape };
    return { start: () => module.evolve(input), outputs: arrays };
  };
  const session = (): Prepared => {
    const one = new ExpSyn(SIZE, options({})).session({ seed: 3 });
    return { start: () => one.evolve({ data: data(), shape }), outputs: arrays };
  };
  const aborted = (when: (abort: () => void) => void, more: object) => (): Prepared => {
    const module = new ExpSyn(SIZE, options(more));
    const input = { data: new Uint8Array(20_000 * SIZE), shape: [20_000, SIZE] };
    const others = Array.from({ length: 3 }, () => new ExpSyn(SIZE, options(more)));
    return {
      start: async () => {
        const controller = new AbortController();
        const { signal } = controller;
        const calls = [...others, module].map((each) => each.evolve(input, { signal }));
        when(() => {
          controller.abort();
        });
        const ends = await Promise.allSettled(calls);
        for (const end of ends) if (end.status === 'rejected') throw end.reason as Error;
      },
    };
  };
  const limited = (): Prepared => {
    const module = new ExpSyn(SIZE, options({}));
    const input = { data: data(), shape };
    return {
      start: async () => {
        setLimits({ calls: 1 });
        try {
          const first = module.evolve(input);
          const second = module.evolve(input).catch((error: unknown) => error);
          const [end, refusal] = [await first.catch((error: unknown) => error), await second];
          if (end instanceof Error) throw end;
          if (refusal instanceof Error && !(refusal instanceof OverloadError)) throw refusal;
        } finally {
          setLimits({ calls: Infinity });
        }
      },
      outputs: () => [],
    };
  };
  const failing = (): Prepared => {
    const module = new ExpSyn(SIZE, options({}));
    const values = data();
    values[777] = Infinity;
    return {
      start: async () => {
        const end: unknown = await module
          .evolve({ data: values, shape })
          .catch((error: unknown) => error);
        if (end instanceof RangeError && end.message.startsWith('Expected finite numbers')) return;
        throw end as Error;
      },
      outputs: () => [],
    };
  };

  return {
    recursive: evolve({ method: 'recursive' }),
    'recursive, single precision': evolve({ method: 'recursive', dtype: 'float32' }),
    'noise that acts like input': evolve({ noise: 'state' }),
    fft: evolve({ method: 'fft' }),
    'fft, single precision': evolve({ method: 'fft', dtype: 'float32' }),
    'kernels that are not cut': evolve({ method: 'fft', windowTaus: Infinity }),
    'samples, fft': samples('fft'),
    'samples, direct': samples('direct'),
    transferred: evolve({}, { transfer: true }),
    'put out over the input': evolve({}, { out: true }),
    'shared memory': evolve({}, {}, shared),
    'put out over shared memory': evolve({}, { out: true }, shared),
    'many calls': many,
    'calls in a chain': chained,
    'helpers, recursive': large({ method: 'recursive' }),
    'helpers, fft': large({ method: 'fft' }),
    'values let through': large({ nonFinite: 'propagate' }),
    'a session': session,
    'sessions together': sessionsTogether({}, 0),
    'sessions together, fft, single precision': sessionsTogether(
      { method: 'fft', dtype: 'float32' },
      0,
      3,
    ),
    'sessions of which some fail': sessionsTogether({}, 3),
    'sessions of which many fail': sessionsTogether({ dtype: 'float32' }, 15),
    'aborted at once': aborted((abort) => {
      abort();
    }, {}),
    'aborted at once, fft': aborted(
      (abort) => {
        abort();
      },
      { method: 'fft' },
    ),
    'aborted while it runs': aborted((abort) => setTimeout(abort, 1), { method: 'fft' }),
    'beyond the limits': limited,
    'refused for its input': failing,
  } satisfies Record<string, () => Prepared>;
}

/** Waits for a promise; one that never settles is the end. */
async function settled<Result>(promise: Promise<Result>, what: string): Promise<Result> {
  const timer = setTimeout(() => {
    console.error(`${what}: a promise has not settled.`);
    process.exit(3);
  }, HANG_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until nothing computes, and checks that nothing is counted as pending. */
async function requireIdle({ stats }: typeof Package, what: string): Promise<void> {
  await turn();
  const deadline = Date.now() + HANG_MS;
  // What is left of an aborted call computes for a while.
  while (stats().running > 0 && Date.now() < deadline) await sleep(1);
  const { queued, running, bytes } = stats();
  assert.deepEqual({ queued, running, bytes }, { queued: 0, running: 0, bytes: 0 }, what);
}

/** The error of an attempt, which must be one that failures explain. */
function requireExplained(error: unknown, allowed: RegExp[], what: string): void {
  if (error instanceof Error && error.name === 'AbortError') return;
  assert.ok(error instanceof Error, `${what}: ${String(error)}`);
  assert.ok(
    allowed.some((pattern) => pattern.test(error.message)),
    `${what}: ${error.stack}`,
  );
}

async function failAllocationsOfCalls(): Promise<void> {
  const load = createRequire(__filename);
  const lib = load(folder) as typeof Package;
  const faults = load(join(folder, 'build/Release/expsyn.node')) as Faults;
  for (const [index, [name, prepare]] of Object.entries(scenarios(lib)).entries()) {
    const read = (resolved: unknown, { outputs }: Prepared) =>
      outputs?.(resolved as never).map((data) => Array.from(data)) ?? [];
    const first = prepare();
    let expected: number[][] | undefined;
    try {
      const resolved = await settled(first.start(), name);
      if (first.outputs !== undefined) expected = read(resolved, first);
    } catch (error) {
      requireExplained(error, [], name);
    }
    let attempts = 0;
    let rejections = 0;
    for (const isLasting of [false, true]) {
      for (let n = 1 + (index % STEP), isOver = false; !isOver; n += STEP) {
        const what = `${name}, ${isLasting ? 'from' : 'at'} allocation ${n}`;
        const prepared = prepare();
        let resolved: unknown;
        let failure: { error: unknown } | undefined;
        faults.failAllocations(n, isLasting);
        try {
          resolved = await settled(prepared.start(), what);
        } catch (error) {
          failure = { error };
        }
        const [nFailed] = faults.readFaults();
        faults.failAllocations(0, false);
        isOver = nFailed === 0;
        if (!isOver) attempts++;
        if (failure !== undefined) {
          rejections++;
          requireExplained(failure.error, isOver ? [] : [OUT_OF_MEMORY, BARE], what);
        } else if (expected !== undefined) {
          assert.deepEqual(read(resolved, prepared), expected, what);
        }
        await requireIdle(lib, what);
        // A later call is right, and is not disturbed by what the failed one has left.
        if (failure === undefined || expected === undefined) continue;
        const again = prepare();
        assert.deepEqual(read(await settled(again.start(), what), again), expected, what);
      }
    }
    console.log(JSON.stringify({ name, attempts, rejections }));
  }
  await failAllocationsOfWorkers(lib, faults);
}

/** The source of a worker that tells when it has queued calls, after `before` has been done. */
function workerSource(before: string): string {
  return `
    const { parentPort, workerData } = require('node:worker_threads');
    const faults = () => require(workerData.folder + '/build/Release/expsyn.node');
    (async () => {
      ${before}
      const { ExpSyn, stats } = require(workerData.folder);
      const N = 64;
      const T = 20000;
      const data = new Uint8Array(new SharedArrayBuffer(N * T)).fill(1);
      const call = (method, threads) => new ExpSyn(N, { method, threads, tau: 0.02 })
        .evolve({ data, shape: [T, N] }).then(({ output }) => output.data[N * T - 1]);
      const short = () => new ExpSyn(1).evolve([1, 2, 3]).then(({ output }) => output.data[2]);
      const calls = [short(), call('recursive', 1), call('fft', 4), short(), call('recursive', 4)];
      for (const each of calls) each.catch(() => undefined);
      if (workerData.isTerminated) return parentPort.postMessage('queued');
      const ends = (await Promise.allSettled(calls)).map(({ value, reason }) => reason ?? value);
      await new Promise(setImmediate);
      const { queued, running, bytes } = stats();
      const failed = faults().readFaults();
      faults().failThreads(0, false);
      faults().failAllocations(0, false);
      const later = [await short(), await call('recursive', 4), await call('fft', 1)];
      parentPort.postMessage({ ends, later, failed, counts: { queued, running, bytes } });
    })().catch((error) => parentPort.postMessage({ error }));
  `;
}

interface FromWorker {
  error?: Error;
  ends: (number | Error)[];
  later: number[];
  failed: [number, number];
  counts: object;
}

function startWorker(before: string, workerData: object): Promise<[FromWorker | 'queued', Worker]> {
  const worker = new Worker(workerSource(before), {
    eval: true,
    execArgv: [],
    workerData: { folder, ...workerData },
  });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: FromWorker | 'queued') => {
      resolve([message, worker]);
    });
  });
}

async function failAllocationsOfWorkers(lib: typeof Package, faults: Faults): Promise<void> {
  let attempts = 0;
  for (const isLasting of [false, true]) {
    for (let n = 1, isOver = false; !isOver; n += STEP) {
      const what = `a worker that is terminated, ${isLasting ? 'from' : 'at'} allocation ${n}`;
      const before = `require(workerData.folder);
        faults().failAllocations(workerData.n, workerData.isLasting);`;
      const data = { n: 4 * n, isLasting, isTerminated: true };
      const [message, worker] = await settled(startWorker(before, data), what);
      if (n % 2 === 0) await sleep(n % 5);
      await settled(worker.terminate(), what);
      isOver = faults.readFaults()[0] === 0;
      faults.failAllocations(0, false);
      assert.equal(message, 'queued', what);
      await requireIdle(lib, what);
      attempts++;
    }
  }
  console.log(JSON.stringify({ name: 'workers that are terminated', attempts, rejections: 0 }));
  let rejections = 0;
  attempts = 0;
  for (let n = 1, isOver = false; !isOver; n += STEP) {
    const what = `loading in a worker, at allocation ${n}`;
    faults.failAllocations(n, false);
    const [message, worker] = await settled(startWorker('', { isTerminated: true }), what);
    isOver = faults.readFaults()[0] === 0;
    faults.failAllocations(0, false);
    if (message !== 'queued') {
      rejections++;
      requireExplained(message.error, [OUT_OF_MEMORY, BARE], what);
    }
    await settled(worker.terminate(), what);
    await requireIdle(lib, what);
    attempts++;
  }
  console.log(JSON.stringify({ name: 'loading in a worker', attempts, rejections }));
}

/** Each in a worker, where nobody else has loaded the addon: the pool and its threads go with it. */
async function failThreads(): Promise<void> {
  const before = `require(workerData.folder);
    faults().failThreads(workerData.n, workerData.isLasting);`;
  let expected: FromWorker | undefined;
  let attempts = 0;
  let rejections = 0;
  for (const isLasting of [false, true]) {
    // Without a failure first.
    for (let n = 0, isOver = false; !isOver; n++) {
      const what = `${isLasting ? 'from' : 'at'} thread ${n}`;
      const [message, worker] = await settled(startWorker(before, { n, isLasting }), what);
      await settled(worker.terminate(), what);
      assert.ok(message !== 'queued');
      assert.equal(message.error, undefined, what);
      expected ??= message;
      assert.deepEqual(message.counts, { queued: 0, running: 0, bytes: 0 }, what);
      assert.deepEqual(message.later, expected.later, what);
      for (const [i, end] of message.ends.entries()) {
        if (typeof end === 'number') {
          assert.equal(end, expected.ends[i], what);
        } else {
          rejections++;
          // With another thread, a call only takes longer.
          assert.ok(n === 1, what);
          requireExplained(end, [NO_THREAD], what);
        }
      }
      if (n === 0) continue;
      isOver = message.failed[1] === 0;
      attempts++;
    }
  }
  console.log(JSON.stringify({ name: 'threads', attempts, rejections }));
}

process.on('unhandledRejection', (error) => {
  console.error('A rejection that nobody sees:', error);
  process.exit(4);
});
(kind === 'threads' ? failThreads() : failAllocationsOfCalls()).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
