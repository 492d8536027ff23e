/** Sizes, colours, axes and titles that the panels of the picture share. */
import type { Scene } from './scene';

/** A part of a Vega-Lite specification. */
export type Spec = Record<string, unknown>;

/** Width of the shared time axis, and of the column to its right, in pixels. */
export const WIDTH = 760;
export const SIDE_WIDTH = 190;
export const COLUMN_GAP = 34;
export const ROW_GAP = 44;
export const RATE_HEIGHT = 76;
/** Lower than what stands beside it, since its time axis has a title of its own. */
export const KERNEL_HEIGHT = 56;

const PIXELS_PER_CHANNEL = 5;
const [LOWEST_PANEL, HIGHEST_PANEL] = [64, 250];

export const INK = '#222222';
export const MUTED = '#6b6b6b';
export const BAR = '#7f7f7f';
/** Two of Okabe and Ito's colours, which colour-blind people can tell apart. */
export const BLUE = '#0072b2';
export const ORANGE = '#e69f00';

/** A line that points without a value interrupt, drawn in the order of its data. */
export const BROKEN_LINE = { type: 'line', invalid: 'break-paths-show-path-domains', clip: true };

/** Ticks without numbers, for a panel whose axis is labelled in another. */
export const UNLABELLED = { labels: false, title: null };

/** Style that every panel follows. */
export const STYLE: Spec = {
  aria: false,
  font: 'Helvetica Neue, Helvetica, Arial, DejaVu Sans, sans-serif',
  view: { stroke: null },
  axis: {
    grid: false,
    domainColor: '#8a8a8a',
    tickColor: '#8a8a8a',
    tickSize: 4,
    labelFlush: false,
    labelFontSize: 10.5,
    labelColor: INK,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    titleColor: INK,
  },
  legend: { labelFontSize: 10.5, labelColor: INK },
};

/** Height of the panels that have a row for each channel. */
export function channelsHeight({ columns }: Scene): number {
  const wanted = columns * PIXELS_PER_CHANNEL;
  return Math.min(Math.max(wanted, LOWEST_PANEL), HIGHEST_PANEL);
}

/** The middle of a step, in the unit of the time axis. */
export function timeOf(scene: Scene, step: number): number {
  return beginOf(scene, step + 0.5);
}

/** The beginning of a step, counted from the first one that is drawn, in that unit. */
export function beginOf({ dt, unit, firstStep }: Scene, step: number): number {
  return (firstStep + step) * dt * unit.perSecond;
}

/** The time axis, from the beginning of step `begin` to that of step `end`. */
export function timeAxis(
  scene: Scene,
  axis: Spec = UNLABELLED,
  { begin, end } = { begin: 0, end: scene.timesteps },
): Spec {
  return {
    field: 't',
    type: 'quantitative',
    scale: { domain: [beginOf(scene, begin), beginOf(scene, end)], nice: false, zero: false },
    axis: { tickCount: 8, ...axis },
  };
}

/** Channel n takes the vertical stretch from n - 0.5 to n + 0.5; channel 0 is the lowest. */
export function channelAxis(
  { firstChannel }: Scene,
  columns: number,
  axis: Spec = { title: 'channel' },
): Spec {
  const ticks =
    columns <= 4
      ? { values: Array.from({ length: columns }, (_, channel) => channel) }
      : { tickMinStep: 1, tickCount: 6 };
  return {
    field: 'y',
    type: 'quantitative',
    scale: { domain: [-0.5, columns - 0.5], nice: false, zero: false },
    axis: { labelExpr: `format(datum.value + ${firstChannel}, 'd')`, ...ticks, ...axis },
  };
}

/** A panel with its title above the left end. */
export function panel(title: string, width: number, height: number, layers: Spec[]): Spec {
  return {
    width,
    height,
    layer: [...layers, note(title, { x: 0, y: -9, fontSize: 12, fontWeight: 'bold' })],
  };
}

/** Words at a place in pixels from the panel's upper left corner. */
export function note(text: string, { x, y, ...style }: { x: number; y: number } & Spec): Spec {
  return {
    data: { values: [{}] },
    mark: { type: 'text', text, align: 'left', baseline: 'bottom', color: INK, ...style },
    encoding: { x: { value: x }, y: { value: y } },
  };
}

/** Keeps a place in the grid of panels free. */
export function emptyPanel(height: number): Spec {
  return { width: SIDE_WIDTH, height, data: { values: [] }, mark: 'point' };
}
