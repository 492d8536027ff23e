/** Sessions: independent states that share the parameters and the kernel of one module. */
import { inspect, types } from 'node:util';

import {
  readArguments,
  SESSION_OPTIONS,
  type CallOptions,
  type EvolveInput,
} from '../calls/arguments';
import type { CallRecord } from '../calls/call';
import type { ArrayInput, NdArray } from '../arrays/arrays';
import type { Dtype, FloatsOf } from '../arrays/element-types';
import { isList, isRevoked } from '../arrays/typed-arrays';
import { outOfRange, readOptions, wholeNumber, wrongKind, wrongType } from '../errors/checks';
import type { ExpSynError } from '../errors/error-codes';
import { decodeNumbers, encodeNumbers, readJson, VERSION, type EncodedArray } from './json';
import { decodeGroup, encodeGroup, type EncodedGroup } from './saved-group';
import type { Module } from './module';
import { drawSeed, seed as readSeed } from './options';
import { SessionsCall, SessionStates, type SessionState } from './session-state';
import { showState } from './shown';
import type { StateArray, StateVariables } from './state';

/** How a session begins: its seed and step, and each variable of its state, (N,), by default 0. */
export type SessionOptions<Variables extends StateVariables = StateVariables> = SessionStart & {
  [Name in keyof Variables]?: ArrayInput;
};

interface SessionStart {
  /** Seed of the session's noise, 0 to 2^53 - 1. By default drawn from the operating system. */
  seed?: number;
  /** Absolute number of the first step. Default 0. */
  step?: number;
}

/** What a session's call returns, as plain data in memory that is the caller's own. */
export interface SessionEvolution<D extends Dtype = Dtype> {
  /** (1, T, N), of the module's dtype, in the unit of the input. */
  output: NdArray<FloatsOf<D>>;
  /** How the call was computed. */
  record: CallRecord;
}

/** A session that a call of many could not advance. It stays as it was. */
export interface SessionFailure<OneSession = Session> {
  /** The session. */
  session: OneSession;
  /** Its place among the sessions of the call. */
  item: number;
  /** Why it could not be advanced. */
  error: RangeError & ExpSynError;
}

/** What a call of K sessions returns, as plain data but for the sessions. */
export interface SessionsEvolution<D extends Dtype = Dtype, OneSession = Session> {
  /**
   * (K, T, N), of the module's dtype. The part of a session that failed is undefined, or as it was if it
   * is the input's own memory.
   */
  output: NdArray<FloatsOf<D>>;
  /**
   * The sessions whose input has a NaN or infinity, or which would have gone beyond step 2^53 - 1, in
   * their order.
   */
  failures: SessionFailure<OneSession>[];
  /** How the call was computed. */
  record: CallRecord;
}

/** What toJSON() of a session returns: its state variables have their own names. */
export interface SessionJson {
  /** The name of the session's class, e.g. 'ExpSynSession'. */
  class: string;
  /** The version of this format. */
  version: 1;
  /** Number of synapses. */
  size: number;
  /** Element type of the state. */
  dtype: Dtype;
  /** Seed of the noise. */
  seed: number;
  /** Absolute number of the next step. */
  step: number;
  /** A group of steps of `every` and `reduce` that is not over. */
  group?: EncodedGroup;
  [variable: string]: EncodedArray | EncodedGroup | number | string | undefined;
}

let stateOf: (session: Session) => SessionState;
let isSession: (value: unknown) => value is Session;

/**
 * One of many independent runs over the synapses of a module: a state, (N,) for each of its variables, an
 * absolute step and a seed of its own. Attributes that are assigned to the module count for the calls of
 * its sessions that are made from then on.
 *
 * Calls on one session run in the order in which they were made; calls on different sessions do not wait
 * for each other. A call that fails leaves its session as it was. Using a session that has been closed,
 * or changing one while a call of it is pending, throws an error.
 */
export class Session<D extends Dtype = Dtype, OneModule extends Module = Module> {
  readonly #states: SessionStates;
  readonly #state: SessionState;

  static {
    stateOf = (session) => session.#state;
    isSession = (value): value is Session =>
      typeof value === 'object' && value !== null && #state in value;
  }

