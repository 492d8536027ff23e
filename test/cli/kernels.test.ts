/** The kernels of runs: flags, files of samples, help, what is said about them, and pictures. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { FileDescription } from '../../lib/cli/commands/info-command';
import { readNpyFile, writeNpyFile } from '../../lib/formats/npy/npy';
import { AlphaSyn, DoubleExpSyn, ExpSyn, FirSyn, type NdArray } from '../../lib/index';
import { kernelCurves } from '../../lib/runs/kernel-curves';
import { defaultSettings, type SynapseSettings } from '../../lib/runs/settings';
import { expsyn, succeed } from '../support/command-line';
import { emptyFolders } from '../support/folders';
import { spikes } from '../support/oracle';

const [T, N] = [300, 3];
const RASTER = { data: spikes(T * N, 0.1, 7), shape: [T, N] };
const SAMPLES = Float64Array.from({ length: 20 * N }, (_, index) => Math.sin(index) - 0.2);

async function currentsOf(...flags: string[]): Promise<NdArray> {
  await succeed('raster.npy', '--no-plot', '--out', 'isyn.npy', ...flags);
  const { data, shape } = await readNpyFile('isyn.npy');
  return { data: data as Float64Array, shape };
}

async function refusal(...flags: string[]): Promise<string> {
  const { code, err } = await expsyn('raster.npy', '--no-plot', '--out', 'isyn.npy', ...flags);
  assert.ok(code === 1 || code === 2, `exit code ${code}`);
  assert.match(err, /^[^\n]+\.\n$/, 'one sentence');
  return err;
}

describe('the kernel of a run', () => {
  emptyFolders();

  beforeEach(async () => {
    await writeNpyFile('raster.npy', RASTER);
    await writeNpyFile('kernel.npy', { data: SAMPLES, shape: [20, N] });
  });

  it('is that of the class, whose parameters and defaults it has', async () => {
    const cases: [
      flags: string[],
      module: { evolveSync(input: typeof RASTER): { output: { data: unknown } } },
    ][] = [
      [[], new ExpSyn(N)],
      [['--kernel', 'exp', '--tau', '30ms'], new ExpSyn(N, { tau: () => 0.03 })],
      [['--kernel', 'alpha'], new AlphaSyn(N)],
      [
        ['--kernel', 'alpha', '--tau', '2ms,20ms,7ms', '--window-taus', '3'],
        new AlphaSyn(N, { tau: [0.002, 0.02, 0.007], windowTaus: 3 }),
      ],
      [['--kernel', 'double-exp'], new DoubleExpSyn(N)],
      [
        ['--kernel', 'double-exp', '--tau-rise', '1ms,3ms,4ms', '--tau-decay', '4ms'],
        new DoubleExpSyn(N, { tauRise: [0.001, 0.003, 0.004], tauDecay: () => 0.004 }),
      ],
      [
        ['--kernel', 'double-exp', '--normalise', 'area', '--dtype', 'float32'],
        new DoubleExpSyn(N, { normalise: 'area', dtype: 'float32' }),
      ],
      [['--kernel', 'kernel.npy'], new FirSyn(N, { kernel: { data: SAMPLES, shape: [20, N] } })],
    ];
    for (const [flags, module] of cases) {
      const { data, shape } = await currentsOf(...flags);
      const { output } = module.evolveSync(RASTER);
      assert.deepEqual(shape, [1, T, N], flags.join(' '));
      assert.deepEqual(data, output.data, flags.join(' '));
    }
  });

  it('is read from arrays of any real type and order', async () => {
    const values = [3, 0, 1, 2];
    const expected = new FirSyn(N, { kernel: values }).evolveSync(RASTER).output.data;
    const arrays = [
      Uint8Array.from(values),
      Int16Array.from(values),
      BigInt64Array.from(values, BigInt),
      Float32Array.from(values),
      Float64Array.from(values),
    ];
    for (const data of arrays) {
      for (const shape of [[4], [4, 1]]) {
        await writeNpyFile('own.npy', { data, shape });
        const currents = await currentsOf('--kernel', 'own.npy');
        assert.deepEqual(currents.data, expected, data.constructor.name);
      }
    }
  });

  it('may have a column for each channel, to which one row of spikes goes', async () => {
    const row = RASTER.data.slice(0, T);
    await writeNpyFile('raster.npy', { data: row, shape: [T] });
    const { data, shape } = await currentsOf('--kernel', 'kernel.npy');
    assert.deepEqual(shape, [1, T, N]);
    const module = new FirSyn(N, { kernel: { data: SAMPLES, shape: [20, N] } });
    assert.deepEqual(data, module.evolveSync({ data: row, shape: [T, 1] }).output.data);
  });

  it('is refused in one sentence if its file is wrong', async () => {
    const cases: [data: Float64Array, shape: number[], message: RegExp][] = [
      [
        new Float64Array(8),
        [2, 2, 2],
        /^Expected samples of shape \(W,\) or \(W, N\), .* in k\.npy for --kernel but received shape \(2, 2, 2\)/,
      ],
      [new Float64Array(1), [], /received shape \(\)/],
      [new Float64Array(0), [0], /received shape \(0,\)/],
      [new Float64Array(0), [4, 0], /received shape \(4, 0\)/],
      [
        Float64Array.of(1, NaN, 2),
        [3],
        /^Expected finite samples in k\.npy for --kernel but received NaN at \[1\]/,
      ],
      [Float64Array.of(1, 1, 1, 1, 1, -Infinity), [2, 3], /received -Infinity at \[1, 2\]/],
      [
        new Float64Array(8).fill(1),
        [2, 4],
        /^Expected one column of samples for --kernel, or 3, one for each channel, but received 4/,
      ],
    ];
    for (const [data, shape, message] of cases) {
      await writeNpyFile('k.npy', { data, shape });
      assert.match(await refusal('--kernel', 'k.npy'), message);
    }
    assert.match(await refusal('--kernel', 'missing.npy'), /^Could not read missing\.npy: /);
    assert.match(
      await refusal('--kernel', 'gauss'),
      /^Expected exp, alpha, double-exp or a \.npy file of samples for --kernel but received 'gauss'/,
    );
    await writeNpyFile('k.npy', { data: Float64Array.of(1, -1), shape: [2] });
    assert.match(
      await refusal('--kernel', 'k.npy', '--normalise', 'area'),
      /^Expected samples that can be scaled to an area of 1 s for --kernel but received a sum of 0/,
    );
    const out = await expsyn('raster.npy', '--kernel', 'k.npy', '--out', 'k.npy', '--no-plot');
    assert.match(out.err, /^Expected another file than the file of --kernel for --out/);
  });

  it('has its own flags; those of others are refused with the kernels that have them', async () => {
    const cases: [flags: string, message: RegExp][] = [
      [
        '--kernel alpha --tau-rise 1ms',
        /^Expected --kernel double-exp with --tau-rise but received --kernel alpha/,
      ],
      [
        '--tau-decay 1ms',
        /^Expected --kernel double-exp with --tau-decay but received --kernel exp/,
      ],
      [
        '--kernel double-exp --tau 1ms',
        /^Expected --kernel exp or alpha with --tau but received --kernel double-exp/,
      ],
      [
        '--kernel kernel.npy --tau 1ms',
        /^Expected --kernel exp or alpha with --tau but received a file/,
      ],
      [
        '--kernel kernel.npy --window-taus 3',
        /^Expected Infinity, because the window is as long as the kernel, for --window-taus/,
      ],
      [
        '--kernel kernel.npy --method recursive',
        /^Expected 'auto' or 'fft' or 'direct' for --method with a file/,
      ],
      [
        '--kernel alpha --method direct',
        /'recursive' for --method with --kernel alpha but received direct/,
      ],
      [
        '--kernel kernel.npy --noise-std 1 --noise state',
        /^Expected 'output' or 'input' for --noise/,
      ],
      [
        '--kernel double-exp --tau-rise 1ms,5ms,1ms --tau-decay 4ms',
        /^Expected at most the synapse's tauDecay, 0\.004, for --tau-rise of channel 1 but received 0\.005/,
      ],
      [
        '--kernel double-exp --tau-rise 5 ms',
        /^Expected a time without spaces for --tau-rise but received '5 ms'/,
      ],
    ];
    for (const [flags, message] of cases) assert.match(await refusal(...flags.split(' ')), message);
  });

  it('is named by the report, by info, and in the provenance', async () => {
    const report = await succeed(
      'raster.npy',
      '--no-plot',
      '--out',
      'a.npy',
      '--kernel',
      'double-exp',
    );
    assert.match(
      report,
      /synapses +kernel double-exp, tauRise 2 ms, tauDecay 10 ms, dt 1 ms, window not cut/,
    );
    assert.match(await succeed('info', 'a.npy'), /synapses +kernel double-exp, tauRise 2 ms/);
    await currentsOf('--kernel', 'kernel.npy', '--normalise', 'area');
    const text = await succeed('info', 'isyn.npy');
    assert.match(
      text,
      /kernel of shape \(20, 3\) from kernel\.npy, normalised by area, dt 1 ms, window 20 steps/,
    );
    const sha256 = createHash('sha256')
      .update(await readFile('kernel.npy'))
      .digest('hex');
    assert.ok(text.includes(`${resolve('kernel.npy')}, SHA-256 ${sha256}\n`), text);
    const json = JSON.parse(await succeed('info', 'isyn.npy', '--json')) as FileDescription;
    assert.deepEqual(json.provenance?.job.kernelFile, { path: resolve('kernel.npy'), sha256 });
  });

  it('is taken from an earlier run by --like, without its file', async () => {
    for (const flags of [
      ['--kernel', 'kernel.npy'],
      ['--kernel', 'double-exp', '--tau-rise', '3ms', '--normalise', 'area', '--window-taus', '4'],
    ]) {
      await currentsOf(...flags);
      if (flags.includes('kernel.npy')) await rm('kernel.npy');
      await succeed('--like', 'isyn.npy', '--out', 'again.npy', '--no-plot');
      assert.ok((await readFile('again.npy')).equals(await readFile('isyn.npy')));
      assert.deepEqual(await descriptionOf('again.npy'), await descriptionOf('isyn.npy'));
    }
  });

  it('replaces that of an earlier run, whose window and method stay behind', async () => {
    await currentsOf('--kernel', 'exp', '--tau', '7ms', '--method', 'recursive', '--dt', '2ms');
    await succeed('--like', 'isyn.npy', '--out', 'b.npy', '--no-plot', '--kernel', 'alpha');
    const b = await descriptionOf('b.npy');
    assert.match(b, /kernel alpha, tau 7 ms, dt 2 ms, window not cut/);
    await succeed('--like', 'isyn.npy', '--out', 'c.npy', '--no-plot', '--kernel', 'kernel.npy');
    assert.match(
      await descriptionOf('c.npy'),
      /kernel of shape \(20, 3\) from kernel\.npy, dt 2 ms/,
    );
    await succeed('--like', 'c.npy', '--out', 'd.npy', '--no-plot', '--kernel', 'exp');
    assert.match(await descriptionOf('d.npy'), /kernel exp, tau 10 ms, dt 2 ms, window 50 steps/);
  });

  async function descriptionOf(path: string): Promise<string> {
    const text = await succeed('info', path);
    return text.split('\n').find((line) => line.startsWith('synapses')) ?? '';
  }

  it('is explained by the help, in few lines', async () => {
    const help = await succeed('--help');
    for (const part of [
      /^ {2}--kernel exp +exp\(-t \/ tau\)$/m,
      /^ {2}--kernel alpha +\(t \/ tau\) exp\(1 - t \/ tau\)$/m,
      /^ {2}--kernel double-exp +c \(exp/m,
      /^ {2}--kernel FILE\.npy +its W samples/m,
      /--tau <times> +time constant of exp and alpha/,
      /--tau-rise <times> +rise time constant of double-exp/,
      /\(default: 10 for exp, Infinity for alpha and\s+double-exp\)/,
    ]) {
      assert.match(help, part);
    }
  });
});

describe('the picture of a run with a kernel', function () {
  emptyFolders();
  this.timeout(20_000);

  it('shows the kernel of the example, for every kernel', async () => {
    await writeNpyFile('kernel.npy', { data: Float64Array.of(1, 0.5, -0.25), shape: [3] });
    const drawings = new Set<string>();
    for (const kernel of ['exp', 'alpha', 'double-exp', 'kernel.npy']) {
      const out = await succeed('run', '--kernel', kernel, '--plot', 'p.svg', '--out', 'e.npy');
      assert.match(out, /raster +\(10000, 48\)/);
      const svg = await readFile('p.svg', 'utf8');
      const title = kernel === 'kernel.npy' ? 'Kernel' : 'Kernels of the traced channels';
      assert.ok(svg.includes(`>${title}<`), kernel);
      assert.ok(svg.includes('>time after a spike (ms)<') && svg.includes('>w<'), kernel);
      drawings.add(svg);
      await succeed('plot', 'e.npy', '--no-raster', '--out', 'again.svg');
      assert.ok((await readFile('again.svg', 'utf8')).includes(`>${title}<`), kernel);
    }
    assert.equal(drawings.size, 4);
  });

  it('has no kernel where none is known', async () => {
    await writeNpyFile('raster.npy', RASTER);
    await succeed('plot', 'raster.npy', '--out', 'p.svg');
    assert.ok(!(await readFile('p.svg', 'utf8')).includes('time after a spike'));
  });
});

describe('the curves of kernels', () => {
  const settingsOf = (settings: Partial<SynapseSettings>): SynapseSettings => {
    return { ...defaultSettings(settings.kernel), seed: 0, ...settings };
  };

  it('are the formulas, also where steps are left out', async () => {
    for (const dt of [1e-3, 1e-7]) {
      const settings = settingsOf({ kernel: 'alpha', parameters: { tau: [0.02, 0.05] }, dt });
      const curves = await kernelCurves({ settings, windowLength: 'Infinity' }, [0, 1]);
      assert.equal(curves.columns, 2);
      assert.ok(curves.timesteps <= 20_000);
      assert.ok(curves.timesteps * curves.dt > 0.29);
      for (const step of [0, 5, curves.timesteps - 1]) {
        const t = ((step + 1) * curves.dt) / 0.05;
        const error = Math.abs((curves.data[2 * step + 1] ?? NaN) - t * Math.exp(1 - t));
        assert.ok(error < 1e-12, `${error}`);
      }
    }
  });

  it('end where the window does, and are one if all channels have the same', async () => {
    const settings = settingsOf({ parameters: { tau: [0.02] } });
    const curves = await kernelCurves({ settings, windowLength: 30 }, [0, 1, 2]);
    assert.deepEqual([curves.timesteps, curves.columns], [30, 1]);
  });

  it('are the samples, scaled to their area', async () => {
    const samples = { shape: [2, 3], data: [1, 2, 3, 3, 2, 1] };
    const settings = settingsOf({ kernel: 'fir', samples, normalise: 'area', dt: 0.5 });
    const curves = await kernelCurves({ settings, windowLength: 2 }, [0, 2]);
    assert.deepEqual([...curves.data], [0.5, 1.5, 1.5, 0.5]);
  });
});
