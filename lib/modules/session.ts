/**
 * Sessions: independent states that share one module's parameters, kernels and plans. The states
 * themselves lie with the addon.
 */
import { inspect, types } from 'node:util';

import { isForeign, orAborted } from '../calls/abort';
import type { ArrayInput, NdArray } from '../arrays/arrays';
import type { Dtype, FloatArray, FloatsOf } from '../arrays/element-types';
import type { PreparedCall } from '../calls/call';
import {
  formatShape,
  outOfRange,
  pendingError,
  readOptions,
  tooManySteps,
  wholeNumber,
  wrongKind,
  wrongType,
} from '../errors/checks';
import { errorWith, type ExpSynError } from '../errors/error-codes';
import type { ExpSyn } from './exp-syn';
import type { EvolveOptions, ExpSynRecord, ExpSynSessionJson } from './exp-syn-options';
import { drawSeed, type NonFinitePolicy } from './options';
import { decodeNumbers, encodeNumbers, parseJson } from './json-numbers';
import { CarriedIsyn, type SynapticCurrent } from './state';
import type { RasterInput } from './module';
import {
  native,
  type FailedSession,
  type SessionNumbers,
  type SessionTable,
} from '../native/native';
import {
  abandon,
  allocateNextState,
  allocateOutput,
  Cancelled,
  fillOffThread,
  isEmpty,
  leave,
  nonFiniteInput,
} from '../calls/run';
import { isList, isRevoked } from '../arrays/typed-arrays';

/** How a session begins. */
export interface SessionOptions {
  /** Seed of the session's noise, 0 to 2^53 - 1. By default drawn from the operating system. */
  seed?: number;
  /** The synaptic current to start from, (N,). Default 0. */
  isyn?: ArrayInput;
  /** Absolute number of the first step. Default 0. */
  step?: number;
}

/** What evolve() of a session takes. */
export type SessionEvolveOptions = Omit<EvolveOptions, 'state'>;

/** How a call was computed. */
export type SessionRecord = Omit<ExpSynRecord, 'firstStep'>;

/** What a session's call returns. */
export interface SessionEvolution<D extends Dtype = Dtype> {
  /** (1, T, N), of the module's dtype. */
  output: NdArray<FloatsOf<D>>;
  record: SessionRecord;
}

/** A session that a gathered call could not move on. */
export interface SessionFailure<D extends Dtype = Dtype> {
  session: ExpSynSession<D>;
  /** Its place among the sessions of the call. */
  item: number;
  error: RangeError & ExpSynError;
}

/** What a gathered call returns. */
export interface GatheredEvolution<D extends Dtype = Dtype> {
  /**
   * (K, T, N), of the module's dtype. What belongs to a session that failed is undefined, or in the
   * input's own memory as it was.
   */
  output: NdArray<FloatsOf<D>>;
  /**
   * The sessions whose input held a NaN or infinity, or which would have gone beyond step 2^53 - 1, in
   * their order; they are as they were.
   */
  failures: SessionFailure<D>[];
  record: SessionRecord;
}

/**
 * What sessions need of their module.
 *
 * @internal
 */
export interface SessionParent {
  readonly module: ExpSyn;
  /** Takes everything that a call depends on, as it is now, unless `check` throws before that. */
  prepare(
    input: RasterInput,
    options: SessionEvolveOptions,
    isAsync: boolean,
    check: (call: PreparedCall) => void,
  ): PreparedCall;
  /** Checks a state but for its shape, and gives it the module's dtype; by default by its policy. */
  castIsyn(value: unknown, name: string, nonFinite?: NonFinitePolicy): CarriedIsyn;
  /** Keeps the kernels of prepared calls while `pending` is not settled. */
  keepWhile(pending: Promise<unknown>): void;
}

/** Calls that wait or run, per session: the last one, which never rejects. */
type Pending = Promise<void>;