  /** @internal Made by session() of a module. */
  constructor(states: SessionStates, state: SessionState) {
    if (!(states instanceof SessionStates)) {
      const advice = "call a module's session()";
      throw wrongType('the sessions of a module', 'sessions', states, advice);
    }
    this.#states = states;
    this.#state = state;
  }

  /** The module whose parameters it has. */
  get module(): OneModule {
    requireSession(this, 'module');
    return this.#states.module as OneModule;
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
    return this.#state.isClosed;
  }

  /** Absolute number of the next step. */
  get step(): number {
    return openState(this, 'step').step;
  }
  set step(value: number) {
    requireSession(this, 'step');
    const step = wholeNumber(value, 'step');
    idleState(this, 'step').write({ step });
  }

  /** Seed of the noise. A number that is drawn depends only on (seed, synapse, absolute step). */
  get seed(): number {
    requireSession(this, 'seed');
    return this.#state.seed;
  }
  set seed(value: number) {
    requireSession(this, 'seed');
    const seed = readSeed(value, 'seed');
    idleState(this, 'seed').write({ seed });
  }

  /**
   * Computes the next steps for an input of shape (T,), (T, N) or (1, T, N), off the main thread, as
   * evolve() of the module does.
   */
  async evolve(input: EvolveInput, options: CallOptions = {}): Promise<SessionEvolution<D>> {
    const state = openState(this, 'evolve()');
    const given = readArguments(input, options, SESSION_OPTIONS);
    const { output, record } = await new SessionsCall(given, this.#states, [state], true).evolve();
    return { output: output as NdArray<FloatsOf<D>>, record };
  }

  /** The same on the calling thread, as evolveSync() of the module does. */
  evolveSync(input: EvolveInput, options: CallOptions = {}): SessionEvolution<D> {
    const state = openState(this, 'evolveSync()');
    const given = readArguments(input, options, SESSION_OPTIONS);
    const { output, record } = new SessionsCall(given, this.#states, [state], true).evolveSync();
    return { output: output as NdArray<FloatsOf<D>>, record };
  }

  /** Returns the state and the step to 0. Returns the session. */
  resetState(): this {
    idleState(this, 'resetState()').reset();
    return this;
  }

  /**
   * Frees the session's memory, after its pending calls; it cannot be used again. The garbage collector
   * closes a session that is not reachable any longer, but not at once.
   */
  close(): void {
    requireSession(this, 'close()');
    if (!this.#state.isClosed) this.#state.close();
  }

  /** The session's state as JSON, for restoreSession() of a module with the same parameters. */
  toJSON(): SessionJson {
    const { seed, group } = openState(this, 'toJSON()');
    const { definition, owner } = this.#states;
    return {
      class: classNameOf(definition.className),
      version: VERSION,
      size: owner.size,
      dtype: owner.dtype,
      seed,
      ...this.#show(encodeNumbers),
      step: this.step,
      ...encodeGroup(group, this.step),
    };
  }

  /**
   * What console.log() shows.
   *
   * @internal Not in the published types, which need none of Node's.
   */
  [inspect.custom](_depth: number, options: object): string {
    const { definition, owner } = this.#states;
    const name = `${classNameOf(definition.className)} (${owner.size},)`;
    if (this.isClosed) return `${name} closed`;
    const shown = { ...this.#show(showState(definition)), step: this.step, seed: this.seed };
    return `${name} ${inspect(shown, options)}`;
  }

  /** A variable of the state, (N,), in memory of the caller's own. */
  protected variable(name: string): StateArray {
    const { variables } = openState(this, name).read();
    const found = variables.find(({ definition }) => definition.name === name);
    if (found === undefined) throw wrongType('a variable of the state', name, undefined);
    return found.copy();
  }

  /** Assigns a variable of the state. No call may be pending. */
  protected assign(name: string, value: unknown): void {
    requireSession(this, name);
    const variables = this.#states.readVariables({ [name]: value }, '');
    idleState(this, name).write({ variables });
  }

  /** The variables of the state by name, each shown by `show`. */
  #show<Shown>(show: (variable: StateArray) => Shown): Record<string, Shown> {
    const { variables } = this.#state.read();
    return Object.fromEntries(
      variables.map((variable) => [variable.definition.name, show(variable.copy())]),
    );
  }
}

/**
 * The state of an open session; throws for anything else. It is no method, since a proxy of a session has
 * no private methods.
 */
function openState(session: Session, name: string): SessionState {
  requireSession(session, name);
  const state = stateOf(session);
  state.requireOpen(name);
  return state;
}

/** The state of a session, if no call of it is pending either. */
function idleState(session: Session, name: string): SessionState {
  const state = openState(session, name);
  state.requireIdle(name);
  return state;
}

/** The name of the class of the sessions of a class of synapses, which JSON holds. */
function classNameOf(className: string): string {
  return `${className}Session`;
}

/** @internal The state of a new session. */
export function newState(states: SessionStates, options: unknown): SessionState {
  const names = states.definition.state.map(({ name }) => name);
  const given = readOptions(options, 'options', ['seed', ...names, 'step']);
  const seed = given['seed'] === undefined ? drawSeed() : readSeed(given['seed'], 'options.seed');
  const step = given['step'] === undefined ? 0 : wholeNumber(given['step'], 'options.step');
  return states.open(seed, step, states.readVariables(given, 'options.'));
}

/**
 * The state of the session that toJSON() described, given its result or the text of it.
 *
 * @internal
 */
export function restoreState(states: SessionStates, json: unknown): SessionState {
  const { definition, owner } = states;
  const names = definition.state.map(({ name }) => name);
  const saved = readJson(json, classNameOf(definition.className), [
    'size',
    'dtype',
    'seed',
    ...names,
    'step',
  ]);
  if (saved['size'] !== owner.size) {
    throw wrongType(`${owner.size}, as the module has,`, 'json.size', saved['size']);
  }
  if (saved['dtype'] !== owner.dtype) {
    throw wrongType(`'${owner.dtype}', as the module has,`, 'json.dtype', saved['dtype']);
  }
  const seed = readSeed(saved['seed'], 'json.seed');
  const step = wholeNumber(saved['step'], 'json.step');
  const decoded = Object.fromEntries(
    names.map((name) => [name, decodeNumbers(saved[name], `json.${name}`)]),
  );
  // A state with a NaN may have arisen under another policy.
  const group = decodeGroup(saved['group'], step, owner.size);
  const state = states.open(seed, step, states.readVariables(decoded, 'json.', true));
  state.group = group;
  return state;
}

/** @internal The sessions of a module in an array that a caller gave. */
export function readSessions(states: SessionStates, given: unknown): Session[] {
  if (!isList(given)) throw wrongType('an array of sessions', 'sessions', given);
  const count = given.length;
  // A proxy of an array may be of any length.
  if (count >= MOST_SESSIONS) {
    throw outOfRange('fewer than 2^31 sessions', 'sessions', `length ${count}`);
  }
  const sessions: Session[] = [];
  for (let item = 0; item < count; item++) {
    const session = given[item];
    const what = 'a session of this module';
    if (!isSession(session)) throw noSession(what, `sessions[${item}]`, session);
    if (!stateOf(session).isOf(states)) {
      throw wrongKind(what, `sessions[${item}]`, 'a session of another module');
    }
    sessions.push(session);
  }
  return sessions;
}

/** @internal The states of sessions. */
export function statesOf(sessions: readonly Session[]): SessionState[] {
  return sessions.map(stateOf);
}

/** The number of sessions that can be numbered. */
const MOST_SESSIONS = 2 ** 31;

/** The error for a value that is not a session. A proxy of a session has no private members. */
function noSession(what: string, name: string, value: unknown): TypeError {
  if (!types.isProxy(value) || isRevoked(value)) return wrongType(what, name, value);
  return wrongKind(what, name, 'a Proxy', 'take the session itself');
}

/** Throws unless a method of a session is called on one. */
function requireSession(value: unknown, name: string): void {
  if (!isSession(value)) throw noSession('a session', name, value);
}
