/** Exponential synapses: options and attributes, and how one call follows another. */
import { inspect } from 'node:util';

import { orAborted } from '../calls/abort';
import { allocate, indexIn, type ArrayInput, type NdArray } from '../arrays/arrays';
import {
  prepareCall,
  readArguments,
  type CallSettings,
  type CarriedState,
  type PreparedCall,
} from '../calls/call';
import type { Dtype, FloatsOf } from '../arrays/element-types';
import {
  describe,
  flag,
  formatShape,
  notFinite,
  outOfRange,
  pendingError,
  positive,
  readOptions,
  wholeNumber,
  wrongType,
} from '../errors/checks';
import {
  initialTau,
  JSON_KEYS,
  type EvolveOptions,
  type ExpSynEvolution,
  type ExpSynJson,
  type ExpSynOptions,
  type Initial,
} from './exp-syn-options';
import type { KernelDefinition } from './kernel-definition';
import {
  optionsOf,
  type Compatibility,
  type Method,
  type NoisePlacement,
  type NonFinitePolicy,
  type OptionDefinition,
  type OptionName,
} from './options';
import { decodeNumbers, encodeNumbers, parseJson } from './json-numbers';
import { fix, Module, type RasterInput } from './module';
import { native, type Kernel } from '../native/native';
import {
  Constant,
  floats,
  isConstant,
  Parameter,
  SimulationParameter,
  single,
  State,
} from './parameters';
import { abandon, checkStart, leave, runHere, runOffThread, startOf } from '../calls/run';
import { CarriedIsyn, type SynapticCurrent } from './state';
import {
  Sessions,
  type ExpSynSession,
  type GatheredEvolution,
  type SessionEvolveOptions,
  type SessionOptions,
} from './session';

/** The kernel of exponential synapses. */
export const EXPONENTIAL: KernelDefinition = {
  name: 'exp',
  className: 'ExpSyn',
  parameters: [
    {
      name: 'tau',
      family: 'taus',
      unit: 's',
      summary: 'time constant',
      default: 10e-3,
      check: positive,
    },
  ],
  state: [{ name: 'isyn', plane: 0, correction: 1 }],
  methods: ['fft', 'recursive'],
  windowTaus: 10,
};

const OPTIONS = optionsOf(EXPONENTIAL);
const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

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
 * output has the unit of the input. The new state is the output's last step, without the noise that is
 * added to the output alone.
 *
 * Calls on one module run in the order in which they were made, each with the attributes as they
 * were when it was made. A call that fails leaves the state as it was.
 *
 * Model: the ExpSyn module of Rockpool.
 */
export class ExpSyn<D extends Dtype = Dtype> extends Module {
  /** Element type of the output and of isyn. */
  readonly dtype: D;
  readonly #tau: Parameter<NdArray<Float64Array>> | SimulationParameter<NdArray<Float64Array>>;
  readonly #dt: SimulationParameter<number>;
  readonly #maxWindowLength: SimulationParameter<number>;
  readonly #windowTaus: SimulationParameter<number>;
  readonly #noiseStd: SimulationParameter<number>;
  readonly #noise: SimulationParameter<NoisePlacement>;
  readonly #seed: SimulationParameter<number>;
  readonly #method: SimulationParameter<Method>;
  readonly #threads: SimulationParameter<number>;
  readonly #nonFinite: SimulationParameter<NonFinitePolicy>;
  readonly #compat: SimulationParameter<Compatibility>;
  readonly #isyn: State<CarriedIsyn>;
  readonly #step: State<number>;

  #kernel: { handle: Kernel; windowLength: number } | undefined;
  #choice: { timesteps: number; method: 'fft' | 'recursive' } | undefined;
  #lastMethod: 'fft' | 'recursive' | undefined;
  #assignments: Assignments = { isyn: 0, step: 0 };
  #lastCall: PendingCall | undefined;
  #nPending = 0;
  /** Calls that use a kernel and may not have been handed to the addon yet. */
  #nHolding = 0;
  #sessions: Sessions | undefined;
  /** What calls take of the attributes, until one of them is assigned. */
  #settings: CallSettings | undefined;