let numberOf: (session: ExpSynSession) => number;
let pendingOf: (session: ExpSynSession) => Pending | undefined;
/** Another call of the session is pending, or one of them no more. */
let addPending: (session: ExpSynSession, pending: Pending) => void;
let dropPending: (session: ExpSynSession) => void;
let markChecked: (session: ExpSynSession, check: number) => boolean;
let isSession: (value: unknown) => value is ExpSynSession;
let belongs: (session: unknown, sessions: Sessions) => session is ExpSynSession;

/** The number of a session that has been closed. */
const CLOSED = -1;

/**
 * One of many independent runs over the synapses of a module: a state isyn (N,), an absolute step
 * and a seed of its own. Attributes that are assigned to the module count for the calls of its
 * sessions that are made from then on.
 *
 * Calls on one session run in the order in which they were made; calls on different sessions do not
 * wait for each other. A call that fails leaves its session as it was.
 */
export class ExpSynSession<D extends Dtype = Dtype> {
  readonly #sessions: Sessions;
  #number: number;
  #seed: number;
  #pending: Pending | undefined;
  #nPending = 0;
  #lastCheck = 0;

  static {
    numberOf = (session) => session.#number;
    pendingOf = (session) => session.#pending;
    addPending = (session, pending) => {
      session.#nPending++;
      session.#pending = pending;
    };
    dropPending = (session) => {
      // What is left of the chain, if anything, has been aborted and will change nothing.
      if (--session.#nPending === 0) session.#pending = undefined;
    };
    // Whether it had not been marked in this check before.
    markChecked = (session, check) => {
      if (session.#lastCheck === check) return false;
      session.#lastCheck = check;
      return true;
    };
    isSession = (value): value is ExpSynSession =>
      typeof value === 'object' && value !== null && #sessions in value;
    belongs = (session, sessions): session is ExpSynSession =>
      isSession(session) && session.#sessions === sessions;
  }

  /** @internal Made by ExpSyn's session(). */
  constructor(sessions: Sessions, number: number, seed: number) {
    if (!(sessions instanceof Sessions)) {
      throw wrongType(
        'the sessions of a module',
        'sessions',
        sessions,
        "call a module's session()",
      );
    }
    this.#sessions = sessions;
    this.#number = number;
    this.#seed = seed;
  }

  /** The module whose parameters it has. */
  get module(): ExpSyn<D> {
    requireSession(this, 'module');
    return this.#sessions.module as ExpSyn<D>;
  }

  /** Number of inputs. */
  get sizeIn(): number {
    return this.module.sizeIn;
  }

  /** Number of synapses. */
  get sizeOut(): number {
    return this.module.sizeOut;
  }

  /** Whether close() has been called. */
  get isClosed(): boolean {
    requireSession(this, 'isClosed');
    return this.#number === CLOSED;
  }

  /** The synaptic current after the last settled call, (N,), as a copy. */
  get isyn(): SynapticCurrent<FloatsOf<D>> {
    requireSession(this, 'isyn');
    const number = this.#requireOpen('isyn');
    const isyn = CarriedIsyn.zeros(this.module.dtype, [this.sizeOut]);
    native.readSession(this.#sessions.table, number, isyn.numbers);
    return isyn.copy() as SynapticCurrent<FloatsOf<D>>;
  }
  set isyn(value: ArrayInput) {
    requireSession(this, 'isyn');
    const isyn = this.#sessions.castIsyn(value, 'isyn');
    this.#write('isyn', isyn, this.step, this.#seed);
  }

  /** Absolute number of the next step. */
  get step(): number {
    requireSession(this, 'step');
    return native.readSession(this.#sessions.table, this.#requireOpen('step'), undefined);
  }
  set step(value: number) {
    requireSession(this, 'step');
    this.#write('step', undefined, wholeNumber(value, 'step'), this.#seed);
  }

  /** Seed of the noise. A number drawn depends on (seed, n, absolute step) alone. */
  get seed(): number {
    requireSession(this, 'seed');
    return this.#seed;
  }
  set seed(value: number) {
    requireSession(this, 'seed');
    this.#write('seed', undefined, this.step, wholeNumber(value, 'seed'));
  }

  /** As evolve() of the module, for an input of shape (T,), (T, N) or (1, T, N). */
  async evolve(
    input: RasterInput,
    options: SessionEvolveOptions = {},
  ): Promise<SessionEvolution<D>> {
    requireSession(this, 'evolve()');
    this.#requireOpen('evolve()');
    const { output, record } = await this.#sessions.evolve([this], input, options, true);
    return { output: output as NdArray<FloatsOf<D>>, record };
  }

  /** As evolveSync() of the module, for an input of shape (T,), (T, N) or (1, T, N). */
  evolveSync(input: RasterInput, options: SessionEvolveOptions = {}): SessionEvolution<D> {
    requireSession(this, 'evolveSync()');
    this.#requireOpen('evolveSync()');
    const run = this.#sessions.evolveSync([this], input, options);
    requireNone(run.failures);
    return { output: run.output as NdArray<FloatsOf<D>>, record: run.record };
  }

  /** Returns isyn and step to 0. Returns the session. */
  resetState(): this {
    requireSession(this, 'resetState()');
    const zeros = CarriedIsyn.zeros(this.module.dtype, [this.sizeOut]);
    this.#write('resetState()', zeros, 0, this.#seed);
    return this;
  }

  /**
   * Gives the session's memory back, after its pending calls; it cannot be used again. A session
   * that nobody holds any more is closed by the garbage collector, which takes its time.
   */
  close(): void {
    requireSession(this, 'close()');
    if (this.isClosed) return;
    this.#sessions.close(this, this.#number);
    this.#number = CLOSED;
  }

  /** Where the session has got to, for restoreSession() of a module with the same parameters. */
  toJSON(): ExpSynSessionJson {
    requireSession(this, 'toJSON()');
    const { isyn } = this;
    return {
      class: 'ExpSynSession',
      version: 1,
      size: this.sizeOut,
      dtype: this.module.dtype,
      seed: this.#seed,
      isyn: encodeNumbers(isyn),
      step: this.step,
    };
  }

  /**
   * What console.log() shows.
   *
   * @internal Not in the published types, which need none of Node's.
   */
  [inspect.custom](_depth: number, options: object): string {
    const name = `ExpSynSession (${this.sizeOut},)`;
    if (this.isClosed) return `${name} closed`;
    return `${name} ${inspect({ isyn: this.isyn, step: this.step, seed: this.#seed }, options)}`;
  }

  #requireOpen(name: string): number {
    if (this.#number === CLOSED) throw closedError(name);
    return this.#number;
  }

  #write(name: string, isyn: CarriedIsyn | undefined, step: number, seed: number): void {
    const number = this.#requireOpen(name);
    if (this.#pending !== undefined) throw pendingError('session', name, 'one');
    native.writeSession(this.#sessions.table, number, isyn?.numbers, step, seed);
    this.#seed = seed;
  }
}

/**
 * The sessions of one module.
 *
 * @internal
 */
export class Sessions {
  readonly table: SessionTable;
  readonly #parent: SessionParent;
  readonly #forgotten: FinalizationRegistry<number>;

  constructor(parent: SessionParent) {
    this.#parent = parent;
    const table = new native.SessionTable(parent.module.sizeOut, STATE_SIZE);
    this.table = table;
    this.#forgotten = new FinalizationRegistry((number) => {
      native.closeSession(table, number);
    });
  }

  get module(): ExpSyn {
    return this.#parent.module;
  }

  open(options: SessionOptions | undefined): ExpSynSession {
    const given = readOptions(options, 'options', ['seed', 'isyn', 'step']);
    const seed = given.seed === undefined ? drawSeed() : wholeNumber(given.seed, 'options.seed');
    const step = given.step === undefined ? 0 : wholeNumber(given.step, 'options.step');
    const isyn = given.isyn === undefined ? undefined : this.castIsyn(given.isyn, 'options.isyn');
    return this.#open(seed, isyn, step);
  }

  /** The session that toJSON() described, given its result or the text of it. */
  restore(json: unknown): ExpSynSession {
    const { sizeOut, dtype } = this.module;
    const saved = readOptions(parseJson(json), 'json', [
      'class',
      'version',
      'size',
      'dtype',
      'seed',
      'isyn',
      'step',
    ]);
    if (saved.class !== 'ExpSynSession') {
      throw wrongType("'ExpSynSession'", 'json.class', saved.class);
    }
    if (saved.version !== 1) throw wrongType('version 1', 'json.version', saved.version);
    if (saved.size !== sizeOut) {
      throw wrongType(`${sizeOut}, as the module has,`, 'json.size', saved.size);
    }
    if (saved.dtype !== dtype) {
      throw wrongType(`'${dtype}', as the module has,`, 'json.dtype', saved.dtype);
    }
    const seed = wholeNumber(saved.seed, 'json.seed');
    const step = wholeNumber(saved.step, 'json.step');
    // A state with a NaN may have arisen under another policy.
    const isyn = this.castIsyn(decodeNumbers(saved.isyn, 'json.isyn'), 'json.isyn', 'propagate');
    return this.#open(seed, isyn, step);
  }

  castIsyn(value: unknown, name: string, nonFinite?: NonFinitePolicy): CarriedIsyn {
    const isyn = this.#parent.castIsyn(value, name, nonFinite);
    const { sizeOut } = this.module;
    if (isyn.shape.length === 1 && isyn.shape[0] === sizeOut) return isyn;
    throw outOfRange(`shape (${sizeOut},)`, name, `shape ${formatShape(isyn.shape)}`);
  }

  /**
   * Computes on the addon's own threads, after what is pending on any of the sessions. A session that
   * fails is named in the result or, where `throwsFailure`, makes the call fail.
   */
  async evolve(
    given: readonly unknown[],
    input: RasterInput,
    options: SessionEvolveOptions,
    throwsFailure = false,
  ): Promise<GatheredEvolution> {
    const sessions = this.#readSessions(given);
    let numbers: SessionNumbers = CLOSED;
    const call = this.#parent.prepare(input, options, true, (prepared) => {
      numbers = numbersOf(sessions, prepared);
      if (throwsFailure) this.#checkSteps(numbers, prepared);
    });
    // From here on, none of the caller's code runs.
    const before = new Set<Pending>();
    for (const session of sessions) {
      const pending = pendingOf(session);
      if (pending !== undefined) before.add(pending);
    }
    // The code of a signal that is not the platform's runs once the call has its place.
    let hasBegun = before.size === 0 && !isForeign(call.signal);
    const run = async (): Promise<GatheredEvolution> => {
      if (!hasBegun) await Promise.all(before);
      hasBegun = true;
      return this.#runOffThread(call, sessions, numbers, throwsFailure);
    };
    const running = run();
    const pending: Pending = running.then(
      () => {
        leave(call);
      },
      (error: unknown) => {
        leave(call, { error });
      },
    );
    for (const session of sessions) addPending(session, pending);
    this.#parent.keepWhile(pending);
    call.admission?.announce();
    let isPending = true;
    const settle = () => {
      if (isPending) sessions.forEach(dropPending);
      isPending = false;
    };
    const settled = running.finally(settle);
    if (call.signal === undefined) return settled;
    // A call that waits for others is left at once; one that runs ends by itself.
    return orAborted(settled, call.signal, () => {
      if (hasBegun) return false;
      settle();
      abandon(call);
      return true;
    });
  }

  /** Computes on the calling thread. No call of the sessions may be pending. */
  evolveSync(
    given: readonly unknown[],
    input: RasterInput,
    options: SessionEvolveOptions,
  ): GatheredEvolution {
    const sessions = this.#readSessions(given);
    let numbers: SessionNumbers = CLOSED;
    const call = this.#parent.prepare(input, options, false, (prepared) => {
      numbers = numbersOf(sessions, prepared);
    });
    sessions.forEach((session, item) => {
      if (pendingOf(session) === undefined) return;
      const name = sessions.length === 1 ? 'evolveSync()' : `sessions[${item}]`;
      throw pendingError('session', name, 'one');
    });
    const output = call.out ?? allocateOutput(call);
    const found = isEmpty(call)
      ? NONE
      : call.settings.synapses.evolveSessions(this.table, numbers, call.data, output);
    return this.#gather(call, sessions, numbers, output, found);
  }

  /** Closes a session, after its pending calls. */
  close(session: ExpSynSession, number: number): void {
    this.#forgotten.unregister(session);
    const pending = pendingOf(session);
    if (pending === undefined) {
      native.closeSession(this.table, number);
      return;
    }
    void pending.then(() => {
      native.closeSession(this.table, number);
    });
  }

  #open(seed: number, isyn: CarriedIsyn | undefined, step: number): ExpSynSession {
    const number = native.openSession(this.table, seed);
    if (isyn !== undefined || step > 0) {
      native.writeSession(this.table, number, isyn?.numbers, step, seed);
    }
    const session = new ExpSynSession(this, number, seed);
    this.#forgotten.register(session, number, session);
    return session;
  }

  /** The sessions of a call, in an array of our own. */
  #readSessions(given: unknown): ExpSynSession[] {
    if (!isList(given)) throw wrongType('an array of sessions', 'sessions', given);
    const count = given.length;
    // A proxy of an array may be of any length.
    if (count >= MOST_SESSIONS) {
      throw outOfRange('fewer than 2^31 sessions', 'sessions', `length ${count}`);
    }
    const sessions: ExpSynSession[] = [];
    for (let item = 0; item < count; item++) {
      const session = given[item];
      if (!belongs(session, this)) throw notOurs(session, `sessions[${item}]`);
      sessions.push(session);
    }
    return sessions;
  }

  /** Throws where one session cannot go so many steps further, if that is known already. */
  #checkSteps(numbers: SessionNumbers, call: PreparedCall): void {
    if (isEmpty(call) || typeof numbers !== 'number') return;
    const step = native.readSession(this.table, numbers, undefined);
    if (!Number.isSafeInteger(step + call.timesteps)) throw stepError(step, call);
  }

  /** What the addon has found, in the words of the result. */
  #failuresIn(
    found: readonly FailedSession[],
    sessions: readonly ExpSynSession[],
    numbers: SessionNumbers,
    call: PreparedCall,
  ): SessionFailure[] {
    const failures: SessionFailure[] = [];
    for (const { item, index } of found) {
      const session = sessions[item];
      const number = typeof numbers === 'number' ? numbers : numbers[item];
      if (session === undefined || number === undefined) continue;
      const error =
        index === undefined
          ? stepError(native.readSession(this.table, number, undefined), call)
          : nonFiniteInput(index, call);
      failures.push({ session, item, error });
    }
    return failures;
  }

  #gather(
    call: PreparedCall,
    sessions: readonly ExpSynSession[],
    numbers: SessionNumbers,
    output: FloatArray,
    found: readonly FailedSession[],
  ): GatheredEvolution {
    const { batches, timesteps, settings, method } = call;
    return {
      output: { data: output, shape: [batches, timesteps, settings.size] },
      failures: this.#failuresIn(found, sessions, numbers, call),
      record: { method, windowLength: settings.windowLength },
    };
  }

  async #runOffThread(
    call: PreparedCall,
    sessions: readonly ExpSynSession[],
    numbers: SessionNumbers,
    throwsFailure: boolean,
  ): Promise<GatheredEvolution> {
    const nextStates = allocateNextState(call);
    let found: readonly FailedSession[] = NONE;
    const output = await fillOffThread(call, async (array, id) => {
      if (isEmpty(call)) return [];
      const { synapses } = call.settings;
      const given = [this.table, numbers, call.data, array, nextStates, id] as const;
      const failed = await synapses.evolveSessionsAsync(...given);
      if (failed === undefined) throw new Cancelled();
      found = failed;
      // Before an array of the caller's is filled.
      if (throwsFailure) requireNone(this.#failuresIn(found, sessions, numbers, call));
      return found.map(({ item }) => item);
    });
    if (!isEmpty(call)) {
      const moved = without(numbers, found);
      if (moved !== CLOSED) native.commitSessions(this.table, moved, nextStates, call.timesteps);
    }
    return this.#gather(call, sessions, numbers, output, found);
  }
}

