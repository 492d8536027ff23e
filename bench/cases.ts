/** The table of cases. To add one, add an entry to what cases() returns. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

import { ExpSyn, type ExpSynOptions, type Method } from 'expsyn';
import { relativeError } from '../test/support/oracle';
import { measure, timeCalls, type Contender, type Goal } from './measure';
import { plainLoop } from './peers/javascript';
import { nativePeers } from './peers/native';
import type { Python, PythonPeer } from './peers/python';

export interface BenchCase {
  group: string;
  name: string;
  samples: number;
  goals: Goal[];
  /** The package first, then its peers; those that are not installed are left out. */
  contenders: () => Contender[] | Promise<Contender[]>;
  /** What a result that is no time says, in words; measured once. */
  figure?: () => Figure | Promise<Figure>;
}

export interface Figure {
  text: string;
  isMet: boolean;
}

type FloatArray = Float64Array | Float32Array;
type Dtype = 'float64' | 'float32';

interface RunOptions extends ExpSynOptions {
  dtype?: Dtype;
  tau?: number;
}

const DT = 1e-3;

/** A raster with spikes in one of fifty places, repeatable. */
function makeRaster<Data extends FloatArray | Uint8Array>(data: Data): Data {
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (state * 16807) % 2147483647;
    data[i] = state % 50 === 0 ? 1 : 0;
  }
  return data;
}

const arrayOf = (dtype: Dtype) => (dtype === 'float32' ? Float32Array : Float64Array);

/** The package on a run, and everything that its peers need. */
class Run {
  readonly shape: readonly [number, number, number];
  readonly samples: number;
  readonly input: FloatArray | Uint8Array;
  readonly out: FloatArray;
  readonly module: ExpSyn;
  readonly tau: number;

  constructor(
    batches: number,
    timesteps: number,
    size: number,
    options: RunOptions = {},
    input?: FloatArray | Uint8Array,
  ) {
    this.shape = [batches, timesteps, size];
    this.samples = batches * timesteps * size;
    this.tau = options.tau ?? 0.02;
    const Data = arrayOf(options.dtype ?? 'float64');
    this.input = input ?? makeRaster(new Data(this.samples));
    this.out = new Data(this.samples).fill(1);
    this.module = new ExpSyn(size, { threads: 1, seed: 1, ...options, tau: this.tau });
  }

  get evolve(): () => void {
    const { module, shape, out, input } = this;
    return () => {
      module.evolveSync({ data: input, shape }, { out });
    };
  }

  expsyn(name = 'expsyn'): Contender {
    return { name, time: timeCalls(this.evolve), samples: this.samples };
  }

  copy(): Contender {
    const source = new (arrayOf(this.module.dtype))(this.samples).fill(1);
    const target = new (arrayOf(this.module.dtype))(this.samples).fill(1);
    return { name: 'copy', time: timeCalls(() => target.set(source)) };
  }

  plainLoop(): Contender {
    const { input, shape } = this;
    const out = new (arrayOf(this.module.dtype))(this.samples);
    const decay = new Float64Array(shape[2]).fill(Math.exp(-DT / this.tau));
    const isyn = new Float64Array(shape[2]);
    return {
      name: 'JavaScript loop',
      time: timeCalls(() => plainLoop(input, out, decay, isyn, shape[0], shape[1])),
    };
  }

  transforms(): Contender {
    const { module, shape } = this;
    return {
      name: 'bare FFTW',
      time: () =>
        nativePeers.transforms(
          module.dtype === 'float32',
          shape[1],
          module.windowLength,
          shape[0] * shape[2],
        ),
    };
  }

  /** The Python peers, on the same data; checks the package's output against the reference's. */
  async python(python: Python, peers: readonly PythonPeer[]): Promise<Contender[]> {
    if (python.versions === undefined) return [];
    const { module, shape, tau } = this;
    await python.prepare({
      input: this.input as FloatArray,
      shape,
      tau,
      dt: DT,
      windowLength: module.windowLength,
    });
    if (!peers.includes('randn')) {
      this.evolve();
      const worst = relativeError(this.out, await python.output('reference'));
      const bound = module.dtype === 'float32' ? 5e-6 : 1e-12;
      if (!(worst <= bound)) throw new Error(`Expected ${bound} against NumPy but got ${worst}.`);
    }
    return peers.map((peer) => ({ name: peer, time: () => python.time(peer) }));
  }
}

