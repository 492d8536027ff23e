/** Calls of a module: each starts from the module's state and replaces it. */
import {
  MODULE_OPTIONS,
  readArguments,
  type CallOptions,
  type GivenArguments,
} from '../calls/arguments';
import { Call, type CallRecord } from '../calls/call';
import { firstItemOf, type Group, type TrialOptions } from '../calls/details';
import { Owner, type Pending } from '../calls/owner';
import type { PreparedSynapses } from '../calls/prepared';
import { allocate, allocateState, type ArrayInput, type NdArray } from '../arrays/arrays';
import type { Dtype, FloatArray, FloatsOf } from '../arrays/element-types';
import { formatShape, outOfRange, readOptions, tooManySteps, wholeNumber } from '../errors/checks';
import type { EventFault } from '../native/native';
import type { StateVariable } from './kernel-definition';
import type { State } from './parameters';
import {
  firstItem,
  planesOf,
  variablesIn,
  type CarriedState,
  type CarriedVariable,
  type StateArray,
  type StateVariables,
} from './state';

/** The options of evolve() and evolveSync() of a module. */
export interface EvolveOptions<Variables extends StateVariables = StateVariables>
  extends CallOptions, TrialOptions {
  /** State to start from instead of the module's own: any of its variables, and the step. */
  state?: { [Name in keyof Variables]?: ArrayInput } & {
    /** Absolute number of the first step. */
    step?: number;
  };
  /** The place of the input in a larger raster of which it is a part, and whose noise it draws. */
  origin?: {
    /** The batch item of the input's first one. Default 0. */
    batch?: number;
    /** The synapse of the input's first channel, a multiple of 4. Default 0. */
    synapse?: number;
  };
}

/** How a module's call was computed. */
export interface EvolutionRecord extends CallRecord {
  /** Absolute number of the first step. */
  firstStep: number;
}

/** What a call returns, as plain data in memory that is the caller's own. */
export interface SynapsesEvolution<
  D extends Dtype = Dtype,
  Variables extends StateVariables = StateVariables,
> {
  /** (B, T, N), of the module's dtype, in the unit of the input. */
  output: NdArray<FloatsOf<D>>;
  /** The variables of the state after the call, and the absolute number of the next step. */
  state: Variables & {
    /** Absolute number of the next step. */
    step: number;
  };
  /** How the call was computed. */
  record: EvolutionRecord & Record<string, unknown>;
}

/** How often each variable of the state has been assigned and, last, how often the step has. */
type Versions = readonly number[];

type CarriedVariables = readonly CarriedVariable[];

/** Memory that holds a state, (S, B, N), and the variables in it. */
interface Buffers {
  readonly planes: Float64Array;
  readonly batches: number;
  readonly variables: CarriedVariables;
}

/** @internal The state of a module. Its attributes hold what the last settled call has left. */
export class ModuleState extends Owner {
  override readonly kind = 'module';
  /** The method of the last call. */
  lastMethod: CallRecord['method'] | undefined;
  /** The group of steps that is not over, if the last call that ended had to remember one. */
  group: Group | undefined;
  /** As the owners of a call. */
  readonly asOwners: readonly Owner[] = [this];
  #versions: Versions;
  #current: CarriedState | undefined;
  /** The memory of the state, if a synchronous call has filled it, and more for the next one. */
  #own: Buffers | undefined;
  #spare: Buffers | undefined;

  constructor(
    readonly variables: readonly State<CarriedVariable>[],
    readonly step: State<number>,
  ) {
    super();
    this.#versions = Array.from({ length: variables.length + 1 }, () => 0);
  }

