/** Runs in blocks: the numbers of one call, whatever interrupts them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Job } from '../lib/batch/job';
import {
  blockAt,
  countBlocks,
  planBlocks,
  planLocalShards,
  planQueueShards,
} from '../lib/batch/plan';
import type { Region } from '../lib/formats/raster-source';
import { ProgressDisplay, type ProgressLine } from '../lib/cli/progress';
import { readNpyFile, writeNpyFile } from '../lib/formats/npy';
import { ExpSyn, type ExpSynOptions } from '../lib/index';
import { Command, expsyn, succeed } from './command-line';
import { relativeError, spikes } from './oracle';
import { ROOT, runProgram } from './processes';
import { PYTHON } from './python';

let folder: string;
let work: string;
const home = process.cwd();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'expsyn-batch-'));
});
after(async () => {
  process.chdir(home);
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  work = await mkdtemp(join(folder, 'work-'));
  process.chdir(work);
});
afterEach(() => {
  process.chdir(home);
});

/** Every element of an array is in exactly one region. */
function checkCover(regions: readonly Region[], shape: readonly [number, number, number]): void {
  const [, timesteps, synapses] = shape;
  const covered = new Uint8Array(shape[0] * timesteps * synapses);
  for (const { batches, steps, channels } of regions) {
    for (let b = batches.begin; b < batches.end; b++) {
      for (let t = steps.begin; t < steps.end; t++) {
        for (let n = channels.begin; n < channels.end; n++) {
          const index = (b * timesteps + t) * synapses + n;
          covered[index] = (covered[index] ?? 0) + 1;
        }
      }
    }
  }
  assert.ok(covered.every((count) => count === 1));
}

describe('the plan of a run', () => {
  const shapes = [
    [1, 1, 1],
    [3, 100, 7],
    [1, 1000, 33],
    [5, 64, 128],
    [2, 97, 20],
  ] as const;

  it('covers the array once, in blocks and in shards of any kind', () => {
    for (const shape of shapes) {
      for (const windowLength of [1, 10, 90, Infinity]) {
        for (const stepsPerBlock of [undefined, 1, 7, 64, 1000]) {
          for (const isInterleaved of [false, true]) {
            const input = { shape, windowLength, isInterleaved, stepsPerBlock };
            const blocks = planBlocks({ ...input, isChunked: true });
            const chunkShape = [blocks.batchesPerBlock, blocks.stepsPerBlock, 16] as const;
            for (const shards of [
              planLocalShards(shape, blocks, undefined),
              planQueueShards(shape, blocks, chunkShape),
            ]) {
              const regions = shards.flatMap((shard) =>
                Array.from({ length: countBlocks(shard, blocks) }, (_, index) => {
                  const block = blockAt(shard, blocks, index);
                  assert.ok(block.history <= block.region.steps.begin);
                  assert.ok(!block.isContinued || index > 0, 'a shard depends on no other');
                  return block.region;
                }),
              );
              checkCover(regions, shape);
            }
          }
        }
      }
    }
  });

  it('cuts where chunks of the output end, and keeps the memory bounded', () => {
    for (const [shape, windowLength] of [
      [[1, 1e9, 1000], 1000],
      [[1, 1e9, 1000], Infinity],
      [[1, 1e8, 1e5], 5000],
      [[1e6, 1000, 700], 100],
      [[1, 1e10, 1], 1e6],
      [[1, 1e7, 4000], 1e5],
    ] as const) {
      const blocks = planBlocks({
        shape,
        windowLength,
        isInterleaved: false,
        isChunked: false,
        stepsPerBlock: undefined,
      });
      for (const shard of planLocalShards(shape, blocks, undefined)) {
        const { region, history } = blockAt(shard, blocks, 0);
        const { batches, steps, channels } = region;
        const nSteps = history + steps.end - steps.begin + (blocks.history ?? 0);
        const samples = (batches.end - batches.begin) * nSteps * (channels.end - channels.begin);
        assert.ok(samples <= 2 ** 24, `${samples} samples of a block of ${shape.join(' ')}`);
        break;
      }
    }
  });
});

