/** What all synapses share, whatever their kernel. */
import { inspect } from 'node:util';

import {
  readArguments,
  SESSION_OPTIONS,
  type CallOptions,
  type EvolveInput,
} from '../calls/arguments';
import type { CallRecord } from '../calls/call';
import type { Group } from '../calls/details';
import { PreparedKernel, PreparedSynapses, type KernelArguments } from '../calls/prepared';
import { allocate, type NdArray } from '../arrays/arrays';
import type { Dtype } from '../arrays/element-types';
import { describe, formatShape, outOfRange, readOptions, wholeNumber } from '../errors/checks';
import { encodeNumbers, VERSION, type EncodedNumbers } from './json';
import { encodeGroup, type EncodedGroup, type SavedValue } from './saved-group';
import { parameterNamesOf, type KernelDefinition } from './kernel-definition';
import { fix, Module } from './module';
import {
  ModuleCall,
  ModuleState,
  readModuleArguments,
  type EvolveOptions,
  type SynapsesEvolution,
} from './module-call';
import {
  ASSIGNABLE_NAMES,
  OPTION_NAMES,
  optionsOf,
  type FixedOptions,
  type OptionDefinition,
  type OptionName,
  type OptionTable,
  type SimulationParameters,
} from './options';
import {
  makeParameter,
  makeSamples,
  requireOrder,
  SimulationParameter,
  single,
  State,
  type Attribute,
  type AttributeValue,
  type FloatsAttribute,
} from './parameters';
import {
  newState,
  restoreState,
  readSessions,
  statesOf,
  type Session,
  type SessionOptions,
  type SessionsEvolution,
} from './session';
import {
  SessionsCall,
  SessionStates,
  type SessionsResult,
  type SessionState,
} from './session-state';
import { showState, summaryOf } from './shown';
import {
  readVariable,
  shapesOf,
  zeros,
  type CarriedVariable,
  type StateOwner,
  type StateVariables,
} from './state';

/** The number of synapses, N or [N]. */
export type Size = number | readonly [number] | readonly number[];

/** The options that all synapses have. */
export type SynapsesOptions<D extends Dtype = Dtype> = Partial<
  SimulationParameters & FixedOptions<D>
>;

/** What toJSON() returns: enough to continue in another process, exactly. Parameters have their names. */
export interface SynapsesJson {
  /** The name of the module's class, e.g. 'ExpSyn'. */
  class: string;
  /** The version of this format. */
  version: 1;
  /** Number of synapses. */
  size: number;
  /** The parameters that are constants. */
  constants: string[];
  /** A group of steps of `every` and `reduce` that is not over. */
  group?: EncodedGroup;
  [attribute: string]: SavedValue | undefined;
}

/** The largest number of threads that the addon is given; no machine has more. */
const MOST_THREADS = 2 ** 20;

/* eslint-disable @typescript-eslint/no-unsafe-declaration-merging --
   The accessors of simulation parameters are made from the table of options. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars
export interface Synapses<D, Variables, OneSession> extends SimulationParameters {}

/**
 * N synapses with one kernel: for channel n,
 *
 *     output[b,t,n] = sum_{k < W} w_n[k] input[b,t-k,n] + what the state before the call still adds
 *
 * A subclass gives the kernel's definition, and accessors for its parameters and state variables.
 *
 * Calls on one module run in the order in which they were made, each with the attributes as they were
 * when it was made. A call that fails leaves the state as it was.
 */
export abstract class Synapses<
  D extends Dtype = Dtype,
  Variables extends StateVariables = StateVariables,
  OneSession extends Session<D> = Session<D>,
