/** What a process that is killed leaves behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  removeLeftovers,
  temporaryPathOf,
  writeCompleteFile,
} from '../../lib/formats/files/complete-file';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { ownIdentity, stateOfProcess } from '../../lib/formats/files/process-identity';
import { Command, succeed } from '../support/command-line';
import { contentOf, emptyFolders } from '../support/folders';
import { spikes } from '../support/oracle';
import { HOUR, identityOf, NOBODY, works } from '../support/locks';

describe('a process that is killed', function () {
  const work = emptyFolders();

  this.timeout(240_000);

  for (const [out, more] of [
    ['isyn.npy', ['--plot', 'isyn.svg']],
    ['isyn.zarr', ['--no-plot', '--compression', 'zstd']],
  ] as const) {
    it(`leaves nothing that stays, whatever it was making durable: ${out}`, async function () {
      if (!works('strace', '-f', 'true')) return this.skip();
      await writeNpyFile('raster.npy', { data: spikes(400, 0.1, 5), shape: [100, 4] });
      const args = ['run', 'raster.npy', '--steps', '50', '--out', out, ...more];
      await succeed(...args.slice(1), '--out', `expected-${out}`);
      const expected = await contentOf(`expected-${out}`);
      const wanted = (await readdir('.')).sort();
      let kills = 0;
      for (let count = 1; ; count++) {
        const inject = ['-e', `inject=fsync:signal=SIGKILL:when=${count}`];
        // One thread, since every thread is counted for itself.
        const command = [
          ...['env', 'UV_THREADPOOL_SIZE=1', 'strace', '-f', '-qq', '-o', '/dev/null'],
          ...['-e', 'trace=fsync', ...inject],
        ];
        const killed = new Command([...args, '--restart'], { cwd: work.path, command });
        const { code, signal } = await killed.ended;
        if (code === 0) break;
        assert.ok(signal === 'SIGKILL' || code === 137, killed.err);
        kills++;
        await succeed(...args.slice(1), '--resume');
        assert.deepEqual(await contentOf(out), expected);
        const left = (await readdir('.')).filter((name) => name.includes('.part'));
        assert.deepEqual(left, [], `after ${count}`);
      }
      assert.ok(kills > 5);
      assert.deepEqual(
        (await readdir('.')).sort(),
        [...wanted, out, ...(out === 'isyn.npy' ? [`${out}.json`] : [])].sort(),
      );
    });
  }

  it('has what it left beside a file removed when the file is written again', async function () {
    const own = ownIdentity();
    if (own === undefined) return this.skip();
    const mine = temporaryPathOf(resolve('isyn.svg'));
    const dead = mine.replace(`-${own.pid}-${own.start}-`, `-${NOBODY}-${own.start}-`);
    const again = mine.replace(`-${own.pid}-${own.start}-`, `-${own.pid}-${own.start}1-`);
    const elsewhere = mine.replace(/-[0-9a-f]{8}\.part$/, '-00000000.part');
    const unnamed = resolve('.isyn.svg.0123456789ab.part');
    const others = ['.isyn.svg.part', '.isyn.svg.0123456789ab', '.other.svg.0123456789ab.part'];
    const files = [mine, dead, again, elsewhere, unnamed, ...others];
    assert.equal(new Set(files).size, files.length);
    for (const file of files) await writeFile(file, 'half');
    await writeCompleteFile('isyn.svg', [Buffer.from('whole')]);
    for (const file of files) assert.equal(existsSync(file), file !== dead && file !== again, file);
    const daysAgo = new Date(Date.now() - 25 * HOUR);
    for (const file of files.filter(existsSync)) await utimes(file, daysAgo, daysAgo);
    await writeCompleteFile('isyn.svg', [Buffer.from('whole')]);
    for (const file of [mine, elsewhere, unnamed]) assert.ok(!existsSync(file));
    for (const file of others) assert.ok(existsSync(file));
    const long = 'x'.repeat(236);
    assert.match(temporaryPathOf(long), /^\.x{236}\.[0-9a-f]{12}\.part$/, 'a name has room for it');
    // Of what nobody else can be writing.
    await writeFile(unnamed, 'half');
    await removeLeftovers(resolve('isyn.svg'), 'nobody');
    assert.ok(!existsSync(unnamed));
    await writeFile('.isyn.npy.json.0123456789ab.part', 'half');
    await writeNpyFile('raster.npy', { data: spikes(400, 0.1, 5), shape: [100, 4] });
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    assert.ok(!existsSync('.isyn.npy.json.0123456789ab.part'));
  });

  it('is told from a living one', async function () {
    const own = ownIdentity();
    if (own === undefined) return this.skip();
    assert.equal(stateOfProcess(own), 'alive');
    assert.equal(stateOfProcess(identityOf(process.ppid)), 'alive');
    assert.equal(stateOfProcess({ ...own, pid: NOBODY }), 'dead');
    assert.equal(stateOfProcess({ ...own, start: '0' }), 'dead');
    assert.equal(stateOfProcess({ ...own, pid: NOBODY, place: 'elsewhere' }), 'unknown');
    const child = spawn('sleep', ['60']);
    const identity = identityOf(child.pid ?? 0);
    assert.equal(stateOfProcess(identity), 'alive');
    child.kill('SIGSTOP');
    assert.equal(stateOfProcess(identity), 'alive');
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(stateOfProcess(identity), 'dead');
  });
});
