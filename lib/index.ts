/** The public names. */
export type { ArrayInput, NdArray, NestedArray } from './arrays';
export type { TypedArray } from './typed-arrays';
export type { ErrorCode, ExpSynError } from './error-codes';
export { ExpSyn } from './typed-exp-syn';
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
} from './exp-syn-options';
export { OverloadError, setLimits, stats, type CallEvent, type Limits, type Stats } from './load';
export { ExpSynSession } from './session';
export type { SynapticCurrent } from './state';
export type {
  GatheredEvolution,
  SessionEvolution,
  SessionEvolveOptions,
  SessionFailure,
  SessionOptions,
  SessionRecord,
} from './session';
export {
  Module,
  type AttributeValues,
  type Evolution,
  type ModuleOptions,
  type RasterInput,
} from './module';
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
} from './parameters';