/** Holds the package's output against the plain loop's, which sums the same but cuts no kernel. */
function checkAgainstLoop(run: Run): void {
  const [batches, timesteps, size] = run.shape;
  const expected = new Float64Array(run.samples);
  const decay = new Float64Array(size).fill(Math.exp(-DT / run.tau));
  plainLoop(run.input, expected, decay, new Float64Array(size), batches, timesteps);
  run.evolve();
  const error = relativeError(run.out, expected);
  // What a window of ten time constants cuts off.
  const bound = run.module.windowTaus === Infinity ? 5e-6 : 1e-4;
  if (!(error <= bound)) throw new Error(`Expected ${bound} against a loop but got ${error}.`);
}

function copyCases(): BenchCase[] {
  const cases: BenchCase[] = [];
  const add = (
    samples: number,
    size: number,
    dtype: Dtype,
    options: RunOptions,
    name: string,
    goal: number,
  ) => {
    cases.push({
      group: 'against a copy of the arrays',
      name: `${name}, ${dtype}, N = ${size}, ${samples.toExponential(0)} samples`,
      samples,
      goals: [{ against: 'copy', atMost: goal }],
      contenders: () => {
        const run = new Run(1, Math.floor(samples / size), size, { dtype, ...options });
        checkAgainstLoop(run);
        return [run.expsyn(), run.copy()];
      },
    });
  };
  for (const dtype of ['float64', 'float32'] as const) {
    for (const samples of [1e6, 1e7]) {
      for (const size of [16, 64, 128, 1000]) add(samples, size, dtype, {}, 'W = 200', 1.25);
      add(samples, 64, dtype, { windowTaus: Infinity }, 'W = Infinity', 1.15);
    }
  }
  for (const size of [1, 3]) add(1e7, size, 'float64', {}, 'W = 200', 2);
  cases.push({
    group: 'against a copy of the arrays',
    name: 'Uint8 in, float32 out, N = 64, 1e+7 samples',
    samples: 1e7,
    goals: [{ against: 'copy', atMost: 1 }],
    contenders: () => {
      const run = new Run(1, 156250, 64, { dtype: 'float32' }, makeRaster(new Uint8Array(1e7)));
      checkAgainstLoop(run);
      return [run.expsyn(), run.copy()];
    },
  });
  return cases;
}

function alternativeCases(python: Python): BenchCase[] {
  const shapes: [number, number, number, number][] = [
    [1, 100, 64, 0.01],
    [16, 1000, 128, 0.02],
    [1, 100000, 64, 0.2],
  ];
  return shapes.flatMap(([batches, timesteps, size, tau]): BenchCase[] => {
    const name = `B = ${batches}, T = ${timesteps}, N = ${size}, tau = ${tau * 1e3} ms`;
    const samples = batches * timesteps * size;
    return [
      {
        group: "'auto' against what one would use instead",
        name,
        samples,
        goals: [
          { against: 'reference', timesFaster: 80 },
          { against: 'lfilter', timesFaster: 8 },
          { against: 'JavaScript loop', timesFaster: 6 },
        ],
        contenders: async () => {
          const run = new Run(batches, timesteps, size, { tau });
          const peers = await run.python(python, ['reference', 'lfilter']);
          return [run.expsyn(), run.plainLoop(), ...peers];
        },
      },
      {
        group: "'fft' against what one would use instead",
        name,
        samples,
        goals: [
          { against: 'reference', timesFaster: 15 },
          { against: 'oaconvolve', timesFaster: 5 },
        ],
        contenders: async () => {
          const run = new Run(batches, timesteps, size, { tau, method: 'fft' });
          const peers = await run.python(python, ['reference', 'fftconvolve', 'oaconvolve']);
          return [run.expsyn(), ...peers];
        },
      },
    ];
  });
}

