/** Python as the other side of the tests of Zarr: see zarr_v3.py and zarr_codecs.py. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { openZarrSource } from '../../lib/formats/zarr/zarr';
import { readNpyFile, type NpyArray } from '../../lib/formats/npy/npy';
import { isCommandError } from './command-errors';
import { temporaryFolder } from './folders';
import { PYTHON } from './python';

/** What Python does for the tests of a suite, in a folder of the suite's. */
export interface ZarrPython {
  /** A path in the suite's folder at which there is nothing. */
  newPath(ending?: string): string;
  /** Lets Python do something; it takes one request after the other. */
  ask(request: Record<string, unknown>): Promise<void>;
  /** Writes an array of format 2 or 3. */
  write(
    format: 2 | 3,
    shape: readonly number[],
    dtype: string,
    options: Record<string, unknown>,
  ): Promise<{ path: string; array: NpyArray }>;
}

/** Starts Python for the suite that calls this. */
export function zarrPython(script: 'zarr_v3.py' | 'zarr_codecs.py'): ZarrPython {
  const folder = temporaryFolder();
  let python: ChildProcessWithoutNullStreams;
  let answers: AsyncIterator<string>;
  let nNames = 0;
  before(() => {
    python = spawn(PYTHON, [join(__dirname, script)]);
    python.stderr.pipe(process.stderr);
    answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  });
  after(() => {
    python.stdin.end();
  });
  const newPath = (ending = ''): string => join(folder.path, `${nNames++}${ending}`);
  const ask = async (request: Record<string, unknown>): Promise<void> => {
    python.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await answers.next();
    assert.equal(answer.done, false, 'Python has ended');
    assert.equal(JSON.parse(answer.value), 'ok');
  };
  const write: ZarrPython['write'] = async (format, shape, dtype, options) => {
    const npy = newPath('.npy');
    await ask({ do: 'make', shape, dtype, npy });
    const path = newPath('.zarr');
    await ask({ do: `write${format}`, folder: path, npy, options });
    return { path, array: await readNpyFile(npy) };
  };
  return { newPath, ask, write };
}

/** All elements of an array. */
export async function readZarr(location: string): Promise<NpyArray['data']> {
  const source = await openZarrSource(location);
  const [batches, steps, channels] = source.shape.map((end) => ({ begin: 0, end }));
  assert.ok(batches && steps && channels);
  return (await source.read({ batches, steps, channels })) as NpyArray['data'];
}

export async function checkElements(location: string, { data }: NpyArray): Promise<void> {
  const read = await readZarr(location);
  assert.equal(read.constructor, data.constructor);
  assert.deepEqual(read, data);
}

export async function refuses(location: string, pattern: RegExp): Promise<void> {
  await assert.rejects(readZarr(location), isCommandError(pattern));
}

/** Changes the text of an array's document. */
export async function editText(
  path: string,
  edit: (text: string) => string,
  name = 'zarr.json',
): Promise<void> {
  await writeFile(join(path, name), edit(await readFile(join(path, name), 'utf8')));
}

/** Changes members of an array's document; undefined removes them. */
export async function editMembers(
  path: string,
  members: Record<string, unknown>,
  name = 'zarr.json',
): Promise<void> {
  await editText(
    path,
    (text) => JSON.stringify({ ...(JSON.parse(text) as Record<string, unknown>), ...members }),
    name,
  );
}
