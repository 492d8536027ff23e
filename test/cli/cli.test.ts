/** The command line: what it computes, shows and refuses. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeExampleRaster } from '../../lib/cli/run/example-raster';
import { readNpyFile, writeNpyFile } from '../../lib/formats/npy/npy';
import type { Elements } from '../../lib/formats/elements';
import { expsyn } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { bytesOf, headerOf, npyOf } from '../support/npy-bytes';

describe('command line', () => {
  emptyFolders();

  /** The sum in the definition, O(T W): output[t] = sum over k < W of w[k] input[t - k]. */
  function convolve(
    input: ArrayLike<number>,
    [timesteps, channels]: readonly [number, number],
    tau: readonly number[],
    dt: number,
    windowLength: number,
  ): Float64Array {
    const output = new Float64Array(timesteps * channels);
    for (let step = 0; step < timesteps; step++) {
      for (let channel = 0; channel < channels; channel++) {
        let current = 0;
        for (let k = 0; k < Math.min(windowLength, step + 1); k++) {
          const weight = Math.exp((-(k + 1) * dt) / (tau[channel] ?? NaN));
          current += weight * (input[(step - k) * channels + channel] ?? 0);
        }
        output[step * channels + channel] = current;
      }
    }
    return output;
  }

  function checkClose(actual: Elements, expected: Float64Array, tolerance: number): void {
    assert.equal(actual.length, expected.length);
    const peak = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expected.forEach((value, index) => {
      const difference = Math.abs(Number(actual[index]) - value);
      assert.ok(difference <= tolerance * peak, `${actual[index]} for ${value} at ${index}`);
    });
  }

  const raster = Uint8Array.from({ length: 400 * 3 }, (_, index) =>
    (index * 7919) % 11 === 0 ? 1 : 0,
  );

  async function writeRaster(name = 'raster.npy', shape = [400, 3]): Promise<void> {
    await writeNpyFile(name, { data: raster, shape });
  }

  it('runs the example without arguments', async () => {
    const { code, out, err } = await expsyn();
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.deepEqual((await readdir('output')).sort(), [
      'expsyn.svg',
      'isyn.npy',
      'isyn.npy.json',
      'raster.npy',
    ]);
    const example = makeExampleRaster();
    const written = await readNpyFile(join('output', 'raster.npy'));
    assert.deepEqual(written, { data: example.data, shape: example.shape });
    const isyn = await readNpyFile(join('output', 'isyn.npy'));
    assert.deepEqual(isyn.shape, [1, ...example.shape]);
    // The first second needs no more than the first second.
    const expected = convolve(example.data, [1000, 48], [...example.tau], 1e-3, 1000);
    checkClose(isyn.data.subarray(0, expected.length), expected, 1e-12);
    assert.match(await readFile(join('output', 'expsyn.svg'), 'utf8'), /^<svg .*<\/svg>$/s);
    for (const words of [
      '(10000, 48) uint8',
      'tau 5 ms to 100 ms',
      'dt 1 ms',
      '(chosen by auto)',
      'samples/s',
      join('output', 'isyn.npy'),
    ]) {
      assert.ok(out.includes(words), words);
    }
  });

  it("computes the currents of the user's raster", async () => {
    await writeRaster();
    const args = ['raster.npy', '--tau', '20ms', '--out', join('out', 'isyn.npy')];
    const { code, out, err } = await expsyn(...args);
    assert.deepEqual({ code, err }, { code: 0, err: '' });
    assert.deepEqual((await readdir('out')).sort(), ['expsyn.svg', 'isyn.npy', 'isyn.npy.json']);
    assert.ok(!existsSync('output'));
    const { data, shape } = await readNpyFile(join('out', 'isyn.npy'));
    assert.ok(data instanceof Float64Array);
    assert.deepEqual(shape, [1, 400, 3]);
    checkClose(data, convolve(raster, [400, 3], [0.02, 0.02, 0.02], 1e-3, 200), 1e-12);
    assert.ok(out.includes('tau 20 ms'));
  });

  it('takes the command by its name, and the options in any order', async () => {
    await writeRaster();
    for (const [index, args] of [
      ['run', 'raster.npy', '--no-plot'],
      ['--no-plot', 'raster.npy'],
      ['run', '--no-plot', 'raster.npy'],
    ].entries()) {
      assert.equal((await expsyn(...args, '--out', `${index}.npy`)).code, 0);
      assert.deepEqual(await readFile(`${index}.npy`), await readFile('0.npy'));
    }
  });

  it('has 10 ms for tau unless told otherwise', async () => {
    await writeRaster();
    await expsyn('raster.npy', '--no-plot', '--out', 'a.npy');
    await expsyn('raster.npy', '--no-plot', '--out', 'b.npy', '--tau', '0.01');
    assert.deepEqual(await readFile('a.npy'), await readFile('b.npy'));
  });

  it('takes a tau for each channel, dt, and a window', async () => {
    await writeRaster();
    const tau = ['--tau', '2ms,5ms,20ms', '--dt', '0.5ms', '--no-plot'];
    for (const [options, windowLength] of [
      [[], 400],
      [['--window-taus', '2'], 80],
      [['--window-taus', 'Infinity'], 1000],
      [['--max-window-length', '7'], 7],
    ] as const) {
      for (const method of ['fft', 'recursive']) {
        const args = ['raster.npy', ...tau, ...options, '--method', method, '--out', 'isyn.npy'];
        const { code, out } = await expsyn(...args);
        assert.equal(code, 0);
        assert.ok(out.includes(`by method ${method} in`));
        const { data } = await readNpyFile('isyn.npy');
        const expected = convolve(raster, [400, 3], [2e-3, 5e-3, 20e-3], 0.5e-3, windowLength);
        checkClose(data, expected, 1e-12);
      }
    }
  });

  it('gives one column to as many channels as there are taus', async () => {
    for (const shape of [[1200], [1200, 1]]) {
      await writeRaster('one.npy', shape);
      assert.equal((await expsyn('one.npy', '--tau', '5ms,20ms', '--out', 'two.npy')).code, 0);
      const two = await readNpyFile('two.npy');
      assert.deepEqual(two.shape, [1, 1200, 2]);
      const both = Float64Array.from({ length: 2400 }, (_, index) => raster[index >> 1] ?? 0);
      checkClose(two.data, convolve(both, [1200, 2], [5e-3, 20e-3], 1e-3, 200), 1e-12);
      await expsyn('one.npy', '--out', 'single.npy', '--no-plot');
      assert.deepEqual((await readNpyFile('single.npy')).shape, [1, 1200, 1]);
    }
  });

  it('keeps the batch', async () => {
    await writeRaster('batch.npy', [2, 200, 3]);
    assert.equal((await expsyn('batch.npy', '--out', 'isyn.npy')).code, 0);
    const { data, shape } = await readNpyFile('isyn.npy');
    assert.deepEqual(shape, [2, 200, 3]);
    const second = convolve(raster.subarray(600), [200, 3], [0.01, 0.01, 0.01], 1e-3, 100);
    checkClose(data.subarray(600), second, 1e-12);
    assert.match(await readFile('expsyn.svg', 'utf8'), /item 0 of a batch of 2/);
  });

  it('gives the same for every type and order of the elements', async () => {
    await writeRaster();
    await expsyn('raster.npy', '--no-plot', '--out', 'expected.npy');
    const bigints = BigInt64Array.from(raster, BigInt);
    await writeNpyFile('i8.npy', { data: bigints, shape: [400, 3] });
    const columns = raster.map(
      (_, index) => raster[(index % 400) * 3 + Math.floor(index / 400)] ?? 0,
    );
    const fortran = bytesOf('Float32', 4, Array.from(columns), false);
    await writeFile('fortran.npy', npyOf(headerOf('>f4', '(400, 3)', true), fortran));
    for (const name of ['i8.npy', 'fortran.npy']) {
      assert.equal((await expsyn(name, '--out', 'isyn.npy')).code, 0);
      assert.deepEqual(await readFile('isyn.npy'), await readFile('expected.npy'));
    }
  });

  it('writes single precision', async () => {
    await writeRaster();
    await expsyn('raster.npy', '--dtype', 'float32', '--out', 'isyn.npy', '--no-plot');
    const { data } = await readNpyFile('isyn.npy');
    assert.ok(data instanceof Float32Array);
    checkClose(data, convolve(raster, [400, 3], [0.01, 0.01, 0.01], 1e-3, 100), 5e-6);
  });

  it('adds noise that a seed repeats', async () => {
    await writeRaster();
    const noisy = ['raster.npy', '--no-plot', '--noise-std', '0.1'];
    const { out } = await expsyn(...noisy, '--seed', '7', '--out', 'a.npy');
    assert.ok(out.includes('0.1 after 1 s, on the output, seed 7'));
    await expsyn(...noisy, '--seed', '7', '--out', 'b.npy');
    await expsyn(...noisy, '--seed', '8', '--out', 'c.npy');
    await expsyn(...noisy, '--seed', '7', '--noise', 'state', '--out', 'd.npy');
    const a = await readFile('a.npy');
    assert.deepEqual(a, await readFile('b.npy'));
    assert.notDeepEqual(a, await readFile('c.npy'));
    assert.notDeepEqual(a, await readFile('d.npy'));
  });

  it('stops at a NaN, or lets it through', async () => {
    const data = Float64Array.from(raster);
    data[7] = NaN;
    await writeNpyFile('nan.npy', { data, shape: [400, 3] });
    const refused = await expsyn('nan.npy', '--out', 'isyn.npy');
    assert.equal(refused.code, 1);
    assert.match(refused.err, /^Expected finite numbers .*NaN at \[2, 1\]; give --non-finite/);
    assert.ok(!existsSync('isyn.npy'));
    const passed = await expsyn('nan.npy', '--out', 'isyn.npy', '--non-finite', 'propagate');
    assert.equal(passed.code, 0);
    const isyn = await readNpyFile('isyn.npy');
    assert.ok(Number.isNaN(isyn.data[7]) && !Number.isNaN(isyn.data[6]));
    assert.match(await readFile('expsyn.svg', 'utf8'), /grey where not finite/);
  });

  it('takes an empty raster, and draws nothing', async () => {
    await writeNpyFile('empty.npy', { data: new Uint8Array(0), shape: [0, 4] });
    const { code, out } = await expsyn('empty.npy', '--out', 'isyn.npy');
    assert.equal(code, 0);
    assert.match(out, /not drawn: Expected at least one time step/);
    assert.doesNotMatch(out, /complete already/);
    assert.deepEqual((await readNpyFile('isyn.npy')).shape, [1, 0, 4]);
    const asked = await expsyn('empty.npy', '--out', 'isyn.npy', '--plot', 'a.svg');
    assert.equal(asked.code, 1);
  });

  it('shows help and the version', async () => {
    for (const flag of ['--help', '-h']) {
      const { code, out } = await expsyn(flag);
      assert.equal(code, 0);
      for (const words of ['Examples:', '--tau <times>', '--noise-std <x>', 'in seconds']) {
        assert.ok(out.includes(words), words);
      }
    }
    const { code, out } = await expsyn('--version');
    assert.equal(code, 0);
    assert.match(out, /^\d+\.\d+\.\d+\S*\n$/);
  });

  it('breaks no line of help before it is full', async () => {
    for (const command of ['info', 'plot', 'bench', 'worker']) {
      const { out } = await expsyn(command, '--help');
      const [, ...paragraphs] = out.split(/\n(?:Arguments|Options):\n/)[0]?.split('\n\n') ?? [];
      assert.ok(paragraphs.length > 0, out);
      for (const paragraph of paragraphs) {
        const lines = paragraph.trimEnd().split('\n').slice(0, -1);
        for (const line of lines) assert.ok(line.length > 60 && line.length <= 80, line);
      }
    }
  });

  it('counts one of a thing as one', async () => {
    await writeNpyFile('one.npy', { data: Uint8Array.of(0, 1, 0), shape: [3, 1] });
    const { out } = await expsyn('one.npy', '--window-taus', '0.1', '--no-plot');
    assert.match(out, /, 1 spike, mean rate /);
    assert.match(out, /, window of 1 step\n/);
  });

  it('never writes over the raster, whatever links lead to it', async () => {
    await writeRaster();
    const raster = await readFile('raster.npy');
    await symlink('raster.npy', 'link.npy');
    await mkdir('folder');
    await symlink(join('..', 'raster.npy'), join('folder', 'back.npy'));
    await symlink('.', 'here');
    for (const [input, out] of [
      ['link.npy', 'raster.npy'],
      ['raster.npy', 'link.npy'],
      ['raster.npy', join('folder', 'back.npy')],
      ['raster.npy', join('here', 'raster.npy')],
    ] as const) {
      const { code, err } = await expsyn(input, '--out', out, '--no-plot');
      assert.equal(code, 2);
      assert.match(err, /^Expected another file than the raster for --out but received /);
      assert.deepEqual(await readFile('raster.npy'), raster);
    }
  });

  it('ends where the system has no place for a folder', async function () {
    if (process.platform !== 'linux') this.skip();
    await writeRaster();
    const { code, err } = await expsyn('raster.npy', '--out', '/proc/no-folder/a.npy');
    assert.equal(code, 1);
    assert.match(err, /^Could not write \/proc\/no-folder\/a\.npy: /);
  });

  const failures: [name: string, args: string[], code: number, message: RegExp][] = [
    ['a missing file', ['missing.npy'], 1, /^Could not read missing\.npy: there is no such file/],
    ['a folder', ['.'], 1, /Expected a file/],
    ['a file of another kind', ['text.npy'], 1, /text\.npy does not begin like one/],
    ['a file that ends early', ['short.npy'], 1, /short\.npy.*not complete/],
    ['a single number', ['scalar.npy'], 1, /scalar\.npy but received a single number/],
    ['no channels', ['none.npy'], 1, /at least one channel in none\.npy/],
    [
      'a place that cannot be written',
      ['raster.npy', '--out', 'text.npy/a.npy'],
      1,
      /^Could not write/,
    ],
    ['a time without sense', ['raster.npy', '--tau', '20m'], 2, /for --tau but received '20m'/],
    [
      'too few taus',
      ['raster.npy', '--tau', '5ms,6ms'],
      2,
      /or 3, one for each channel, but received 2/,
    ],
    ['a dt of 0', ['raster.npy', '--dt', '0'], 2, /for --dt but received '0'/],
    ['an unknown option', ['--taw', '5ms'], 2, /Unknown option '--taw'.*--tau/],
    ['an unknown method', ['--method', 'slow'], 2, /Allowed choices are auto, fft, recursive/],
    ['two files', ['raster.npy', 'scalar.npy'], 2, /Too many arguments/],
    ['an option without its value', ['raster.npy', '--dt'], 2, /argument missing/],
    ['another ending', ['raster.npy', '--out', 'isyn.csv'], 2, /ends in \.npy or \.zarr for --out/],
    [
      'a picture of another kind',
      ['raster.npy', '--plot', 'a.gif'],
      2,
      /ends in \.svg or \.png for --plot/,
    ],
    ['an overwritten raster', ['raster.npy', '--out', './raster.npy'], 2, /Expected another file/],
    ['a raster without a name', [''], 2, /Expected the name of a raster but received ''/],
    ['an example of too many steps', ['--dt', '1us'], 2, /at least 100 µs for --dt of the example/],
    ['a picture of nothing', ['empty.npy', '--plot', 'a.svg'], 1, /one time step in empty\.npy/],
    ['noise below zero', ['raster.npy', '--noise-std', '-1'], 2, /--noise-std but received '-1'/],
    ['a seed without noise', ['raster.npy', '--seed', '1'], 2, /Expected --noise-std with --seed/],
    [
      'a seed that is no whole number',
      ['raster.npy', '--noise-std', '1', '--seed', '1.5'],
      2,
      /'1\.5'/,
    ],
    [
      'a window of nothing',
      ['raster.npy', '--window-taus', '0'],
      2,
      /--window-taus but received '0'/,
    ],
    ['an empty number', ['raster.npy', '--max-window-length', ''], 2, /--max-window-length .*''/],
  ];
  for (const [name, args, code, message] of failures) {
    it(`says in a sentence what is wrong with ${name}`, async () => {
      await writeRaster();
      await writeFile('text.npy', 'no array');
      await writeFile('short.npy', (await readFile('raster.npy')).subarray(0, 500));
      await writeNpyFile('scalar.npy', { data: Float64Array.of(3), shape: [] });
      await writeNpyFile('none.npy', { data: new Float64Array(0), shape: [4, 0] });
      await writeNpyFile('empty.npy', { data: new Float64Array(0), shape: [0, 4] });
      const before = (await readdir('.')).sort();
      const result = await expsyn(...args);
      assert.equal(result.code, code);
      assert.equal(result.out, '');
      assert.match(result.err, message);
      assert.match(result.err, /^[A-Z][^\n]*\.\n$/, 'one sentence');
      assert.deepEqual((await readdir('.')).sort(), before, 'nothing is left behind');
    });
  }
});
