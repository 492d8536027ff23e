/** Makes modules from what toJSON() returned. */
import type { Dtype } from '../arrays/element-types';
import { isList } from '../arrays/typed-arrays';
import { wholeNumber, wrongType } from '../errors/checks';
import { decodeNumbers, readJson } from './json';
import { decodeGroup } from './saved-group';
import { parameterNamesOf, type KernelDefinition } from './kernel-definition';
import { OPTION_NAMES, optionsOf } from './options';
import { Constant } from './parameters';
import type { Size, Synapses } from './synapses';

/** A class of synapses whose modules can be restored. */
export interface SynapsesClass<Module extends Synapses<Dtype> = Synapses<Dtype>> {
  readonly definition: KernelDefinition;
  new (size: Size, options: object): Module;
}

/**
 * The module that toJSON() described, given its result or the text of it. resetParameters() of the new
 * module returns to the parameters of that moment.
 */
export function restoreSynapses<Module extends Synapses<Dtype>>(
  Class: SynapsesClass<Module>,
  json: unknown,
): Module {
  const { className, state } = Class.definition;
  const table = optionsOf(Class.definition);
  const parameterNames = parameterNamesOf(Class.definition);
  const variableNames = state.map(({ name }) => name);
  const saved = readJson(json, className, [
    'size',
    'constants',
    ...OPTION_NAMES,
    ...parameterNames,
    ...variableNames,
    'step',
  ]);
  const numbers = (name: string) => decodeNumbers(saved[name], `json.${name}`);
  const { constants } = saved;
  if (!isList(constants)) throw wrongType('an array of names', 'json.constants', constants);
  const options: Record<string, unknown> = {};
  for (const name of parameterNames) {
    options[name] = constants.includes(name) ? new Constant(numbers(name)) : numbers(name);
  }
  for (const name of OPTION_NAMES) {
    options[name] = table[name].type === 'number' ? numbers(name) : saved[name];
  }
  // A state with a NaN may have arisen under another policy.
  options['nonFinite'] = 'propagate';
  const module = new Class(wholeNumber(saved['size'], 'json.size', 1), options);
  const variables = variableNames.map((name) => [name, numbers(name)] as const);
  module.setAttributes({ ...Object.fromEntries(variables), step: saved['step'] });
  module.setAttributes({ nonFinite: saved['nonFinite'] });
  module.restoreGroup(decodeGroup(saved['group'], module.step, module.sizeOut));
  return module;
}
