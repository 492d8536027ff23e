/** What console.log() shows of arrays that may be long. */
import { inspect } from 'node:util';

import type { NdArray } from '../arrays/arrays';
import { formatShape } from '../errors/checks';
import type { KernelDefinition } from './kernel-definition';
import type { StateArray } from './state';

/** How many numbers are shown. */
const SHOWN = 4;

/** The shape of an array and its first numbers. */
export function summaryOf({ data, shape }: NdArray): object {
  const first = Array.from(data.subarray(0, SHOWN), (value) => inspect(value));
  const rest = data.length > SHOWN ? [`... ${data.length - SHOWN} more`] : [];
  const text = `${formatShape(shape)} [ ${[...first, ...rest].join(', ')} ]`;
  return { [inspect.custom]: () => text };
}

/** How a variable of the state of a kernel is shown: inputs are too many to be shown all. */
export function showState({ state }: KernelDefinition): (variable: StateArray) => object {
  const isInputs = state.some(({ kind }) => kind === 'inputs');
  return (variable) => (isInputs ? summaryOf(variable) : variable);
}
