/** Runs in blocks: the numbers of one call, and how they were made. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Job } from '../../lib/runs/job';
import { readNpyFile, writeNpyFile } from '../../lib/formats/npy/npy';
import { createNpy, openNpySink } from '../../lib/formats/npy/npy-file';
import { ExpSyn, type ExpSynOptions } from '../../lib/index';
import { Command, expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { relativeError, spikes } from '../support/oracle';
import { ROOT, runProgram } from '../support/processes';
import { PYTHON } from '../support/python';

describe('a run in blocks', () => {
  const work = emptyFolders();

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
    const command = new Command(['run', '-', ...flags, '--out', '-'], { cwd: work.path });
    command.child.stdin?.end(await readFile('raster.npy'));
    assert.deepEqual(await command.ended, { code: 0, signal: null });
    assert.equal(command.err, '');
    assert.ok(expected.equals(command.out));

    const toFile = new Command(['run', '-', ...flags, '--out', 'piped.npy'], { cwd: work.path });
    toFile.child.stdin?.end(await readFile('raster.npy'));
    assert.equal((await toFile.ended).code, 0);
    assert.ok(expected.equals(await readFile('piped.npy')));

    const short = new Command(['run', '-', ...flags, '--out', 'short.npy'], { cwd: work.path });
    short.child.stdin?.end((await readFile('raster.npy')).subarray(0, 20_000));
    assert.equal((await short.ended).code, 1);
    assert.match(
      short.err,
      /^Expected 30000 bytes of elements in the standard input, .* after 19872\.\n$/,
    );
    assert.ok(!existsSync('short.npy'));

    const long = new Command(['run', '-', ...flags, '--out', 'long.npy'], { cwd: work.path });
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
    execFileSync('mkfifo', ['fifo.txt']);
    for (const args of [
      ['info', 'fifo.npy'],
      ['raster.npy', '--tau', 'fifo.txt', '--out', 'isyn.npy'],
    ]) {
      const { code, err } = await expsyn(...args);
      assert.equal(code, 1);
      assert.match(err, /^Expected a file but fifo\.(npy|txt) is a /);
    }
    const drawn = await expsyn('raster.npy', '--out', '-', '--plot', 'a.svg');
    assert.deepEqual([drawn.code, drawn.out], [2, '']);

    const closed = new Command(['run', 'raster.npy', ...flags, '--out', '-'], { cwd: work.path });
    closed.child.stdout?.destroy();
    assert.equal((await closed.ended).code, 1);
    assert.match(closed.err, /^Could not write to the standard output: its reader has gone\.\n$/);
  });
});

describe('an output that is written some channels at a time', () => {
  emptyFolders();

  it('holds every channel in its place', async () => {
    for (const size of [2000, 2100]) {
      const layout = {
        shape: [2, 1300, size] as [number, number, number],
        dtype: 'float32',
      } as const;
      await createNpy('isyn.npy', layout);
      const sink = await openNpySink('isyn.npy', layout);
      const elements = 2 * 1300 * size;
      const expected = Float32Array.from({ length: elements }, (_, index) => index % 100_003);
      for (const [first, last] of [
        [0, 16],
        [16, 37],
        [37, size],
      ] as const) {
        for (const batch of [0, 1]) {
          for (const begin of [0, 700]) {
            const end = begin === 0 ? 700 : 1300;
            const width = last - first;
            const piece = Float32Array.from({ length: (end - begin) * width }, (_, index) => {
              const row = batch * 1300 + begin + Math.floor(index / width);
              return expected[row * size + first + (index % width)] ?? NaN;
            });
            await sink.write(
              {
                batches: { begin: batch, end: batch + 1 },
                steps: { begin, end },
                channels: { begin: first, end: last },
              },
              piece,
            );
          }
        }
      }
      await sink.close();
      assert.ok(
        Buffer.compare(Buffer.from(expected.buffer), (await readFile('isyn.npy')).subarray(128)) ===
          0,
      );
    }
  });
});

describe('a run from a pipe that stalls', () => {
  const work = emptyFolders();

  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`ends on ${signal}, and leaves nothing`, async () => {
      await writeNpyFile('raster.npy', { data: spikes(15_000, 0.1, 5), shape: [3000, 5] });
      const args = ['run', '-', '--steps', '70', '--no-plot', '--out', 'isyn.npy'];
      const command = new Command(args, { cwd: work.path });
      command.child.stdin?.write((await readFile('raster.npy')).subarray(0, 5000));
      while (!existsSync('.isyn.npy.part/job.json')) await sleep(20);
      await sleep(300);
      command.child.kill(signal);
      const ended = await Promise.race([command.ended, sleep(10_000, undefined, { ref: false })]);
      if (ended === undefined) await command.kill('SIGKILL');
      assert.equal(ended?.code, exitCode);
      assert.equal(command.err, 'The run was interrupted.\n');
      assert.deepEqual(await readdir('.'), ['raster.npy']);
    });
  }
});

describe('values that are not finite', () => {
  emptyFolders();

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
    const raster = await expsyn('--like', 'r.npy', '--duration', '1s', '--out', 'r2.npy');
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

describe('an output that is there already', () => {
  const work = emptyFolders();

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

  it('is made again when it is corrupt, or another file', async () => {
    await writeSmall();
    const args = ['raster.npy', '--no-plot', '--resume', '--out'];
    await succeed(...args, 'isyn.npy');
    const first = await readFile('isyn.npy');
    for (const corruption of [
      async () => truncate('isyn.npy', 5000),
      async () => copyFile('raster.npy', 'isyn.npy'),
    ]) {
      await corruption();
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

  it('has a provenance that is corrupt in a sentence', async () => {
    await writeSmall();
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    const settings = { tau: 'x', dt: -1 };
    for (const text of [
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

  it('is told from what another program has written beside it', async () => {
    await writeSmall();
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    for (const text of ['null', '{', '[]', '{"a": 1}', '']) {
      await writeFile('isyn.npy.json', text);
      assert.doesNotMatch(await succeed('info', 'isyn.npy'), /made by/);
      await succeed('plot', 'isyn.npy', '--out', 'isyn.svg');
      const like = await expsyn('raster.npy', '--out', 'y.npy', '--like', 'isyn.npy');
      assert.match(like.err, /^Expected an output of 'expsyn run' for --like but nothing tells/);
      const { code, err } = await expsyn('raster.npy', '--out', 'isyn.npy', '--no-plot');
      assert.equal(code, 1);
      assert.match(err, /isyn\.npy\.json, where .* to be free but it is another file; move it/);
      assert.equal(await readFile('isyn.npy.json', 'utf8'), text);
    }
  });

  it('has no provenance of another array', async () => {
    await writeSmall();
    await succeed('raster.npy', '--out', 'isyn.npy', '--no-plot');
    await writeNpyFile('isyn.npy', { data: new Float64Array(12), shape: [1, 4, 3] });
    assert.doesNotMatch(await succeed('info', 'isyn.npy'), /made by/);
    const like = await expsyn('raster.npy', '--out', 'y.npy', '--like', 'isyn.npy');
    assert.match(like.err, /nothing tells how isyn\.npy was made/);
    // Of the same shape and type.
    await succeed('raster.npy', '--tau', '1ms', '--out', 'isyn.npy', '--no-plot');
    await succeed('raster.npy', '--tau', '2ms', '--out', 'other.npy', '--no-plot');
    const made = await readFile('isyn.npy');
    await copyFile('other.npy', 'isyn.npy');
    assert.doesNotMatch(await succeed('info', 'isyn.npy'), /made by/);
    const args = ['raster.npy', '--tau', '1ms', '--no-plot', '--resume', '--out'];
    await succeed(...args, 'isyn.npy');
    assert.ok((await readFile('isyn.npy')).equals(made));
    for (const [out, tau] of [
      ['isyn.zarr', '1ms'],
      ['other.zarr', '2ms'],
    ] as const) {
      await succeed('raster.npy', '--tau', tau, '--out', out, '--no-plot');
    }
    assert.match(await succeed('info', 'isyn.zarr'), /made by/);
    const chunk = join('c', '0', '0', '0');
    await copyFile(join('other.zarr', chunk), join('isyn.zarr', chunk));
    assert.doesNotMatch(await succeed('info', 'isyn.zarr'), /made by/);
    assert.doesNotMatch(await succeed(...args, 'isyn.zarr'), /complete already/);
    assert.match(await succeed('info', 'isyn.zarr'), /made by/);
  });

  it('has no name that is too long for what is written beside it', async () => {
    await writeSmall();
    for (const length of [245, 230]) {
      for (const out of [`${'x'.repeat(length)}.npy`, join('new', `${'x'.repeat(length)}.npy`)]) {
        const { code, err } = await expsyn('raster.npy', '--out', out, '--no-plot');
        assert.equal(code, 2);
        assert.match(
          err,
          /^Expected a shorter name for --out, .* received '[^']*'; give another\.\n$/,
        );
      }
    }
    const plot = `${'x'.repeat(240)}.svg`;
    const { err } = await expsyn('raster.npy', '--out', 'isyn.npy', '--plot', plot);
    assert.match(err, /^Expected a shorter name for --plot/);
    assert.deepEqual(await readdir('.'), ['raster.npy']);
    await succeed('raster.npy', '--out', `${'x'.repeat(227)}.npy`, '--no-plot');
  });

  it('replaces a Zarr array, and nothing else', async () => {
    await writeSmall();
    const args = ['raster.npy', '--no-plot', '--out', 'out.zarr'];
    await succeed(...args);
    await succeed(...args);
    await mkdir('out.zarr/notes');
    assert.match((await expsyn(...args)).err, /an array beside which notes lies; give another\./);
    await rm('out.zarr', { recursive: true });
    await mkdir('out.zarr/precious', { recursive: true });
    assert.match((await expsyn(...args)).err, /out\.zarr is another folder; give another\./);
    await writeFile('out.zarr/zarr.json', '{"zarr_format": 3, "node_type": "group"}');
    assert.match((await expsyn(...args)).err, /out\.zarr is a Zarr group; give another\./);
    assert.deepEqual((await readdir('out.zarr')).sort(), ['precious', 'zarr.json']);
  });

  it('is told of by a link to it as well', async () => {
    await writeSmall();
    await mkdir('elsewhere');
    await succeed('raster.npy', '--out', 'elsewhere/isyn.npy', '--no-plot');
    await symlink('elsewhere/isyn.npy', 'link.npy');
    assert.match(await succeed('info', 'link.npy'), /made by/);
  });

  it('goes where a link leads, also when nothing is there yet', async () => {
    await writeSmall();
    await mkdir('elsewhere');
    for (const ending of ['npy', 'zarr']) {
      await symlink(`elsewhere/second.${ending}`, `first.${ending}`);
      await symlink(`isyn.${ending}`, `elsewhere/second.${ending}`);
      await succeed('raster.npy', '--out', `first.${ending}`, '--no-plot');
      assert.ok(existsSync(`elsewhere/isyn.${ending}`));
      assert.ok((await lstat(`first.${ending}`)).isSymbolicLink());
      assert.ok((await lstat(`elsewhere/second.${ending}`)).isSymbolicLink());
      await symlink(`loop.${ending}`, `loop.${ending}`);
      const { code, err } = await expsyn('raster.npy', '--out', `loop.${ending}`, '--no-plot');
      assert.equal(code, 1);
      assert.match(err, /^Could not [^\n]* links go round in a circle\.\n$/);
    }
  });

  it('takes little memory, however many steps and channels there are', async function () {
    if (!existsSync('/proc/self/status')) this.skip();
    const [timesteps, size] = [1500, 100_000];
    await writeNpyFile('wide.npy', { data: new Uint8Array(timesteps * size), shape: [1500, size] });
    const flags = ['--window-taus', 'Infinity', '--dtype', 'float32', '--out', '-'];
    const words = [join(ROOT, 'dist', 'cli', 'main.js'), 'run', 'wide.npy', ...flags];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    let peak = 0;
    child.stdout.on('data', () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
    });
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0);
    // A state for each block, of two steps, would be 300 MB.
    assert.ok(peak > 10_000 && peak < 250_000, `${peak} kB`);
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
        cwd: work.path,
      });
      assert.equal(code, 1);
      assert.equal(errors, 'Could not write the standard output: no space is left on its disk.\n');
    }
  });
});