/** The error for what is not a session of the module that was called. */
function notOurs(value: unknown, name: string): TypeError {
  const what = 'a session of this module';
  if (isSession(value)) return wrongKind(what, name, 'a session of another module');
  return noSession(what, name, value);
}

/** The error for what is no session; a proxy of one has none of its private members. */
function noSession(what: string, name: string, value: unknown): TypeError {
  if (!types.isProxy(value) || isRevoked(value)) return wrongType(what, name, value);
  return wrongKind(what, name, 'a Proxy', 'take the session itself');
}

/** Throws unless a method of a session is called on one. */
function requireSession(value: unknown, name: string): void {
  if (!isSession(value)) throw noSession('a session', name, value);
}

/** For calls of which no session fails. */
const NONE: readonly FailedSession[] = [];

/** Numbers of state a synapse: isyn and its correction. */
const STATE_SIZE = 2;

/** As many as have numbers. */
const MOST_SESSIONS = 2 ** 31;

/** The error for a session at `step` which a call would take to step 2^53 or beyond. */
function stepError(step: number, call: PreparedCall): RangeError & ExpSynError {
  return tooManySteps('session.step', step, call.timesteps, 'reset the session');
}

/** Throws what the first session has failed with. */
function requireNone(failures: readonly SessionFailure[]): void {
  if (failures[0] !== undefined) throw failures[0].error;
}

