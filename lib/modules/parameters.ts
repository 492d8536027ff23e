/** The attributes of a module: what kinds there are, and how a value gets into one. */
import { indexIn, readFloats, type ArrayInput, type NdArray } from '../arrays/arrays';
import { formatShape, outOfRange, wrongType, type Check } from '../errors/checks';
import { errorWith } from '../errors/error-codes';
import { isRevoked } from '../arrays/typed-arrays';
import type { KernelParameter, KernelSamples } from './kernel-definition';

/** What kind of attribute a module has registered. */
export type AttributeKind = 'Parameter' | 'State' | 'SimulationParameter';

/** A value as it is read from a module: always a copy. */
export type AttributeValue = number | string | NdArray;

/** A permitted shape; '*' stands for any size of at least 1. */
export type ShapePattern = readonly (number | '*')[];

/** The initial value of a parameter, or a function of the shape (N,) that makes it. */
export type Initial = ArrayInput | ((shape: readonly number[]) => ArrayInput);

/** What an attribute is made of. */
export interface AttributeDefinition<Value extends AttributeValue = AttributeValue> {
  /** What sort of quantity it is, e.g. 'taus'; attributes of several modules may share it. */
  family?: string;
  /** Shapes that a value may have; a single number or word has shape (). */
  shapes: readonly ShapePattern[];
  /** Makes the value that the attribute starts with, and is reset to. */
  initial: () => unknown;
  /** Checks what was assigned and returns a value that nobody else holds; throws otherwise. */
  cast: Check<Value>;
  /** Copies a value to plain data that nobody else holds; by default its data and shape. */
  copy?(value: Value): AttributeValue;
  /**
   * Whether a parameter may be assigned a value of another of its shapes. By default it keeps the shape that
   * it was made with.
   */
  isShapeFree?: boolean;
}

/**
 * One attribute: data, family, initial function, permitted shapes and cast. Copies in, copies out.
 */
export abstract class Attribute<Value extends AttributeValue = AttributeValue> {
  /** Whether it is a parameter, a part of the state, or a simulation parameter. */
  abstract readonly kind: AttributeKind;
  /** What sort of quantity it is, e.g. 'taus'. */
  readonly family: string | undefined;
  /** The shapes that its value may have. */
  readonly shapes: readonly ShapePattern[];
  readonly #definition: AttributeDefinition<Value>;
  #value: Value | undefined;

  constructor(definition: AttributeDefinition<Value>) {
    this.#definition = definition;
    this.family = definition.family;
    this.shapes = definition.shapes;
  }