function transformCases(): BenchCase[] {
  return (['float64', 'float32'] as const).flatMap((dtype) =>
    [0.02, 0.2].map((tau): BenchCase => ({
      group: "'fft' against the transforms that it has to do",
      name: `W = ${tau * 1e4}, ${dtype}, T = 100000, N = 64`,
      samples: 64e5,
      goals: [{ against: 'bare FFTW', atMost: 1.35 }],
      contenders: () => {
        const run = new Run(1, 100000, 64, { dtype, tau, method: 'fft' });
        checkAgainstLoop(run);
        return [run.expsyn(), run.transforms()];
      },
    })),
  );
}

function noiseCases(python: Python): BenchCase[] {
  return (['float64', 'float32'] as const).flatMap((dtype) =>
    (['output', 'state', 'input'] as const).map((noise): BenchCase => ({
      group: 'what noise adds, against as many numbers from numpy.random.randn',
      name: `'${noise}', ${dtype}, B = 16, T = 1000, N = 128`,
      samples: 16 * 1000 * 128,
      goals: [{ against: 'randn', timesFaster: dtype === 'float32' ? 12 : 8 }],
      contenders: async () => {
        const noisy = new Run(16, 1000, 128, { dtype, noiseStd: 1, noise });
        const quiet = new Run(16, 1000, 128, { dtype });
        const [withNoise, without] = [timeCalls(noisy.evolve), timeCalls(quiet.evolve)];
        return [
          { name: 'expsyn', time: () => withNoise() - without() },
          ...(await quiet.python(python, ['randn'])),
        ];
      },
    })),
  );
}

function threadCases(): BenchCase[] {
  const kinds: [string, RunOptions, number | undefined][] = [
    ["'fft'", { method: 'fft' }, 1.8],
    ['noise', { noiseStd: 1 }, 1.8],
    ["'recursive'", { method: 'recursive' }, undefined],
  ];
  const shapes: [number, number, number][] = [
    [16, 4882, 128],
    [1, 156250, 64],
  ];
  return kinds.flatMap(([name, options, goal]) =>
    shapes.map(([batches, timesteps, size]): BenchCase => ({
      group: 'two threads against one',
      name: `${name}, B = ${batches}, T = ${timesteps}, N = ${size}`,
      samples: batches * timesteps * size,
      goals: goal === undefined ? [] : [{ against: 'one thread', timesFaster: goal }],
      contenders: () => {
        const two = new Run(batches, timesteps, size, { ...options, threads: 2 });
        const one = new Run(batches, timesteps, size, options);
        two.evolve();
        one.evolve();
        if (two.out.some((value, i) => value !== one.out[i])) {
          throw new Error('Expected the same bits from two threads as from one.');
        }
        return [two.expsyn('two threads'), one.expsyn('one thread')];
      },
    })),
  );
}

function sessionCase(): BenchCase {
  const [count, size] = [1000, 64];
  return {
    group: 'one step of 1000 sessions, N = 64, out given',
    name: 'evolveSessionsSync()',
    samples: count * size,
    goals: [],
    contenders: () => {
      const module = new ExpSyn(size, { threads: 1 });
      const open = () => Array.from({ length: count }, (_, seed) => module.session({ seed }));
      const [gathered, single] = [open(), open()];
      const data = makeRaster(new Uint8Array(count * size));
      const input = { data, shape: [count, 1, size] };
      const items = single.map((session, i) => ({
        session,
        input: { data: data.subarray(i * size, (i + 1) * size), shape: [1, size] },
        out: new Float64Array(size),
      }));
      const out = new Float64Array(count * size);
      const decay = new Float64Array(size).fill(Math.exp(-0.1));
      const states = items.map(() => new Float64Array(size));
      return [
        {
          name: 'expsyn',
          time: timeCalls(() => module.evolveSessionsSync(gathered, input, { out })),
        },
        {
          name: 'each by itself',
          time: timeCalls(() => {
            for (const { session, input, out } of items) session.evolveSync(input, { out });
          }),
        },
        {
          name: 'JavaScript loop',
          time: timeCalls(() => {
            items.forEach(({ input, out }, i) => {
              plainLoop(input.data, out, decay, states[i] ?? out, 1, 1);
            });
          }),
        },
      ];
    },
  };
}

