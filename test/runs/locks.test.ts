/** Who writes an output, who may take it over, and what processes leave that are killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { lockFolder } from '../../lib/runs/lock';
import { isCurrent, markSubmission, withdraw } from '../../lib/runs/submission';
import { UnfinishedRun } from '../../lib/runs/unfinished-run';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { ownIdentity } from '../../lib/formats/files/process-identity';
import { isCommandError } from '../support/command-errors';
import { Command, expsyn, succeed } from '../support/command-line';
import { contentOf, emptyFolders, unfinishedFile } from '../support/folders';
import { headerOf, npyOf } from '../support/npy-bytes';
import { spikes } from '../support/oracle';
import { HOUR, identityOf, lockOf, NOBODY, works } from '../support/locks';

describe('a lock', function () {
  const work = emptyFolders();
  const LOCK = '.isyn.npy.part/lock';
  const QUICK = { lease: 10_000, heartbeat: 50 };
  const REFUSED =
    /^Expected no other process to be writing isyn\.npy but process \d+ on \S+ is; wait/;

  this.timeout(60_000);

  const hasProcesses = ownIdentity() !== undefined;

  beforeEach(async () => {
    await mkdir('.isyn.npy.part');
    await writeNpyFile('raster.npy', { data: spikes(4000, 0.1, 5), shape: [1000, 4] });
  });

  let commands: Command[] = [];

  afterEach(async () => {
    await Promise.all(commands.map(async (command) => command.kill('SIGKILL')));
    commands = [];
  });

  function begin(args: readonly string[], command: readonly string[] = []): Command {
    const begun = new Command(args, { cwd: work.path, command });
    commands.push(begun);
    return begun;
  }

  /** Moves the time of a lock on, by a clock that is wrong by so many milliseconds. */
  function beat(skew: number): NodeJS.Timeout {
    return setInterval(() => {
      const time = new Date(Date.now() + skew);
      void utimes(LOCK, time, time).catch(() => undefined);
    }, 200);
  }

  it('of a living process on this machine is respected, whatever its time says', async function () {
    if (!hasProcesses) return this.skip();
    for (const skew of [-HOUR, -61_000, 0, 61_000, HOUR]) {
      await writeFile(LOCK, lockOf(identityOf(process.ppid)));
      const time = new Date(Date.now() + skew);
      await utimes(LOCK, time, time);
      for (const more of [[], ['--restart'], ['--resume']]) {
        const { code, err } = await expsyn('raster.npy', '--out', 'isyn.npy', ...more);
        assert.equal(code, 1);
        assert.match(err, REFUSED);
      }
      // Nor is it taken however long it gives no sign: it may be held up.
      await assert.rejects(
        lockFolder('.isyn.npy.part', 'isyn.npy', { lease: 1 }),
        isCommandError(REFUSED),
      );
    }
  });

  it('of a process on this machine that has died is taken at once', async function () {
    const own = ownIdentity();
    if (own === undefined) return this.skip();
    const parent = identityOf(process.ppid);
    const zombie = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60']);
    const [line] = (await once(zombie.stdout, 'data')) as [Buffer];
    const child = Number(line.toString());
    while (!readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z ')) await sleep(5);
    for (const [dead, why] of [
      [{ ...own, pid: NOBODY }, 'there is no such process'],
      [{ ...parent, start: `${Number(parent.start) + 1}` }, 'its number was given again'],
      [own, 'this process has no such lock'],
      [identityOf(child), 'it is a zombie'],
    ] as const) {
      for (const skew of [0, HOUR]) {
        await mkdir('.isyn.npy.part', { recursive: true });
        await writeFile(LOCK, lockOf(dead));
        const time = new Date(Date.now() + skew);
        await utimes(LOCK, time, time);
        const { code, err } = await expsyn('raster.npy', '--out', 'isyn.npy', '--no-plot');
        assert.equal(code, 0, why);
        assert.equal(err, '', why);
        assert.ok(!existsSync('.isyn.npy.part'), 'nothing is left');
      }
    }
    zombie.kill('SIGKILL');
  });

  it('of a process that cannot be asked for is respected while it gives signs of life', async () => {
    const own = ownIdentity();
    const elsewhere = own && {
      ...own,
      pid: NOBODY,
      place: 'another machine, or another container',
    };
    for (const holder of [elsewhere, undefined]) {
      for (const skew of [-HOUR, -61_000, 61_000, HOUR]) {
        await writeFile(LOCK, lockOf(holder));
        const timer = beat(skew);
        await assert.rejects(
          lockFolder('.isyn.npy.part', 'isyn.npy', QUICK),
          isCommandError(REFUSED),
        );
        clearInterval(timer);
      }
    }
    await writeFile(LOCK, lockOf(undefined));
    const timer = beat(-HOUR);
    const { err } = await expsyn('raster.npy', '--out', 'isyn.npy', '--restart');
    clearInterval(timer);
    const [waiting, refused] = err.split('\n');
    assert.match(
      waiting ?? '',
      /^Waiting for a sign of life of process 7 on elsewhere, which was writing isyn\.npy: .* 60 s\.$/,
    );
    assert.match(refused ?? '', REFUSED);
  });

  it('of a process that cannot be asked for is taken when it gives none for the lease time', async () => {
    for (const skew of [-HOUR, 0, HOUR]) {
      await mkdir('.isyn.npy.part', { recursive: true });
      await writeFile(LOCK, lockOf(undefined));
      const time = new Date(Date.now() + skew);
      await utimes(LOCK, time, time);
      const said: string[] = [];
      const onWait = (text: string): void => void said.push(text);
      const begin = performance.now();
      const lock = await lockFolder('.isyn.npy.part', 'isyn.npy', { lease: 500, onWait });
      assert.ok(performance.now() - begin >= 500, 'not before');
      assert.equal(said.length, 1);
      assert.match(
        said[0] ?? '',
        /^Waiting for a sign of life of process 7 on elsewhere, .* 0\.5 s\.$/,
      );
      await lock.release();
      assert.ok(!existsSync('.isyn.npy.part'));
    }
  });

  it('is not taken by a process that was frozen, perhaps with the holder', async () => {
    await writeFile(LOCK, lockOf(undefined));
    const now = performance.now.bind(performance);
    let frozen = 0;
    performance.now = () => now() + frozen;
    try {
      const waiting = lockFolder('.isyn.npy.part', 'isyn.npy');
      await sleep(300);
      frozen = HOUR;
      await sleep(300);
      const timer = beat(0);
      await assert.rejects(waiting, isCommandError(REFUSED));
      clearInterval(timer);
    } finally {
      performance.now = now;
    }
  });

  it('that is empty is of a process that is writing it, or was when it was killed', async () => {
    for (const skew of [-HOUR, HOUR]) {
      await mkdir('.isyn.npy.part', { recursive: true });
      await writeFile(LOCK, '');
      const time = new Date(Date.now() + skew);
      await utimes(LOCK, time, time);
      const waiting = lockFolder('.isyn.npy.part', 'isyn.npy', QUICK);
      await sleep(300);
      await writeFile(LOCK, lockOf(hasProcesses ? identityOf(process.ppid) : undefined));
      const timer = beat(0);
      await assert.rejects(waiting, isCommandError(REFUSED));
      clearInterval(timer);
      await writeFile(LOCK, '');
      await (await lockFolder('.isyn.npy.part', 'isyn.npy')).release();
    }
  });

  it('is removed for a process that has gone by one of those that want it', async () => {
    const own = ownIdentity();
    for (let round = 0; round < 20; round++) {
      await mkdir('.isyn.npy.part', { recursive: true });
      await writeFile(LOCK, lockOf(own && { ...own, pid: NOBODY }));
      // Of one that was killed when it did so.
      if (round % 2 > 0) await writeFile(`${LOCK}.taken`, lockOf(own && { ...own, pid: NOBODY }));
      const attempts = await Promise.allSettled(
        Array.from({ length: 8 }, async () => lockFolder('.isyn.npy.part', 'isyn.npy', QUICK)),
      );
      const held = attempts.filter((attempt) => attempt.status === 'fulfilled');
      assert.equal(held.length, 1);
      await held[0]?.value.release();
      assert.ok(!existsSync('.isyn.npy.part'));
    }
  });

  it('is not removed while another process may be removing it', async function () {
    if (!hasProcesses) return this.skip();
    const own = ownIdentity();
    await writeFile(LOCK, lockOf(own && { ...own, pid: NOBODY }));
    await writeFile(`${LOCK}.taken`, lockOf(identityOf(process.ppid)));
    const time = new Date(Date.now() - HOUR);
    await utimes(`${LOCK}.taken`, time, time);
    const waiting = lockFolder('.isyn.npy.part', 'isyn.npy', { lease: 100 });
    const taken = waiting.then(() => 'taken' as const);
    assert.equal(await Promise.race([taken, sleep(2500, 'waiting' as const)]), 'waiting');
    await writeFile(`${LOCK}.taken`, lockOf(own && { ...own, pid: NOBODY }));
    await (await waiting).release();
  });

  it('of another process is not removed, nor what lies beside it', async () => {
    const lock = await lockFolder('.isyn.npy.part', 'isyn.npy');
    const theirs = lockOf(undefined);
    await writeFile(LOCK, theirs);
    assert.ok(!(await lock.isHeld()));
    await UnfinishedRun.sweep(resolve('isyn.npy'));
    await lock.release();
    assert.equal(await readFile(LOCK, 'utf8'), theirs);
  });

  it('gives signs of life', async () => {
    const lock = await lockFolder('.isyn.npy.part', 'isyn.npy', QUICK);
    const before = (await stat(LOCK, { bigint: true })).mtimeNs;
    while ((await stat(LOCK, { bigint: true })).mtimeNs === before) await sleep(5);
    await lock.release();
  });

  it('says by whom it was taken over', async () => {
    const TAKEN =
      /^LeaseLostError: Expected no other process to write isyn\.npy but process 7 on elsewhere took the run over at 2026-01-02T03:04:05\.678Z, /;
    const lock = await lockFolder('.isyn.npy.part', 'isyn.npy', QUICK);
    const lost = once(lock.lost, 'abort');
    await lock.requireHeld();
    await writeFile(LOCK, lockOf(undefined));
    await lost;
    assert.match(String(lock.lost.reason), TAKEN);
    await assert.rejects(lock.requireHeld(), TAKEN);
    await lock.release();
    assert.equal(await readFile(LOCK, 'utf8'), lockOf(undefined), 'theirs is left');
  });

  it('says what to do where who took it over has ended', async () => {
    const lock = await lockFolder('.isyn.npy.part', 'isyn.npy', QUICK);
    await rm(LOCK);
    await assert.rejects(
      lock.requireHeld(),
      isCommandError(
        /^Expected no other process to write isyn\.npy but another process, which has ended, took the run over, since this one gave no sign of life; this one has stopped; give --resume to go on if isyn\.npy is not complete\.$/,
      ),
    );
    await lock.release();
  });

  describe('that a run loses', () => {
    const FLAGS = ['--steps', '100', '--threads', '1', '--no-plot'];

    async function start(): Promise<Command> {
      const shape = [400_000, 8] as const;
      await writeNpyFile('long.npy', { data: spikes(shape[0] * shape[1], 0.05, 5), shape });
      return begin(['run', 'long.npy', ...FLAGS, '--out', 'isyn.npy']);
    }

    async function waitForRun(): Promise<void> {
      while (!existsSync('.isyn.npy.part/job.json')) await sleep(5);
    }

    for (const [when, ready] of [
      ['at its beginning', async () => waitForRun()],
      [
        'on the way',
        async () => {
          while (unfinishedFile('isyn.npy', 'shards/0.json') === undefined) await sleep(5);
        },
      ],
    ] as const) {
      it(`ends it, and leaves everything to the other: ${when}`, async () => {
        const command = await start();
        await ready();
        await writeFile(LOCK, lockOf(undefined));
        const { code } = await command.ended;
        assert.equal(code, 1, command.err);
        assert.match(
          command.err,
          /^Expected no other process to write isyn\.npy but process 7 on elsewhere took the run over at 2026-01-02T03:04:05\.678Z, [^\n]*\.\n$/,
        );
        assert.equal(await readFile(LOCK, 'utf8'), lockOf(undefined));
        assert.ok(unfinishedFile('isyn.npy', 'data.npy') !== undefined, 'the run is left');
        assert.ok(!existsSync('isyn.npy'), 'nothing is published');
      });
    }

    it('ends it while it waits for its input', async () => {
      const command = begin(['run', '-', '--out', 'isyn.npy', '--no-plot']);
      command.child.stdin?.write(npyOf(headerOf('|u1', '(1000, 4)'), new Uint8Array(40)));
      await waitForRun();
      await writeFile(LOCK, lockOf(undefined));
      assert.equal((await command.ended).code, 1);
      assert.match(command.err, /process 7 on elsewhere took the run over at/);
      assert.equal(await readFile(LOCK, 'utf8'), lockOf(undefined));
    });

    it('lets the other start over, to the same bytes', async () => {
      const command = await start();
      while (unfinishedFile('isyn.npy', 'shards/0.json') === undefined) await sleep(5);
      // As a process does that sees no sign of life: it removes the lock.
      await writeFile(LOCK, lockOf({ pid: NOBODY, start: '1', place: ownIdentity()?.place ?? '' }));
      const args = ['long.npy', ...FLAGS, '--out', 'isyn.npy', '--restart'];
      const restarted = await expsyn(...args);
      assert.equal((await command.ended).code, 1);
      assert.match(command.err, /took the run over/);
      if (!hasProcesses) return;
      assert.equal(restarted.code, 0, restarted.err);
      await succeed('long.npy', ...FLAGS, '--out', 'expected.npy');
      assert.deepEqual(await contentOf('isyn.npy'), await contentOf('expected.npy'));
      assert.ok(!existsSync('.isyn.npy.part'));
    });

    it('leaves the workers of the other alone', async () => {
      await markSubmission('.', 'theirs');
      await withdraw('.', 'ours');
      assert.ok(await isCurrent('.', 'theirs'));
      await withdraw('.', 'theirs');
      assert.ok(!(await isCurrent('.', 'theirs')));
    });
  });

  describe('across namespaces', () => {
    const NAMESPACE = ['--pid', '--fork', '--kill-child'];
    const cases = [
      ['with processes of its own', ['unshare', ...NAMESPACE, '--mount-proc']],
      ['whose processes it cannot see', ['unshare', ...NAMESPACE]],
    ] as const;
    for (const [name, command] of cases) {
      it(`respects a living holder in a namespace ${name}, and takes over when it is gone`, async function () {
        // Only the administrator of a Linux system may make one.
        if (!hasProcesses || !works(command[0], ...command.slice(1), 'true')) return this.skip();
        const args = ['run', '-', '--out', 'isyn.npy', '--no-plot'];
        const holder = begin(args, command);
        holder.child.stdin?.write(npyOf(headerOf('|u1', '(1000, 4)'), new Uint8Array(40)));
        while (!existsSync('.isyn.npy.part/job.json')) await sleep(5);
        const { code, err } = await expsyn('raster.npy', '--out', 'isyn.npy', '--restart');
        assert.equal(code, 1);
        assert.match(err, /^Waiting for a sign of life of process \d+ on/);
        assert.match(
          err,
          /\nExpected no other process to be writing isyn\.npy but process \d+ on .* is/,
        );
        assert.ok(unfinishedFile('isyn.npy', 'data.npy') !== undefined, 'its work is there');
        await holder.kill('SIGKILL');
        const lock = await lockFolder('.isyn.npy.part', 'isyn.npy', { lease: 1000 });
        await lock.release();
        await succeed('raster.npy', '--out', 'isyn.npy', '--restart', '--no-plot');
      });

      it(`is respected by processes in a namespace ${name}`, async function () {
        if (!hasProcesses || !works(command[0], ...command.slice(1), 'true')) return this.skip();
        const lock = await lockFolder('.isyn.npy.part', 'isyn.npy', { heartbeat: 500 });
        const args = ['run', 'raster.npy', '--out', 'isyn.npy', '--no-plot', '--restart'];
        const other = begin(args, command);
        assert.equal((await other.ended).code, 1, other.err);
        assert.match(
          other.err,
          /\nExpected no other process to be writing isyn\.npy but process \d+ on .* is/,
        );
        await lock.requireHeld();
        await lock.release();
      });
    }
  });
});
