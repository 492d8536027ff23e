/** Folders for the tests of a suite, removed when it has ended, and what is in them. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** A folder for all tests of the suite that calls this; the path is known when they run. */
export function temporaryFolder(): { readonly path: string } {
  const folder = { path: '' };
  before(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'expsyn-test-'));
  });
  after(async () => {
    await rm(folder.path, { recursive: true, force: true, maxRetries: 10 });
  });
  return folder;
}

/** Each test of the suite that calls this runs in an empty folder, which is the current one. */
export function emptyFolders(): { readonly path: string } {
  const folder = { path: '' };
  const home = process.cwd();
  beforeEach(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'expsyn-test-'));
    process.chdir(folder.path);
  });
  afterEach(async () => {
    process.chdir(home);
    await rm(folder.path, { recursive: true, force: true, maxRetries: 10 });
  });
  return folder;
}

/** What is in a file, or in the files of a folder, but for how it was made. */
export async function contentOf(path: string): Promise<string[]> {
  const isFolder = (await stat(path)).isDirectory();
  const names = isFolder ? await readdir(path, { recursive: true }) : [''];
  const contents = names.sort().map(async (name) => {
    const file = join(path, name);
    if (name === 'zarr.json' || (await stat(file)).isDirectory()) return name;
    return `${name} ${createHash('sha256')
      .update(await readFile(file))
      .digest('hex')}`;
  });
  return Promise.all(contents);
}

/** Where an unfinished run has a file; undefined when there is no run, or no such file. */
export function unfinishedFile(out: string, name: string): string | undefined {
  const folder = join(dirname(out), `.${basename(out)}.part`);
  try {
    const text = readFileSync(join(folder, 'job.json'), 'utf8');
    const { content } = JSON.parse(text) as { content: { attempt: string } };
    const path = join(folder, content.attempt, name);
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
