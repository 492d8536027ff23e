/** The states of sessions, which the addon holds, and the calls that advance them. */
import type { GivenArguments } from '../calls/arguments';
import { Call, type CallRecord } from '../calls/call';
import { isContinued, type GivenDetails, type Group } from '../calls/details';
import { Owner } from '../calls/owner';
import type { PreparedSynapses } from '../calls/prepared';
import { allocateState, type NdArray } from '../arrays/arrays';
import type { FloatArray } from '../arrays/element-types';
import { isList } from '../arrays/typed-arrays';
import { outOfRange, tooManySteps } from '../errors/checks';
import { errorWith, type ExpSynError } from '../errors/error-codes';
import {
  native,
  type EventFault,
  type FailedSession,
  type SessionNumbers,
  type SessionTable,
} from '../native/native';
import type { KernelDefinition } from './kernel-definition';
import type { Module } from './module';
import { requireShape } from './parameters';
import {
  itemShapesOf,
  planesOf,
  readVariable,
  variablesIn,
  zeros,
  type CarriedState,
  type CarriedVariable,
  type StateOwner,
} from './state';

/** Sessions with the same number of numbers of state. */
interface Table {
  readonly native: SessionTable;
  readonly stateSize: number;
}

/** Where the state of a session lies. */
interface Place {
  table: Table;
  number: number;
}

/** The number of a session that has been closed. */
const CLOSED = -1;

/** The states of the sessions of one module. */
export class SessionStates {
  #table: Table | undefined;
  readonly #forgotten = new FinalizationRegistry<Place>(({ table, number }) => {
    native.closeSession(table.native, number);
  });

  constructor(
    /** The module of the sessions. */
    readonly module: Module,
    readonly definition: KernelDefinition,
    readonly owner: StateOwner,
    /** Returns the synapses with the module's current attributes. */
    readonly prepare: () => PreparedSynapses,
    /** Whether the module's current policy permits NaNs in a state. */
    readonly isNaNAllowed: () => boolean,
  ) {}

  /** The variables of a state, each (N,), among values by name; the errors name them after `prefix`. */
  readVariables(
    values: Readonly<Record<string, unknown>>,
    prefix: string,
    isNaNAllowed = this.isNaNAllowed(),
  ): (CarriedVariable | undefined)[] {
    const { owner } = this;
    return this.definition.state.map((definition) => {
      const value = values[definition.name];
      if (value === undefined) return undefined;
      const name = `${prefix}${definition.name}`;
      const variable = readVariable(definition, owner, value, name, isNaNAllowed);
      requireShape(variable.shape, itemShapesOf(definition, owner), name);
      return variable;
    });
  }

  /** Opens a session. Variables that are not given are 0. */
  open(
    seed: number,
    step: number,
    variables: readonly (CarriedVariable | undefined)[],
  ): SessionState {
    const table = this.tableOf(this.prepare().stateSize);
    const place = { table, number: native.openSession(table.native, seed) };
    const session = new SessionState(this, place, seed);
    this.#forgotten.register(session, place, place);
    if (step > 0 || variables.some((variable) => variable !== undefined)) {
      session.write({ variables, step });
    }
    return session;
  }

  /** The table of sessions whose kernel has so many numbers of state. */
  tableOf(stateSize: number): Table {
    if (this.#table?.stateSize !== stateSize) {
      const { owner, definition } = this;
      const inputs = hasInputs(definition) ? owner.dtype : undefined;
      this.#table = { native: new native.SessionTable(owner.size, stateSize, inputs), stateSize };
    }
    return this.#table;
  }

  /** Unregisters a session that has been closed from the garbage collector. */
  forget(place: Place): void {
    this.#forgotten.unregister(place);
  }
}

/** The state of a session. */
export class SessionState extends Owner {
  override readonly kind = 'session';
  readonly #states: SessionStates;
  readonly #place: Place;
  /** The group of steps that is not over, if the last call that ended had to remember one. */
  group: Group | undefined;
  #isClosed = false;
  #seed: number;
  #lastCheck = 0;

  constructor(states: SessionStates, place: Place, seed: number) {
    super();
    this.#states = states;
    this.#place = place;
    this.#seed = seed;
  }

  /** Whether it is one of these states. */
  isOf(states: SessionStates): boolean {
    return this.#states === states;
  }

