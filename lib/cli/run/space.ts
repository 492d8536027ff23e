import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

import { CommandError } from '../../errors/command-errors';
import { storedFormatOf } from '../../formats/registry';
import { layoutOf, UnfinishedRun } from '../../runs/unfinished-run';
import { requireNearOrigin } from '../notes/event-notes';
import { formatBytes } from '../options/numbers';
import type { Prepared } from './prepare';

/** Refuses an output for which the disk has no room, before days of work. */
export async function requireSpace(prepared: Prepared, out: string, name: string): Promise<void> {
  const { source, job, inputPath } = prepared;
  const { format, compression } = job.output;
  const needed = storedFormatOf(format).sizeOf(layoutOf(job), compression);
  if (needed === undefined) return;
  let folder = dirname(out);
  let space = await statfs(folder).catch(() => undefined);
  while (space === undefined && dirname(folder) !== folder) {
    folder = dirname(folder);
    space = await statfs(folder).catch(() => undefined);
  }
  if (space === undefined) return;
  // The unfinished run that it replaces is removed first.
  const available = space.bavail * space.bsize + (await UnfinishedRun.bytesOnDisk(out));
  if (available >= needed) return;
  requireNearOrigin(source, { input: job.input, dt: job.settings.dt, name: inputPath });
  throw new CommandError(
    `Expected ${formatBytes(needed)} of free space for ${name} but its disk has ` +
      `${formatBytes(available)}; free some, or give another --out.`,
  );
}