  /** The value, in memory of the caller's own. */
  get data(): Value {
    const { current } = this;
    return (this.#definition.copy?.(current) ?? copyOfValue(current)) as Value;
  }

  /** Whether a value may be assigned that has another of the permitted shapes. */
  get isShapeFree(): boolean {
    return this.kind === 'State' || this.#definition.isShapeFree === true;
  }

  /** The shape of the value. */
  get shape(): readonly number[] {
    return shapeOfValue(this.current);
  }

  /** The value itself, for the module that owns the attribute and only reads. */
  get current(): Value {
    if (this.#value === undefined) {
      const error = new Error('Expected an attribute that has been reset once.');
      throw errorWith(error, 'ERR_EXPSYN_INTERNAL');
    }
    return this.#value;
  }

  /**
   * Checks a value and returns it as the attribute would hold it; changes nothing. Its shape must
   * be the present one, or else one of those permitted.
   */
  prepare(value: unknown, name: string, isShapeKept = false): Value {
    const prepared = this.#definition.cast(value, name);
    requireShape(shapeOfValue(prepared), isShapeKept ? [this.shape] : this.shapes, name);
    return prepared;
  }

  /** Takes over a value that prepare() returned. */
  commit(prepared: Value): void {
    this.#value = prepared;
  }

  /** Checks the value of the initial function and returns it; changes nothing. */
  prepareInitial(name: string): Value {
    return this.prepare(this.#definition.initial(), name);
  }

  /** Returns to the value of the initial function. */
  reset(name: string): void {
    this.commit(this.prepareInitial(name));
  }
}

/** What a network would learn, e.g. tau. Keeps the shape that it was made with, unless that is free. */
export class Parameter<Value extends AttributeValue = AttributeValue> extends Attribute<Value> {
  /** Always 'Parameter'. */
  readonly kind = 'Parameter';
}

/** What a run changes, e.g. isyn. */
export class State<Value extends AttributeValue = AttributeValue> extends Attribute<Value> {
  /** Always 'State'. */
  readonly kind = 'State';
}

/** What configures a simulation, e.g. dt. Keeps the shape that it was made with. */
export class SimulationParameter<
  Value extends AttributeValue = AttributeValue,
> extends Attribute<Value> {
  /** Always 'SimulationParameter'. */
  readonly kind = 'SimulationParameter';
}

/** Marks the value of a parameter as not to be learned: it becomes a SimulationParameter. */
export class Constant<Value> {
  constructor(
    /** The value that is marked. */
    readonly value: Value,
  ) {}
}

/** Whether a value is marked so. Safe for any value. */
export function isConstant(value: unknown): value is Constant<unknown> {
  return !isRevoked(value) && value instanceof Constant;
}

/** The definition of an array attribute of floats; each element must pass the check. */
export function floats(
  shapes: readonly ShapePattern[],
  initial: () => unknown,
  check: Check<number>,
): AttributeDefinition<NdArray<Float64Array>> {
  return {
    shapes,
    initial,
    cast: (value, name) => {
      const { data, shape } = readFloats(value, name);
      let index = 0;
      try {
        for (; index < data.length; index++) check(data[index], name);
      } catch (error) {
        if (shape.length > 0) check(data[index], `${name}[${index}]`);
        throw error;
      }
      return { data, shape };
    },
  };
}

/** The definition of an attribute that is one number or word. */
export function single<Value extends number | string>(
  initial: () => unknown,
  cast: Check<Value>,
): AttributeDefinition<Value> {
  return { shapes: [[]], initial, cast };
}

/** An attribute of floats. */
export type FloatsAttribute =
  Parameter<NdArray<Float64Array>> | SimulationParameter<NdArray<Float64Array>>;

/**
 * The attribute for a parameter of a kernel of `size` synapses: what the caller gave, which is no
 * parameter if it is a Constant, or the default for each synapse.
 */
export function makeParameter(
  { name, family, default: each, check }: KernelParameter,
  given: unknown,
  size: number,
): FloatsAttribute {
  const value = isConstant(given) ? given.value : given;
  const initial = value === undefined ? new Float64Array(size).fill(each) : value;
  const definition = {
    ...floats([[size], []], initialFunction(initial, name, size), check),
    family,
  };
  return isConstant(given) ? new SimulationParameter(definition) : new Parameter(definition);
}

/**
 * The attribute for the samples of a kernel of `size` synapses, which the caller has to give. A value of
 * another length may be assigned. They may fill much memory, so that they are copied once only: nobody writes
 * to what an attribute holds, so that the initial value may be the present one.
 */
export function makeSamples(
  { name, family }: KernelSamples,
  given: unknown,
  size: number,
): FloatsAttribute {
  const value = isConstant(given) ? given.value : given;
  if (value === undefined) {
    throw wrongType(`samples of shape (W,) or (W, ${size})`, name, value);
  }
  const kept = typeof value === 'function' ? undefined : readSamples(value, name);
  const definition: AttributeDefinition<NdArray<Float64Array>> = {
    family,
    shapes: [['*'], ['*', size]],
    isShapeFree: true,
    initial: () => kept ?? (value as InitialFunction)(Object.freeze([size])),
    cast: (samples, argument) =>
      kept !== undefined && samples === kept ? kept : readSamples(samples, argument),
  };
  return isConstant(given) ? new SimulationParameter(definition) : new Parameter(definition);
}

function readSamples(value: unknown, name: string): NdArray<Float64Array> {
  const { data, shape } = readFloats(value, name);
  // A loop, because a callback for each element would take much longer.
  for (let index = 0; index < data.length; index++) {
    if (Number.isFinite(data[index])) continue;
    const place = `${name}[${indexIn(shape, index).join(', ')}]`;
    throw outOfRange('finite numbers', shape.length === 0 ? name : place, String(data[index]));
  }
  return { data, shape };
}

type InitialFunction = (shape: readonly number[]) => unknown;

/** Makes the initial value of a parameter from what the caller gave. */
function initialFunction(given: unknown, name: string, size: number): () => unknown {
  if (typeof given === 'function') {
    return () => (given as InitialFunction)(Object.freeze([size]));
  }
  // The caller may change an array later; a reset must not see it.
  const kept = readFloats(given, name);
  return () => kept;
}

function copyOfValue<Value extends AttributeValue>(value: Value): Value {
  if (typeof value !== 'object') return value;
  return { data: value.data.slice(), shape: [...value.shape] } as NdArray as Value;
}

function shapeOfValue(value: AttributeValue): readonly number[] {
  return typeof value === 'object' ? value.shape : [];
}

/** Throws unless a shape matches one of a few patterns. */
export function requireShape(
  shape: readonly number[],
  patterns: readonly ShapePattern[],
  name: string,
): void {
  if (patterns.some((pattern) => matches(shape, pattern))) return;
  const permitted = patterns.map(formatPattern).join(' or ');
  throw outOfRange(`shape ${permitted}`, name, `shape ${formatShape(shape)}`);
}

function matches(shape: readonly number[], pattern: ShapePattern): boolean {
  return (
    shape.length === pattern.length &&
    shape.every((size, axis) => (pattern[axis] === '*' ? size >= 1 : size === pattern[axis]))
  );
}

function formatPattern(pattern: ShapePattern): string {
  return pattern.length === 1 ? `(${pattern[0]},)` : `(${pattern.join(', ')})`;
}

/**
 * Throws unless the first parameter is at most the second, for each synapse. Each has one value, or one for
 * each synapse.
 */
export function requireOrder(
  [lowName, highName]: readonly [string, string],
  [least, most]: readonly (NdArray | undefined)[],
  isAssignment: boolean,
): void {
  if (least === undefined || most === undefined) return;
  const at = ({ data }: NdArray, n: number): number => data[data.length === 1 ? 0 : n] ?? 0;
  for (let n = 0; n < Math.max(least.data.length, most.data.length); n++) {
    const [low, high] = [at(least, n), at(most, n)];
    if (low <= high) continue;
    throw outOfRange(
      `at most the synapse's ${highName}, ${high},`,
      least.data.length === 1 ? lowName : `${lowName}[${n}]`,
      `${low}`,
      isAssignment ? 'to change both, give both to setAttributes()' : undefined,
    );
  }
}
