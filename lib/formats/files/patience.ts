/** What Windows needs where other systems let a file be replaced while somebody has it open. */
import { rename as renameOnce } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { hasCode } from '../../errors/system-errors';

/**
 * How Windows refuses to replace, rename or make a file while another program, such as a virus scanner or
 * a reader of the file, has it open, or after it was removed while it was open.
 */
const BUSY = ['EPERM', 'EACCES', 'EBUSY'];
/** Milliseconds to the first further attempt. Each further pause is twice as long. */
const FIRST_PAUSE = 10;
/** Attempts, over about 2.5 seconds: those that open files of others for a moment take less. */
const MOST_ATTEMPTS = 9;

/**
 * Does something to a file. If Windows says that the file is in use, tries again for a few seconds.
 *
 * @throws The error of the last attempt.
 */
export async function patiently<Result>(
  work: () => Promise<Result>,
  platform: NodeJS.Platform = process.platform,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isBusy = platform === 'win32' && hasCode(error, ...BUSY);
      if (!isBusy || attempt === MOST_ATTEMPTS) throw error;
      await sleep(FIRST_PAUSE * 2 ** (attempt - 1));
    }
  }
}

/** Renames a file or folder, in place of any other file; see patiently(). */
export async function rename(from: string, to: string): Promise<void> {
  await patiently(async () => renameOnce(from, to));
}
