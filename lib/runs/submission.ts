/** The mark in an unfinished run of whom its workers work for: jobs of anybody else are passed over. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { writeCompleteFile } from '../formats/files/complete-file';

function pathIn(folder: string): string {
  return join(folder, 'submission');
}

/** Makes the workers of others stop. */
export async function markSubmission(folder: string, submission: string): Promise<void> {
  await writeCompleteFile(pathIn(folder), [Buffer.from(submission)], { folders: 'require' });
}

/** Makes all workers stop. */
export async function dismissWorkers(folder: string): Promise<void> {
  await rm(pathIn(folder), { force: true });
}

/** Makes the workers of a submission stop, unless they have another one already. */
export async function withdraw(folder: string, submission: string): Promise<void> {
  if (await isCurrent(folder, submission)) await dismissWorkers(folder);
}

/** Whether workers are to go on with a submission. */
export async function isCurrent(folder: string, submission: string): Promise<boolean> {
  const marked = await readFile(pathIn(folder), 'utf8').catch(() => undefined);
  return marked === submission;
}
