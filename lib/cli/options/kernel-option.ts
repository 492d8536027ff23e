/** The flag --kernel: the name of a kernel, or a file of its samples. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { formatShape } from '../../errors/checks';
import { CommandError, UsageError } from '../../errors/command-errors';
import { fileError } from '../../errors/system-errors';
import { hasEnding } from '../../formats/format';
import { arrayFormats } from '../../formats/registry';
import { encodeArray, type EncodedArray } from '../../modules/json';
import type { KernelDefinition } from '../../modules/kernel-definition';
import { kernelNamed, KERNELS } from '../../modules/kernels';
import type { KernelFile } from '../../runs/job';
import { alternatives } from './wording';

/** A job holds the samples, as text, which may not become longer than the longest string. */
const MOST_SAMPLES = 2 ** 23;

/** The kernel that was given. */
export interface GivenKernel {
  /** In the registry. */
  name: string;
  /** Where it is its samples: these, and the file that they were read from. */
  samples?: EncodedArray;
  file?: KernelFile;
}

/** The kernels that have a name on the command line; the others are given by a file of samples. */
export const NAMED_KERNELS: readonly KernelDefinition[] = KERNELS.filter(
  ({ samples }) => samples === undefined,
);

/** The kernel of samples. */
const OF_SAMPLES = KERNELS.find(({ samples }) => samples !== undefined);

/** The endings of files of samples. */
export function kernelFileEndings(): string[] {
  return arrayFormats().flatMap(({ endings }) => endings);
}

/** The values of the flag in words, as errors and the help have them. */
export function kernelChoices(): string {
  const names = NAMED_KERNELS.map(({ name }) => name);
  return alternatives([...names, `a ${alternatives(kernelFileEndings())} file of samples`]);
}

/** All kernels, a line for each: its value on the command line and its formula. */
export function describeKernels(): string {
  return KERNELS.map(({ name, samples, description }) => {
    const value = samples === undefined ? name : `FILE${kernelFileEndings()[0] ?? ''}`;
    return `  --kernel ${value.padEnd(10)}  ${description}`;
  }).join('\n');
}

/** Whether the value of the flag names a file. */
export function isKernelFile(text: string): boolean {
  return hasEnding(text, kernelFileEndings());
}

/** Reads the value of the flag, and the file that it names. */
export async function readKernel(text: string): Promise<GivenKernel> {
  const named = NAMED_KERNELS.find(({ name }) => name === text);
  if (named !== undefined) return { name: named.name };
  const format = arrayFormats().find(({ endings }) => hasEnding(text, endings));
  if (format === undefined || OF_SAMPLES === undefined) {
    throw new UsageError(`Expected ${kernelChoices()} for --kernel but received '${text}'.`);
  }
  const { data, shape } = await format.readArray(text);
  requireShape(shape, text);
  const samples = Array.from<number | bigint, number>(data, Number);
  const wrong = samples.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    const [, columns] = shape;
    const place =
      columns === undefined ? `${wrong}` : `${Math.floor(wrong / columns)}, ${wrong % columns}`;
    throw new CommandError(
      `Expected finite samples in ${text} for --kernel but received ${samples[wrong]} at [${place}].`,
    );
  }
  // One column is for all channels, as no second axis is.
  const own = shape[1] === 1 ? shape.slice(0, 1) : [...shape];
  return {
    name: OF_SAMPLES.name,
    samples: encodeArray({ data: Float64Array.from(samples), shape: own }),
    file: { path: resolve(text), sha256: await digestOf(text) },
  };
}

function requireShape(shape: readonly number[], path: string): void {
  const [length = 0, columns = 1] = shape;
  const isShape = shape.length === 1 || shape.length === 2;
  if (!isShape || length === 0 || columns === 0) {
    throw new CommandError(
      `Expected samples of shape (W,) or (W, N), with W and N above 0, in ${path} for --kernel but received ` +
        `shape ${formatShape(shape)}.`,
    );
  }
  if (length * columns <= MOST_SAMPLES) return;
  throw new CommandError(
    `Expected at most ${MOST_SAMPLES} samples in ${path} for --kernel but received shape ${formatShape(shape)}.`,
  );
}

async function digestOf(path: string): Promise<string> {
  try {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** A kernel in an error, as it is given. */
export function describeKernelFlag(name: string): string {
  return kernelNamed(name).samples === undefined ? `--kernel ${name}` : 'a file for --kernel';
}
