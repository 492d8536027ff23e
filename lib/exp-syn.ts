/** Exponential synapses: options and attributes, and how one call follows another. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';

import {
  allocate,
  checkSize,
  readArray,
  readFloats,
  sizeOf,
  type ArrayInput,
  type NdArray,
} from './arrays';
import {
  describe,
  flag,
  formatShape,
  nonNegative,
  oneOf,
  outOfRange,
  positive,
  positiveOrInfinite,
  readOptions,
  wholeNumber,
  wrongType,
} from './checks';
import { Module, type Evolution, type RasterInput } from './module';
import { METHOD_CODES, native, NOISE_CODES, type EvolveArguments, type Kernels } from './native';
import { Constant, floats, Parameter, SimulationParameter, single, State } from './parameters';
import { decodeNumbers, encodeNumbers, type EncodedNumbers } from './json-numbers';
import {
  copyInto,
  copyOf,
  haveSameBuffer,
  isShared,
  isTransferable,
  isTypedArray,
  lengthOf,
  ofFixedLength,
  takeOver,
  typeOfArray,
  type TypedArray,
} from './typed-arrays';

/** How a run is computed; 'auto' takes whichever is faster for the call. */
export type Method = 'auto' | 'fft' | 'recursive';
/** Where noise is added: to the output, to the state after the decay, or to the input. */
export type NoisePlacement = 'output' | 'state' | 'input';
/** What a NaN or infinity in the input does: end the call, or go through forwards in time. */
export type NonFinitePolicy = 'throw' | 'propagate';
/** 'rockpool': what the reference does with the states of a batch, and with noise in the state. */
export type Compatibility = 'none' | 'rockpool';
/** Element type of the output and of the state. */
export type Dtype = 'float64' | 'float32';

/** The initial value of a parameter, or a function of the shape (N,) that makes it. */
export type Initial = ArrayInput | ((shape: readonly number[]) => ArrayInput);

export interface ExpSynOptions {
  /** Time constants in seconds: one a synapse, shape (N,), or one for all. Default 0.01 each. */
  tau?: Initial | Constant<Initial>;
  /** Length of a time step in seconds. Default 0.001. */
  dt?: number;
  /** Longest window in steps. Default 1e6; ignored when windowTaus is Infinity. */
  maxWindowLength?: number;
  /** Length of the window in units of the largest tau; Infinity does not cut it. Default 10. */
  windowTaus?: number;
  /** Standard deviation of the noise after 1 s of a Wiener process. Default 0. */
  noiseStd?: number;
  /** Where the noise is added. Default 'output'. */
  noise?: NoisePlacement;
  /** Seed of the noise, 0 to 2^53 - 1. By default drawn from the operating system. */
  seed?: number;
  /** Default 'auto'. */
  method?: Method;
  /** Default 'float64'. */
  dtype?: Dtype;
  /** Default 'throw'. */
  nonFinite?: NonFinitePolicy;
  /** Default 'none'. */
  compat?: Compatibility;
  /** Default true. */
  spikingInput?: boolean;
  /** Default false. */
  spikingOutput?: boolean;
  name?: string;
}

/** The state of the synapses: isyn, (N,) or (B, N), and the absolute number of the next step. */
export interface ExpSynState {
  isyn: NdArray;
  step: number;
}

export interface EvolveOptions {
  /** Array that receives the output: B * T * N elements of the module's dtype. */
  out?: Float64Array | Float32Array | NdArray;
  /** State to start from instead of the module's own. */
  state?: { isyn?: ArrayInput; step?: number };
  /**
   * Only evolve(): take over the memory of input and out instead of copying it. Both are detached
   * at once; the result's output holds out's memory.
   */
  transfer?: boolean;
}

/** How a run was computed. */
export interface ExpSynRecord {
  method: 'fft' | 'recursive';
  /** Length of the window in steps, or Infinity. */
  windowLength: number;
  /** Absolute number of the first step. */
  firstStep: number;
}

export interface ExpSynEvolution extends Evolution {
  state: { isyn: NdArray; step: number };
  record: ExpSynRecord & Record<string, unknown>;
}

