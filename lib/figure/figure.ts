/**
 * The picture of a run: firing rate, kernel, raster, synaptic currents of all channels, and the currents of
 * a few, under one time axis.
 */
import type { View } from 'vega' with { 'resolution-mode': 'import' };
import type { TopLevelSpec } from 'vega-lite' with { 'resolution-mode': 'import' };

import { CommandError } from '../errors/command-errors';
import { kernelPanel } from './kernel-panel';
import { heatMapPanel, type ColourScheme } from './heat-map';
import {
  BLUE,
  channelAxis,
  channelsHeight,
  COLUMN_GAP,
  emptyPanel,
  MUTED,
  RATE_HEIGHT,
  ROW_GAP,
  STYLE,
  WIDTH,
  type Spec,
} from './layout';
import { channelRatesPanel, rasterPanel, ratePanel, tausPanel } from './panels';
import { prepareScene, type Recording, type Scene } from './scene';
import { closeUpPanel, tracesPanel } from './traces';
import { renderPng } from './render-png';
import { type TimeSeries } from './reduction';
import { describeSpikes, type InputSummary } from './input-summary';
import type { KernelCurves } from '../runs/kernel-curves';
import { formatTime, formatTimeRange } from './words';

export type { PartialArray, Recording } from './scene';

/**
 * Draws a run as an SVG picture.
 *
 * Every spike is shown; currents are reduced to the width of the picture, and the panel's title
 * says how. An input that is no raster of spike counts is drawn as a heat map. Of a batch, item 0
 * is drawn, and the subtitle says so.
 *
 * @throws CommandError when vega or vega-lite are not installed, or there is nothing to draw.
 */
export async function drawFigure(recording: Recording): Promise<string> {
  return withView(recording, async (view) => view.toSVG());
}

/**
 * Draws the same picture as a PNG file.
 *
 * @throws CommandError as drawFigure() does, and when what makes PNG pictures is not installed.
 */
export async function drawFigureAsPng(recording: Recording): Promise<Buffer> {
  return withView(recording, renderPng);
}

async function withView<Result>(
  recording: Recording,
  render: (view: View) => Promise<Result>,
): Promise<Result> {
  const { vega, vegaLite } = await loadVega();
  const schemeNamed = (name: string): ColourScheme => vega.scheme(name) as ColourScheme;
  const spec = composeFigure(recording, prepareScene(recording), schemeNamed);
  const compiled = vegaLite.compile(spec as unknown as TopLevelSpec).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
  try {
    return await render(view);
  } finally {
    view.finalize();
  }
}

/** Both are ES modules, and only needed here, so they are loaded when a picture is drawn. */
async function loadVega() {
  try {
    // Bundlers leave out what is not installed if each import is awaited where its error is caught.
    const vega = await import('vega');
    const vegaLite = await import('vega-lite');
    return { vega, vegaLite };
  } catch (cause) {
    throw new CommandError(
      "Expected the packages that draw the picture but they could not be loaded; run 'npm install " +
        "vega vega-lite'.",
      { cause },
    );
  }
}

/** A grid of two columns: what goes along the time axis, and what stands beside it. */
function composeFigure(
  recording: Recording,
  scene: Scene,
  schemeNamed: (name: string) => ColourScheme,
): Spec {
  const { input, output, summary } = scene;
  const { kernels } = recording;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: { left: 14, right: 26, top: 12, bottom: 10 },
    title: {
      text: recording.name,
      subtitle: describeRun(recording, scene),
      anchor: 'start',
      frame: 'group',
      offset: 24,
      fontSize: 15,
      subtitleFontSize: 11.5,
      subtitleColor: MUTED,
      subtitlePadding: 5,
    },
    columns: 2,
    spacing: { row: ROW_GAP, column: COLUMN_GAP },
    bounds: 'flush',
    resolve: { scale: { color: 'independent' }, legend: { color: 'independent' } },
    concat: [
      ...(input && summary
        ? inputPanels(scene, input, summary, schemeNamed, kernels)
        : kernels
          ? [kernelPanel(kernels, RATE_HEIGHT), emptyPanel(RATE_HEIGHT)]
          : []),
      ...(output ? outputPanels(scene, output, schemeNamed) : []),
    ],
    config: STYLE,
  };
}

/** Spikes, or other input as colours. */
function inputPanels(
  scene: Scene,
  input: TimeSeries,
  summary: InputSummary,
  schemeNamed: (name: string) => ColourScheme,
  kernels: KernelCurves | undefined,
): Spec[] {
  if (!summary.isSpikes) {
    return [
      heatMapPanel(scene, input, 'Input', schemeNamed),
      kernelPanel(kernels, channelsHeight(scene)),
    ];
  }
  return [
    ratePanel(scene, input),
    kernelPanel(kernels, RATE_HEIGHT),
    rasterPanel(scene, input, summary),
    channelRatesPanel(scene, input),
  ];
}

function outputPanels(
  scene: Scene,
  output: TimeSeries,
  schemeNamed: (name: string) => ColourScheme,
): Spec[] {
  return [
    heatMapPanel(scene, output, 'Synaptic currents', schemeNamed, [traceMarkers(scene)]),
    tausPanel(scene),
    tracesPanel(scene, output),
    closeUpPanel(scene, output),
  ];
}

/** Small arrows at the channels whose traces are drawn below, unless these are all. */
function traceMarkers(scene: Scene): Spec {
  const { channels, columns } = scene;
  const values = channels.length < columns ? channels.map((y) => ({ y })) : [];
  return {
    data: { values },
    mark: {
      type: 'point',
      shape: 'triangle-left',
      size: 30,
      filled: true,
      color: BLUE,
      opacity: 1,
    },
    encoding: { x: { value: WIDTH + 7 }, y: channelAxis(scene, columns) },
  };
}

function describeRun({ item, batches, kernels }: Recording, scene: Scene): string {
  const { summary, input, timesteps, columns, firstChannel, firstStep, dt, tau } = scene;
  const time = formatTime(timesteps * dt);
  const begin = firstStep > 0 ? ` from ${formatTime(firstStep * dt)}` : '';
  const places = columns === 1 ? '' : `s ${firstChannel} to ${firstChannel + columns - 1}`;
  const count = columns === 1 ? '1 channel' : `${columns} channels`;
  const parts = [
    firstChannel > 0 ? `channel${places || ` ${firstChannel}`}` : count,
    `${time}${begin} in steps of ${formatTime(dt)}`,
    ...(kernels === undefined ? [] : [`kernel ${kernels.kernel}`]),
    ...(tau === undefined ? [] : [`τ ${formatTimeRange(tau)}`]),
  ];
  if (input !== undefined && summary?.isSpikes === true) {
    parts.push(...describeSpikes(summary.total, timesteps * input.columns, dt));
  }
  if (batches > 1) parts.push(`item ${item} of a batch of ${batches}`);
  return parts.join('  ·  ');
}
