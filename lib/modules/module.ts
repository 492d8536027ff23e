/** What all modules share: registered attributes, submodules, and evolve(). */
import type { RasterInput } from '../calls/arguments';
import { readShape, type NdArray } from '../arrays/arrays';
import {
  flag,
  outOfRange,
  requireObject,
  text,
  wholeNumber,
  wrongKind,
  wrongType,
} from '../errors/checks';
import { errorWith } from '../errors/error-codes';
import type { Attribute, AttributeKind, AttributeValue } from './parameters';
import { isList } from '../arrays/typed-arrays';

/** Values of attributes by name; those of a submodule are nested under the submodule's name. */
export interface AttributeValues {
  [name: string]: AttributeValue | AttributeValues;
}

/** What a run returns. */
export interface Evolution {
  /** (B, T, sizeOut), of the module's dtype. */
  output: NdArray;
  /** The state after the run; setAttributes() accepts it. */
  state: AttributeValues;
  /** How the run was computed. */
  record: Record<string, unknown>;
}

/** The most synapses, or neurons, of one module. */
const MAX_SIZE = 2 ** 24;

/** The options that all modules have. */
export interface ModuleOptions {
  /** Whether the input is meant to be spikes. Default false. */
  spikingInput?: boolean;
  /** Whether the output is spikes. Default false. */
  spikingOutput?: boolean;
  /** Name of the module. Default ''. */
  name?: string;
}

/**
 * A part of a network with inputs, outputs and registered attributes.
 *
 * A subclass registers its attributes and submodules in its constructor. attributeChanged() is called
 * after every change of an attribute.
 */
export abstract class Module {
  /** (sizeIn, sizeOut), or (N,) where both are N. */
  readonly shape: readonly number[];
  /** Number of inputs. */
  readonly sizeIn: number;
  /** Number of outputs. */
  readonly sizeOut: number;
  /** Whether the input is meant to be spikes. */
  readonly spikingInput: boolean;
  /** Whether the output is spikes. */
  readonly spikingOutput: boolean;
  /** Name of the module. */
  readonly name: string;
  readonly #attributes = new Map<string, Attribute>();
  readonly #modules = new Map<string, Module>();

  /** `shape` is N, [N] or [sizeIn, sizeOut]. */
  constructor(shape: unknown, options: { [Name in keyof ModuleOptions]?: unknown } = {}) {
    const axes = typeof shape === 'number' ? [shape] : readShape(shape, 'shape');
    if (axes.length < 1 || axes.length > 2) {
      throw outOfRange('one or two axes', 'shape', `${axes.length}`);
    }
    axes.forEach((size) => wholeNumber(size, 'shape', 1, MAX_SIZE));
    this.shape = Object.freeze(axes);
    this.sizeIn = axes[0] ?? 0;
    this.sizeOut = axes[1] ?? this.sizeIn;
    const { spikingInput = false, spikingOutput = false, name = '' } = options;
    this.spikingInput = flag(spikingInput, 'spikingInput');
    this.spikingOutput = flag(spikingOutput, 'spikingOutput');
    this.name = text(name, 'name');
    fix(this, ['shape', 'sizeIn', 'sizeOut', 'spikingInput', 'spikingOutput', 'name']);
  }

  /** Runs the module from its state over an input. */
  abstract evolve(input: RasterInput, options?: object): Promise<Evolution>;

  /** The parameters, of one family or all. */
  parameters(family?: string): AttributeValues {
    return this.#collectKind('Parameter', family);
  }

  /** The state, of one family or all. */
  state(family?: string): AttributeValues {
    return this.#collectKind('State', family);
  }

  /** The simulation parameters, of one family or all. */
  simulationParameters(family?: string): AttributeValues {
    return this.#collectKind('SimulationParameter', family);
  }

  /** The attributes of these names, of this module and its submodules. */
  attributesNamed(names: string | readonly string[]): AttributeValues {
    const requested: readonly unknown[] = typeof names === 'string' ? [names] : names;
    if (!isList(requested) || requested.some((name) => typeof name !== 'string')) {
      throw wrongType('a name or an array of names', 'names', names);
    }
    return this.#collect((_, name) => requested.includes(name));
  }

  /**
   * Assigns attributes by name; those of submodules are nested, as state() and evolve() return
   * them. Assigns all or, when one of them is refused, none. Returns the module.
   */
  setAttributes(values: object): this {
    const commits = this.#prepare(values, '');
    for (const commit of commits) commit();
    return this;
  }

