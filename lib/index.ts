/** The public names. */
export type { ArrayInput, NdArray, NestedArray } from './arrays';
export type { TypedArray } from './typed-arrays';
export {
  ExpSyn,
  type Compatibility,
  type Dtype,
  type EvolveOptions,
  type ExpSynEvolution,
  type ExpSynJson,
  type ExpSynOptions,
  type ExpSynRecord,
  type ExpSynState,
  type Initial,
  type Method,
  type NoisePlacement,
  type NonFinitePolicy,
} from './exp-syn';
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
