/** Calls of synapses: they move the one state on that the module owns. */
import {
  MODULE_OPTIONS,
  readArguments,
  type CallOptions,
  type GivenArguments,
} from '../calls/arguments';
import { Call, type CallRecord } from '../calls/call';
import { Owner } from '../calls/owner';
import type { PreparedSynapses } from '../calls/prepared';
import { allocateState, type ArrayInput, type NdArray } from '../arrays/arrays';
import type { Dtype, FloatArray, FloatsOf } from '../arrays/element-types';
import { formatShape, outOfRange, readOptions, tooManySteps, wholeNumber } from '../errors/checks';
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
export interface EvolveOptions<
  Variables extends StateVariables = StateVariables,
> extends CallOptions {
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

/** How often each variable of a state, and last the step, have been assigned. */
type Versions = readonly number[];

/** The state of a module. Its attributes hold what the last settled call has left. */
export class ModuleState extends Owner {
  override readonly kind = 'module';
  /** The method of the last call. */
  lastMethod: CallRecord['method'] | undefined;
  #versions: Versions;

  constructor(
    readonly variables: readonly State<CarriedVariable>[],
    readonly step: State<number>,
  ) {
    super();
    this.#versions = Array.from({ length: variables.length + 1 }, () => 0);
  }

  get current(): CarriedState {
    return { variables: this.variables.map(({ current }) => current), step: this.step.current };
  }

  get versions(): Versions {
    return this.#versions;
  }

  /** A variable, or the step if `index` is the number of variables, has been assigned. */
  assigned(index: number): void {
    this.#versions = this.#versions.map((version, i) => (i === index ? version + 1 : version));
  }

  /** Takes what a call has left, except what was assigned since the call was made. */
  commit(left: CarriedState, versions: Versions): void {
    this.variables.forEach((variable, index) => {
      const value = left.variables[index];
      if (value !== undefined && this.#versions[index] === versions[index]) variable.commit(value);
    });
    if (this.#versions.at(-1) === versions.at(-1)) this.step.commit(left.step);
  }
}

/** What was given with a call, or carried; undefined where it was not given. */
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

/** As many batch items as the noise tells apart. */
const MOST_BATCHES = 2 ** 32;
/** As many synapses. */
const MOST_SYNAPSES = 2 ** 32;
/** Neighbours that draw their noise together. */
const SYNAPSES_PER_DRAW = 4;

/** What a module has set that the addon is given with each call. */
export interface ModuleSettings {
  readonly synapses: PreparedSynapses;
  readonly seed: number;
  /** Whether a batch leaves the state of its first item alone. */
  readonly keepsFirstItem: boolean;
}

/** The arguments of a module's call, as they were given. */
export interface ModuleArguments extends GivenArguments {
  readonly start: GivenState | undefined;
  readonly place: Origin;
}

/** Reads the arguments of a call of a module. The caller's code runs here. */
export function readModuleArguments(
  input: unknown,
  options: unknown,
  owner: ModuleState,
  definitions: readonly StateVariable[],
): ModuleArguments {
  const given = readArguments(input, options, MODULE_OPTIONS);
  return {
    ...given,
    start: given.state === undefined ? undefined : readStart(given.state, owner, definitions),
    place: given.origin === undefined ? NO_ORIGIN : readOrigin(given.origin),
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

/** A call that moves a module's state on. */
export class ModuleCall extends Call<number, SynapsesEvolution> {
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
  /** What the call leaves to the next one: at first, what the one before has left. */
  #left: CarriedState | undefined;
  #before: CarriedState;
  #nextState: Float64Array | undefined;

  constructor(
    given: ModuleArguments,
    settings: ModuleSettings,
    state: ModuleState,
    definitions: readonly StateVariable[],
  ) {
    super(given, settings.synapses, [state]);
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

  protected override compute(output: FloatArray): number {
    const nextState = this.#allocateNextState();
    const { synapses, seed } = this.#settings;
    const { batch, synapse } = this.#place;
    return synapses.native.evolve(
      this.input,
      output,
      planesOf(this.#before.variables, synapses.stateSize),
      nextState,
      this.batches,
      seed,
      this.#before.step,
      batch,
      synapse,
    );
  }

  protected override computeAsync(output: FloatArray, id: number): Promise<number | undefined> {
    const nextState = this.#allocateNextState();
    const { synapses, seed } = this.#settings;
    const { batch, synapse } = this.#place;
    return synapses.native.evolveAsync(
      this.input,
      output,
      planesOf(this.#before.variables, synapses.stateSize),
      nextState,
      this.batches,
      seed,
      this.#before.step,
      batch,
      synapse,
      id,
    );
  }

  protected override failedItems(found: number): readonly number[] {
    if (found >= 0) throw this.nonFiniteInput(found);
    return NO_ITEMS;
  }

  protected override commit(output: FloatArray): SynapsesEvolution {
    const before = this.#before;
    const left = this.#nextState === undefined ? before : this.#stateIn(this.#nextState);
    this.#left = left;
    this.#state.commit(left, this.#versions);
    this.#state.lastMethod = this.method;
    const state: Record<string, StateArray | number> = {};
    for (const variable of left.variables) state[variable.definition.name] = variable.copy();
    state['step'] = left.step;
    return {
      output: { data: output, shape: this.shape },
      state: state as SynapsesEvolution['state'],
      record: { ...this.record, firstStep: before.step },
    };
  }

  #allocateNextState(): Float64Array {
    const { stateSize, size } = this.synapses;
    this.#nextState = allocateState(stateSize * this.batches * size);
    return this.#nextState;
  }

  /** The state after the call, whose planes the addon has filled. */
  #stateIn(planes: Float64Array): CarriedState {
    const { batches, synapses } = this;
    const { variables, step } = this.#before;
    const owner = variables[0]?.owner ?? synapses;
    const isFirstItemKept = this.#settings.keepsFirstItem && batches > 1;
    const kept = isFirstItemKept ? firstItem(planes, batches, synapses.size) : planes;
    const items = batches === 1 || isFirstItemKept ? undefined : batches;
    return {
      variables: variablesIn(this.#definitions, owner, kept, items),
      step: step + this.timesteps,
    };
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

  /** Throws if the noise knows no such places. */
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