  /** Returns the state, also of submodules, to its initial values. */
  resetState(): this {
    return this.#reset('State');
  }

  /** Returns the parameters, also of submodules, to the values that the module was made with. */
  resetParameters(): this {
    return this.#reset('Parameter');
  }

  /** The submodules by name. */
  modules(): Record<string, Module> {
    return Object.fromEntries(this.#modules);
  }

  /** Adds an attribute and gives it its initial value. */
  protected register(name: string, attribute: Attribute): void {
    attribute.reset(name);
    this.#attributes.set(name, attribute);
  }

  /** Adds a submodule. */
  protected registerModule(name: string, module: Module): void {
    this.#modules.set(name, module);
  }

  /** The value of an attribute, in memory of the caller's own. */
  protected read(name: string): AttributeValue {
    return this.#attribute(name).data;
  }

  /** Checks and assigns one attribute. */
  protected assign(name: string, value: unknown): void {
    const attribute = this.#attribute(name);
    const prepared = prepareFor(attribute, value, name);
    this.checkTogether?.(new Map([[name, prepared]]));
    attribute.commit(prepared);
    this.attributeChanged(name);
  }

  /**
   * Throws if attributes that are about to get these values, by name, would not go together. Does nothing
   * unless it is overridden.
   */
  protected checkTogether?(values: ReadonlyMap<string, AttributeValue>): void;

  /** Called after an attribute has got a new value. */
  protected abstract attributeChanged(name: string): void;

  #attribute(name: string): Attribute {
    const attribute = this.#attributes.get(name);
    if (attribute === undefined) {
      const error = new TypeError(`Expected a registered attribute '${name}'.`);
      throw errorWith(error, 'ERR_EXPSYN_INTERNAL');
    }
    return attribute;
  }

  #collectKind(kind: AttributeKind, family: string | undefined): AttributeValues {
    if (family !== undefined) text(family, 'family');
    return this.#collect(
      (attribute) => attribute.kind === kind && (family ?? attribute.family) === attribute.family,
    );
  }

  #collect(isRequested: (attribute: Attribute, name: string) => boolean): AttributeValues {
    const values: AttributeValues = {};
    for (const [name, attribute] of this.#attributes) {
      if (isRequested(attribute, name)) values[name] = attribute.data;
    }
    for (const [name, module] of this.#modules) {
      const nested = module.#collect(isRequested);
      if (Object.keys(nested).length > 0) values[name] = nested;
    }
    return values;
  }

  #prepare(values: unknown, path: string): (() => void)[] {
    const what = path === '' ? 'values' : path;
    requireObject(values, what, 'an object of attributes');
    const own = new Map<string, AttributeValue>();
    const commits = Object.keys(values).flatMap((name) => {
      const value: unknown = Reflect.get(values, name);
      const place = path === '' ? name : `${path}.${name}`;
      const module = this.#modules.get(name);
      if (module !== undefined) return module.#prepare(value, place);
      const attribute = this.#attributes.get(name);
      if (attribute === undefined) {
        const known = [...this.#attributes.keys(), ...this.#modules.keys()].join(', ');
        throw wrongKind(`one of ${known}`, 'the name of an attribute', `'${place}'`);
      }
      const prepared = prepareFor(attribute, value, place);
      own.set(name, prepared);
      return [
        () => {
          attribute.commit(prepared);
          this.attributeChanged(name);
        },
      ];
    });
    this.checkTogether?.(own);
    return commits;
  }

  #reset(kind: AttributeKind): this {
    const attributes = [...this.#attributes].filter(([, attribute]) => attribute.kind === kind);
    const initial = new Map(
      attributes.map(([name, attribute]) => [name, attribute.prepareInitial(name)]),
    );
    this.checkTogether?.(initial);
    for (const [name, attribute] of attributes) {
      const value = initial.get(name);
      if (value !== undefined) attribute.commit(value);
      this.attributeChanged(name);
    }
    for (const module of this.#modules.values()) module.#reset(kind);
    return this;
  }
}

/**
 * Makes properties that are readonly in TypeScript readonly in JavaScript as well: assigning one throws.
 */
export function fix<Type extends object>(object: Type, names: readonly (keyof Type)[]): void {
  for (const name of names) {
    Object.defineProperty(object, name, { writable: false, configurable: false });
  }
}

/** Most attributes keep the shape that they have. */
function prepareFor(attribute: Attribute, value: unknown, name: string): AttributeValue {
  return attribute.prepare(value, name, !attribute.isShapeFree);
}
