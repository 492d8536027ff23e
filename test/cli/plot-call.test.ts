/** plot(): the figures of the command line, from arrays in memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { loadImage } from '@napi-rs/canvas';

import { plot, readNpy, writeNpy, type FigureOptions } from '../../lib/files';
import { AlphaSyn, DoubleExpSyn, ExpSyn, FirSyn, type NdArray } from '../../lib/index';
import { succeed } from '../support/command-line';
import { rejected, typeError, valueError } from '../support/error-details';
import { emptyFolders } from '../support/folders';
import { ROOT } from '../support/processes';

const [BATCHES, TIMESTEPS, SIZE] = [2, 400, 6];
const RASTER = {
  data: Uint8Array.from({ length: BATCHES * TIMESTEPS * SIZE }, (_, k) => (k % 13 === 0 ? 1 : 0)),
  shape: [BATCHES, TIMESTEPS, SIZE],
};
const TAUS = [0.005, 0.01, 0.02, 0.02, 0.05, 0.1];
const SAMPLES = Float64Array.from({ length: 120 }, (_, k) => Math.cos(k / 9));

/** Vega numbers the clipped parts and the gradients of all figures of a process. */
function withoutNumbers(svg: string): string {
  return svg.replace(/\b(clip|gradient_)\d+/g, '$1');
}

function assertSameFigure(one: string, other: string): void {
  assert.ok(withoutNumbers(one) === withoutNumbers(other), 'the figures differ');
}

