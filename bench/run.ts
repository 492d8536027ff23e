import { ExpSyn, type ExpSynOptions } from 'expsyn';
import { relativeError } from '../test/support/oracle';
import { timeCalls, type Contender } from './measure';
import { plainLoop } from './peers/javascript';
import { nativePeers } from './peers/native';
import type { Python, PythonPeer } from './peers/python';

export type FloatArray = Float64Array | Float32Array;
export type Dtype = 'float64' | 'float32';

export interface RunOptions extends ExpSynOptions {
  dtype?: Dtype;
  tau?: number;
}

const DT = 1e-3;

/** A raster in which one element of fifty is a spike; the same one each time. */
export function makeRaster<Data extends FloatArray | Uint8Array>(data: Data): Data {
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (state * 16807) % 2147483647;
    data[i] = state % 50 === 0 ? 1 : 0;
  }
  return data;
}

const arrayOf = (dtype: Dtype) => (dtype === 'float32' ? Float32Array : Float64Array);

/** A run of the package, and the same run by each of its peers. */
export class Run {
  readonly shape: readonly [number, number, number];
  readonly samples: number;
  readonly input: FloatArray | Uint8Array;
  readonly out: FloatArray;
  readonly module: ExpSyn<Dtype>;
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

  transforms(name = 'bare FFTW', isLinked = false): Contender {
    const { module, shape } = this;
    return {
      name,
      time: () =>
        nativePeers.transforms(
          module.dtype === 'float32',
          shape[1],
          module.windowLength,
          shape[0] * shape[2],
          isLinked,
        ),
    };
  }

  /** The Python peers on the same data. Compares the package's output with that of the reference. */
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

/** Compares the output of the package with that of the plain loop, whose kernel is not cut. */
export function checkAgainstLoop(run: Run): void {
  const [batches, timesteps, size] = run.shape;
  const expected = new Float64Array(run.samples);
  const decay = new Float64Array(size).fill(Math.exp(-DT / run.tau));
  plainLoop(run.input, expected, decay, new Float64Array(size), batches, timesteps);
  run.evolve();
  const error = relativeError(run.out, expected);
  // A window of ten time constants leaves out this much of the kernel.
  const bound = run.module.windowTaus === Infinity ? 5e-6 : 1e-4;
  if (!(error <= bound)) throw new Error(`Expected ${bound} against a loop but got ${error}.`);
}
