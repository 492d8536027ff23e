/** Runs of arrays that are larger than anything can be: a sentence, and no memory. */
import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';

import { writeNpyFile } from '../../lib/formats/npy/npy';
import { Command, expsyn } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { headerOf, npyOf } from '../support/npy-bytes';

describe('a run into a pipe', () => {
  emptyFolders();

  it('refuses items that the file holds interleaved', async () => {
    const file = npyOf(headerOf('|u1', '(2, 300, 5)', true), new Uint8Array(3000));
    await writeFile('raster.npy', file);
    const { code, err } = await expsyn('raster.npy', '--steps', '50', '--out', '-');
    assert.equal(code, 1);
    assert.match(
      err,
      /^Expected C order in raster\.npy [^\n]* but received Fortran order; [^\n]*\.\n$/,
    );
  });
});

describe('a run that is too large', () => {
  const work = emptyFolders();

  /** A file whose elements take no place on the disk. */
  async function writeSparse(path: string, shape: string, bytes: number): Promise<void> {
    const header = npyOf(headerOf('|u1', shape), new Uint8Array(0));
    await writeFile(path, header);
    await truncate(path, header.length + bytes);
  }

  it('in its channels is refused', async () => {
    await writeSparse('wide.npy', '(1, 5000000000)', 5e9);
    await writeNpyFile('events.npy', { data: Float64Array.of(0.01, 4e9), shape: [1, 2] });
    for (const [args, channels] of [
      [['wide.npy'], '5000000000'],
      [['events.npy', '--events'], '4000000001'],
    ] as const) {
      const { code, err } = await expsyn(...args, '--out', 'isyn.npy', '--no-plot');
      assert.equal(code, 1);
      assert.equal(
        err,
        `Expected at most 16777216 channels for ${args[0]} but received ${channels}.\n`,
      );
    }
  });

  it('in the steps of a block is refused', async () => {
    await writeSparse('long.npy', '(2000000000000, 1)', 2e12);
    const args = ['run', 'long.npy', '--steps', '1e12', '--out', '-'];
    const command = new Command(args, { cwd: work.path });
    assert.deepEqual(await command.ended, { code: 1, signal: null }, command.err);
    assert.match(command.err, /^Expected a block of [^\n]* give fewer with --steps[^\n]*\.\n$/);
  });
});
