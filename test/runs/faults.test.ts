/** Runs whose input or disk fails. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  appendFile,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { lockFolder } from '../../lib/runs/lock';
import { encodeHeader } from '../../lib/formats/npy/header';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { Command, expsyn, succeed } from '../support/command-line';
import { contentOf, emptyFolders, unfinishedFile } from '../support/folders';
import { spikes } from '../support/oracle';
import { PYTHON } from '../support/python';

describe('a run that meets a fault', function () {
  const work = emptyFolders();

  this.timeout(60_000);

  it('names the place of a value that is refused, and keeps what was done', async () => {
    const [timesteps, size] = [200_000, 8];
    const data = new Float32Array(timesteps * size);
    data[190_000 * size + 5] = NaN;
    await writeNpyFile('raster.npy', { data, shape: [timesteps, size] });
    const flags = ['--steps', '100', '--no-plot', '--out', 'isyn.npy', '--threads', '1'];
    const { code, err } = await expsyn('raster.npy', ...flags);
    assert.equal(code, 1);
    assert.match(err, /NaN at \[190000, 5\]; give --non-finite propagate/);
    assert.match(err, /95 % of isyn\.npy are done and kept/);
    const again = await expsyn('raster.npy', ...flags, '--resume');
    assert.match(again.err, /NaN at \[190000, 5\]/);
    await succeed('raster.npy', ...flags, '--resume', '--non-finite', 'propagate');
    const propagate = ['--non-finite', 'propagate', '--out', 'expected.npy'];
    await succeed('raster.npy', ...flags, ...propagate);
    assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
  });

  it('ends when the input becomes shorter on the way', async () => {
    const data = new Uint8Array(400_000 * 8);
    await writeNpyFile('raster.npy', { data, shape: [400_000, 8] });
    for (;;) {
      await copyFile('raster.npy', 'short.npy');
      const flags = ['--steps', '100', '--no-plot', '--threads', '1', '--restart'];
      const command = new Command(['run', 'short.npy', ...flags, '--out', 'isyn.npy'], {
        cwd: work.path,
      });
      while (
        unfinishedFile('isyn.npy', 'shards/0.json') === undefined &&
        command.child.exitCode === null
      )
        await sleep(5);
      await truncate('short.npy', 100_000);
      const { code } = await command.ended;
      if (code === 0) continue;
      assert.equal(code, 1);
      assert.match(
        command.err,
        /^Could not read short\.npy: it became shorter; \d+ % of isyn\.npy are done/,
      );
      assert.ok(!existsSync('isyn.npy'));
      return;
    }
  });

  it('names a chunk that cannot be read, and goes on when it can be', async () => {
    const [chunks, steps, size] = [40, 1000, 8];
    const data = spikes(chunks * steps * size, 0.1, 6);
    await writeNpyFile('raster.npy', { data, shape: [chunks * steps, size] });
    await mkdir('raster.zarr/c', { recursive: true });
    const grid = { name: 'regular', configuration: { chunk_shape: [steps, size] } };
    await writeFile(
      'raster.zarr/zarr.json',
      JSON.stringify({
        zarr_format: 3,
        node_type: 'array',
        shape: [chunks * steps, size],
        data_type: 'uint8',
        chunk_grid: grid,
        chunk_key_encoding: { name: 'default' },
        fill_value: 0,
        codecs: [{ name: 'bytes' }],
        attributes: {},
      }),
    );
    for (let c = 0; c < chunks; c++) {
      await mkdir(`raster.zarr/c/${c}`);
      const chunk = data.subarray(c * steps * size, (c + 1) * steps * size);
      await writeFile(`raster.zarr/c/${c}/0`, Uint8Array.from(chunk));
    }
    const flags = ['--steps', '1000', '--no-plot', '--dtype', 'float64'];
    await succeed('raster.npy', ...flags, '--out', 'expected.npy');

    await truncate('raster.zarr/c/29/0', 5000);
    const { code, err } = await expsyn('raster.zarr', ...flags, '--out', 'isyn.npy');
    assert.equal(code, 1);
    assert.match(err, /^Could not read chunk \(29, 0\) of raster\.zarr: it holds 5000 bytes/);
    assert.match(err, /\d+ % of isyn\.npy are done and kept/);
    assert.ok(!existsSync('isyn.npy'));
    const chunk = data.subarray(29 * steps * size, 30 * steps * size);
    await writeFile('raster.zarr/c/29/0', Uint8Array.from(chunk));
    const resume = ['raster.zarr', ...flags, '--out', 'isyn.npy', '--resume'];
    const refused = await expsyn(...resume);
    assert.match(
      refused.err,
      /raster\.zarr has changed since; give it as it was, or --input-repaired too if it differs only/,
    );
    assert.match((await expsyn(...resume, '--input-repaired', '--tau', '9ms')).err, /its --tau is/);
    await succeed(...resume, '--input-repaired');
    assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
    assert.match(await succeed('info', 'isyn.npy'), /repaired while the run was unfinished/);
  });

  it('refuses at once what the disk has no room for', async () => {
    await writeFile('huge.npy', '');
    const shape = '(1000000000, 100000)';
    const header = `{'descr': '|u1', 'fortran_order': False, 'shape': ${shape}, }`;
    const text = header + ' '.repeat(117 - header.length) + '\n';
    const length = Buffer.alloc(2);
    length.writeUInt16LE(text.length);
    await appendFile(
      'huge.npy',
      Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(text)]),
    );
    // A file with holes: it takes no room.
    await truncate('huge.npy', 10 + text.length + 1e14).catch(() => undefined);
    const { size } = await stat('huge.npy');
    const { code, err } = await expsyn('huge.npy', '--out', 'isyn.npy', '--no-plot');
    assert.equal(code, 1);
    if (size > 1e14)
      assert.match(err, /^Expected 800 TB of free space for isyn\.npy but its disk has/);
    else assert.match(err, /not complete/);
  });

  it('refuses chunks that are too large before it begins', async () => {
    const header = encodeHeader('|u1', [300_000_000, 1]);
    await writeFile('long.npy', header);
    // A file with holes: it takes no room.
    await truncate('long.npy', header.length + 300_000_000);
    const args = ['long.npy', '--steps', '300000000', '--no-plot', '--out', 'isyn.zarr'];
    const { code, err } = await expsyn(...args);
    assert.equal(code, 2);
    assert.match(err, /^Expected chunks of less than 2 GiB for --out but .* --steps, or .*\.\n$/);
    assert.deepEqual(await readdir('.'), ['long.npy']);
  });

  it('keeps what was done when the disk is full, and goes on when there is room', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const disk = join(work.path, 'disk');
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
    } catch {
      this.skip();
    }
    try {
      const data = spikes(200_000 * 8, 0.1, 5);
      await writeNpyFile('raster.npy', { data, shape: [200_000, 8] });
      const flags = ['--no-plot', '--steps', '1000', '--threads', '1'];
      await succeed('raster.npy', ...flags, '--out', 'expected.npy');
      // Room for it when it begins, which another takes on the way.
      const out = join('disk', 'isyn.npy');
      const filler = join(disk, 'filler');
      for (;;) {
        const command = new Command(['run', 'raster.npy', ...flags, '--out', out, '--restart'], {
          cwd: work.path,
        });
        while (
          !existsSync(join(disk, '.isyn.npy.part', 'job.json')) &&
          command.child.exitCode === null
        )
          await sleep(1);
        await writeFile(filler, new Uint8Array(18e6)).catch(() => undefined);
        const { code } = await command.ended;
        if (code === 0) {
          // It was done before.
          for (const path of [filler, out]) await rm(path, { force: true });
          continue;
        }
        assert.equal(code, 1);
        assert.match(command.err, /no space is left on its disk/);
        assert.ok(!existsSync(out));
        break;
      }
      await rm(filler, { force: true });
      await succeed('raster.npy', ...flags, '--out', out, '--resume');
      assert.ok((await readFile(out)).equals(await readFile('expected.npy')));
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });

  it('leaves nothing on a disk that was full before it began', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const disk = join(work.path, 'disk');
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    } catch {
      this.skip();
    }
    try {
      await writeFile(join(disk, 'filler'), new Uint8Array(2 ** 20)).catch(() => undefined);
      await assert.rejects(lockFolder(join(disk, 'part'), 'isyn.npy'), {
        message: 'Could not write isyn.npy: no space is left on its disk.',
      });
      assert.deepEqual(await readdir(join(disk, 'part')), []);
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });

  it('goes on after a loss of power', async function () {
    if (process.getuid?.() !== 0) this.skip();
    this.timeout(120_000);
    const disk = join(work.path, 'disk');
    await mkdir(disk);
    const data = spikes(2000 * 800, 0.1, 5);
    await writeNpyFile('raster.npy', { data, shape: [200_000, 8] });
    const flags = [
      '--no-plot',
      '--steps',
      '100',
      '--threads',
      '1',
      '--noise-std',
      '1',
      '--seed',
      '4',
    ];
    for (const ending of ['npy', 'zarr']) {
      await succeed('raster.npy', ...flags, '--out', `expected.${ending}`);
      await writeFile('disk.img', '');
      await truncate('disk.img', 128 * 2 ** 20);
      const out = join('disk', `isyn.${ending}`);
      try {
        execFileSync('mkfs.ext4', ['-q', '-F', 'disk.img'], { stdio: 'ignore' });
        execFileSync('mount', ['-o', 'loop', 'disk.img', disk], { stdio: 'ignore' });
      } catch {
        this.skip();
      }
      try {
        for (let attempt = 0; attempt < 4; attempt++) {
          const command = new Command(['run', 'raster.npy', ...flags, '--out', out, '--resume'], {
            cwd: work.path,
          });
          // At first when nothing but the beginning is there.
          const job = join(disk, `.isyn.${ending}.part`, 'job.json');
          while (attempt === 0 && !existsSync(job)) await sleep(1);
          if (attempt > 0) await sleep(300 + 500 * Math.random());
          cutOff(disk);
          await Promise.race([command.ended, sleep(200)]);
          await command.kill('SIGKILL');
          assert.match(command.err, /^(Could not [^\n]*\.\n)?$/);
          // As after the machine has started again.
          execFileSync('umount', [disk]);
          execFileSync('mount', ['-o', 'loop', 'disk.img', disk]);
        }
        await succeed('raster.npy', ...flags, '--out', out, '--resume');
        assert.deepEqual(await contentOf(out), await contentOf(`expected.${ending}`));
      } finally {
        execFileSync('umount', ['-l', disk]);
      }
    }
  });
});

/** Makes a file system lose at once what it has not been told to flush, as a loss of power does. */
function cutOff(disk: string): void {
  const [SHUTDOWN, WITHOUT_FLUSH] = [0x8004587d, 2];
  execFileSync(PYTHON, [
    '-c',
    'import fcntl, os, struct\n' +
      `fcntl.ioctl(os.open(${JSON.stringify(disk)}, os.O_RDONLY), ${SHUTDOWN}, ` +
      `struct.pack('I', ${WITHOUT_FLUSH}))`,
  ]);
}
