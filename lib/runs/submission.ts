/** The file in an unfinished run that names the current submission. Workers ignore jobs of any other. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { writeCompleteFile } from '../formats/files/complete-file';

function pathIn(folder: string): string {
  return join(folder, 'submission');
}

/** Names the current submission, which makes the workers of any other stop. */
export async function markSubmission(folder: string, submission: string): Promise<void> {
  await writeCompleteFile(pathIn(folder), [Buffer.from(submission)], { folders: 'own' });
}

/** Makes all workers stop. */
export async function dismissWorkers(folder: string): Promise<void> {
  await rm(pathIn(folder), { force: true });
}

/** Makes the workers of a submission stop, if it is the current one. */
export async function withdraw(folder: string, submission: string): Promise<void> {
  if (await isCurrent(folder, submission)) await dismissWorkers(folder);
}

/** Whether a submission is the current one, so that workers continue. */
export async function isCurrent(folder: string, submission: string): Promise<boolean> {
  const marked = await readFile(pathIn(folder), 'utf8').catch(() => undefined);
  return marked === submission;
}
