/** The paths of a caller's files. */
import { fileURLToPath, URL } from 'node:url';

import { describe, outOfRange, wrongType } from '../errors/checks';

/** Where a file is: a path, or a URL with the scheme file:. */
export type FilePath = string | URL;

/** Checks a path and returns it as a text. */
export function readPath(value: unknown, name: string): string {
  const path = value instanceof URL ? pathOf(value, name) : value;
  if (typeof path !== 'string') throw wrongType('a path or a file: URL', name, value);
  if (path !== '' && !path.includes('\0')) return path;
  throw outOfRange('the path of a file', name, describe(path));
}

function pathOf(url: URL, name: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw outOfRange('a path or a file: URL', name, describe(url.href));
  }
}