describe('plot()', () => {
  emptyFolders();

  const cases: [
    name: string,
    flags: string[],
    synapses: ExpSyn | AlphaSyn | DoubleExpSyn | FirSyn,
  ][] = [
    ['exponential synapses', ['--tau', 'tau.npy'], new ExpSyn(SIZE, { tau: TAUS })],
    [
      'a longer step and a window',
      ['--tau', '20ms', '--dt', '2ms', '--window-taus', '3'],
      new ExpSyn(SIZE, { tau: 0.02, dt: 0.002, windowTaus: 3 }),
    ],
    [
      'alpha functions that are normalised',
      ['--kernel', 'alpha', '--tau', 'tau.npy', '--normalise', 'area'],
      new AlphaSyn(SIZE, { tau: TAUS, normalise: 'area' }),
    ],
    [
      'double exponentials',
      ['--kernel', 'double-exp', '--tau-rise', '3ms', '--tau-decay', '20ms'],
      new DoubleExpSyn(SIZE, { tauRise: 0.003, tauDecay: 0.02 }),
    ],
    [
      'samples',
      ['--kernel', 'kernel.npy'],
      new FirSyn(SIZE, { kernel: { data: SAMPLES, shape: [20, SIZE] } }),
    ],
  ];
  for (const [name, flags, synapses] of cases) {
    it(`draws the figure of the command line: ${name}`, async () => {
      await writeNpy('raster.npy', RASTER);
      await writeNpy('tau.npy', TAUS);
      await writeNpy('kernel.npy', { data: SAMPLES, shape: [20, SIZE] });
      await succeed('run', 'raster.npy', '--out', 'isyn.npy', '--plot', 'run.svg', ...flags);
      const output = await readNpy('isyn.npy');
      const own = await plot(output, { raster: RASTER, synapses, title: 'raster.npy' });
      assertSameFigure(own, await readFile('run.svg', 'utf8'));
      const part = ['--item', '1', '--from', '100ms', '--to', '0.3s', '--traces', '1,4'];
      await succeed('plot', 'isyn.npy', '--out', 'part.svg', ...part);
      await plot(output, {
        raster: RASTER,
        synapses,
        title: 'isyn.npy',
        item: 1,
        from: 0.1,
        to: 0.3,
        traces: [1, 4],
        path: 'own.SVG',
      });
      assertSameFigure(await readFile('own.SVG', 'utf8'), await readFile('part.svg', 'utf8'));
    });
  }

  it('draws currents alone, and with a list of events or one channel as their input', async () => {
    const currents = Float64Array.from({ length: 300 }, (_, k) => Math.sin(k / 7));
    await writeNpy('isyn.npy', { data: currents, shape: [100, 3] });
    await succeed('plot', 'isyn.npy', '--dt', '2ms');
    const array = { data: currents, shape: [100, 3] };
    const alone = await plot(array, { dt: 0.002, title: 'isyn.npy' });
    assertSameFigure(alone, await readFile('isyn.svg', 'utf8'));
    assert.match(await plot(array), />Synaptic currents</);

    const events = { times: [0.0105, 0.03], channels: [2, 0], shape: [100, 3] };
    const counts = new Uint8Array(300);
    counts[10 * 3 + 2] = counts[30 * 3] = 1;
    const fromEvents = await plot(array, { raster: events });
    assertSameFigure(fromEvents, await plot(array, { raster: { data: counts, shape: [100, 3] } }));
    const column = { data: new Uint8Array(100).fill(1, 50, 52), shape: [100] };
    const late = { ...events, times: [9], channels: [0] };
    await assert.rejects(plot(array, { raster: late }), {
      message:
        /for options\.raster\.times\[0\] but received 9; check the unit, or leave such events out by outside: 'drop'\.$/,
    });
    await plot(array, { raster: late, outside: 'drop' });
    assert.match(await plot(array, { raster: column }), /the same for all channels/);
    const nested = [[1], [2], [3]];
    assertSameFigure(
      await plot(nested),
      await plot({ data: Float32Array.of(1, 2, 3), shape: [3] }),
    );
  });

  it('draws a .png picture of the same size, as bytes and into a file', async () => {
    const { output } = new ExpSyn(SIZE).evolveSync(RASTER);
    const options: FigureOptions = { raster: RASTER, item: 1 };
    const svg = await plot(output, { ...options, format: 'svg' });
    const png = await plot(output, { ...options, format: 'png' });
    assert.equal(png.constructor, Uint8Array);
    await plot(output, { ...options, path: 'own.png' });
    assert.deepEqual(new Uint8Array(await readFile('own.png')), png);
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
    const image = await loadImage(png);
    assert.deepEqual([image.width, image.height], [2 * Number(width), 2 * Number(height)]);
  });

  it('says which package is missing', () => {
    const files = JSON.stringify(join(ROOT, 'dist', 'files.js'));
    for (const [missing, advice] of [
      ['vega', /npm install vega vega-lite'\.$/],
      ['@napi-rs/canvas', /npm install @napi-rs\/canvas', or draw a \.svg picture\.$/],
    ] as const) {
      const loader = `export const resolve = (name, context, next) => {
        if (name === '${missing}') throw new Error('There is none.');
        return next(name, context);
      };`;
      const program = `
        require('node:module').register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(loader)}));
        require(${files}).plot([[1, 2]], { format: 'png' }).catch(({ name, code, message }) =>
          console.log(JSON.stringify({ name, code, message })));`;
      const printed = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' });
      const { name, code, message } = JSON.parse(printed) as Record<string, string>;
      assert.deepEqual([name, code], ['Error', 'ERR_EXPSYN_FIGURE']);
      assert.match(message ?? '', advice);
    }
  });

  it('refuses what cannot be drawn, and where it cannot be written', async () => {
    const draw = plot as (...args: unknown[]) => Promise<unknown>;
    const currents: NdArray = { data: new Float64Array(24), shape: [2, 4, 3] };
    const withOption = (options: unknown) => [currents, options];
    const rows: [args: unknown[], details: object][] = [
      [[], typeError('currents')],
      [[new Float64Array(3)], typeError('currents')],
      [[{ data: new Float64Array(3), shape: [2, 2] }], valueError('currents.data')],
      [[{ data: new Float64Array(1), shape: [] }], valueError('currents')],
      [[{ data: new Float64Array(0), shape: [0, 3] }], valueError('currents')],
      [withOption(3), typeError('options')],
      [withOption({ titel: 'a' }), typeError('options')],
      [withOption({ title: 3 }), typeError('options.title')],
      [withOption({ dt: 0 }), valueError('options.dt')],
      [withOption({ item: 2 }), valueError('options.item')],
      [withOption({ from: -1 }), valueError('options.from')],
      [withOption({ from: 0.004 }), valueError('options.from')],
      [withOption({ from: 0.002, to: 0.002 }), valueError('options.to')],
      [withOption({ to: '1s' }), typeError('options.to')],
      [withOption({ traces: 1 }), typeError('options.traces')],
      [withOption({ traces: [] }), valueError('options.traces')],
      [withOption({ traces: [0, 3] }), valueError('options.traces[1]')],
      [withOption({ format: 'jpg' }), valueError('options.format')],
      [withOption({ path: 'a.jpg' }), valueError('options.path')],
      [withOption({ path: 'a.svg', format: 'svg' }), valueError('options.format')],
      [withOption({ raster: currents.data }), typeError('options.raster')],
      [withOption({ raster: [[1, 2, 3]] }), valueError('options.raster')],
      [withOption({ synapses: {} }), typeError('options.synapses')],
      [withOption({ synapses: new ExpSyn(2) }), valueError('options.synapses')],
    ];
    for (const [args, details] of rows) assert.deepEqual(await rejected(draw(...args)), details);
    await assert.rejects(plot(currents, { path: 'none/a.svg' }), (error: Error) => {
      const { code, path } = error as Error & { code: string; path: string };
      assert.deepEqual([code, path], ['ERR_EXPSYN_FILE', 'none/a.svg']);
      return error.message.startsWith('Could not write none/a.svg: there is no such');
    });
    assert.deepEqual(await readdir('.'), []);
  });
});