/** What toJSON() returns: enough to continue in another process, exactly. */
export interface ExpSynJson {
  class: 'ExpSyn';
  version: 1;
  name: string;
  size: number;
  dtype: Dtype;
  spikingInput: boolean;
  spikingOutput: boolean;
  isTauConstant: boolean;
  tau: EncodedNumbers;
  dt: EncodedNumbers;
  maxWindowLength: EncodedNumbers;
  windowTaus: EncodedNumbers;
  noiseStd: EncodedNumbers;
  noise: NoisePlacement;
  seed: number;
  method: Method;
  nonFinite: NonFinitePolicy;
  compat: Compatibility;
  isyn: EncodedNumbers;
  step: number;
}

const OPTIONS = [
  'tau',
  'dt',
  'maxWindowLength',
  'windowTaus',
  'noiseStd',
  'noise',
  'seed',
  'method',
  'dtype',
  'nonFinite',
  'compat',
  'spikingInput',
  'spikingOutput',
  'name',
] as const;

const castMethod = oneOf<Method>(['auto', 'fft', 'recursive']);
const castNoise = oneOf<NoisePlacement>(['output', 'state', 'input']);
const castNonFinite = oneOf<NonFinitePolicy>(['throw', 'propagate']);
const castCompat = oneOf<Compatibility>(['none', 'rockpool']);
const castDtype = oneOf<Dtype>(['float64', 'float32']);

/** Steps beyond which a window counts as not cut: no run is that long. */
const LONGEST_WINDOW = 2 ** 52;

type FloatArray = Float64Array | Float32Array;

/** The state that a call starts from, or leaves; nobody changes its arrays. */
interface CarriedState {
  isyn: NdArray;
  step: number;
}

/** A call as it was made: nothing that happens to the module or its caller later changes it. */
interface PreparedCall {
  kernels: Kernels;
  windowLength: number;
  method: 'fft' | 'recursive';
  data: TypedArray;
  inputShape: readonly number[];
  batches: number;
  timesteps: number;
  isInputPerSynapse: boolean;
  noise: number;
  noiseScale: number;
  seed: number;
  throwNonFinite: boolean;
  isRockpool: boolean;
  given: Partial<CarriedState>;
  out: FloatArray | undefined;
  isTransferred: boolean;
}

/** How often a part of the state was assigned: a call's result must not undo an assignment. */
interface Assignments {
  isyn: number;
  step: number;
}

/** A call that has not settled yet. */
interface PendingCall {
  assignments: Assignments;
  /** The state after the call, or before it when it failed; never rejects. */
  after: Promise<CarriedState>;
}

/**
 * N exponential synapses.
 *
 *     isyn <- (isyn + input) * exp(-dt / tau)   (+ noise)
 *
 * evaluated as output[b,t,n] = sum_{k<W} w_n[k] input[b,t-k,n] + isyn0[b,n] w_n[t] with
 * w_n[k] = exp(-(k+1) dt / tau_n), the second term while t < W. tau and dt are in seconds; the
 * output has the unit of the input. The new state is the output's last step.
 *
 * Calls on one module run in the order in which they were made, each with the attributes as they
 * were when it was made. A call that fails leaves the state as it was.
 *
 * Model: the ExpSyn module of Rockpool.
 */
export class ExpSyn extends Module {
  /** Element type of the output and of isyn. */
  readonly dtype: Dtype;
  readonly #tau: Parameter<NdArray<Float64Array>> | SimulationParameter<NdArray<Float64Array>>;
  readonly #dt: SimulationParameter<number>;
  readonly #maxWindowLength: SimulationParameter<number>;
  readonly #windowTaus: SimulationParameter<number>;
  readonly #noiseStd: SimulationParameter<number>;
  readonly #noise: SimulationParameter<NoisePlacement>;
  readonly #seed: SimulationParameter<number>;
  readonly #method: SimulationParameter<Method>;
  readonly #nonFinite: SimulationParameter<NonFinitePolicy>;
  readonly #compat: SimulationParameter<Compatibility>;
  readonly #isyn: State<NdArray>;
  readonly #step: State<number>;

  #kernels: { handle: Kernels; windowLength: number } | undefined;
  #choice: { timesteps: number; method: 'fft' | 'recursive' } | undefined;
  #lastMethod: 'fft' | 'recursive' | undefined;
  #assignments: Assignments = { isyn: 0, step: 0 };
  #lastCall: PendingCall | undefined;
  #nPending = 0;