  get current(): CarriedState {
    this.#current ??= {
      variables: this.variables.map(({ current }) => current),
      step: this.step.current,
    };
    return this.#current;
  }

  get versions(): Versions {
    return this.#versions;
  }

  /** Notes an assignment of a variable, or of the step if `index` is the number of variables. */
  assigned(index: number): void {
    this.#versions = this.#versions.map((version, i) => (i === index ? version + 1 : version));
    this.#current = undefined;
    this.#own = undefined;
    // The step comes last; another one is in another group.
    if (index === this.variables.length) this.group = undefined;
  }

  override enter(call: Pending): void {
    // It may read the state for as long as it computes, even after it has been aborted.
    this.#own = undefined;
    super.enter(call);
  }

  /**
   * Memory for the state after a synchronous call: that of the state before the last call, if it fits.
   */
  buffersFor(length: number, batches: number, make: (planes: Float64Array) => CarriedVariables) {
    const spare = this.#spare;
    if (spare?.planes.length === length && spare.batches === batches) return spare;
    const planes = allocate(Float64Array, [length], 'the state');
    return { planes, batches, variables: make(planes) };
  }

  /** Takes the state that a synchronous call has left in buffers, which nothing else refers to. */
  commitBuffers(buffers: Buffers, step: number): CarriedState {
    const { variables } = buffers;
    variables.forEach((variable, index) => this.variables[index]?.commit(variable));
    this.step.commit(step);
    this.#spare = this.#own;
    this.#own = buffers;
    this.#current = { variables, step };
    return this.#current;
  }

  /** Takes the state that a call has left, except what was assigned since the call was made. */
  commit(left: CarriedState, versions: Versions): void {
    this.variables.forEach((variable, index) => {
      const value = left.variables[index];
      if (value !== undefined && this.#versions[index] === versions[index]) variable.commit(value);
    });
    if (this.#versions.at(-1) === versions.at(-1)) this.step.commit(left.step);
    this.#current = undefined;
    this.#own = undefined;
  }
}

/** The state that was given with a call; undefined where it was not. */
interface GivenState {
  readonly variables: readonly (CarriedVariable | undefined)[];
  readonly step: number | undefined;
}

/** The place of a call's first item and synapse in the raster whose noise is drawn. */
interface Origin {
  readonly batch: number;
  readonly synapse: number;
}

const NO_ORIGIN: Origin = { batch: 0, synapse: 0 };

/** The number of batch items that have noise of their own. */
const MOST_BATCHES = 2 ** 32;
/** The number of synapses that have noise of their own. */
const MOST_SYNAPSES = 2 ** 32;
/** Neighbouring synapses whose noise is drawn together. */
const SYNAPSES_PER_DRAW = 4;

/** @internal The settings of a module that its calls depend on. */
export interface ModuleSettings {
  readonly synapses: PreparedSynapses;
  readonly seed: number;
  /** Whether a batch leaves the state of its first item alone. */
  readonly keepsFirstItem: boolean;
}

/** @internal The arguments of a module's call, as they were given. */
export interface ModuleArguments {
  readonly call: GivenArguments;
  readonly start: GivenState | undefined;
  readonly place: Origin;
}

/** @internal Reads the arguments of a call of a module. The caller's code runs here. */
export function readModuleArguments(
  input: unknown,
  options: unknown,
  owner: ModuleState,
  definitions: readonly StateVariable[],
): ModuleArguments {
  const call = readArguments(input, options, MODULE_OPTIONS);
  const { state, origin } = call;
  return {
    call,
    start: state === undefined ? undefined : readStart(state, owner, definitions),
    place: origin === undefined ? NO_ORIGIN : readOrigin(origin),
  };
}

function readStart(
  state: unknown,
  owner: ModuleState,
  definitions: readonly StateVariable[],
): GivenState {
  const names = definitions.map(({ name }) => name);
  const given = readOptions(state, 'options.state', [...names, 'step']);
  return {
    variables: owner.variables.map((variable, index) => {
      const name = names[index] ?? '';
      const value = given[name];
      return value === undefined ? undefined : variable.prepare(value, `options.state.${name}`);
    }),
    step:
      given['step'] === undefined ? undefined : wholeNumber(given['step'], 'options.state.step'),
  };
}

function readOrigin(origin: unknown): Origin {
  const given = readOptions(origin, 'options.origin', ['batch', 'synapse']);
  const { batch = 0, synapse = 0 } = given;
  const place = {
    batch: wholeNumber(batch, 'options.origin.batch'),
    synapse: wholeNumber(synapse, 'options.origin.synapse'),
  };
  if (place.synapse % SYNAPSES_PER_DRAW !== 0) {
    const expected = `a multiple of ${SYNAPSES_PER_DRAW}`;
    throw outOfRange(expected, 'options.origin.synapse', `${place.synapse}`);
  }
  return place;
}

/** @internal A call that advances a module's state. */
export class ModuleCall extends Call<number | EventFault, SynapsesEvolution> {
  readonly #settings: ModuleSettings;
  readonly #state: ModuleState;
  readonly #place: Origin;
  readonly #start: GivenState | undefined;
  readonly #definitions: readonly StateVariable[];
  /** The module's state when the call was made, and what had been assigned by then. */
  readonly #made: CarriedState;
  readonly #versions: Versions;
  /** The call before, until this one begins. */
  #previous: ModuleCall | undefined;
  /** The state that the call leaves; until it has computed, the state that the call before has left. */
  #left: CarriedState | undefined;
  #before: CarriedState;
  /** The state after the call: of a call on another thread, and of one on this thread. */
  #nextState: Float64Array | undefined;
  #buffers: Buffers | undefined;

  constructor(
    given: ModuleArguments,
    settings: ModuleSettings,
    state: ModuleState,
    definitions: readonly StateVariable[],
  ) {
    super(given.call, settings.synapses, state.asOwners);
    this.#settings = settings;
    this.#state = state;
    this.#definitions = definitions;
    this.#start = given.start;
    this.#place = given.place;
    this.#checkPlace();
    this.#versions = state.versions;
    this.#made = state.current;
    this.#before = this.#from(this.#made);
    this.#previous = state.last instanceof ModuleCall ? state.last : undefined;
  }

  protected override checkStart(): void {
    // What the calls before will leave is not known yet.
    if (this.isEmpty || this.#previous !== undefined) return;
    const { variables, step } = this.#before;
    for (const { batches, definition, shape } of variables) {
      if (batches === undefined || batches === this.batches) continue;
      throw outOfRange(
        `${batches} batch items, as ${definition.name} of shape ${formatShape(shape)} holds,`,
        'input',
        `${this.batches}`,
        'reset the state, or pass one in with the call',
      );
    }
    if (!Number.isSafeInteger(step + this.timesteps)) {
      throw tooManySteps('step', step, this.timesteps, 'reset the state');
    }
  }

  protected override begin(): void {
    const previous = this.#previous;
    this.#previous = undefined;
    this.#left = previous === undefined ? this.#made : this.#after(previous);
    if (previous !== undefined) this.#before = this.#from(this.#left);
  }

  protected override firstSteps(): readonly number[] {
    return [this.#before.step];
  }

  protected override groupBefore(): Group | undefined {
    return this.#state.group;
  }

  protected override compute(output: FloatArray): number | EventFault {
    const { synapses, seed } = this.#settings;
    const { batches } = this;
    const nextState = this.#isFirstItemKept ? this.#allocateNextState() : this.#takeBuffers();
    const state = planesOf(this.#before.variables, synapses.stateSize);
    const { step } = this.#before;
    const { evolve } = synapses.native;
    const details = this.nativeDetails;
    if (this.#place === NO_ORIGIN && details === undefined) {
      return evolve(this.input, output, state, nextState, batches, seed, step);
    }
    const { batch, synapse } = this.#place;
    return evolve(
      this.input,
      output,
      state,
      nextState,
      batches,
      seed,
      step,
      batch,
      synapse,
      details,
    );
  }

  protected override computeAsync(
    output: FloatArray,
    id: number,
  ): Promise<number | EventFault | undefined> {
    const { synapses, seed } = this.#settings;
    const nextState = this.#allocateNextState();
    return synapses.native.evolveAsync(
      this.input,
      output,
      planesOf(this.#before.variables, synapses.stateSize),
      nextState,
      this.batches,
      seed,
      this.#before.step,
      this.#place.batch,
      this.#place.synapse,
      this.nativeDetails,
      id,
    );
  }

  protected override failedItems(found: number | EventFault): readonly number[] {
    if (typeof found === 'object') throw this.eventError(found);
    if (found >= 0) throw this.nonFiniteInput(found);
    return NO_ITEMS;
  }

  protected override commit(output: FloatArray): SynapsesEvolution {
    const { step: firstStep } = this.#before;
    const left = this.#commitState();
    this.#state.lastMethod = this.method;
    this.#commitGroup();
    const state: Record<string, StateArray | number> = {};
    for (const variable of left.variables) state[variable.definition.name] = variable.copy();
    state['step'] = left.step;
    return {
      output: { data: output, shape: this.keptShape },
      state: state as SynapsesEvolution['state'],
      record: { method: this.method, windowLength: this.synapses.windowLength, firstStep },
    };
  }

  /** Leaves the group that is not over. */
  #commitGroup(): void {
    const group = this.groupLeft;
    if (group === undefined) return;
    // Items that end early leave their groups at different steps.
    const isWhole = this.details.lengths?.every((length) => length === this.timesteps) ?? true;
    if (!isWhole) this.#state.group = undefined;
    else this.#state.group = this.#isFirstItemKept ? firstItemOf(group) : group;
  }

  /** Advances the module's state and returns it. */
  #commitState(): CarriedState {
    const step = this.#before.step + this.timesteps;
    if (this.#buffers !== undefined) return this.#state.commitBuffers(this.#buffers, step);
    const planes = this.#nextState;
    // Without steps or items, only what was given with the call has changed.
    this.#left =
      planes === undefined ? this.#before : { variables: this.#variablesIn(planes), step };
    this.#state.commit(this.#left, this.#versions);
    return this.#left;
  }

  #allocateNextState(): Float64Array {
    const { stateSize, size } = this.synapses;
    this.#nextState = allocateState(stateSize * this.batches * size);
    return this.#nextState;
  }

  /** Takes memory for the state after the call that only synchronous calls of the module use. */
  #takeBuffers(): Float64Array {
    const { stateSize, size } = this.synapses;
    const { batches } = this;
    const length = stateSize * batches * size;
    this.#buffers = this.#state.buffersFor(length, batches, (planes) => this.#variablesIn(planes));
    return this.#buffers.planes;
  }

  get #isFirstItemKept(): boolean {
    return this.#settings.keepsFirstItem && this.batches > 1;
  }

  /** The variables of the state after the call, whose planes the addon fills or has filled. */
  #variablesIn(planes: Float64Array): CarriedVariable[] {
    const { batches } = this;
    const { size } = this.synapses;
    const owner = this.#before.variables[0]?.owner ?? this.synapses;
    return this.#isFirstItemKept
      ? variablesIn(this.#definitions, owner, firstItem(planes, batches, size), undefined)
      : variablesIn(this.#definitions, owner, planes, batches === 1 ? undefined : batches);
  }

  /** The state that the call starts from, given the one that the module carries. */
  #from(carried: CarriedState): CarriedState {
    const start = this.#start;
    if (start === undefined) return carried;
    return {
      variables: carried.variables.map((variable, index) => start.variables[index] ?? variable),
      step: start.step ?? carried.step,
    };
  }

  /** What the call before has left, except what was assigned between the two. */
  #after(previous: ModuleCall): CarriedState {
    const made = this.#made;
    const versions = previous.#versions;
    const left = previous.#left ?? made;
    if (versions === this.#versions) return left;
    const isAssigned = (index: number) => versions[index] !== this.#versions[index];
    return {
      variables: left.variables.map((variable, index) =>
        isAssigned(index) ? (made.variables[index] ?? variable) : variable,
      ),
      step: isAssigned(versions.length - 1) ? made.step : left.step,
    };
  }

  /** Throws if the place is beyond those that have noise of their own. */
  #checkPlace(): void {
    const { batch, synapse } = this.#place;
    if (batch + this.batches > MOST_BATCHES) {
      throw outOfRange('fewer than 2^32 batch items', 'options.origin.batch', `${batch}`);
    }
    if (synapse + this.synapses.size > MOST_SYNAPSES) {
      throw outOfRange('fewer than 2^32 synapses', 'options.origin.synapse', `${synapse}`);
    }
  }
}

const NO_ITEMS: readonly number[] = [];