> extends Module {
  /** Element type of the output and of the state. */
  readonly dtype: D;
  readonly #definition: KernelDefinition;
  readonly #options: OptionTable;
  readonly #parameters: readonly FloatsAttribute[];
  /** Undefined unless the kernel is given by its samples. */
  readonly #samples: FloatsAttribute | undefined;
  readonly #settings: ReadonlyMap<string, SimulationParameter>;
  readonly #state: ModuleState;
  readonly #sessions: SessionStates;
  readonly #Session: SessionClass<OneSession>;
  #kernel: PreparedKernel | undefined;
  #synapses: PreparedSynapses | undefined;

  static {
    for (const name of ASSIGNABLE_NAMES) {
      Object.defineProperty(this.prototype, name, {
        get(this: Synapses) {
          return this.#settings.get(name)?.current;
        },
        set(this: Synapses, value: unknown) {
          this.assign(name, value);
        },
        configurable: true,
      });
    }
  }

  /** @internal Called by the class of each kernel. */
  protected constructor(
    definition: KernelDefinition,
    Session: SessionClass<OneSession>,
    size: Size,
    options: object,
  ) {
    const table = optionsOf(definition);
    const given = readOptions(options, 'options', [
      ...parameterNamesOf(definition),
      ...OPTION_NAMES,
    ]);
    const valueOf = (name: OptionName): unknown => {
      const value = given[name];
      return value === undefined ? table[name].initial() : value;
    };
    super(size, {
      spikingInput: valueOf('spikingInput'),
      spikingOutput: valueOf('spikingOutput'),
      name: valueOf('name'),
    });
    if (this.shape.length !== 1) {
      throw outOfRange('shape (N,)', 'shape', `shape ${formatShape(this.shape)}`);
    }
    this.dtype = table.dtype.check(valueOf('dtype'), 'dtype') as D;
    fix(this, ['dtype']);
    this.#definition = definition;
    this.#options = table;
    this.#Session = Session;
    this.#parameters = definition.parameters.map((parameter) =>
      this.#registered(
        parameter.name,
        makeParameter(parameter, given[parameter.name], this.sizeOut),
      ),
    );
    this.checkTogether(new Map());
    const { samples } = definition;
    this.#samples =
      samples &&
      this.#registered(samples.name, makeSamples(samples, given[samples.name], this.sizeOut));
    this.#settings = new Map(
      ASSIGNABLE_NAMES.map((name) => {
        const { check, initial } = table[name] as OptionDefinition<number | string>;
        const value = given[name];
        const attribute = single(value === undefined ? initial : () => value, check);
        return [name, this.#registered(name, new SimulationParameter(attribute))];
      }),
    );
    const owner: StateOwner = { size: this.sizeOut, dtype: this.dtype };
    const variables = definition.state.map((variable) => {
      const state = new State<CarriedVariable>({
        shapes: shapesOf(variable, owner),
        initial: () => zeros(variable, owner).copy(),
        cast: (value, name) => readVariable(variable, owner, value, name, this.#isNaNAllowed),
        copy: (value) => value.copy(),
      });
      return this.#registered(variable.name, state);
    });
    const step = this.#registered('step', new State(single(() => 0, wholeNumber)));
    this.#state = new ModuleState(variables, step);
    this.#sessions = new SessionStates(
      this,
      definition,
      owner,
      () => this.#prepare(),
      () => this.#isNaNAllowed,
    );
    // Refuses samples that have no area.
    if (samples !== undefined && this.normalise === 'area') this.#prepareKernel();
  }

  /** Absolute number of the next step. */
  get step(): number {
    return this.#state.step.current;
  }
  set step(value: number) {
    this.assign('step', value);
  }

  /** Length of the window in steps, Infinity if it is not cut. */
  get windowLength(): number {
    return this.#samples?.shape[0] ?? this.#prepareKernel().description.windowLength;
  }

  /** What a call of so many steps would do: the method that would compute it, and the window's length. */
  plan(timesteps: number): CallRecord {
    const synapses = this.#prepare();
    const method = synapses.methodFor(wholeNumber(timesteps, 'timesteps'));
    return { method, windowLength: synapses.windowLength };
  }

  /**
   * Computes the output for an input (T,), (T, N) or (B, T, N), off the main thread, and advances the
   * state. A last axis of 1, and (T,), is for every synapse.
   *
   * The input is copied when the call is made, unless it is in shared memory (which must not change until
   * the promise settles) or transferred by `transfer`. `out` is filled at the end, but while the call
   * runs if it is shared or transferred memory. If the promise rejects, the contents of `out` are
   * undefined. A call that is aborted by `signal` rejects at once or, if `out` is shared or transferred
   * memory, when nothing more is written there; the calls behind it run as if it had not been made.
   */
  override async evolve(
    input: EvolveInput,
    options: EvolveOptions<Variables> = {},
  ): Promise<SynapsesEvolution<D, Variables>> {
    const run = this.#call(input, options).evolve();
    return run as Promise<SynapsesEvolution<D, Variables>>;
  }

  /**
   * The same on the calling thread. Throws an error while a promise of evolve() on this module is
   * pending. `out` may be the input's own memory. If the call throws because of a value of the input, an
   * `out` of the input's own memory is unchanged; the contents of any other are undefined.
   */
  evolveSync(
    input: EvolveInput,
    options: EvolveOptions<Variables> = {},
  ): SynapsesEvolution<D, Variables> {
    const result = this.#call(input, options).evolveSync();
    return result as SynapsesEvolution<D, Variables>;
  }

  /** An independent state over the kernel and parameters of this module; there may be any number. */
  session(options: SessionOptions<Variables> = {}): OneSession {
    return new this.#Session(this.#sessions, newState(this.#sessions, options));
  }

  /**
   * The session that its toJSON() described, given the result or the text of it. It goes on exactly if
   * this module has the parameters that the session's had.
   */
  restoreSession(json: unknown): OneSession {
    return new this.#Session(this.#sessions, restoreState(this.#sessions, json));
  }

  /**
   * Computes the next steps of K different sessions of this module in one call, off the main thread: item
   * k of the input (K, T, N) is for sessions[k]. Waits for what is pending on any of them. A session that
   * cannot be advanced is named in `failures` and stays as it was; the others are advanced. Otherwise as
   * evolve().
   */
  async evolveSessions(
    sessions: readonly Session[],
    input: EvolveInput,
    options: CallOptions = {},
  ): Promise<SessionsEvolution<D, OneSession>> {
    const own = readSessions(this.#sessions, sessions);
    const result = await this.#sessionsCall(own, input, options).evolve();
    return withSessions(result, own) as SessionsEvolution<D, OneSession>;
  }

  /** The same on the calling thread. No call of the sessions may be pending. */
  evolveSessionsSync(
    sessions: readonly Session[],
    input: EvolveInput,
    options: CallOptions = {},
  ): SessionsEvolution<D, OneSession> {
    const own = readSessions(this.#sessions, sessions);
    const result = this.#sessionsCall(own, input, options).evolveSync();
    return withSessions(result, own) as SessionsEvolution<D, OneSession>;
  }

  /** Everything that another process needs to continue exactly, as JSON. */
  toJSON(): SynapsesJson {
    const { className, state } = this.#definition;
    const settings = OPTION_NAMES.map((name) => {
      const value = this[name];
      return [name, typeof value === 'number' ? encodeNumbers(value) : value];
    });
    const parameters = parameterNamesOf(this.#definition);
    const attributes = [
      ...this.#parameters,
      ...(this.#samples === undefined ? [] : [this.#samples]),
    ];
    const constants = parameters.filter(
      (_, index) => attributes[index]?.kind === 'SimulationParameter',
    );
    return {
      class: className,
      version: VERSION,
      size: this.sizeOut,
      ...(Object.fromEntries(settings) as Record<string, EncodedNumbers>),
      constants,
      ...this.#show(parameters, attributes, encodeNumbers),
      ...this.#show(namesOf(state), this.#state.variables, encodeNumbers),
      step: this.step,
      ...encodeGroup(this.#state.group, this.step),
    };
  }

  /** @internal Goes on with a group of steps that toJSON() has saved. */
  restoreGroup(group: Group | undefined): void {
    this.#state.group = group;
  }

  /**
   * What console.log() shows.
   *
   * @internal Not in the published types, which need none of Node's.
   */
  [inspect.custom](_depth: number, options: object): string {
    const { className, parameters, samples, state } = this.#definition;
    const { lastMethod } = this.#state;
    const isShown = ({ shown }: OptionDefinition) =>
      shown === 'always' || (shown === 'with noise' && this.noiseStd > 0);
    const settings = OPTION_NAMES.filter((name) => isShown(this.#options[name]));
    const shown = {
      ...this.#show(namesOf(parameters), this.#parameters, ({ shape, data }) =>
        shape.length === 0 ? data[0] : data,
      ),
      ...(samples && this.#samples && { [samples.name]: summaryOf(this.#samples.current) }),
      ...Object.fromEntries(settings.map((name) => [name, this[name]])),
      windowLength: this.windowLength,
      ...(this.method === 'auto' && lastMethod && { method: `auto (last took ${lastMethod})` }),
      ...this.#show(namesOf(state), this.#state.variables, showState(this.#definition)),
      step: this.step,
    };
    const name = this.name === '' ? '' : ` ${describe(this.name)}`;
    return `${className}${name} ${formatShape(this.shape)} ${inspect(shown, options)}`;
  }

  protected override checkTogether(values: ReadonlyMap<string, AttributeValue>): void {
    const { ordered, parameters, samples } = this.#definition;
    if (ordered !== undefined) {
      const [least, most] = ordered.map((name) => {
        const index = parameters.findIndex((parameter) => parameter.name === name);
        return (values.get(name) ?? this.#parameters[index]?.current) as NdArray;
      });
      requireOrder(ordered, [least, most], values.size > 0);
    }
    const mayHaveNoArea = [samples?.name, 'normalise', 'dt'].some((name) => values.has(name ?? ''));
    if (samples === undefined || !mayHaveNoArea) return;
    const own = this.#kernelArguments();
    const { dt = own.dt, normalise = own.normalise, ...others } = Object.fromEntries(values);
    if (normalise !== 'area') return;
    // The addon refuses samples that have none.
    const given = { dt, normalise, samples: others[samples.name] ?? own.samples };
    new PreparedKernel({ ...own, ...given } as KernelArguments).retire();
  }

  protected override attributeChanged(name: string): void {
    const { state } = this.#definition;
    const index = [...namesOf(state), 'step'].indexOf(name);
    if (index >= 0) {
      this.#state.assigned(index);
      return;
    }
    this.#synapses = undefined;
    const isOfKernel =
      parameterNamesOf(this.#definition).includes(name) ||
      this.#options[name as OptionName].isOfKernel === true;
    if (!isOfKernel) return;
    this.#kernel?.retire();
    this.#kernel = undefined;
  }

  get #isNaNAllowed(): boolean {
    return this.nonFinite === 'propagate';
  }

  #registered<OneAttribute extends Attribute>(name: string, attribute: OneAttribute): OneAttribute {
    this.register(name, attribute);
    return attribute;
  }

  /** Attributes by name, each shown by `show`. */
  #show<Value extends AttributeValue, Shown>(
    names: readonly string[],
    attributes: readonly Attribute<Value>[],
    show: (value: Value) => Shown,
  ): Record<string, Shown> {
    const entries = attributes.map(({ data }, index) => [names[index], show(data)]);
    return Object.fromEntries(entries) as Record<string, Shown>;
  }

  #call(input: EvolveInput, options: object): ModuleCall {
    const given = readModuleArguments(input, options, this.#state, this.#definition.state);
    // None of the caller's code runs from here on.
    const settings = {
      synapses: this.#prepare(),
      seed: this.seed,
      keepsFirstItem: this.compat === 'rockpool',
    };
    return new ModuleCall(given, settings, this.#state, this.#definition.state);
  }

  #sessionsCall(
    sessions: readonly Session[],
    input: EvolveInput,
    options: CallOptions,
  ): SessionsCall {
    const given = readArguments(input, options, SESSION_OPTIONS);
    return new SessionsCall(given, this.#sessions, statesOf(sessions), false);
  }

  #prepareKernel(): PreparedKernel {
    this.#kernel ??= new PreparedKernel(this.#kernelArguments());
    return this.#kernel;
  }

  #kernelArguments(): KernelArguments {
    const { sizeOut: size, dt, windowTaus, maxWindowLength, normalise } = this;
    return {
      name: this.#definition.name,
      size,
      parameters: this.#parameters.map(({ current: { data, shape } }) =>
        shape.length > 0
          ? data
          : allocate(Float64Array, [size], 'a parameter').fill(data[0] ?? NaN),
      ),
      dt,
      windowTaus,
      maxWindowLength,
      normalise,
      samples: this.#samples?.current,
    };
  }

  /** The addon's synapses with the attributes as they are. */
  #prepare(): PreparedSynapses {
    this.#synapses ??= new PreparedSynapses(this.#prepareKernel(), this.sizeOut, {
      dtype: this.dtype,
      method: this.method,
      noise: this.noise,
      noiseScale: this.noiseStd * Math.sqrt(this.dt),
      nonFinite: this.nonFinite,
      isStateNoisy: this.compat === 'rockpool',
      threads: Math.min(this.threads, MOST_THREADS),
    });
    return this.#synapses;
  }
}

type SessionClass<OneSession> = new (states: SessionStates, state: SessionState) => OneSession;

function namesOf(definitions: readonly { readonly name: string }[]): string[] {
  return definitions.map(({ name }) => name);
}

/** Names sessions instead of their states in a result. */
function withSessions<OneSession>(
  { output, failures, record }: SessionsResult,
  sessions: readonly OneSession[],
): SessionsEvolution<Dtype, OneSession> {
  return {
    output,
    failures: failures.map(({ item, error }) => ({
      session: sessions[item] as OneSession,
      item,
      error,
    })),
    record,
  };
}