  /** `shape` is the number of synapses, N or [N]. */
  constructor(shape: number | readonly [number] | readonly number[], options: ExpSynOptions = {}) {
    const given = readOptions(options, 'options', OPTIONS);
    const { spikingInput = true, spikingOutput = false, name = '', dtype = 'float64' } = given;
    super(shape, { spikingInput, spikingOutput, name });
    if (this.shape.length !== 1) {
      throw outOfRange('shape (N,)', 'shape', `shape ${formatShape(this.shape)}`);
    }
    const size = this.sizeOut;
    this.dtype = castDtype(dtype, 'dtype');

    const isConstant = given.tau instanceof Constant;
    const tau: unknown = given.tau instanceof Constant ? given.tau.value : given.tau;
    const tauDefinition = {
      ...floats([[size], []], initialTau(tau, size), positive),
      family: 'taus',
    };
    this.#tau = isConstant ? new SimulationParameter(tauDefinition) : new Parameter(tauDefinition);
    this.register('tau', this.#tau);

    const configure = <Value extends number | string>(
      name: keyof typeof given,
      initial: () => unknown,
      cast: (value: unknown, name: string) => Value,
    ): SimulationParameter<Value> => {
      const value = given[name];
      const start = value === undefined ? initial : () => value;
      const attribute = new SimulationParameter(single(start, cast));
      this.register(name, attribute);
      return attribute;
    };
    this.#dt = configure('dt', () => 1e-3, positive);
    this.#maxWindowLength = configure('maxWindowLength', () => 1e6, positiveOrInfinite);
    this.#windowTaus = configure('windowTaus', () => 10, positiveOrInfinite);
    this.#noiseStd = configure('noiseStd', () => 0, nonNegative);
    this.#noise = configure('noise', () => 'output', castNoise);
    this.#seed = configure('seed', drawSeed, wholeNumber);
    this.#method = configure('method', () => 'auto', castMethod);
    this.#nonFinite = configure('nonFinite', () => 'throw', castNonFinite);
    this.#compat = configure('compat', () => 'none', castCompat);

    this.#isyn = new State<NdArray>({
      shapes: [[size], ['*', size]],
      initial: () => ({ data: allocate(Float64Array, [size], 'isyn'), shape: [size] }),
      cast: (value, name) => this.#castIsyn(value, name),
    });
    this.register('isyn', this.#isyn);
    this.#step = new State(single(() => 0, wholeNumber));
    this.register('step', this.#step);
  }

  /** Time constants in seconds, shape (N,), or () for one that all synapses share. */
  get tau(): NdArray<Float64Array> {
    return this.#tau.data;
  }
  set tau(value: ArrayInput) {
    this.assign('tau', value);
  }

  /** Length of a time step in seconds. */
  get dt(): number {
    return this.#dt.current;
  }
  set dt(value: number) {
    this.assign('dt', value);
  }

  /** Longest window in steps; ignored when windowTaus is Infinity. */
  get maxWindowLength(): number {
    return this.#maxWindowLength.current;
  }
  set maxWindowLength(value: number) {
    this.assign('maxWindowLength', value);
  }

  /** Length of the window in units of the largest tau; Infinity does not cut it. */
  get windowTaus(): number {
    return this.#windowTaus.current;
  }
  set windowTaus(value: number) {
    this.assign('windowTaus', value);
  }

  /** Standard deviation of the noise after 1 s; each step draws noiseStd * sqrt(dt) * N(0, 1). */
  get noiseStd(): number {
    return this.#noiseStd.current;
  }
  set noiseStd(value: number) {
    this.assign('noiseStd', value);
  }

  get noise(): NoisePlacement {
    return this.#noise.current;
  }
  set noise(value: NoisePlacement) {
    this.assign('noise', value);
  }

  /** Seed of the noise. A number drawn depends on (seed, b, n, absolute step) alone. */
  get seed(): number {
    return this.#seed.current;
  }
  set seed(value: number) {
    this.assign('seed', value);
  }

  get method(): Method {
    return this.#method.current;
  }
  set method(value: Method) {
    this.assign('method', value);
  }

  get nonFinite(): NonFinitePolicy {
    return this.#nonFinite.current;
  }
  set nonFinite(value: NonFinitePolicy) {
    this.assign('nonFinite', value);
  }

  get compat(): Compatibility {
    return this.#compat.current;
  }
  set compat(value: Compatibility) {
    this.assign('compat', value);
  }

  /** The synaptic current after the last settled call, (N,) or, after a batch of B > 1, (B, N). */
  get isyn(): NdArray {
    return this.#isyn.data;
  }
  set isyn(value: ArrayInput) {
    this.assign('isyn', value);
  }

  /** Absolute number of the next step. */
  get step(): number {
    return this.#step.current;
  }
  set step(value: number) {
    this.assign('step', value);
  }

  /**
   * Length of the window in steps, Infinity when it is not cut: that of
   * arange(1, L + 1) with L = min(windowTaus * max(tau) / dt, maxWindowLength), at least 1.
   */
  get windowLength(): number {
    if (this.windowTaus === Infinity) return Infinity;
    const longest = this.#tau.current.data.reduce((a, b) => Math.max(a, b), 0);
    const length = Math.min((this.windowTaus * longest) / this.dt, this.maxWindowLength);
    // L + 1 - 1 rounds L as the arange's end does.
    const steps = Math.max(1, Math.ceil(length + 1 - 1));
    return steps > LONGEST_WINDOW ? Infinity : steps;
  }

  /**
   * Computes off the main thread, on the addon's own threads. The input is copied when the call is
   * made, unless it is in shared memory (which must not change until the promise settles) or
   * handed over by `transfer`. `out` is filled at the end, shared memory or memory handed over as
   * the run goes on; if the promise rejects, the contents of such an `out` are undefined.
   */
  override async evolve(input: RasterInput, options: EvolveOptions = {}): Promise<ExpSynEvolution> {
    const call = this.#prepare(input, options, true);
    const assignments = { ...this.#assignments };
    const own = this.#carried();
    const previous = this.#lastCall;
    const run = (async () => {
      const left = await previous?.after;
      const before = {
        isyn: left && previous?.assignments.isyn === assignments.isyn ? left.isyn : own.isyn,
        step: left && previous?.assignments.step === assignments.step ? left.step : own.step,
      };
      try {
        return { before, done: await this.#runOffThread(call, { ...before, ...call.given }) };
      } catch (error) {
        return { before, error };
      }
    })();
    const pending = {
      assignments,
      after: run.then(({ before, done }) => done?.after ?? before),
    };
    this.#lastCall = pending;
    this.#nPending++;
    const { done, error } = await run;
    this.#nPending--;
    if (this.#lastCall === pending) this.#lastCall = undefined;
    if (done === undefined) throw error;
    this.#carry(done.after, assignments);
    this.#lastMethod = call.method;
    return done.evolution;
  }

  /**
   * Computes in place on the calling thread. Not while a promise of evolve() on this module is
   * pending. `out` may be the input's own memory; its contents are undefined when the call throws
   * for a value of the input, unless it overlaps the input.
   */
  evolveSync(input: RasterInput, options: EvolveOptions = {}): ExpSynEvolution {
    const call = this.#prepare(input, options, false);
    if (this.#nPending > 0) {
      throw new Error(
        `Expected no pending evolve() on this module for evolveSync() but found ${this.#nPending}; ` +
          'await it first.',
      );
    }
    const before = { ...this.#carried(), ...call.given };
    const { output, nextState, isEmpty } = this.#allocateFor(call, before, call.out);
    if (!isEmpty) {
      refuseNonFinite(native.evolve(...nativeArguments(call, before, output, nextState)), call);
    }
    const done = this.#finish(call, before, output, nextState);
    this.#carry(done.after, this.#assignments);
    this.#lastMethod = call.method;
    return done.evolution;
  }

  /** Everything that another process needs to continue exactly, as JSON. */
  toJSON(): ExpSynJson {
    return {
      class: 'ExpSyn',
      version: 1,
      name: this.name,
      size: this.sizeOut,
      dtype: this.dtype,
      spikingInput: this.spikingInput,
      spikingOutput: this.spikingOutput,
      isTauConstant: this.#tau.kind === 'SimulationParameter',
      tau: encodeNumbers(this.#tau.current),
      dt: encodeNumbers(this.dt),
      maxWindowLength: encodeNumbers(this.maxWindowLength),
      windowTaus: encodeNumbers(this.windowTaus),
      noiseStd: encodeNumbers(this.noiseStd),
      noise: this.noise,
      seed: this.seed,
      method: this.method,
      nonFinite: this.nonFinite,
      compat: this.compat,
      isyn: encodeNumbers(this.#isyn.current),
      step: this.step,
    };
  }

  /**
   * The module that toJSON() described, given its result or the text of it. resetParameters() of
   * the new module returns to the tau of that moment.
   */
  static fromJSON(json: unknown): ExpSyn {
    const parsed: unknown = typeof json === 'string' ? JSON.parse(json) : json;
    const saved = readOptions(parsed, 'json', JSON_KEYS);
    if (saved.class !== 'ExpSyn') throw wrongType("'ExpSyn'", 'json.class', saved.class);
    if (saved.version !== 1) throw wrongType('version 1', 'json.version', saved.version);
    for (const key of JSON_KEYS) {
      if (saved[key] === undefined) throw wrongType('a value', `json.${key}`, undefined);
    }
    const tau = decodeNumbers(saved.tau, 'json.tau');
    const single = (key: (typeof JSON_KEYS)[number]) => decodeNumbers(saved[key], `json.${key}`);
    const module = new ExpSyn(wholeNumber(saved.size, 'json.size', 1), {
      tau: (flag(saved.isTauConstant, 'json.isTauConstant') ? new Constant(tau) : tau) as Initial,
      dt: single('dt') as number,
      maxWindowLength: single('maxWindowLength') as number,
      windowTaus: single('windowTaus') as number,
      noiseStd: single('noiseStd') as number,
      noise: saved.noise as NoisePlacement,
      seed: saved.seed as number,
      method: saved.method as Method,
      dtype: saved.dtype as Dtype,
      // A state that overflowed was not refused when it arose.
      nonFinite: 'propagate',
      compat: saved.compat as Compatibility,
      spikingInput: saved.spikingInput as boolean,
      spikingOutput: saved.spikingOutput as boolean,
      name: saved.name as string,
    });
    module.setAttributes({ isyn: decodeNumbers(saved.isyn, 'json.isyn'), step: saved.step });
    module.setAttributes({ nonFinite: saved.nonFinite });
    return module;
  }

  /**
   * What console.log() shows.
   *
   * @internal Not in the published types, which need none of Node's.
   */
  [inspect.custom](_depth: number, options: object): string {
    const last = this.#lastMethod;
    const shown = {
      tau: this.#tau.shape.length === 0 ? this.#tau.current.data[0] : this.#tau.current.data,
      dt: this.dt,
      windowLength: this.windowLength,
      method:
        this.method === 'auto' && last !== undefined ? `auto (last took ${last})` : this.method,
      dtype: this.dtype,
      ...(this.noiseStd === 0
        ? {}
        : { noiseStd: this.noiseStd, noise: this.noise, seed: this.seed }),
      isyn: this.#isyn.current,
      step: this.step,
    };
    const name = this.name === '' ? '' : ` ${describe(this.name)}`;
    return `ExpSyn${name} ${formatShape(this.shape)} ${inspect(shown, options)}`;
  }

  protected override attributeChanged(name: string): void {
    switch (name) {
      case 'tau':
      case 'dt':
      case 'maxWindowLength':
      case 'windowTaus':
        // A pending call may not have been given them yet.
        if (this.#kernels !== undefined && this.#nPending === 0) {
          native.release(this.#kernels.handle);
        }
        this.#kernels = undefined;
        this.#choice = undefined;
        break;
      case 'isyn':
        this.#assignments = { ...this.#assignments, isyn: this.#assignments.isyn + 1 };
        break;
      case 'step':
        this.#assignments = { ...this.#assignments, step: this.#assignments.step + 1 };
        break;
    }
  }

  /** Checks a state, and gives it the module's dtype and one axis for a single item. */
  #castIsyn(value: unknown, name: string): NdArray {
    const { data, shape } = readFloats(value, name);
    if (this.#nonFinite.current === 'throw') {
      const index = data.findIndex((element) => !Number.isFinite(element));
      if (index >= 0) {
        throw outOfRange(
          'finite numbers',
          name,
          `${data[index]}`,
          "set nonFinite to 'propagate' to let it through",
        );
      }
    }
    return {
      data: this.dtype === 'float32' ? new Float32Array(data) : data,
      shape: shape.length === 2 && shape[0] === 1 ? shape.slice(1) : shape,
    };
  }

  #carried(): CarriedState {
    return { isyn: this.#isyn.current, step: this.#step.current };
  }

  /** Makes a call's result the module's state, except what was assigned since the call was made. */
  #carry(after: CarriedState, assignments: Assignments): void {
    if (assignments.isyn === this.#assignments.isyn) this.#isyn.commit(after.isyn);
    if (assignments.step === this.#assignments.step) this.#step.commit(after.step);
  }

  /**
   * Checks the arguments and takes everything that the call depends on. All of the caller's code
   * that there may be (getters, proxies) runs first; from the line marked below on, none does.
   */
  #prepare(input: RasterInput, options: EvolveOptions, isAsync: boolean): PreparedCall {
    const given = readOptions(options, 'options', ['out', 'state', 'transfer']);
    const { transfer = false } = given;
    const isTransferred = flag(transfer, 'options.transfer');
    const state = readOptions(given.state, 'options.state', ['isyn', 'step']);
    const start: Partial<CarriedState> = {};
    if (state.isyn !== undefined) {
      start.isyn = this.#isyn.prepare(state.isyn, 'options.state.isyn');
    }
    if (state.step !== undefined) {
      start.step = wholeNumber(state.step, 'options.state.step');
    }
    const outArray = this.#readOut(given.out);
    const raster = readArray(input, 'input');
    // From here on, no code of the caller's runs.
    checkSize(raster, 'input');
    const { batches, timesteps, columns } = this.#interpretShape(raster.shape);
    const out = this.#checkOut(outArray, [batches, timesteps, this.sizeOut]);
    if (isTransferred) {
      if (!isAsync) {
        throw outOfRange('false', 'options.transfer', 'true', 'evolveSync() copies nothing');
      }
      checkTransfer(raster.data, 'input');
      if (out !== undefined) checkTransfer(out, 'options.out');
      if (out !== undefined && haveSameBuffer(raster.data, out)) {
        throw outOfRange('another buffer than that of the input', 'options.out', 'the same one');
      }
    }
    const kernels = this.#prepareKernels();
    const isNoisy = this.noiseStd > 0;
    return {
      kernels: kernels.handle,
      windowLength: kernels.windowLength,
      method: this.#chooseMethod(kernels.handle, timesteps),
      data: isAsync ? dataForThread(raster.data, isTransferred) : raster.data,
      inputShape: raster.shape,
      batches,
      timesteps,
      isInputPerSynapse: columns === this.sizeIn,
      noise: isNoisy ? NOISE_CODES[this.noise] : NOISE_CODES.none,
      noiseScale: isNoisy ? this.noiseStd * Math.sqrt(this.dt) : 0,
      seed: this.seed,
      throwNonFinite: this.nonFinite === 'throw',
      isRockpool: this.compat === 'rockpool',
      given: start,
      out: out && (isTransferred ? takeOver(out) : ofFixedLength(out)),
      isTransferred,
    };
  }

  /** The output's array as the caller gave it, with a shape where there is one. */
  #readOut(out: unknown): { data: TypedArray; shape: number[] | undefined } | undefined {
    if (out === undefined) return undefined;
    if (isTypedArray(out)) return { data: out, shape: undefined };
    return readArray(out, 'options.out');
  }

  #checkOut(
    out: { data: TypedArray; shape: number[] | undefined } | undefined,
    shape: readonly number[],
  ): FloatArray | undefined {
    if (out === undefined) return undefined;
    const type = this.dtype === 'float32' ? 'Float32Array' : 'Float64Array';
    if (typeOfArray(out.data) !== type) throw wrongType(`a ${type}`, 'options.out', out.data);
    if (out.shape !== undefined && formatShape(out.shape) !== formatShape(shape)) {
      throw outOfRange(
        `shape ${formatShape(shape)}`,
        'options.out',
        `shape ${formatShape(out.shape)}`,
      );
    }
    checkSize({ data: out.data, shape: [...shape] }, 'options.out');
    return out.data as FloatArray;
  }

  #interpretShape(shape: readonly number[]): {
    batches: number;
    timesteps: number;
    columns: number;
  } {
    const size = this.sizeIn;
    const what = `shape (T,), (T, ${size}) or (B, T, ${size}), or a last axis of 1,`;
    if (shape.length === 0) throw outOfRange(what, 'input', 'shape ()');
    const columns = shape.length === 1 ? 1 : (shape.at(-1) ?? 1);
    const timesteps = (shape.length === 1 ? shape[0] : shape.at(-2)) ?? 0;
    const batches = shape.length === 3 ? (shape[0] ?? 0) : 1;
    if (columns !== size && columns !== 1) {
      throw outOfRange(what, 'input', `shape ${formatShape(shape)}`);
    }
    if (!Number.isSafeInteger(sizeOf([batches, timesteps, size]))) {
      throw outOfRange(
        'fewer than 2^53 elements',
        'output',
        `shape ${formatShape([batches, timesteps, size])}`,
      );
    }
    return { batches, timesteps, columns };
  }

  #prepareKernels(): { handle: Kernels; windowLength: number } {
    if (this.#kernels === undefined) {
      const { data, shape } = this.#tau.current;
      const tau =
        shape.length === 1
          ? data
          : allocate(Float64Array, [this.sizeOut], 'tau').fill(data[0] ?? NaN);
      const windowLength = this.windowLength;
      const steps = windowLength === Infinity ? 0 : windowLength;
      this.#kernels = { handle: new native.Kernels(tau, this.dt, steps), windowLength };
    }
    return this.#kernels;
  }

  #chooseMethod(kernels: Kernels, timesteps: number): 'fft' | 'recursive' {
    if (this.method !== 'auto') return this.method;
    if (this.#choice?.timesteps !== timesteps) {
      const code = native.chooseMethod(kernels, timesteps);
      this.#choice = { timesteps, method: code === METHOD_CODES.fft ? 'fft' : 'recursive' };
    }
    return this.#choice.method;
  }

  /** Checks a call against the state it starts from, and makes the arrays that it fills. */
  #allocateFor(
    call: PreparedCall,
    before: CarriedState,
    output: FloatArray | undefined,
  ): { output: FloatArray; nextState: Float64Array; isEmpty: boolean } {
    const { batches, timesteps } = call;
    const size = this.sizeOut;
    const isEmpty = batches === 0 || timesteps === 0;
    const held = before.isyn.shape.length === 2 ? before.isyn.shape[0] : undefined;
    if (!isEmpty && held !== undefined && held !== batches) {
      throw outOfRange(
        `${held} batch items, as isyn of shape ${formatShape(before.isyn.shape)} holds,`,
        'input',
        `${batches}`,
        'reset the state, or pass one in with the call',
      );
    }
    if (!isEmpty && !Number.isSafeInteger(before.step + timesteps)) {
      throw outOfRange(
        'an absolute step below 2^53 after the call',
        'step',
        `${before.step} + ${timesteps}`,
        'reset the state',
      );
    }
    const Output = this.dtype === 'float32' ? Float32Array : Float64Array;
    const shape = [batches, timesteps, size];
    return {
      output: output ?? allocate<FloatArray>(Output, shape, 'output'),
      nextState: allocate(Float64Array, [isEmpty ? 0 : batches, size], 'isyn'),
      isEmpty,
    };
  }

  async #runOffThread(
    call: PreparedCall,
    before: CarriedState,
  ): Promise<{ evolution: ExpSynEvolution; after: CarriedState }> {
    // The caller's own memory is filled at the end: until then it may be detached or shrink.
    const isOutSafe = call.out !== undefined && (call.isTransferred || isShared(call.out));
    const { output, nextState, isEmpty } = this.#allocateFor(
      call,
      before,
      isOutSafe ? call.out : undefined,
    );
    if (!isEmpty) {
      const call_ = nativeArguments(call, before, output, nextState);
      refuseNonFinite(await native.evolveAsync(...call_), call);
    }
    if (call.out === undefined || isOutSafe) return this.#finish(call, before, output, nextState);
    if (lengthOf(call.out) !== lengthOf(output)) {
      throw outOfRange(
        `${lengthOf(output)} elements`,
        'options.out',
        `${lengthOf(call.out)}`,
        'it was detached or resized while the call ran',
      );
    }
    copyInto(call.out, output);
    return this.#finish(call, before, call.out, nextState);
  }

  #finish(
    call: PreparedCall,
    before: CarriedState,
    output: FloatArray,
    nextState: Float64Array,
  ): { evolution: ExpSynEvolution; after: CarriedState } {
    const size = this.sizeOut;
    const { batches, timesteps } = call;
    let isyn = before.isyn;
    let step = before.step;
    if (batches > 0 && timesteps > 0) {
      const isSingle = batches === 1 || call.isRockpool;
      const data = isSingle ? nextState.slice(0, size) : nextState;
      isyn = {
        data: this.dtype === 'float32' ? new Float32Array(data) : data,
        shape: isSingle ? [size] : [batches, size],
      };
      step += timesteps;
    }
    return {
      after: { isyn, step },
      evolution: {
        output: { data: output, shape: [batches, timesteps, size] },
        state: { isyn: { data: isyn.data.slice(), shape: [...isyn.shape] }, step },
        record: {
          method: call.method,
          windowLength: call.windowLength,
          firstStep: before.step,
        },
      },
    };
  }
}

