/** Runs in blocks: they compute what one call computes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readNpyFile, writeNpyFile } from '../../lib/formats/npy/npy';
import { createNpy, openNpySink } from '../../lib/formats/npy/npy-file';
import { ExpSyn, type ExpSynOptions } from '../../lib/index';
import { Command, expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { relativeError, spikes } from '../support/oracle';
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
      ['bad.npy', /a positive finite number at \[1\] of bad\.npy for --tau but received -1/],
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
