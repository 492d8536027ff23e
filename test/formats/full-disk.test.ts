/** Disks that take no more files: the reason is named, and what is done is kept. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CommandError } from '../../lib/errors/command-errors';
import { fileError, systemError } from '../../lib/errors/system-errors';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { Command, expsyn, succeed } from '../support/command-line';
import { contentOf, emptyFolders } from '../support/folders';

describe('a disk without inodes', function () {
  const work = emptyFolders();

  this.timeout(120_000);

  /** Mounts a file system in memory while something is done in it; skips where that cannot be. */
  async function onDisk(
    context: Mocha.Context,
    options: string,
    use: (disk: string) => Promise<void>,
  ): Promise<void> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) context.skip();
    const disk = join(work.path, 'disk');
    await mkdir(disk, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      context.skip();
    }
    try {
      await use(disk);
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  }

  async function writeRaster(): Promise<void> {
    const data = Uint8Array.from({ length: 6400 }, (_, index) => (index % 7 === 0 ? 1 : 0));
    await writeNpyFile('raster.npy', { data, shape: [800, 8] });
  }

  for (const ending of ['npy', 'zarr']) {
    it(`is named as the reason wherever a run into .${ending} meets it, and resumed later`, async function () {
      await writeRaster();
      const flags = ['raster.npy', '--no-plot', '--steps', '100'];
      await succeed(...flags, '--out', `expected.${ending}`);
      let failures = 0;
      for (let inodes = 2; inodes < 40; inodes++) {
        await onDisk(this, `size=8m,nr_inodes=${inodes}`, async (disk) => {
          const out = join(disk, `isyn.${ending}`);
          const { code, err } = await expsyn(...flags, '--out', out);
          if (code === 0) return;
          failures++;
          assert.equal(code, 1);
          assert.match(
            err,
            /^Could not write \S+: no inodes are left on its disk, which [^\n]*\.\n$/,
          );
          execFileSync('mount', ['-o', 'remount,nr_inodes=1000', disk]);
          await succeed(...flags, '--out', out, '--resume');
          assert.deepEqual(await contentOf(out), await contentOf(`expected.${ending}`));
        });
      }
      assert.ok(failures > 3, `${failures} failures`);
    });
  }

  it('is named when it is met by a picture, and nothing is left behind', async function () {
    await writeRaster();
    await succeed('raster.npy', '--out', 'isyn.npy');
    await onDisk(this, 'size=8m,nr_inodes=3', async (disk) => {
      await writeFile(join(disk, 'one'), '');
      await writeFile(join(disk, 'two'), '');
      for (const ending of ['svg', 'png']) {
        const out = join(disk, `a.${ending}`);
        const { code, err } = await expsyn('plot', 'isyn.npy', '--out', out);
        assert.equal(code, 1);
        assert.match(err, /^Could not write \S+: no inodes are left on its disk/);
        assert.deepEqual((await readdir(disk)).sort(), ['one', 'two']);
      }
      await rm(join(disk, 'one'));
      await succeed('plot', 'isyn.npy', '--out', join(disk, 'a.svg'));
    });
  });

  it('is not taken for one without space', async function () {
    await onDisk(this, 'size=64k,nr_inodes=100', async (disk) => {
      const path = join(disk, 'a.npy');
      await assert.rejects(
        writeNpyFile(path, { data: new Uint8Array(1e6), shape: [1e6] }),
        (error: Error) => {
          assert.equal(error.message, `Could not write ${path}: no space is left on its disk.`);
          return true;
        },
      );
    });
  });
});

describe('errors of the system', () => {
  function failure(code: string, syscall: string, path?: string): Error {
    return Object.assign(new Error(code), { code, syscall, ...(path !== undefined && { path }) });
  }

  const reasons: [code: string, reason: RegExp][] = [
    ['EDQUOT', /the disk quota, of bytes or of files, is used up/],
    ['EROFS', /its disk is read-only/],
    ['ESTALE', /the network file system no longer has it/],
    ['ENOMEM', /the memory is used up/],
    ['EWHATEVER', /the operating system says EWHATEVER/],
  ];
  for (const [code, reason] of reasons) {
    it(`are told as a sentence: ${code}`, () => {
      const told = fileError('write', 'a.npy', failure(code, 'write'));
      assert.ok(told instanceof CommandError);
      assert.match(told.message, reason);
      assert.match(told.message, /^Could not write a\.npy: [^\n]*\.$/);
    });
  }

  it('name inodes only where a file or folder could not be made', () => {
    const message = (syscall: string): string =>
      (fileError('write', 'a.npy', failure('ENOSPC', syscall)) as Error).message;
    for (const syscall of ['write', 'fsync', 'ftruncate']) {
      assert.equal(message(syscall), 'Could not write a.npy: no space is left on its disk.');
    }
  });

  it('say that either is used up where the disk does not tell', function () {
    // A file system that counts no inodes.
    if (process.platform !== 'linux') this.skip();
    const told = fileError('write', 'a', failure('ENOSPC', 'open', '/proc/no-such/file')) as Error;
    assert.equal(told.message, 'Could not write a: no space or no inodes are left on its disk.');
  });

  it('do not end a run whose log cannot be written', async function () {
    if (!existsSync('/dev/full')) this.skip();
    const folder = await mkdtemp(join(tmpdir(), 'expsyn-log-'));
    try {
      const raster = join(folder, 'raster.npy');
      await writeNpyFile(raster, { data: new Uint8Array(1200), shape: [400, 3] });
      // Its tau is one that something is said about.
      const args = ['run', raster, '--tau', '20', '--no-plot', '--out', join(folder, 'isyn.npy')];
      const command = ['sh', '-c', 'exec "$@" 2>/dev/full', 'sh'];
      const { ended } = new Command(args, { cwd: folder, command });
      assert.deepEqual(await ended, { code: 0, signal: null });
      assert.ok(existsSync(join(folder, 'isyn.npy')));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('are told wherever they come from', () => {
    assert.equal(
      systemError(failure('EIO', 'scandir', '/root/a'))?.message,
      'Could not read /root/a: the disk reported an input or output error.',
    );
    assert.equal(
      systemError(failure('EDQUOT', 'mkdir', '/home/a'))?.message,
      'Could not write /home/a: the disk quota, of bytes or of files, is used up.',
    );
    assert.equal(systemError(new TypeError('no')), undefined);
    assert.equal(systemError('no'), undefined);
  });
});
