/**
 * The public names.
 *
 * @module expsyn
 */
export type { ArrayInput, NdArray, NestedArray } from './arrays/arrays';
export type { TypedArray } from './arrays/typed-arrays';
export type { ErrorCode, ExpSynError } from './errors/error-codes';
export { ExpSyn } from './modules/typed-exp-syn';
export type {
  AbortSignalLike,
  Compatibility,
  Dtype,
  EvolveOptions,
  ExpSynEvolution,
  ExpSynJson,
  ExpSynOptions,
  ExpSynRecord,
  ExpSynSessionJson,
  ExpSynState,
  FloatsOf,
  Initial,
  Method,
  NoisePlacement,
  NonFinitePolicy,
} from './modules/exp-syn-options';
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