const JSON_KEYS = [
  'class',
  'version',
  'name',
  'size',
  'dtype',
  'spikingInput',
  'spikingOutput',
  'isTauConstant',
  'tau',
  'dt',
  'maxWindowLength',
  'windowTaus',
  'noiseStd',
  'noise',
  'seed',
  'method',
  'nonFinite',
  'compat',
  'isyn',
  'step',
] as const;

/** The initial function of tau: what the caller gave, or 10 ms for each synapse. */
function initialTau(tau: unknown, size: number): () => unknown {
  if (tau === undefined) return () => new Float64Array(size).fill(0.01);
  if (typeof tau === 'function') {
    return () => (tau as (shape: readonly number[]) => unknown)(Object.freeze([size]));
  }
  // The caller may change an array later; a reset must not see it.
  const kept = readFloats(tau, 'tau');
  return () => kept;
}

/** A seed from the operating system, 0 to 2^53 - 1. */
function drawSeed(): number {
  return Number(randomBytes(8).readBigUInt64LE() >> 11n);
}

function checkTransfer(array: TypedArray, name: string): void {
  if (isTransferable(array)) return;
  throw outOfRange(
    'memory of fixed size that is not shared',
    name,
    'shared or resizable memory',
    'leave out options.transfer',
  );
}

