import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Version of the package. */
export function readVersion(): string {
  const path = join(__dirname, '..', '..', '..', 'package.json');
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return version;
}

/** What makes an output, as its provenance names it. */
export function softwareVersion(): string {
  return `expsyn ${readVersion()}`;
}
