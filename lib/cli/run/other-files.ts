/** Keeps a run from writing over what it reads. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';

import { UsageError } from '../../errors/command-errors';
import { folderAbove } from '../../formats/files/complete-file';
import { recognise, storedFormatOf } from '../../formats/registry';
import type { RunRequest } from '../options/run-options';

/** Refuses to write over what is read, or into it, whatever links lead there. */
export async function requireOtherFiles(
  request: RunRequest,
  input: string,
  out: string,
): Promise<void> {
  const read: [what: string, path: string][] = [['the raster', input]];
  for (const { flag, path } of request.parameterFiles) read.push([`the file of ${flag}`, path]);
  const written: [option: string, path: string][] = [['--out', out]];
  const provenancePath = storedFormatOf(request.output.format).provenancePathOf(out);
  if (provenancePath !== out) written.push(['--out', provenancePath]);
  if (request.plotPath !== undefined) written.push(['--plot', request.plotPath]);
  for (const [what, from] of read) {
    const isFolder = (await recognise(from)).input.isFolder === true;
    for (const [option, to] of written) {
      const given = option === '--out' ? request.out : to;
      if ((await identify(from)) === (await identify(to))) {
        throw new UsageError(
          `Expected another file than ${what} for ${option} but received ${given}.`,
        );
      }
      if (isFolder && (await isWithin(to, from))) {
        throw new UsageError(
          `Expected a place outside of ${from}, which is read, for ${option} but received ${given}.`,
        );
      }
    }
  }
}

/** Whether a path leads into a folder. */
async function isWithin(path: string, folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) return false;
  const whole = `${await realpath(folder)}${sep}`;
  return `${await realpath(await folderAbove(path))}${sep}`.startsWith(whole);
}

/** The same text for two names of one file, and for two names that will be one. */
async function identify(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found !== undefined) return `${found.dev}:${found.ino}`;
  const folder = dirname(resolve(path));
  return nameOf(join(await realpath(folder).catch(() => folder), basename(path)));
}

/** The same text for all names of a new file: on Windows and macOS, capitals make no other file. */
export function nameOf(path: string, platform: NodeJS.Platform = process.platform): string {
  return platform === 'win32' || platform === 'darwin' ? path.toLowerCase() : path;
}