describe('a run in blocks', () => {
  const shape = [3, 240, 9] as const;
  const tau = Array.from({ length: 9 }, (_, n) => 0.004 + 0.002 * n);

  /** One call over everything. */
  function whole(data: Uint8Array, options: ExpSynOptions): Float64Array {
    const input = { data, shape };
    return new ExpSyn(9, { tau, ...options }).evolveSync(input).output.data as Float64Array;
  }

  const cases: [name: string, flags: string[], options: ExpSynOptions][] = [
    ['a window that is cut', [], {}],
    ['a short window', ['--window-taus', '0.5'], { windowTaus: 0.5 }],
    ['a window of one step', ['--max-window-length', '1'], { maxWindowLength: 1 }],
    [
      'a window as long as the run',
      ['--max-window-length', '240'],
      { maxWindowLength: 240, windowTaus: 1e9 },
    ],
    [
      'a window one step shorter',
      ['--max-window-length', '239'],
      { maxWindowLength: 239, windowTaus: 1e9 },
    ],
    ['kernels that are not cut', ['--window-taus', 'Infinity'], { windowTaus: Infinity }],
    ['transforms', ['--method', 'fft'], { method: 'fft' }],
    [
      'transforms, not cut',
      ['--method', 'fft', '--window-taus', 'inf'],
      { method: 'fft', windowTaus: Infinity },
    ],
    ...(['output', 'state', 'input'] as const).flatMap(
      (noise): [string, string[], ExpSynOptions][] =>
        [10, Infinity].map((windowTaus) => [
          `noise on the ${noise}, window of ${windowTaus} taus`,
          ['--noise-std', '2', '--noise', noise, '--seed', '9', '--window-taus', `${windowTaus}`],
          { noiseStd: 2, noise, seed: 9, windowTaus },
        ]),
    ),
  ];
  for (const [name, flags, options] of cases) {
    it(`computes what one call does: ${name}`, async () => {
      const data = spikes(shape[0] * shape[1] * shape[2], 0.1, 5);
      await writeNpyFile('raster.npy', { data, shape });
      await writeFile('tau.txt', tau.map((seconds) => `${seconds} s`).join('\n'));
      const wide = name.startsWith('a window as') || name.startsWith('a window one');
      for (const dtype of ['float64', 'float32'] as const) {
        const expected = whole(data, { ...options, dtype });
        for (const steps of [1, 7, 64, 120, 239, 240, 1000]) {
          const args = ['raster.npy', '--tau', 'tau.txt', '--dtype', dtype, '--steps', `${steps}`];
          const more = wide ? ['--window-taus', '1e9'] : [];
          await succeed(...args, ...flags, ...more, '--no-plot', '--out', 'isyn.npy');
          const { data: output, shape: ofOutput } = await readNpyFile('isyn.npy');
          assert.deepEqual(ofOutput, shape);
          const error = relativeError(output as Float64Array, expected);
          assert.ok(error <= (dtype === 'float64' ? 1e-12 : 5e-6), `${error} in steps of ${steps}`);
          if (steps >= 240) assert.deepEqual(output, expected, 'one block is one call');
        }
      }
    });
  }

  it('reads every order and type of the input, and writes the same bytes', async () => {
    const data = spikes(shape[0] * shape[1] * shape[2], 0.1, 5);
    await writeNpyFile('raster.npy', { data, shape });
    execFileSync(PYTHON, [
      '-c',
      `
import numpy as np
a = np.load('raster.npy')
for code in ['|b1','|i1','<i2','>i2','<u2','>u2','<i4','>i4','<u4','>u4','<i8','>i8','<u8','>u8','<f2','>f2','<f4','>f4','<f8','>f8']:
    for order in 'CF':
        np.save(code[1:] + ('le' if code[0] == '<' else 'be') + order + '.npy', np.array(a, dtype=code, order=order))
`,
    ]);
    const flags = ['--steps', '50', '--no-plot', '--noise-std', '1', '--seed', '3'];
    await succeed('raster.npy', ...flags, '--out', 'expected.npy');
    const expected = await readFile('expected.npy');
    const names = (await readdir('.')).filter((name) => /[CF]\.npy$/.test(name));
    assert.equal(names.length, 40);
    for (const name of names) {
      await succeed(name, ...flags, '--out', 'isyn.npy');
      assert.ok(expected.equals(await readFile('isyn.npy')), name);
    }
    assert.equal(
      execFileSync(
        PYTHON,
        ['-c', 'import numpy as np; a = np.load("isyn.npy"); print(a.shape, a.dtype)'],
        {
          encoding: 'utf8',
        },
      ),
      '(3, 240, 9) float64\n',
    );
  });

  it('takes one row for all channels', async () => {
    const data = spikes(500, 0.1, 5);
    for (const own of [[500], [500, 1], [1, 500, 1]]) {
      await writeNpyFile('row.npy', { data, shape: own });
      const args = ['row.npy', '--tau', '5ms,20ms', '--no-plot', '--out', 'isyn.npy'];
      await succeed(...args, '--steps', '33');
      const { data: output } = await readNpyFile('isyn.npy');
      const expected = new ExpSyn(2, { tau: [0.005, 0.02] }).evolveSync({ data, shape: [500, 1] });
      assert.ok(relativeError(output as Float64Array, expected.output.data) < 1e-12);
    }
  });

  it('takes taus from files', async () => {
    const data = spikes(200 * 3, 0.1, 5);
    await writeNpyFile('raster.npy', { data, shape: [200, 3] });
    await writeNpyFile('tau.npy', { data: Float64Array.of(0.005, 0.02, 0.1), shape: [3] });
    await writeFile('tau.txt', '5ms\n20 ms, 0.1\n\n');
    await writeNpyFile('bad.npy', { data: Float64Array.of(0.005, -1, 0.1), shape: [3] });
    const args = ['raster.npy', '--no-plot', '--out', 'isyn.npy', '--tau'];
    await succeed(...args, '5ms,20ms,100ms');
    const expected = await readFile('isyn.npy');
    for (const file of ['tau.npy', 'tau.txt']) {
      await succeed(...args, file);
      assert.ok(expected.equals(await readFile('isyn.npy')));
    }
    for (const [file, pattern] of [
      ['bad.npy', /seconds above zero in bad\.npy .* -1 at \[1\]/],
      ['raster.npy', /Expected shape \(N,\)/],
      ['missing.txt', /no such file/],
    ] as const) {
      const { code, err } = await expsyn(...args, file);
      assert.notEqual(code, 0);
      assert.match(err, pattern);
    }
  });

  it('works in a pipe', async () => {
    const data = spikes(2 * 3000 * 5, 0.1, 5);
    await writeNpyFile('raster.npy', { data, shape: [2, 3000, 5] });
    const flags = ['--steps', '70', '--noise-std', '1', '--seed', '3', '--no-plot'];
    await succeed('raster.npy', ...flags, '--out', 'isyn.npy');
    const expected = await readFile('isyn.npy');
    const command = new Command(['run', '-', ...flags, '--out', '-'], { cwd: work });
    command.child.stdin?.end(await readFile('raster.npy'));
    assert.deepEqual(await command.ended, { code: 0, signal: null });
    assert.equal(command.err, '');
    assert.ok(expected.equals(command.out));

    const toFile = new Command(['run', '-', ...flags, '--out', 'piped.npy'], { cwd: work });
    toFile.child.stdin?.end(await readFile('raster.npy'));
    assert.equal((await toFile.ended).code, 0);
    assert.ok(expected.equals(await readFile('piped.npy')));

    const short = new Command(['run', '-', ...flags, '--out', 'short.npy'], { cwd: work });
    short.child.stdin?.end((await readFile('raster.npy')).subarray(0, 20_000));
    assert.equal((await short.ended).code, 1);
    assert.match(
      short.err,
      /^Expected 30000 bytes of elements in the standard input, .* after 19872\.\n$/,
    );
    assert.ok(!existsSync('short.npy'));

    const long = new Command(['run', '-', ...flags, '--out', 'long.npy'], { cwd: work });
    long.child.stdin?.end(Buffer.concat([await readFile('raster.npy'), Buffer.from('x')]));
    assert.equal((await long.ended).code, 1);
    assert.match(long.err, /^Expected 30000 bytes of elements .* but it goes on;/);
    assert.ok(!existsSync('long.npy'));

    execFileSync('mkfifo', ['fifo.npy']);
    for (const input of [
      ['fifo.npy'],
      ['fifo.npy', '--events'],
      ['raster.npy', '--tau', 'fifo.npy'],
    ]) {
      const { code, err } = await expsyn(...input, '--out', 'isyn.npy');
      assert.equal(code, 1);
      assert.match(err, /^Expected a file but fifo\.npy is a /);
    }
    const drawn = await expsyn('raster.npy', '--out', '-', '--plot', 'a.svg');
    assert.deepEqual([drawn.code, drawn.out], [2, '']);

    const closed = new Command(['run', 'raster.npy', ...flags, '--out', '-'], { cwd: work });
    closed.child.stdout?.destroy();
    assert.equal((await closed.ended).code, 1);
    assert.match(closed.err, /^Could not write to the standard output: its reader has gone\.\n$/);
  });
});