  get seed(): number {
    return this.#seed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Absolute number of the next step. */
  get step(): number {
    const { table, number } = this.#place;
    return native.readSession(table.native, number, undefined);
  }

  read(): CarriedState {
    const { definition, owner } = this.#states;
    const { table, number } = this.#place;
    const planes = new Float64Array(table.stateSize * owner.size);
    const step = native.readSession(table.native, number, planes);
    return { variables: variablesIn(definition.state, owner, planes, undefined), step };
  }

  /** Replaces what is given. No call may be pending. */
  write(given: {
    variables?: readonly (CarriedVariable | undefined)[];
    step?: number;
    seed?: number;
  }): void {
    const { table, number } = this.#place;
    const { variables, step, seed = this.#seed } = given;
    let planes: Float64Array | undefined;
    if (variables !== undefined) {
      const own = this.read().variables;
      const all = own.map((variable, index) => variables[index] ?? variable);
      planes = planesOf(all, table.stateSize);
    }
    // An assigned step begins a new group, even if it is the same one.
    if (step !== undefined) this.group = undefined;
    native.writeSession(table.native, number, planes, step ?? this.step, seed);
    this.#seed = seed;
  }

  /** Sets all variables and the step to 0. No call may be pending. */
  reset(): void {
    const { definition, owner } = this.#states;
    this.write({ variables: definition.state.map((each) => zeros(each, owner)), step: 0 });
  }

  /** Frees the memory, after the calls that are pending. */
  close(): void {
    this.#isClosed = true;
    const { table, number } = this.#place;
    this.#states.forget(this.#place);
    const { last } = this;
    if (last === undefined) native.closeSession(table.native, number);
    else void last.ended.then(() => native.closeSession(table.native, number));
  }

  /** Throws an error about `argument` if the session has been closed. */
  requireOpen(argument: string): void {
    if (!this.#isClosed) return;
    const error = new Error(
      `Expected an open session for ${argument} but it has been closed; open another.`,
    );
    throw errorWith(error, 'ERR_EXPSYN_CLOSED', { argument });
  }

  /**
   * The number of the session in the table of the current kernel, if its state is there: not if the kernel
   * was replaced by one whose state has another size.
   */
  numberIn(table: Table): number | undefined {
    const place = this.#place;
    return place.table === table ? place.number : undefined;
  }

  /** Moves the session's state to a table and returns its number there. No call may be pending. */
  moveTo(table: Table): number {
    const place = this.#place;
    const { variables, step } = this.read();
    native.closeSession(place.table.native, place.number);
    place.table = table;
    place.number = native.openSession(table.native, this.#seed);
    this.write({ variables, step });
    return place.number;
  }

  /** Marks the session as seen by a check for duplicates; false if that check has seen it before. */
  markSeen(check: number): boolean {
    if (this.#lastCheck === check) return false;
    this.#lastCheck = check;
    return true;
  }
}

function hasInputs({ state }: KernelDefinition): boolean {
  return state.some(({ kind }) => kind === 'inputs');
}

/** A session that a call could not advance. */
export interface Failure {
  /** Its place among the sessions of the call. */
  item: number;
  error: RangeError & ExpSynError;
}

/** What a call of sessions returns. */
export interface SessionsResult {
  output: NdArray;
  failures: Failure[];
  record: CallRecord;
}

/** The groups that sessions have begun, as one. Throws unless as much is known of each of them. */
function joinGroups(sessions: readonly SessionState[], details: GivenDetails): Group | undefined {
  const groups = sessions.map(({ group, step }) =>
    step % details.every !== 0 && isContinued(group, details, step) ? group : undefined,
  );
  const [first] = groups;
  const item = groups.findIndex((group) => group?.steps !== first?.steps);
  if (item >= 0) {
    const known = (group: Group | undefined): string => `${group?.steps ?? 0}`;
    throw outOfRange(
      `${known(first)} known steps of the group that has begun, as the first session has,`,
      `sessions[${item}]`,
      known(groups[item]),
      'advance it in a call of its own',
    );
  }
  if (first === undefined) return undefined;
  const size = first.values.length;
  const values = new Float64Array(sessions.length * size);
  groups.forEach((group, index) => {
    if (group !== undefined) values.set(group.values, index * size);
  });
  const nextStep = sessions[0]?.step ?? 0;
  return { ...first, batches: sessions.length, nextStep, values };
}

/** Number of the last call whose sessions were compared with each other. */
let lastCheck = 0;

/** A call that advances sessions, each by an item of the input. */
export class SessionsCall extends Call<readonly FailedSession[] | EventFault, SessionsResult> {
  readonly #sessions: readonly SessionState[];
  readonly #table: Table;
  readonly #numbers: SessionNumbers;
  /** Whether the call fails if a session does. */
  readonly #isAlone: boolean;
  /** Numbers that a call leaves in the place of a synapse's state. */
  readonly #nextSize: number;
  #nextStates: Float64Array | undefined;

  constructor(
    given: GivenArguments,
    states: SessionStates,
    sessions: readonly SessionState[],
    isAlone: boolean,
  ) {
    const synapses = states.prepare();
    super(given, synapses, sessions, true);
    // Of inputs, a call leaves the newest.
    this.#nextSize = hasInputs(states.definition)
      ? Math.min(synapses.stateSize, this.timesteps)
      : synapses.stateSize;
    this.#sessions = sessions;
    this.#isAlone = isAlone;
    this.#table = states.tableOf(synapses.stateSize);
    this.#numbers = this.#readNumbers();
  }

  override evolve(): Promise<SessionsResult> {
    const [session] = this.#sessions;
    if (this.#isAlone && !this.isEmpty && session !== undefined) {
      // Before memory is transferred. The addon checks again when the call runs.
      if (!Number.isSafeInteger(session.step + this.timesteps)) throw this.#stepError(session);
    }
    return super.evolve();
  }

  protected override firstSteps(): readonly number[] {
    return this.#sessions.map(({ step }) => step);
  }

  protected override groupBefore(): Group | undefined {
    return joinGroups(this.#sessions, this.details);
  }

  protected override compute(output: FloatArray): FailedSession[] | EventFault {
    const { native: table } = this.#table;
    const { evolveSessions } = this.synapses.native;
    const details = this.nativeDetails;
    return details === undefined
      ? evolveSessions(table, this.#numbers, this.input, output)
      : evolveSessions(table, this.#numbers, this.input, output, details);
  }

  protected override computeAsync(
    output: FloatArray,
    id: number,
  ): Promise<FailedSession[] | EventFault | undefined> {
    const { size, native: synapses } = this.synapses;
    const nextStates = allocateState(this.#nextSize * this.batches * size);
    this.#nextStates = nextStates;
    const { native: table } = this.#table;
    return synapses.evolveSessionsAsync(
      table,
      this.#numbers,
      this.input,
      output,
      this.nativeDetails,
      nextStates,
      id,
    );
  }

  protected override failedItems(found: readonly FailedSession[] | EventFault): readonly number[] {
    if (!isList(found)) throw this.eventError(found);
    const [first] = found;
    if (this.#isAlone && first !== undefined) throw this.#errorOf(first);
    return found.map(({ item }) => item);
  }

  protected override commit(
    output: FloatArray,
    found: readonly FailedSession[] | EventFault = [],
  ): SessionsResult {
    if (!isList(found)) throw this.eventError(found);
    const failures = found.map((failed) => ({ item: failed.item, error: this.#errorOf(failed) }));
    // A call on this thread has advanced the sessions already.
    if (this.#nextStates !== undefined && found.length < this.batches) {
      const numbers = this.#numbersWithout(found);
      native.commitSessions(this.#table.native, numbers, this.#nextStates, this.timesteps);
    }
    this.#keepGroups(found);
    return { output: { data: output, shape: this.keptShape }, failures, record: this.record };
  }

  /** Leaves the groups that are not over with the sessions that were advanced. */
  #keepGroups(failed: readonly FailedSession[]): void {
    const group = this.groupLeft;
    if (group === undefined) return;
    const { size } = this.synapses;
    const failedItems = new Set(failed.map(({ item }) => item));
    this.#sessions.forEach((session, item) => {
      if (failedItems.has(item)) return;
      const values = group.values.slice(item * size, (item + 1) * size);
      session.group = { ...group, batches: 1, nextStep: session.step, values };
    });
  }

  #errorOf({ item, index, event, fault }: FailedSession): RangeError & ExpSynError {
    if (event !== undefined && fault !== undefined) {
      return this.eventError({ item, event, fault }) as RangeError & ExpSynError;
    }
    const session = this.#sessions[item];
    return index === undefined && session !== undefined
      ? this.#stepError(session)
      : this.nonFiniteInput(index ?? 0);
  }

  #stepError({ step }: SessionState): RangeError & ExpSynError {
    return tooManySteps('session.step', step, this.timesteps, 'reset the session');
  }

  /** The numbers of the sessions, which must be open, different and one an item. */
  #readNumbers(): SessionNumbers {
    const sessions = this.#sessions;
    const count = sessions.length;
    if (this.batches !== count) {
      throw outOfRange(
        `${count} batch items, one a session,`,
        'input',
        `${this.batches}`,
        'give each session its own item',
      );
    }
    const table = this.#table;
    const numbers = new Int32Array(count);
    const check = ++lastCheck;
    for (let item = 0; item < count; item++) {
      const session = sessions[item];
      if (session === undefined) continue;
      // Names of items are made only for errors: they cost more than the check.
      if (session.isClosed) session.requireOpen(`sessions[${item}]`);
      if (!session.markSeen(check)) {
        const received = `the same one again at [${item}]`;
        throw outOfRange('different sessions', 'sessions', received, 'put its steps into one item');
      }
      let number = session.numberIn(table);
      if (number === undefined) {
        session.requireIdle(`sessions[${item}]`);
        number = session.moveTo(table);
      }
      numbers[item] = number;
    }
    const [first] = numbers;
    return count === 1 && first !== undefined ? first : numbers;
  }

  /** The numbers, with CLOSED in place of each session that failed. */
  #numbersWithout(failed: readonly FailedSession[]): SessionNumbers {
    const numbers = this.#numbers;
    if (failed.length === 0 || typeof numbers === 'number') return numbers;
    const others = numbers.slice();
    for (const { item } of failed) others[item] = CLOSED;
    return others;
  }
}