  readonly #prepareIsyn = (value: unknown, name: string): CarriedIsyn =>
    this.#isyn.prepare(value, name);

  /** Throws where a call does not fit the state, if that is known already. */
  readonly #checkStart = (call: PreparedCall): void => {
    if (this.#nPending === 0) checkStart(call, startOf(call, this.#carried()));
  };

  /** The method for a run of so many steps. */
  readonly #chooseMethod = (timesteps: number): 'fft' | 'recursive' => {
    if (this.#choice?.timesteps !== timesteps) {
      const { synapses } = (this.#settings ??= this.#readSettings());
      this.#choice = { timesteps, method: synapses.methodFor(timesteps) };
    }
    return this.#choice.method;
  };

  /** `shape` is the number of synapses, N or [N]. */
  constructor(
    shape: number | readonly [number] | readonly number[],
    options: ExpSynOptions<D> = {},
  ) {
    const given = readOptions(options, 'options', ['tau', ...OPTION_NAMES]);
    const initial = (name: OptionName): unknown => {
      const value = given[name];
      return value === undefined ? OPTIONS[name].initial() : value;
    };
    super(shape, {
      spikingInput: initial('spikingInput'),
      spikingOutput: initial('spikingOutput'),
      name: initial('name'),
    });
    if (this.shape.length !== 1) {
      throw outOfRange('shape (N,)', 'shape', `shape ${formatShape(this.shape)}`);
    }
    const size = this.sizeOut;
    this.dtype = OPTIONS.dtype.check(initial('dtype'), 'dtype') as D;
    fix(this, ['dtype']);

    const isTauConstant = isConstant(given.tau);
    const tau: unknown = isConstant(given.tau) ? given.tau.value : given.tau;
    const tauDefinition = {
      ...floats([[size], []], initialTau(tau, size), positive),
      family: 'taus',
    };
    this.#tau = isTauConstant
      ? new SimulationParameter(tauDefinition)
      : new Parameter(tauDefinition);
    this.register('tau', this.#tau);

    const configure = <Value extends number | string>(
      name: OptionName,
      { initial, check }: OptionDefinition<Value>,
    ): SimulationParameter<Value> => {
      const value = given[name];
      const attribute = new SimulationParameter(
        single(value === undefined ? initial : () => value, check),
      );
      this.register(name, attribute);
      return attribute;
    };
    this.#dt = configure('dt', OPTIONS.dt);
    this.#maxWindowLength = configure('maxWindowLength', OPTIONS.maxWindowLength);
    this.#windowTaus = configure('windowTaus', OPTIONS.windowTaus);
    this.#noiseStd = configure('noiseStd', OPTIONS.noiseStd);
    this.#noise = configure('noise', OPTIONS.noise);
    this.#seed = configure('seed', OPTIONS.seed);
    this.#method = configure('method', OPTIONS.method);
    this.#threads = configure('threads', OPTIONS.threads);
    this.#nonFinite = configure('nonFinite', OPTIONS.nonFinite);
    this.#compat = configure('compat', OPTIONS.compat);

    this.#isyn = new State<CarriedIsyn>({
      shapes: [[size], ['*', size]],
      initial: () => ({ data: allocate(Float64Array, [size], 'isyn'), shape: [size] }),
      cast: (value, name) => this.#castIsyn(value, name),
      copy: (value) => value.copy(),
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

  /** The most threads for one run; Infinity stands for what the machine offers. */
  get threads(): number {
    return this.#threads.current;
  }
  set threads(value: number) {
    this.assign('threads', value);
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
  get isyn(): SynapticCurrent<FloatsOf<D>> {
    return this.#isyn.current.copy() as SynapticCurrent<FloatsOf<D>>;
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
    return this.#prepareKernel().windowLength;
  }

  /**
   * Computes off the main thread, on the addon's own threads. The input is copied when the call is
   * made, unless it is in shared memory (which must not change until the promise settles) or
   * handed over by `transfer`. `out` is filled at the end, shared memory or memory handed over as
   * the run goes on; if the promise rejects, the contents of `out` are undefined. Aborted by
   * `signal`, it ends at once, or, where `out` is such memory, when nothing more is written there,
   * and the calls behind it go on as if it had not been made.
   */
  override async evolve(
    input: RasterInput,
    options: EvolveOptions = {},
  ): Promise<ExpSynEvolution<D>> {
    const call = this.#prepare(input, options, true);
    const assignments = { ...this.#assignments };
    const own = this.#carried();
    const previous = this.#lastCall;
    let hasBegun = false;
    const run = (async () => {
      const left = await previous?.after;
      hasBegun = true;
      const before = {
        isyn: left && previous?.assignments.isyn === assignments.isyn ? left.isyn : own.isyn,
        step: left && previous?.assignments.step === assignments.step ? left.step : own.step,
      };
      try {
        return { before, done: await runOffThread(call, startOf(call, before)) };
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
    this.#keepWhile(pending.after);
    call.admission?.announce();
    let isPending = true;
    const settle = () => {
      if (!isPending) return;
      isPending = false;
      this.#nPending--;
      // What is left of the chain, if anything, has been aborted and will change nothing.
      if (this.#nPending === 0) this.#lastCall = undefined;
    };
    const settled = run.then(({ done, error }) => {
      settle();
      leave(call, done === undefined ? { error } : undefined);
      if (done === undefined) throw error;
      this.#carry(done.after, assignments);
      this.#lastMethod = call.method;
      return done.evolution;
    });
    if (call.signal === undefined) return settled;
    // A call that waits for others is left at once; one that runs ends by itself.
    return orAborted(settled, call.signal, () => {
      if (hasBegun) return false;
      settle();
      abandon(call);
      return true;
    });
  }

  /**
   * Computes in place on the calling thread. Not while a promise of evolve() on this module is
   * pending. `out` may be the input's own memory. When the call throws for a value of the input, such
   * an `out` is as it was; the contents of any other are undefined.
   */
  evolveSync(input: RasterInput, options: EvolveOptions = {}): ExpSynEvolution<D> {
    const call = this.#prepare(input, options, false);
    if (this.#nPending > 0) {
      throw pendingError('module', 'evolveSync()', `${this.#nPending}`);
    }
    const done = runHere(call, startOf(call, this.#carried()));
    this.#carry(done.after, this.#assignments);
    this.#lastMethod = call.method;
    return done.evolution;
  }

  /**
   * An independent state with the parameters, kernels and plans of this module, which any number of
   * sessions share.
   */
  session(options: SessionOptions = {}): ExpSynSession<D> {
    return this.#sessionsOf().open(options) as ExpSynSession<D>;
  }

  /**
   * The session that its toJSON() described, given the result or the text of it. It goes on exactly
   * when this module has the parameters that the session's had.
   */
  restoreSession(json: unknown): ExpSynSession<D> {
    return this.#sessionsOf().restore(json) as ExpSynSession<D>;
  }

  /**
   * Computes the next steps of K different sessions of this module in one call, off the main thread:
   * item k of the input (K, T, N) is for sessions[k]. Waits for what is pending on any of them.
   * A session that cannot be moved on is named in `failures` and stays as it was; the others go on.
   * Otherwise as evolve().
   */
  async evolveSessions(
    sessions: readonly ExpSynSession[],
    input: RasterInput,
    options: SessionEvolveOptions = {},
  ): Promise<GatheredEvolution<D>> {
    const run = this.#sessionsOf().evolve(sessions, input, options);
    return run as Promise<GatheredEvolution<D>>;
  }

  /** The same on the calling thread. No call of the sessions may be pending. */
  evolveSessionsSync(
    sessions: readonly ExpSynSession[],
    input: RasterInput,
    options: SessionEvolveOptions = {},
  ): GatheredEvolution<D> {
    const run = this.#sessionsOf().evolveSync(sessions, input, options);
    return run as GatheredEvolution<D>;
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
      threads: encodeNumbers(this.threads),
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
    const saved = readOptions(parseJson(json), 'json', JSON_KEYS);
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
      threads: single('threads') as number,
      dtype: saved.dtype as Dtype,
      // A state with a NaN may have arisen under another policy.
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
      case 'isyn':
        this.#assignments = { ...this.#assignments, isyn: this.#assignments.isyn + 1 };
        return;
      case 'step':
        this.#assignments = { ...this.#assignments, step: this.#assignments.step + 1 };
        return;
      case 'tau':
      case 'dt':
      case 'maxWindowLength':
      case 'windowTaus':
        // A pending call may not have been handed to the addon yet.
        if (this.#kernel !== undefined && this.#nHolding === 0) {
          native.releaseKernel(this.#kernel.handle);
        }
        this.#kernel = undefined;
    }
    this.#settings = undefined;
    this.#choice = undefined;
  }

  /** Checks a state, and gives it the module's dtype and one axis for a single item. */
  #castIsyn(value: unknown, name: string, nonFinite = this.#nonFinite.current): CarriedIsyn {
    const isyn = CarriedIsyn.read(value, name, this.dtype, (data, shape) => {
      if (nonFinite !== 'throw') return;
      // An infinite state is what a run leaves whose sum has overflowed, and may go on.
      const index = data.findIndex((element) => Number.isNaN(element));
      if (index >= 0) {
        const place = shape.length === 0 ? name : `${name}.data[${index}]`;
        const found = { argument: name, index: indexIn(shape, index), value: NaN };
        throw notFinite('numbers', place, 'NaN', found);
      }
    });
    const { shape } = isyn;
    return shape.length === 2 && shape[0] === 1
      ? new CarriedIsyn(this.dtype, isyn.numbers, shape.slice(1))
      : isyn;
  }

  #sessionsOf(): Sessions {
    this.#sessions ??= new Sessions({
      module: this,
      prepare: (input, options, isAsync, check) => {
        const given = readArguments(input, options);
        this.#settings ??= this.#readSettings();
        return prepareCall(given, this.#settings, this.#chooseMethod, isAsync, check);
      },
      castIsyn: (value, name, nonFinite) => this.#castIsyn(value, name, nonFinite),
      keepWhile: (pending) => {
        this.#keepWhile(pending);
      },
    });
    return this.#sessions;
  }

  /** Keeps the kernel until the promise settles, which must not reject. */
  #keepWhile(pending: Promise<unknown>): void {
    this.#nHolding++;
    void pending.then(() => {
      this.#nHolding--;
    });
  }

  #carried(): CarriedState {
    return { isyn: this.#isyn.current, step: this.#step.current };
  }

  /** Makes a call's result the module's state, except what was assigned since the call was made. */
  #carry(after: CarriedState, assignments: Assignments): void {
    if (assignments.isyn === this.#assignments.isyn) this.#isyn.commit(after.isyn);
    if (assignments.step === this.#assignments.step) this.#step.commit(after.step);
  }

  /** Takes everything that a call depends on, as it is now. */
  #prepare(input: RasterInput, options: EvolveOptions, isAsync: boolean): PreparedCall {
    const given = readArguments(input, options, this.#prepareIsyn);
    // From here on, none of the caller's code runs.
    this.#settings ??= this.#readSettings();
    return prepareCall(given, this.#settings, this.#chooseMethod, isAsync, this.#checkStart);
  }

  #readSettings(): CallSettings {
    const kernel = this.#prepareKernel();
    const isRockpool = this.compat === 'rockpool';
    const synapses = new native.Synapses(kernel.handle, {
      dtype: this.dtype,
      method: this.method,
      noise: this.noise,
      noiseScale: this.noiseStd * Math.sqrt(this.dt),
      nonFinite: this.nonFinite,
      isStateNoisy: isRockpool,
      threads: this.threads,
    });
    return {
      size: this.sizeOut,
      dtype: this.dtype,
      synapses,
      windowLength: kernel.windowLength,
      seed: this.seed,
      isRockpool,
    };
  }

  #prepareKernel(): { handle: Kernel; windowLength: number } {
    if (this.#kernel === undefined) {
      const { data, shape } = this.#tau.current;
      const tau =
        shape.length === 1
          ? data
          : allocate(Float64Array, [this.sizeOut], 'tau').fill(data[0] ?? NaN);
      const { dt, windowTaus, maxWindowLength } = this;
      const handle = new native.Kernel('exp', this.sizeOut, [tau], dt, windowTaus, maxWindowLength);
      this.#kernel = { handle, windowLength: native.describeKernel(handle).windowLength };
    }
    return this.#kernel;
  }
}