function tickCase(): BenchCase {
  return {
    group: 'one tick: T = 1, N = 64, out given',
    name: 'evolveSync()',
    samples: 1,
    goals: [{ against: 'empty Node-API call', atMost: 3 }],
    contenders: () => {
      const module = new ExpSyn(64, { seed: 1 });
      const input = { data: new Float64Array(64), shape: [1, 64] };
      const [out, state, next] = [0, 0, 0].map(() => new Float64Array(64));
      const kernels = {};
      const decay = new Float64Array(64).fill(0.9);
      const isyn = new Float64Array(64);
      return [
        {
          name: 'expsyn',
          time: timeCalls(() => module.evolveSync(input, { out: out as FloatArray })),
        },
        {
          name: 'empty Node-API call',
          // As many arguments, of the same types, as the package's own native call takes.
          time: timeCalls(() =>
            nativePeers.nothing(
              ...([kernels, 1, input.data, 1, 1, true, out, state, true] as unknown[]),
              ...([next, true, 0, 0, 1, 5, false, 1, 0] as unknown[]),
            ),
          ),
        },
        {
          name: 'JavaScript loop',
          time: timeCalls(() => plainLoop(input.data, out as FloatArray, decay, isyn, 1, 1)),
        },
      ];
    },
  };
}

function growthCases(): BenchCase[] {
  const methods: ['auto' | 'fft', number][] = [
    ['auto', 1.3],
    ['fft', 2],
  ];
  return methods.flatMap(([method, spread]): BenchCase[] => [
    {
      group: 'growth: cost of a sample, slowest against fastest',
      name: `'${method}', T = 1e3 to 1e7, N = 16, W = 200`,
      samples: 1,
      goals: [{ spread }],
      contenders: () =>
        [1e3, 1e4, 1e5, 1e6, 1e7].map((timesteps) =>
          new Run(1, timesteps, 16, { method }).expsyn(`T = ${timesteps.toExponential(0)}`),
        ),
    },
    {
      group: 'growth: cost of a sample, slowest against fastest',
      name: `'${method}', tau = 1 ms to 10 s, T = 1e5, N = 16`,
      samples: 1,
      goals: [{ spread }],
      contenders: () =>
        [1e-3, 1e-2, 1e-1, 1, 10].map((tau) =>
          new Run(1, 1e5, 16, { method, tau }).expsyn(`tau = ${tau} s`),
        ),
    },
  ]);
}

function memoryCases(): BenchCase[] {
  return (['recursive', 'fft'] as const).flatMap((method) =>
    ([undefined, 'state'] as const).map((noise): BenchCase => ({
      group: 'memory beyond input and output, one thread',
      name: `'${method}'${noise === undefined ? '' : ", noise: 'state'"}, T = 1e6, N = 16, W = 2000`,
      samples: 1,
      goals: [],
      contenders: () => [],
      figure: () => {
        const options = { method, noise, noiseStd: noise === undefined ? 0 : 1 };
        const child = spawnSync(
          process.execPath,
          ['--import', 'tsx', join(__dirname, 'peak-memory.ts'), JSON.stringify(options)],
          { encoding: 'utf8' },
        );
        const mebibytes = Number(child.stdout) / 2 ** 20;
        return { text: `${mebibytes.toFixed(1)} MiB (goal: 8)`, isMet: mebibytes <= 8 };
      },
    })),
  );
}

/** The 99th percentile of the event loop's delay, in milliseconds, until `work` is done. */
async function loopDelayDuring(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  return delay.percentile(99) / 1e6;
}

function loopCase(): BenchCase {
  return {
    group: "the event loop's delay while evolve() computes 10^8 samples",
    name: 'p99, noise, N = 64, two threads',
    samples: 1,
    goals: [],
    contenders: () => [],
    figure: async () => {
      const module = new ExpSyn(64, { dtype: 'float32', noiseStd: 1, windowTaus: Infinity });
      const input = { data: new Uint8Array(new SharedArrayBuffer(1e8)), shape: [1562500, 64] };
      const out = new Float32Array(new SharedArrayBuffer(4e8));
      const idle = await loopDelayDuring(() => wait(500));
      const busy = await loopDelayDuring(() => module.evolve(input, { out }));
      return {
        text: `${idle.toFixed(1)} ms idle, ${busy.toFixed(1)} ms meanwhile (goal: 5 more)`,
        isMet: busy - idle <= 5,
      };
    },
  };
}

