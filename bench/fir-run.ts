import { FirSyn, type Method } from 'expsyn';
import { relativeError } from '../test/support/oracle';
import { timeCalls, type Contender } from './measure';
import { nativePeers } from './peers/native';
import { fastestOverlapSave, type ConvolutionOf } from './peers/overlap-save';
import type { Python, PythonPeer } from './peers/python';
import { makeRaster, type Dtype, type FloatArray } from './run';

const DT = 1e-3;

/** A run of FirSyn, all of whose synapses have the same kernel, and the same run by each of its peers. */
export class FirRun {
  readonly samples: number;
  readonly input: FloatArray;
  readonly out: FloatArray;
  readonly kernel: FloatArray;
  readonly module: FirSyn<Dtype>;

  constructor(
    readonly timesteps: number,
    readonly size: number,
    readonly windowLength: number,
    readonly dtype: Dtype,
    method: Method = 'auto',
  ) {
    const Data = dtype === 'float32' ? Float32Array : Float64Array;
    this.samples = timesteps * size;
    this.input = makeRaster(new Data(this.samples));
    this.out = new Data(this.samples);
    // Of both signs, and 0 nowhere.
    this.kernel = new Data(windowLength).map(
      (_, k) => Math.cos(k) * Math.exp((-3 * k) / windowLength) + 1e-3,
    );
    this.module = new FirSyn<Dtype>(size, { kernel: this.kernel, dtype, method, threads: 1 });
  }

  get evolve(): () => void {
    const { module, input, out, timesteps, size } = this;
    return () => {
      module.evolveSync({ data: input, shape: [1, timesteps, size] }, { out });
    };
  }

  /** The method that the module takes. */
  get method(): string {
    const { module, input, timesteps, size } = this;
    return module.evolveSync({ data: input, shape: [1, timesteps, size] }).record.method;
  }

  expsyn(name = 'expsyn'): Contender {
    return { name, time: timeCalls(this.evolve) };
  }

  transforms(): Contender {
    const { dtype, timesteps, size, windowLength } = this;
    return {
      name: 'bare FFTW',
      time: () => nativePeers.transforms(dtype === 'float32', timesteps, windowLength, size, false),
    };
  }

  /** Overlap-save in JavaScript. Compares the package's output with it; `digits` is what it computes in. */
  overlapSave(name: string, convolutionOf: ConvolutionOf, digits: Dtype): Contender {
    const output = this.out.slice();
    const { kernel, input, timesteps, size } = this;
    const run = fastestOverlapSave(convolutionOf, kernel, [timesteps, size], input, output);
    run();
    this.#compare(name, output, digits === 'float32' || this.dtype === 'float32');
    return { name, time: timeCalls(run) };
  }

  /** The Python peers on the same data. Compares the package's output with that of the first. */
  async python(python: Python, peers: readonly PythonPeer[]): Promise<Contender[]> {
    const [first] = peers;
    if (python.versions === undefined || first === undefined) return [];
    const { input, kernel, timesteps, size, windowLength } = this;
    const shape = [1, timesteps, size];
    await python.prepare({ input, shape, tau: 1, dt: DT, windowLength, kernel });
    this.#compare(first, await python.output(first), this.dtype === 'float32');
    return peers.map((peer) => ({ name: peer, time: () => python.time(peer) }));
  }

  #compare(name: string, expected: FloatArray, isSingle: boolean): void {
    this.module.resetState();
    this.evolve();
    const worst = relativeError(this.out, expected);
    const bound = isSingle ? 5e-6 : 1e-12;
    if (!(worst <= bound)) throw new Error(`Expected ${bound} against ${name} but got ${worst}.`);
  }
}
