/** A Zarr output that replaces another: whatever fails, one of the two has the name. */
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { basename, join } from 'node:path';

import { CommandError } from '../../lib/errors/command-errors';
import { replaceFolder } from '../../lib/formats/files/replace-folder';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { expsyn, succeed } from '../support/command-line';
import { contentOf, emptyFolders } from '../support/folders';

type Rename = typeof fs.rename;

/** Lets some renamings fail while something is done; the others are carried out. */
async function failing(
  isFailing: (from: string, to: string, number: number) => boolean,
  work: () => Promise<void>,
): Promise<void> {
  const rename: Rename = fs.rename;
  let number = 0;
  fs.rename = async (from, to) => {
    if (!isFailing(String(from), String(to), number++)) return rename(from, to);
    throw Object.assign(new Error('EIO: injected'), { code: 'EIO', errno: -5, syscall: 'rename' });
  };
  try {
    await work();
  } finally {
    fs.rename = rename;
  }
}

describe('replaceFolder', () => {
  const current = emptyFolders();

  async function folder(name: string, content: string): Promise<string> {
    const path = join(current.path, name);
    await fs.mkdir(path);
    await fs.writeFile(join(path, 'file'), content);
    return path;
  }

  const read = async (path: string): Promise<string> => fs.readFile(join(path, 'file'), 'utf8');

  it('gives the name, whether another folder has it or not', async () => {
    const target = join(current.path, 'out');
    await replaceFolder(await folder('first', '1'), target, join(current.path, 'aside'));
    assert.equal(await read(target), '1');
    await replaceFolder(await folder('second', '2'), target, join(current.path, 'aside'));
    assert.equal(await read(target), '2');
    assert.equal(await read(join(current.path, 'aside')), '1');
  });

  it('leaves everything where it was when either renaming fails', async () => {
    const target = await folder('out', 'old');
    const made = await folder('made', 'new');
    for (const failed of [0, 1]) {
      await failing(
        (_from, _to, number) => number === failed,
        async () => {
          const replacing = replaceFolder(made, target, join(current.path, 'aside'));
          await assert.rejects(replacing, { code: 'EIO' });
        },
      );
      assert.equal(await read(target), 'old');
      assert.equal(await read(made), 'new');
      assert.deepEqual((await fs.readdir(current.path)).sort(), ['made', 'out']);
    }
  });

  it('says where the folder is that cannot be moved back', async () => {
    const target = await folder('out', 'old');
    const aside = join(current.path, 'aside');
    const made = await folder('made', 'new');
    await failing(
      (_from, _to, number) => number > 0,
      async () => {
        await assert.rejects(replaceFolder(made, target, aside), (error) => {
          assert.ok(error instanceof CommandError);
          assert.ok(error.message.endsWith(`; rename ${aside} to ${target}.`), error.message);
          return true;
        });
      },
    );
    assert.equal(await read(aside), 'old');
    assert.equal(await read(made), 'new');
  });
});

describe('a Zarr output that replaces another', () => {
  emptyFolders();

  async function makeOld(): Promise<string[]> {
    await writeNpyFile('in.npy', { data: new Uint8Array(200).fill(1), shape: [100, 2] });
    await succeed('run', 'in.npy', '--out', 'out.zarr', '--tau', '10ms', '--no-plot');
    return contentOf('out.zarr');
  }

  const again = ['run', 'in.npy', '--out', 'out.zarr', '--tau', '30ms', '--no-plot'];
  const toOutput = (from: string, to: string): boolean =>
    basename(to) === 'out.zarr' && from.endsWith('data.zarr');

  it('leaves the old one, and a run that can be resumed, when it cannot get the name', async () => {
    const old = await makeOld();
    await failing(toOutput, async () => {
      const { code, err } = await expsyn(...again);
      assert.equal(code, 1);
      assert.match(err, /^Could not write .*out\.zarr: .*\n$/);
    });
    assert.deepEqual(await contentOf('out.zarr'), old);
    await succeed(...again, '--resume');
    assert.notDeepEqual(await contentOf('out.zarr'), old);
  });

  it('gets its name back from a run that was killed while it had none, when that is restarted', async () => {
    const old = await makeOld();
    // As after a kill: neither the new output nor the old one can be renamed.
    await failing(
      (from, to) =>
        basename(to) === 'out.zarr' && (toOutput(from, to) || from.endsWith('replaced')),
      async () => {
        const { err } = await expsyn(...again);
        assert.match(err, /; rename .*replaced to .*out\.zarr; 100 % of /);
      },
    );
    assert.ok(!(await fs.readdir('.')).includes('out.zarr'));
    // A restarted run that fails must not take the old output with it.
    await failing(
      (from, to) => toOutput(from, to),
      async () => {
        assert.equal((await expsyn(...again, '--restart')).code, 1);
      },
    );
    assert.deepEqual(await contentOf('out.zarr'), old);
  });
});