function silenceCase(method: 'recursive' | 'fft'): BenchCase {
  return {
    group: 'silence after a burst against spikes',
    name: `'${method}', T = 100000, N = 64, W = 200`,
    samples: 64e5,
    goals: [{ against: 'spikes', atMost: 1.05 }],
    contenders: () => {
      const burst = new Float64Array(64e5);
      makeRaster(burst.subarray(0, 64e3));
      const silent = new Run(1, 100000, 64, { method }, burst);
      return [silent.expsyn('silence'), new Run(1, 100000, 64, { method }).expsyn('spikes')];
    },
  };
}

function tauCase(): BenchCase {
  const size = 1e4;
  return {
    group: 'setting tau on 10,000 synapses',
    name: 'tau = ...; against one run of T = 100',
    samples: 1,
    goals: [{ against: 'one run', atMost: 1 }],
    contenders: () => {
      const run = new Run(1, 100, size);
      const module = new ExpSyn(size, { threads: 1 });
      const taus = [0, 1].map((which) =>
        Float64Array.from({ length: size }, (_, n) => 0.01 + which * 1e-3 + n * 1e-6),
      );
      const tick = { data: new Float64Array(size), shape: [1, size] };
      const out = new Float64Array(size);
      let which = 0;
      const step = timeCalls(() => module.evolveSync(tick, { out }));
      const setAndStep = timeCalls(() => {
        which = 1 - which;
        module.tau = taus[which] as Float64Array;
        // Kernels are made when they are first needed.
        module.evolveSync(tick, { out });
      });
      return [
        { name: 'expsyn', time: () => setAndStep() - step() },
        { name: 'one run', time: timeCalls(run.evolve) },
      ];
    },
  };
}

/** The largest ratio between the method that 'auto' takes and the better one, over a grid of runs. */
async function worstChoice(): Promise<Figure> {
  let worst = { ratio: 0, name: '' };
  let [nRuns, nBetterByFft] = [0, 0];
  for (const timesteps of [1, 30, 1000, 30000]) {
    for (const size of [1, 3, 16, 200]) {
      for (const tau of [0.002, 0.02, 0.5]) {
        const batches = Math.max(1, Math.floor(3e5 / (timesteps * size)));
        const runOf = (method: Method) => new Run(batches, timesteps, size, { tau, method });
        const contenders = (['fft', 'recursive'] as const).map((method) =>
          runOf(method).expsyn(method),
        );
        const measured = await measure(contenders, batches * timesteps * size, 7);
        const [fft = NaN, recursive = NaN] = measured.map(({ median }) => median);
        const auto = runOf('auto');
        const { method } = auto.module.evolveSync({ data: auto.input, shape: auto.shape }).record;
        nRuns++;
        if (fft < recursive) nBetterByFft++;
        const ratio = (method === 'fft' ? fft : recursive) / Math.min(fft, recursive);
        if (ratio > worst.ratio) worst = { ratio, name: `T = ${timesteps}, N = ${size}` };
      }
    }
  }
  const { ratio, name } = worst;
  return {
    text:
      `${ratio.toFixed(2)} at worst, ${name} (goal: 1.1); ` +
      `'fft' was the better one in ${nBetterByFft} of ${nRuns}`,
    isMet: ratio <= 1.1,
  };
}

function choiceCase(): BenchCase {
  return {
    group: "the choice of 'auto' against the better method",
    name: 'T = 1 to 30000, N = 1 to 200, tau = 2 to 500 ms',
    samples: 1,
    goals: [],
    contenders: () => [],
    figure: worstChoice,
  };
}

export function cases(python: Python): BenchCase[] {
  return [
    ...copyCases(),
    ...alternativeCases(python),
    ...transformCases(),
    ...noiseCases(python),
    ...threadCases(),
    tickCase(),
    sessionCase(),
    ...growthCases(),
    ...memoryCases(),
    loopCase(),
    silenceCase('recursive'),
    silenceCase('fft'),
    tauCase(),
    choiceCase(),
  ];
}
