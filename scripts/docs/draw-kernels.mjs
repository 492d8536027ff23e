/** Draws docs/kernels.svg: the response of each kind of synapse to one spike. Needs a package that is built. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import * as vega from 'vega';
import { compile } from 'vega-lite';

import { root } from './pages.mjs';

const { AlphaSyn, DoubleExpSyn, ExpSyn, FirSyn } = createRequire(import.meta.url)(
  join(root, 'dist', 'index.js'),
);

/** Steps of 0.1 ms, over 100 ms. */
const [DT, STEPS] = [1e-4, 1000];

/** A damped oscillation, as an example of samples of one's own. */
const samples = Float64Array.from({ length: 600 }, (_, k) => {
  const t = (k + 1) * DT;
  return Math.exp(-t / 0.015) * Math.cos(2 * Math.PI * 40 * t);
});

const ms = (seconds) => `${seconds * 1000} ms`;
const PANELS = [
  ['ExpSyn', [5e-3, 20e-3], (tau) => [`tau ${ms(tau)}`, new ExpSyn(1, { tau, dt: DT })]],
  ['AlphaSyn', [5e-3, 20e-3], (tau) => [`tau ${ms(tau)}`, new AlphaSyn(1, { tau, dt: DT })]],
  [
    'DoubleExpSyn, tauDecay 20 ms',
    [1e-3, 10e-3],
    (tauRise) => [
      `tauRise ${ms(tauRise)}`,
      new DoubleExpSyn(1, { tauRise, tauDecay: 20e-3, dt: DT }),
    ],
  ],
  ['FirSyn', [samples], (kernel) => ['600 samples', new FirSyn(1, { kernel, dt: DT })]],
];

const spike = { data: new Uint8Array(STEPS).fill(1, 0, 1), shape: [STEPS, 1] };

function panelOf([title, values, make]) {
  const curves = values.map(make);
  const data = curves.flatMap(([name, synapses]) =>
    Array.from(synapses.evolveSync(spike).output.data, (w, k) => ({
      t: (k + 1) * DT * 1000,
      w,
      name,
    })),
  );
  return {
    title: { text: title, anchor: 'start' },
    width: 200,
    height: 120,
    data: { values: data },
    mark: { type: 'line', strokeWidth: 1.5, clip: true },
    encoding: {
      x: {
        field: 't',
        type: 'quantitative',
        axis: { title: 'time after the spike (ms)', tickCount: 5 },
      },
      y: {
        field: 'w',
        type: 'quantitative',
        scale: { domain: title === 'FirSyn' ? [-0.6, 1] : [0, 1] },
        axis: { title: 'w', tickCount: 4 },
      },
      color: {
        field: 'name',
        type: 'nominal',
        sort: null,
        scale: { range: ['#0072b2', '#e69f00'] },
        legend: { title: null, orient: 'top-right', labelLimit: 220 },
      },
    },
  };
}

const spec = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  padding: 10,
  columns: 4,
  spacing: 24,
  resolve: { scale: { color: 'independent', y: 'independent' } },
  concat: PANELS.map(panelOf),
  config: {
    aria: false,
    font: 'Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif',
    view: { stroke: null },
    axis: { grid: false, titleFontWeight: 'normal', domainColor: '#8a8a8a', tickColor: '#8a8a8a' },
  },
};
const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' });
writeFileSync(join(root, 'docs', 'kernels.svg'), await view.toSVG());
view.finalize();
