/**
 * The public names.
 *
 * @module expsyn
 */
export type { ArrayInput, NdArray, NestedArray } from './arrays/arrays';
export type { ErrorCode, ExpSynError } from './errors/error-codes';
export { ExpSyn } from './modules/typed-exp-syn';
export type { Dtype, ElementType, FloatsOf, TypedArray } from './arrays/element-types';
export type {
  AbortSignalLike,
  EvolveOptions,
  ExpSynEvolution,
  ExpSynJson,
  ExpSynOptions,
  ExpSynRecord,
  ExpSynSessionJson,
  ExpSynState,
  Initial,
} from './modules/exp-syn-options';
export type {
  Compatibility,
  FixedOptions,
  Method,
  NoisePlacement,
  NonFinitePolicy,
  SimulationParameters,
} from './modules/options';
export {
  OverloadError,
  setLimits,
  stats,
  type CallEvent,
  type Limits,
  type Stats,
} from './calls/load';
export { ExpSynSession } from './modules/session';
export type { SynapticCurrent } from './modules/state';
export type {
  GatheredEvolution,
  SessionEvolution,
  SessionEvolveOptions,
  SessionFailure,
  SessionOptions,
  SessionRecord,
} from './modules/session';
export {
  Module,
  type AttributeValues,
  type Evolution,
  type ModuleOptions,
  type RasterInput,
} from './modules/module';
export {
  Attribute,
  Constant,
  Parameter,
  SimulationParameter,
  State,
  type AttributeDefinition,
  type AttributeKind,
  type AttributeValue,
  type ShapePattern,
} from './modules/parameters';