describe('a run that is interrupted', function () {
  this.timeout(60_000);
  const SHAPE = [2, 150_000, 8] as const;
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
  ] as const;

  async function writeRaster(): Promise<void> {
    const data = spikes(SHAPE[0] * SHAPE[1] * SHAPE[2], 0.05, 5);
    await writeNpyFile('raster.npy', { data, shape: SHAPE });
  }

  /** What is in a file, or in the files of a folder, but for how it was made. */
  async function contentOf(path: string): Promise<string[]> {
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

  for (const [name, flags, ending] of cases) {
    it(`goes on after kill -9 at any moment to the same bytes: ${name}`, async () => {
      await writeRaster();
      const expected = `expected.${ending}`;
      await succeed('raster.npy', ...FLAGS, ...flags, '--out', expected);
      const out = `isyn.${ending}`;
      let kills = 0;
      for (let attempt = 0; ; attempt++) {
        assert.ok(attempt < 60, 'it makes progress');
        const args = ['run', 'raster.npy', ...FLAGS, ...flags, '--out', out, '--resume'];
        const command = new Command(args, { cwd: work });
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
      for (let wait = 100; !isInterrupted && wait < 2000; wait *= 1.3) {
        const command = new Command([...args, '--restart'], { cwd: work });
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

  /** Begins a run and kills it when something of it is safe. */
  async function leaveUnfinished(...more: string[]): Promise<void> {
    for (;;) {
      const args = ['run', 'raster.npy', ...FLAGS, ...more, '--out', 'isyn.npy', '--restart'];
      const command = new Command(args, { cwd: work });
      const journal = waitFor('.isyn.npy.part/shards/0.json').then(() => 'begun' as const);
      const won = await Promise.race([command.ended, journal]);
      await command.kill('SIGKILL');
      const part = '.isyn.npy.part';
      const isLeft = existsSync(`${part}/job.json`) && existsSync(`${part}/data.npy`);
      if (won === 'begun' && isLeft) return;
    }
  }

  it('refuses to go on when the input or the options have changed', async () => {
    await writeRaster();
    await leaveUnfinished();
    const args = ['raster.npy', ...FLAGS, '--out', 'isyn.npy', '--resume'];
    for (const [more, pattern] of [
      [['--tau', '11ms'], /its --tau is 0\.01 s;/],
      [['--seed', '4'], /its --seed is 3/],
      [['--steps', '101'], /its --steps is 100/],
      [['--dtype', 'float32'], /its --dtype is float64/],
      [['--noise', 'input'], /its --noise is output/],
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
    const shorter = await expsyn(...args, '--input-mended');
    assert.match(shorter.err, /raster\.npy has changed since; give the same, or begin anew/);
    const alone = await expsyn('raster.npy', ...FLAGS, '--input-mended', '--restart');
    assert.equal(alone.code, 2);
    assert.match(alone.err, /^Expected --resume with --input-mended/);
    await writeRaster();
    await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy', '--restart');
  });

  it('goes on without being told the options again', async () => {
    await writeRaster();
    await succeed('raster.npy', ...FLAGS, '--out', 'expected.npy');
    await leaveUnfinished();
    await succeed('--out', 'isyn.npy', '--resume', '--no-plot');
    assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
  });

  it('says so when what it kept is damaged', async () => {
    await writeRaster();
    await leaveUnfinished();
    const args = ['raster.npy', ...FLAGS, '--out', 'isyn.npy', '--resume'];
    const part = '.isyn.npy.part';
    for (const [path, damage, pattern] of [
      [`${part}/shards/0.json`, 'x', /journal of a run, .* is damaged; begin anew with --restart/],
      [`${part}/shards/0.json`, '{"blocksDone":-1}', /journal of a run, .* is damaged/],
      [`${part}/job.json`, '{', /description of a run, .* damaged; .* --restart/],
    ] as const) {
      const before = await readFile(path);
      await writeFile(path, damage);
      const { code, err } = await expsyn(...args);
      assert.equal(code, 1);
      assert.match(err, pattern);
      await writeFile(path, before);
    }
    await truncate(`${part}/data.npy`, 1000);
    assert.match(
      (await expsyn(...args)).err,
      /as the run left it but it is damaged; begin anew with --restart\.\n$/,
    );
    await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy', '--restart');
  });

  it('lets no two processes write one output', async () => {
    await writeRaster();
    await mkdir('.isyn.npy.part');
    const lock = '.isyn.npy.part/lock';
    const { hostname } = await import('node:os');
    await writeFile(lock, JSON.stringify({ pid: process.pid, host: hostname() }));
    const refused = await expsyn('raster.npy', ...FLAGS, '--out', 'isyn.npy');
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /^Expected no other process to be writing isyn\.npy but process \d+ on/,
    );
    await writeFile(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }));
    await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy');
    await mkdir('.isyn.npy.part');
    await writeFile(lock, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    const other = await expsyn('raster.npy', ...FLAGS, '--out', 'isyn.npy');
    assert.match(other.err, /process 1 on elsewhere is/);
    const longAgo = new Date(Date.now() - 120_000);
    await utimes(lock, longAgo, longAgo);
    await succeed('raster.npy', ...FLAGS, '--out', 'isyn.npy');
  });
});

describe('a run that meets a fault', function () {
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
        cwd: work,
      });
      while (!existsSync('.isyn.npy.part/shards/0.json') && command.child.exitCode === null)
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
      /raster\.zarr has changed since; give it as it was, or --input-mended too if it differs only/,
    );
    assert.match((await expsyn(...resume, '--input-mended', '--tau', '9ms')).err, /its --tau is/);
    await succeed(...resume, '--input-mended');
    assert.ok((await readFile('isyn.npy')).equals(await readFile('expected.npy')));
    assert.match(await succeed('info', 'isyn.npy'), /mended while the run was unfinished/);
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

  it('keeps what was done when the disk is full, and goes on when there is room', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const disk = join(work, 'disk');
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
          cwd: work,
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
});

describe('progress', () => {
  /** A terminal, or something else, that keeps what is written to it. */
  class Screen extends Writable {
    text = '';
    readonly columns = 100;

    constructor(readonly isTTY: boolean) {
      super();
    }

    override _write(chunk: Buffer, _encoding: string, done: () => void): void {
      this.text += chunk.toString();
      done();
    }
  }

  it('is a bar with rate and time left on a terminal', async () => {
    const screen = new Screen(true);
    const display = new ProgressDisplay(screen, 'auto', 1000);
    display.advance(100, true);
    display.advance(150);
    await sleep(1100);
    display.stop();
    assert.match(screen.text, /25%/);
    assert.match(screen.text, /million samples\/s/);
    assert.match(screen.text, /\d s left/);
  });

  it('is nothing for a run that is over soon, or in a pipe', async () => {
    for (const [isTerminal, mode, wait] of [
      [true, 'auto', 50],
      [false, 'auto', 700],
      [true, 'none', 700],
    ] as const) {
      const screen = new Screen(isTerminal);
      const display = new ProgressDisplay(screen, mode, 1000);
      display.advance(500);
      await sleep(wait);
      display.stop();
      assert.equal(screen.text, '');
    }
  });

  it('is a line of JSON a second on request', async () => {
    const screen = new Screen(false);
    const display = new ProgressDisplay(screen, 'json', 1000);
    display.advance(200, true);
    display.advance(300);
    await sleep(2300);
    display.advance(500);
    display.stop();
    const lines = screen.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ProgressLine);
    assert.equal(lines.length, 3);
    assert.deepEqual(
      lines.map(({ done }) => done),
      [500, 500, 1000],
    );
    for (const { total, seconds, samplesPerSecond, secondsLeft, done } of lines) {
      assert.equal(total, 1000);
      const rate = (done - 200) / seconds;
      assert.ok(Math.abs(samplesPerSecond - rate) <= 1, `${samplesPerSecond} for ${rate}`);
      assert.ok(Math.abs((secondsLeft ?? NaN) - (total - done) / rate) <= 1);
    }
  });
});

describe('an output that is there already', () => {
  async function writeSmall(): Promise<void> {
    await writeNpyFile('raster.npy', { data: spikes(400 * 3, 0.1, 5), shape: [400, 3] });
  }

  it('is made once, however often the command with --resume is given', async () => {
    await writeSmall();
    const args = ['raster.npy', '--noise-std', '1', '--no-plot', '--resume', '--out'];
    for (const out of ['isyn.npy', 'isyn.zarr']) {
      const content = async (): Promise<Buffer> =>
        readFile(out === 'isyn.npy' ? out : join(out, 'c', '0', '0', '0'));
      await succeed(...args, out);
      const first = await content();
      assert.equal(await succeed(...args, out), `${out} is complete already.\n`);
      assert.equal(
        await succeed('--resume', '--no-plot', '--out', out),
        `${out} is complete already.\n`,
      );
      assert.ok(first.equals(await content()));
      assert.ok(!existsSync('output'), 'no example was made');
    }
  });

  it('is made again when it is damaged, or another file', async () => {
    await writeSmall();
    const args = ['raster.npy', '--no-plot', '--resume', '--out'];
    await succeed(...args, 'isyn.npy');
    const first = await readFile('isyn.npy');
    for (const damage of [
      async () => truncate('isyn.npy', 5000),
      async () => copyFile('raster.npy', 'isyn.npy'),
    ]) {
      await damage();
      assert.ok(!(await expsyn('info', 'isyn.npy')).out.includes('made by'));
      await succeed(...args, 'isyn.npy');
      assert.ok(first.equals(await readFile('isyn.npy')));
    }
    await succeed(...args, 'isyn.zarr');
    await rm(join('isyn.zarr', 'c'), { recursive: true });
    await succeed(...args, 'isyn.zarr');
    assert.ok(existsSync(join('isyn.zarr', 'c', '0', '0', '0')));
    await writeSmall();
    await copyFile('raster.npy', 'own.npy');
    const refused = await expsyn('--resume', '--out', 'own.npy');
    assert.equal(refused.code, 2);
    assert.match(
      refused.err,
      /^Expected an input with --resume, since nothing tells how own\.npy was made/,
    );
  });

  it('is never an input, by whatever name', async () => {
    await writeSmall();
    await writeNpyFile('tau.npy', { data: Float64Array.of(0.01, 0.02, 0.03), shape: [3] });
    await copyFile('raster.npy', 'in.svg');
    await copyFile('raster.npy', 'x.npy.json');
    await succeed('raster.npy', '--out', 'in.zarr', '--no-plot');
    for (const [args, pattern] of [
      [
        ['raster.npy', '--tau', 'tau.npy', '--out', 'tau.npy'],
        /another file than the file of the taus/,
      ],
      [['in.svg', '--out', 'x.npy', '--plot', 'in.svg'], /another file than the raster for --plot/],
      [['x.npy.json', '--out', 'x.npy'], /another file than the raster for --out/],
      [['in.zarr', '--out', 'in.zarr/inner.npy'], /a place outside of in\.zarr, which is read/],
      [['in.zarr', '--out', './in.zarr/c/inner.zarr'], /a place outside of in\.zarr/],
    ] as const) {
      const { code, err } = await expsyn(...args);
      assert.equal(code, 2, err);
      assert.match(err, pattern);
    }
  });

  it('has a provenance that is damaged in a sentence', async () => {
    await writeSmall();
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    const settings = { tau: 'x', dt: -1 };
    for (const text of [
      'null',
      '{',
      '[]',
      '{"class":"ExpSynRun","version":1,"job":{"settings":{}}}',
      JSON.stringify({ class: 'ExpSynRun', version: 1, job: { settings } }),
    ]) {
      await writeFile('isyn.npy.json', text);
      for (const args of [
        ['info'],
        ['plot'],
        ['--out', 'y.npy', '--like'],
        ['raster.npy', '--resume', '--out'],
      ]) {
        const { code, err } = await expsyn(...args, 'isyn.npy');
        assert.equal(code, 1);
        assert.match(err, /^Expected [^\n]*isyn\.npy\.json[^\n]*\.\n$/);
      }
    }
  });

  it('says so when the standard output cannot take it', async function () {
    if (!existsSync('/dev/full')) this.skip();
    await writeSmall();
    for (const args of [
      ['run', 'raster.npy', '--out', '-'],
      ['run', 'raster.npy', '--out', 'a.npy', '--no-plot'],
      ['info', 'raster.npy'],
    ]) {
      const words = [process.execPath, join(ROOT, 'dist', 'cli', 'main.js'), ...args];
      const { code, errors } = await runProgram('sh', ['-c', '"$@" > /dev/full', 'sh', ...words], {
        cwd: work,
      });
      assert.equal(code, 1);
      assert.equal(errors, 'Could not write the standard output: no space is left on its disk.\n');
    }
  });
});

describe('values that are not finite', () => {
  for (const windowTaus of ['10', 'Infinity']) {
    it(`go through block after block as in one call, window of ${windowTaus} taus`, async () => {
      const [timesteps, size] = [500, 3];
      const data = Float32Array.from(spikes(timesteps * size, 0.1, 5));
      data[120 * size + 1] = Infinity;
      data[130 * size + 2] = NaN;
      await writeNpyFile('raster.npy', { data, shape: [timesteps, size] });
      for (const dtype of ['float64', 'float32'] as const) {
        const options = { dtype, nonFinite: 'propagate', windowTaus: Number(windowTaus) } as const;
        const expected = new ExpSyn(size, options).evolveSync({ data, shape: [timesteps, size] });
        for (const steps of ['1', '64', '121', '499']) {
          const flags = [
            '--window-taus',
            windowTaus,
            '--dtype',
            dtype,
            '--steps',
            steps,
            '--no-plot',
          ];
          const args = ['raster.npy', ...flags, '--non-finite', 'propagate', '--out', 'isyn.npy'];
          await succeed(...args);
          const { data: output } = await readNpyFile('isyn.npy');
          expected.output.data.forEach((value, index) => {
            const actual = Number(output[index]);
            const isSame =
              Object.is(actual, value) || Math.abs(actual - value) <= 5e-6 * Math.abs(value);
            assert.ok(isSame, `${actual} for ${value} at ${index} in steps of ${steps}`);
          });
        }
      }
    });
  }
});

describe('the provenance of an output', () => {
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
      assert.deepEqual(provenance.job.settings.tau, [0.002, 0.003, 0.004, 0.005]);
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
    assert.deepEqual(provenance.job.settings.tau, [0.007]);
    assert.equal(provenance.job.settings.noiseStd, 0.5);
    const { code, err } = await expsyn('--like', 'raster.npy', '--out', 'd.npy');
    assert.equal(code, 1);
    assert.match(err, /nothing tells how raster\.npy was made/);
  });
});
