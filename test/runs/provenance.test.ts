/** How an output was made, and runs like an earlier one. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Job } from '../../lib/runs/job';
import { writeNpyFile } from '../../lib/formats/npy/npy';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { spikes } from '../support/oracle';

describe('the provenance of an output', () => {
  emptyFolders();

  it('tells how it was made, and is enough to make it again', async () => {
    const data = spikes(300 * 4, 0.1, 5);
    await writeNpyFile('raster.npy', { data, shape: [300, 4] });
    const args = [
      'raster.npy',
      '--tau',
      '2ms,3ms,4ms,5ms',
      '--noise-std',
      '0.5',
      '--no-plot',
      '--steps',
      '77',
    ];
    for (const out of ['a.npy', 'a.zarr']) {
      await succeed(...args, '--out', out);
      const { provenance } = JSON.parse(await succeed('info', out, '--json')) as {
        provenance: { command: string[]; job: Job };
      };
      assert.deepEqual(provenance.command, [...args, '--out', out]);
      assert.deepEqual(provenance.job.settings.parameters['tau'], [0.002, 0.003, 0.004, 0.005]);
      assert.ok(Number.isSafeInteger(provenance.job.settings.seed));
      assert.equal(provenance.job.identity?.path, join(process.cwd(), 'raster.npy'));
      assert.match(provenance.job.software, /^expsyn \d/);
      const again = out.replace('a', 'b');
      await succeed('run', '--like', out, '--out', again, '--no-plot');
      const content = async (path: string): Promise<Buffer> =>
        readFile(path.endsWith('.npy') ? path : join(path, 'c', '0', '1', '0'));
      assert.ok((await content(out)).equals(await content(again)));
      const words = await succeed('info', out);
      for (const pattern of [
        /^made by +expsyn /m,
        /tau 2 ms to 5 ms/,
        /0\.5 after 1 s, on the output, seed/,
      ]) {
        assert.match(words, pattern);
      }
    }
    await succeed('raster.npy', '--like', 'a.npy', '--tau', '7ms', '--out', 'c.npy', '--no-plot');
    const { provenance } = JSON.parse(await succeed('info', 'c.npy', '--json')) as {
      provenance: { job: Job };
    };
    assert.deepEqual(provenance.job.settings.parameters['tau'], [0.007]);
    assert.equal(provenance.job.settings.noiseStd, 0.5);
    const { code, err } = await expsyn('--like', 'raster.npy', '--out', 'd.npy');
    assert.equal(code, 1);
    assert.match(err, /nothing tells how raster\.npy was made/);
  });
});

describe('a run like an earlier one', () => {
  emptyFolders();

  async function jobOf(out: string): Promise<Job> {
    const { provenance } = JSON.parse(await succeed('info', out, '--json')) as {
      provenance: { job: Job };
    };
    return provenance.job;
  }

  async function writeEvents(path: string, lastTime: number): Promise<void> {
    const data = Float64Array.of(100, 0, lastTime, 4);
    await writeNpyFile(path, { data, shape: [2, 2] });
  }

  it('reads another list of events as the earlier one was read', async () => {
    await writeEvents('ev.npy', 700);
    await writeEvents('ev2.npy', 900);
    const flags = ['--events', '--time-unit', '1ms', '--duration', '3s', '--channels', '10'];
    await succeed('run', 'ev.npy', ...flags, '--out', 'e.npy', '--no-plot');
    await succeed('run', 'ev2.npy', '--like', 'e.npy', '--out', 'e2.npy', '--no-plot');
    const { input, shape } = await jobOf('e2.npy');
    assert.equal(basename(input.path), 'ev2.npy');
    assert.deepEqual([input.format, input.timeUnit], ['events', 1e-3]);
    assert.deepEqual(shape, [1, 3000, 10]);
    const own = ['--duration', '5s', '--channels', '99', '--out', 'e3.npy'];
    await succeed('run', '--like', 'e.npy', ...own, '--no-plot');
    assert.deepEqual((await jobOf('e3.npy')).shape, [1, 5000, 99]);
    await writeNpyFile('raster.npy', { data: spikes(30, 0.1, 5), shape: [10, 3] });
    await succeed('raster.npy', '--out', 'r.npy', '--no-plot');
    const raster = await expsyn('--like', 'r.npy', '--time-unit', '1ms', '--out', 'r2.npy');
    assert.match(raster.err, /^Expected a list of events .* but received a raster/);
  });

  it('is compressed as the earlier one', async () => {
    await writeNpyFile('raster.npy', { data: spikes(30, 0.1, 5), shape: [10, 3] });
    await succeed('raster.npy', '--compression', 'zstd', '--out', 'a.zarr', '--no-plot');
    await succeed('--like', 'a.zarr', '--out', 'b.zarr', '--no-plot');
    assert.equal((await jobOf('b.zarr')).output.compression, 'zstd');
    await succeed('--like', 'a.zarr', '--compression', 'none', '--out', 'c.zarr', '--no-plot');
    assert.equal((await jobOf('c.zarr')).output.compression, 'none');
    await succeed('--like', 'a.zarr', '--out', 'd.npy', '--no-plot');
    const again = await succeed('--resume', '--out', 'a.zarr', '--no-plot');
    assert.equal(again, 'a.zarr is complete already.\n');
  });

  it('says what has changed since', async () => {
    const write = async (seed: number): Promise<void> =>
      writeNpyFile('raster.npy', { data: spikes(30, 0.5, seed), shape: [10, 3] });
    await write(1);
    await succeed('raster.npy', '--out', 'a.npy', '--no-plot');
    const like = async () => expsyn('--like', 'a.npy', '--out', 'b.npy', '--no-plot');
    assert.equal((await like()).err, '');
    await write(2);
    const changed = await like();
    assert.equal(changed.code, 0);
    const words = 'Since a.npy was made, RASTER has changed: what comes out may differ.\n';
    assert.equal(changed.err, words.replace('RASTER', resolve('raster.npy')));
    const text = await readFile('a.npy.json', 'utf8');
    await writeFile('a.npy.json', text.replace(/"expsyn \d[^"]*"/, '"expsyn 0.0.7"'));
    assert.match(
      (await like()).err,
      /^Since .* has changed and expsyn 0\.0\.7 has become expsyn \d\S+: [^\n]*\.\n$/,
    );
    await writeEvents('ev.npy', 2);
    await succeed('run', 'ev.npy', '--events', '--out', 'e.npy', '--no-plot');
    const longer = ['--like', 'e.npy', '--duration', '500s', '--out', 'e2.npy', '--no-plot'];
    assert.equal((await expsyn(...longer)).err, '');
  });

  it('is no example, which is no list of events', async () => {
    for (const flags of [['--events'], ['--duration', '5s'], ['--channels', '7']]) {
      const { code, err } = await expsyn('run', ...flags, '--no-plot');
      assert.equal(code, 2);
      assert.match(err, /^Expected an input with --events, .* but received none; .*\.\n$/);
    }
    assert.deepEqual(await readdir('.'), []);
  });
});
