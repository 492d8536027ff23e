/** Runs that are interrupted go on to the same bytes. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import {
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { lockFolder } from '../../lib/runs/lock';
import { addChecksum, verifyChecksum } from '../../lib/runs/checksummed';
import { unfinishedFolderOf, UnfinishedRun } from '../../lib/runs/unfinished-run';
import type { FileDescription } from '../../lib/cli/commands/info-command';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { Command, expsyn, succeed } from '../support/command-line';
import { contentOf, emptyFolders, unfinishedFile } from '../support/folders';
import { spikes } from '../support/oracle';

describe('a run that is interrupted', function () {
  const work = emptyFolders();

  this.timeout(60_000);
  const SHAPE = [2, 150_000, 8] as const;
  /** Of runs that are killed again and again. */
  const SHORT = [2, 50_000, 8] as const;
  const FLAGS = [
    '--steps',
    '100',
    '--threads',
    '1',
    '--no-plot',
    '--noise-std',
    '1',
    '--seed',
    '3',
  ];
  const cases = [
    ['a cut window', ['--noise', 'state'], 'npy'],
    ['a state that is carried on', ['--window-taus', 'Infinity', '--noise', 'input'], 'npy'],
    ['Zarr', ['--noise', 'output', '--compression', 'zstd', '--steps', '1000'], 'zarr'],
    ['alpha', ['--kernel', 'alpha', '--tau', '50ms', '--noise', 'state'], 'npy'],
    ['alpha, cut', ['--kernel', 'alpha', '--window-taus', '6', '--noise', 'input'], 'npy'],
    ['double-exp', ['--kernel', 'double-exp', '--normalise', 'area', '--steps', '1000'], 'zarr'],
    ['samples', ['--kernel', 'kernel.npy', '--noise', 'input'], 'npy'],
    [
      'a part',
      ['--start', '0.05s', '--duration', '48s', '--channels', '0,2-3,6-', '--noise', 'state'],
      'npy',
    ],
    ['means', ['--every', '7', '--reduce', 'mean', '--noise', 'state'], 'npy'],
    ['peaks', ['--every', '20', '--reduce', 'peak', '--noise', 'input', '--steps', '1000'], 'zarr'],
    [
      'a column for each channel',
      ['--kernel', 'columns.npy', '--dtype', 'float32', '--steps', '1000'],
      'zarr',
    ],
  ] as const;

  async function writeRaster(shape: readonly [number, number, number] = SHAPE): Promise<void> {
    const data = spikes(shape[0] * shape[1] * shape[2], 0.05, 5);
    await writeNpyFile('raster.npy', { data, shape });
  }

  async function writeKernels(): Promise<void> {
    const [, , channels] = SHAPE;
    const samples = Float64Array.from({ length: 90 * channels }, (_, index) => Math.sin(index));
    await writeNpyFile('columns.npy', { data: samples, shape: [90, channels] });
    await writeNpyFile('kernel.npy', { data: samples, shape: [90 * channels] });
  }

  for (const [name, flags, ending] of cases) {
    it(`goes on after kill -9 at any moment to the same bytes: ${name}`, async () => {
      await writeRaster(SHORT);
      await writeKernels();
      const expected = `expected.${ending}`;
      await succeed('raster.npy', ...FLAGS, ...flags, '--out', expected);
      const out = `isyn.${ending}`;
      let kills = 0;
      for (let attempt = 0; ; attempt++) {
        assert.ok(attempt < 60, 'it makes progress');
        const args = ['run', 'raster.npy', ...FLAGS, ...flags, '--out', out, '--resume'];
        const command = new Command(args, { cwd: work.path });
        // From before it has begun until after it is complete.
        const patience = Math.random() * (300 + 150 * attempt);
        const won = await Promise.race([command.ended, sleep(patience, 'killed' as const)]);
        if (won === 'killed') {
          await command.kill('SIGKILL');
          kills++;
          if (kills % 4 === 0) assert.ok(!existsSync(out) || attempt > 0);
          continue;
        }
        assert.equal(won.code, 0, command.err);
        break;
      }
      const [actual, wanted] = [await contentOf(out), await contentOf(expected)];
      assert.deepEqual(actual, wanted);
      assert.ok(kills > 0, 'it was killed');
      assert.ok(!existsSync(`.isyn.${ending}.part`), 'nothing is left');
    });
  }

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`stops at a safe point on ${signal}, and says how to go on`, async () => {
      await writeRaster();
      const args = ['run', 'raster.npy', ...FLAGS, '--out', 'isyn.npy', '--progress', 'json'];
      await succeed('raster.npy', ...FLAGS, '--out', 'expected.npy');
      let isInterrupted = false;
      for (let wait = 100; !isInterrupted && wait < 10_000; wait *= 1.3) {
        const command = new Command([...args, '--restart'], { cwd: work.path });
        await Promise.race([command.ended, waitFor('.isyn.npy.part/job.json')]);
        await sleep(wait / 10);
        command.child.kill(signal);
        const ended = await command.ended;
        // Too early or too late, or, on a busy machine, before anything was done.
        if (ended.code !== code || !command.err.includes('--resume')) continue;
        isInterrupted = true;
        assert.match(
          command.err,
          /Interrupted when \d+ % of isyn\.npy were done; .*--resume goes on/,
        );
      }
      assert.ok(isInterrupted);
      const info = await succeed('info', 'isyn.npy');
      assert.match(info, /unfinished +a run that has done \d+ of 3,000 blocks/);
      const refused = await expsyn('raster.npy', ...FLAGS, '--out', 'isyn.npy');
      assert.equal(refused.code, 2);
      assert.match(
        refused.err,
        /^Expected --resume or --restart, since an unfinished run of isyn\.npy/,
      );
      await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy', '--resume');
      assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
      const again = await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy', '--resume');
      assert.equal(again, 'isyn.npy is complete already.\n');
    });
  }

  async function waitFor(path: string): Promise<void> {
    while (!existsSync(path)) await sleep(5);
  }

  async function waitForJournal(out: string): Promise<void> {
    while (unfinishedFile(out, 'shards/0.json') === undefined) await sleep(5);
  }

  /** Begins a run and kills it when something of it is safe. */
  async function leaveUnfinished(...more: string[]): Promise<void> {
    return leaveUnfinishedOf('isyn.npy', ...more);
  }

  async function leaveUnfinishedOf(out: string, ...more: string[]): Promise<void> {
    const data = out.replace(/.*\./, 'data.');
    for (;;) {
      const args = ['run', 'raster.npy', ...FLAGS, ...more, '--out', out, '--restart'];
      const command = new Command(args, { cwd: work.path });
      const journal = waitForJournal(out).then(() => 'begun' as const);
      const won = await Promise.race([command.ended, journal]);
      await command.kill('SIGKILL');
      if (won === 'begun' && unfinishedFile(out, data) !== undefined) return;
    }
  }

  it('refuses to go on when the input or the options have changed', async () => {
    await writeRaster();
    await writeKernels();
    await leaveUnfinished();
    const args = ['raster.npy', ...FLAGS, '--out', 'isyn.npy', '--resume'];
    for (const [more, pattern] of [
      [['--tau', '11ms'], /its --tau is 0\.01 s;/],
      [['--seed', '4'], /its --seed is 3/],
      [['--steps', '101'], /its --steps is 100/],
      [['--dtype', 'float32'], /its --dtype is float64/],
      [['--noise', 'input'], /its --noise is output/],
      [['--normalise', 'area'], /its --normalise is peak/],
      [['--kernel', 'alpha'], /its --kernel is exp;/],
      [['--kernel', 'kernel.npy'], /its --kernel is exp;/],
      [['--channels', '0-3'], /it reads \S*raster\.npy in another way/],
      // Even where the part is as large as the whole.
      [['--channels', '0-7'], /it reads \S*raster\.npy in another way/],
      [['--start', '1s'], /it reads \S*raster\.npy in another way/],
      [['--duration', '1s'], /it reads \S*raster\.npy in another way/],
    ] as const) {
      const { code, err } = await expsyn(...args, ...more);
      assert.equal(code, 1);
      assert.match(err, pattern);
      assert.match(err, /^[A-Z][^\n]*\.\n$/, 'one sentence');
    }
    const { mtime } = await stat('raster.npy');
    const file = await open('raster.npy', 'r+');
    await file.write(Uint8Array.of(1), 0, 1, 150_000);
    await file.close();
    await utimes('raster.npy', mtime, mtime);
    const touched = await expsyn(...args);
    assert.match(touched.err, /but raster\.npy has changed since|raster\.npy has changed since/);
    await writeRaster();
    assert.match((await expsyn(...args)).err, /raster\.npy has changed since/);
    await writeNpyFile('raster.npy', { data: new Uint8Array(80), shape: [10, 8] });
    const shorter = await expsyn(...args, '--input-repaired');
    assert.match(shorter.err, /raster\.npy has changed since; give the same, or start over/);
    const alone = await expsyn('raster.npy', ...FLAGS, '--input-repaired', '--restart');
    assert.equal(alone.code, 2);
    assert.match(alone.err, /^Expected --resume with --input-repaired/);
    await writeRaster();
    await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy', '--restart');
  });

  it('goes on with the kernel that it has read, and with no other', async () => {
    await writeRaster();
    await writeKernels();
    const args = ['raster.npy', ...FLAGS, '--kernel', 'kernel.npy', '--noise', 'input'];
    await succeed(...args, '--out', 'expected.npy');
    await leaveUnfinished('--kernel', 'kernel.npy', '--noise', 'input');
    await writeNpyFile('other.npy', { data: Float64Array.of(1, 2), shape: [2] });
    const resumed = ['raster.npy', ...FLAGS, '--noise', 'input', '--out', 'isyn.npy', '--resume'];
    const { code, err } = await expsyn(...resumed, '--kernel', 'other.npy');
    assert.equal(code, 1);
    assert.match(err, /its --kernel is another; give the same, or start over with --restart\.\n$/);
    // Another name of the same samples is no other kernel.
    await rename('kernel.npy', 'renamed.npy');
    await succeed(...resumed, '--kernel', 'renamed.npy');
    assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
  });

  it('needs no file of its kernel to go on without being told the options again', async () => {
    await writeRaster();
    await writeKernels();
    const flags = ['--kernel', 'columns.npy', '--noise', 'input'];
    await succeed('raster.npy', ...FLAGS, ...flags, '--out', 'expected.npy');
    await leaveUnfinished(...flags);
    await rm('columns.npy');
    await succeed('--resume', '--out', 'isyn.npy', '--no-plot');
    assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
  });

  it('is not published when its input was changed meanwhile', async () => {
    await writeRaster();
    const args = ['raster.npy', ...FLAGS, '--out', 'isyn.npy'];
    const command = new Command(['run', ...args], { cwd: work.path });
    await waitFor('.isyn.npy.part/job.json');
    const { mtime } = await stat('raster.npy');
    await utimes('raster.npy', mtime, new Date(0));
    assert.equal((await command.ended).code, 1);
    assert.match(command.err, /^Expected raster\.npy to stay as it is [^\n]*--restart\.\n$/);
    assert.ok(!existsSync('isyn.npy'));
    assert.match((await expsyn(...args, '--resume')).err, /raster\.npy has changed since/);
    await succeed(...args, '--restart');
  });

  it('goes on without being told the options again', async () => {
    await writeRaster();
    await succeed('raster.npy', ...FLAGS, '--out', 'expected.npy');
    await leaveUnfinished();
    await succeed('--out', 'isyn.npy', '--resume', '--no-plot');
    assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
    const more = ['--compression', 'zstd', '--steps', '1000'];
    await succeed('raster.npy', ...FLAGS, ...more, '--out', 'expected.zarr');
    await leaveUnfinishedOf('isyn.zarr', ...more);
    await succeed('--out', 'isyn.zarr', '--resume', '--no-plot');
    assert.deepEqual(await contentOf('isyn.zarr'), await contentOf('expected.zarr'));
  });

  it('says so when what it kept is corrupt', async () => {
    await writeRaster();
    await leaveUnfinished();
    const args = ['raster.npy', ...FLAGS, '--out', 'isyn.npy', '--resume'];
    const journal = unfinishedFile('isyn.npy', 'shards/0.json') ?? '';
    const data = unfinishedFile('isyn.npy', 'data.npy') ?? '';
    const description = '.isyn.npy.part/job.json';
    const { job } = (await UnfinishedRun.open(resolve('isyn.npy'))) ?? {};
    const altered = (bytes: Buffer): string =>
      bytes.toString().replace(/"(settings|blocksDone)":/, '"other":');
    for (const [path, corruption, pattern] of [
      [journal, 'x', /journal of a run, .* is corrupt; start over with --restart/],
      [journal, '{"blocksDone":-1}', /journal of a run, .* is corrupt/],
      [journal, addChecksum({ shard: 0, blocksDone: 9999 }), /journal of a run, .* is corrupt/],
      [journal, addChecksum({ shard: 1, blocksDone: 1 }), /journal of a run, .* is corrupt/],
      [
        journal,
        altered(addChecksum({ shard: 0, blocksDone: 2 })),
        /journal of a run, .* is corrupt/,
      ],
      [description, altered(await readFile(description)), /description of a run, .* corrupt/],
      [description, addChecksum({ attempt: '.', job }), /description of a run, .* corrupt/],
      [description, 'null', /description of a run, .* corrupt/],
      [description, '{', /description of a run, .* corrupt; .* --restart/],
    ] as const) {
      const before = await readFile(path);
      await writeFile(path, corruption);
      const { code, err } = await expsyn(...args);
      assert.equal(code, 1);
      assert.match(err, pattern);
      await writeFile(path, before);
    }
    await truncate(data, 1000);
    assert.match(
      (await expsyn(...args)).err,
      /as the run left it but it is corrupt; start over with --restart\.\n$/,
    );
    await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy', '--restart');
  });

  it('goes on from no state but the one it had', async () => {
    await writeRaster();
    const args = ['raster.npy', ...FLAGS, '--window-taus', 'Infinity', '--out', 'isyn.npy'];
    await leaveUnfinished('--window-taus', 'Infinity');
    const journal = unfinishedFile('isyn.npy', 'shards/0.json') ?? '';
    const entry = verifyChecksum(await readFile(journal, 'utf8')) as object;
    await writeFile(journal, addChecksum({ ...entry, state: undefined }));
    const { code, err } = await expsyn(...args, '--resume');
    assert.equal(code, 1);
    assert.match(err, /journal of a run, .* is corrupt; start over with --restart/);
  });

  it('publishes no Zarr array of which chunks have gone', async () => {
    await writeNpyFile('raster.npy', { data: spikes(400, 0.05, 5), shape: [50, 8] });
    await succeed('raster.npy', '--steps', '10', '--no-plot', '--out', 'made.zarr');
    const made = JSON.parse(await succeed('info', 'made.zarr', '--json')) as FileDescription;
    assert.ok(made.provenance !== undefined);
    const { job } = made.provenance;
    const shard = { steps: { begin: 0, end: 50 }, channels: { begin: 0, end: 8 } };
    const shards = [{ batches: { begin: 0, end: 1 }, ...shard }];
    const run = await UnfinishedRun.begin(resolve('isyn.zarr'), { ...job, shards });
    await run.journal(0).write({ blocksDone: 5, state: undefined });
    const args = ['raster.npy', '--steps', '10', '--no-plot', '--out', 'isyn.zarr', '--resume'];
    const { code, err } = await expsyn(...args);
    assert.equal(code, 1);
    assert.match(err, /the output of a run, .* is corrupt; start over with --restart\.\n$/);
    assert.ok(!existsSync('isyn.zarr'));
  });

  it('lets many processes try at once, of which each writes it or is told to wait', async () => {
    await writeNpyFile('s.npy', { data: spikes(400, 0.1, 5), shape: [50, 8] });
    await succeed('s.npy', '--no-plot', '--out', 'expected.npy');
    const args = ['run', 's.npy', '--out', 'six.npy', '--no-plot', '--restart'];
    for (let round = 0; round < 6; round++) {
      const commands = Array.from({ length: 4 }, () => new Command(args, { cwd: work.path }));
      for (const command of commands) {
        const { code } = await command.ended;
        if (code !== 0) assert.match(command.err, /^Expected no other .* is; wait for it\.\n$/);
      }
      assert.ok((await readFile('six.npy')).equals(await readFile('expected.npy')));
      assert.ok(!existsSync('.six.npy.part'), 'nothing is left');
    }
  });

  it('removes nothing of a run that was begun in its place', async () => {
    await writeRaster();
    await leaveUnfinished();
    const out = resolve('isyn.npy');
    const run = await UnfinishedRun.open(out);
    assert.ok(run !== undefined);
    await UnfinishedRun.begin(out, run.job);
    await run.remove();
    await succeed('--out', 'isyn.npy', '--resume', '--no-plot');
    const lock = await lockFolder(unfinishedFolderOf(out), out);
    const left = await UnfinishedRun.begin(out, run.job);
    await left.remove();
    await lock.release();
    assert.deepEqual((await readdir('.')).sort(), ['isyn.npy', 'isyn.npy.json', 'raster.npy']);
  });
});
