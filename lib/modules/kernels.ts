/**
 * The registry of kernels: what TypeScript knows of each, by name. It needs no addon, so that the command
 * line's help works without it.
 */
import { outOfRange } from '../errors/checks';
import { ALPHA, DOUBLE_EXPONENTIAL } from './biexponential';
import { EXPONENTIAL } from './exponential';
import { FINITE_RESPONSE } from './finite-response';
import type { KernelDefinition } from './kernel-definition';

/** All kernels. Runs on files use the first unless they are told otherwise. */
export const KERNELS: readonly [KernelDefinition, ...KernelDefinition[]] = [
  EXPONENTIAL,
  ALPHA,
  DOUBLE_EXPONENTIAL,
  FINITE_RESPONSE,
];

export function kernelNamed(name: string): KernelDefinition {
  const found = KERNELS.find((kernel) => kernel.name === name);
  if (found !== undefined) return found;
  const known = KERNELS.map((kernel) => `'${kernel.name}'`).join(' or ');
  throw outOfRange(known, 'kernel', `'${name}'`);
}