/** The input's elements where nobody can take them away while another thread reads. */
function dataForThread(data: TypedArray, isTransferred: boolean): TypedArray {
  if (isTransferred) return takeOver(data);
  return isShared(data) ? ofFixedLength(data) : copyOf(data);
}

function nativeArguments(
  call: PreparedCall,
  before: CarriedState,
  output: FloatArray,
  nextState: Float64Array,
): EvolveArguments {
  const { data, shape } = before.isyn;
  return [
    call.kernels,
    METHOD_CODES[call.method],
    call.data,
    call.batches,
    call.timesteps,
    call.isInputPerSynapse,
    output,
    data instanceof Float64Array ? data : new Float64Array(data),
    shape.length === 1,
    nextState,
    call.throwNonFinite,
    call.noise,
    call.noiseScale,
    call.seed,
    before.step,
    call.isRockpool,
  ];
}

/** Throws when the addon found a NaN or infinity at flat index `index` >= 0. */
function refuseNonFinite(index: number, call: PreparedCall): void {
  if (index < 0) return;
  const place: number[] = [];
  let rest = index;
  for (const size of [...call.inputShape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  throw outOfRange(
    'finite numbers',
    'input',
    `${call.data[index]} at [${place.join(', ')}]`,
    "set nonFinite to 'propagate' to let it through",
  );
}
