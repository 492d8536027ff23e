/** Numbers as people write and read them. */
import { UsageError } from '../../errors/command-errors';

/** A large number in words: 39.1 million. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return 'very many';
  const [size, word] =
    count >= 1e9 ? [1e9, ' billion'] : count >= 1e6 ? [1e6, ' million'] : [1, ''];
  return `${Number((count / size).toPrecision(3)).toLocaleString('en')}${word}`;
}

/** 3.84 MB. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

/** Reads the value of a flag that takes a count. */
export function readCount(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  // Number() also takes hexadecimal digits and spaces.
  const value = /^\+?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(`Expected a whole number above 0 for ${name} but received '${text}'.`);
}
