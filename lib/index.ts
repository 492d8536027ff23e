/**
 * The public names, for those who look for the types, shapes, units and errors of one.
 *
 * @module expsyn
 */
export type { ArrayInput, NdArray, NestedArray } from './arrays/arrays';
export type { ErrorCode, ExpSynError } from './errors/error-codes';
export type { Dtype, ElementType, FloatsOf, TypedArray } from './arrays/element-types';
export type { Reduce } from './arrays/kept-steps';
export type { AbortSignalLike } from './calls/abort';
export type { CallOptions, EvolveInput, RasterInput } from './calls/arguments';
export type { CallRecord } from './calls/call';
export type { DetailOptions, Timing, TrialOptions } from './calls/details';
export {
  countEvents,
  type CountOptions,
  type EventList,
  type EventNumbers,
  type OutsidePolicy,
} from './calls/events';
export { fftw, type FftwLibrary } from './calls/fftw';
export type { ComputedBy } from './modules/kernel-definition';
export {
  OverloadError,
  setLimits,
  stats,
  type CallEvent,
  type Limits,
  type Stats,
} from './calls/load';
export {
  AlphaSyn,
  AlphaSynSession,
  type AlphaSynEvolution,
  type AlphaSynOptions,
  type AlphaSynVariables,
} from './modules/alpha-syn';
export {
  DoubleExpSyn,
  DoubleExpSynSession,
  type DoubleExpSynEvolution,
  type DoubleExpSynOptions,
  type DoubleExpSynVariables,
} from './modules/double-exp-syn';
export {
  ExpSyn,
  ExpSynSession,
  type ExpSynEvolution,
  type ExpSynOptions,
  type ExpSynVariables,
} from './modules/exp-syn';
export {
  FirSyn,
  FirSynSession,
  type FirSynEvolution,
  type FirSynOptions,
  type FirSynVariables,
} from './modules/fir-syn';
export { Module, type AttributeValues, type Evolution, type ModuleOptions } from './modules/module';
export type { EvolutionRecord, EvolveOptions, SynapsesEvolution } from './modules/module-call';
export type {
  Compatibility,
  FixedOptions,
  Method,
  NoisePlacement,
  NonFinitePolicy,
  SimulationParameters,
} from './modules/options';
export {
  Attribute,
  Constant,
  Parameter,
  SimulationParameter,
  State,
  type AttributeDefinition,
  type AttributeKind,
  type AttributeValue,
  type Initial,
  type ShapePattern,
} from './modules/parameters';
export {
  Session,
  type SessionEvolution,
  type SessionFailure,
  type SessionJson,
  type SessionOptions,
  type SessionsEvolution,
} from './modules/session';
export type { StateArray, StateVariables, SynapticCurrent } from './modules/state';
export { Synapses, type Size, type SynapsesJson, type SynapsesOptions } from './modules/synapses';