/** Number of the last gathered call whose sessions were looked at. */
let lastCheck = 0;

/** The addon's numbers of the sessions of a call, which must be open, different and one an item. */
function numbersOf(sessions: readonly ExpSynSession[], call: PreparedCall): SessionNumbers {
  const count = sessions.length;
  if (call.batches !== count) {
    throw outOfRange(
      `${count} batch items, one a session,`,
      'input',
      `${call.batches}`,
      'give each session its own item',
    );
  }
  const [first] = sessions;
  if (count === 1 && first !== undefined) {
    const number = numberOf(first);
    if (number === CLOSED) throw closedError('sessions[0]');
    return number;
  }
  const numbers = new Int32Array(count);
  const check = ++lastCheck;
  sessions.forEach((session, item) => {
    const number = numberOf(session);
    if (number === CLOSED) throw closedError(`sessions[${item}]`);
    numbers[item] = number;
    if (!markChecked(session, check)) {
      throw outOfRange(
        'different sessions',
        'sessions',
        `the same one again at [${item}]`,
        'put its steps into one item',
      );
    }
  });
  return numbers;
}

/** The numbers of the sessions that have not failed. */
function without(numbers: SessionNumbers, failed: readonly FailedSession[]): SessionNumbers {
  if (failed.length === 0) return numbers;
  if (typeof numbers === 'number') return CLOSED;
  const others = numbers.slice();
  for (const { item } of failed) others[item] = CLOSED;
  return others;
}

function closedError(name: string): Error {
  const error = new Error(
    `Expected an open session for ${name} but it has been closed; open another.`,
  );
  return errorWith(error, 'ERR_EXPSYN_CLOSED', { argument: name });
}
