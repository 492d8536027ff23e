/**
 * The kernels by name. This table needs no addon, so the command line's help and the plans of runs read
 * it.
 */
import { outOfRange } from '../errors/checks';
import { EXPONENTIAL } from './exponential';
import type { KernelDefinition } from './kernel-definition';

/** The default first. */
export const KERNELS: readonly [KernelDefinition, ...KernelDefinition[]] = [EXPONENTIAL];

export function kernelNamed(name: string): KernelDefinition {
  const found = KERNELS.find((kernel) => kernel.name === name);
  if (found !== undefined) return found;
  const known = KERNELS.map((kernel) => `'${kernel.name}'`).join(' or ');
  throw outOfRange(known, 'kernel', `'${name}'`);
}
