/** Replaces folders by others. */
import { CommandError } from '../../errors/command-errors';
import { isThere } from './complete-file';
import { rename } from './patience';

/**
 * Gives a folder a name that another folder may have. The other one is moved aside first, since renaming
 * cannot replace a folder that is not empty. If renaming fails, the other one gets its name back.
 *
 * @param aside Where there is nothing, on the same disk.
 * @throws The system's error when nothing has changed; CommandError, which says where the other folder
 * is, when it cannot be moved back either.
 */
export async function replaceFolder(folder: string, target: string, aside: string): Promise<void> {
  if (!(await isThere(target))) {
    await rename(folder, target);
    return;
  }
  await rename(target, aside);
  try {
    await rename(folder, target);
  } catch (error) {
    try {
      await rename(aside, target);
    } catch {
      throw new CommandError(
        `Expected to replace ${target} but it could not be written, nor what was there be put back; ` +
          `rename ${aside} to ${target}.`,
        { cause: error },
      );
    }
    throw error;
  }
}
