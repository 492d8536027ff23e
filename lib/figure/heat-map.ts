/** Heat maps and dense rasters, as images within the SVG picture. */
import { encodePng, type Colour } from './encode-png';
import { largestMagnitude, reduceToGrid, type Grid, type TimeSeries } from './reduction';
import { formatTime } from './words';
import {
  beginOf,
  channelAxis,
  channelsHeight,
  MUTED,
  note,
  panel,
  timeAxis,
  WIDTH,
  type Spec,
} from './layout';
import type { Scene } from './scene';

/** Colours along a scale, for a fraction from 0 to 1, as CSS writes them: `rgb(1, 2, 3)`. */
export type ColourScheme = (fraction: number) => string;

/** The schemes' names in Vega: from nothing to much, and from one sign to the other. */
const SEQUENTIAL = 'magma';
const DIVERGING = 'purpleorange';

/** One entry of the palette's 256 is left for values that are not finite. */
const SHADES = 255;
const NON_FINITE: Colour = [120, 120, 120];
/** From white to nearly black. */
const GREYS = Array.from({ length: SHADES }, (_, shade): Colour => {
  const grey = Math.round(SHADES - 0.87 * shade);
  return [grey, grey, grey];
});

/** Below this fraction of the peak, the FFT's round-off may give a current the wrong sign. */
const ROUND_OFF = 1e-4;

/** Renderers that smooth images blur only the edges of what is drawn this much larger. */
const OVERSAMPLING = 2;

const LEGEND = { length: 190, thickness: 9, above: 26 };

/**
 * Values of (T, channels) as colours, with a legend: light for much, or from one sign to the other
 * where both occur, on a square-root scale that lets small currents be seen beside large ones.
 */
export function heatMapPanel(
  scene: Scene,
  series: TimeSeries,
  title: string,
  schemeNamed: (name: string) => ColourScheme,
  more: Spec[] = [],
): Spec {
  const height = channelsHeight(scene);
  const grid = reduceToGrid(series, 'peak', height, WIDTH);
  const most = largestMagnitude(grid.values) || 1;
  const isSigned = grid.values.some((value) => value < -ROUND_OFF * most);
  const scheme = isSigned ? DIVERGING : SEQUENTIAL;
  const root = (value: number): number => Math.sign(value) * Math.sqrt(Math.abs(value) / most);
  const shade = (value: number): number =>
    isSigned ? (1 + root(value)) / 2 : Math.max(0, root(value));
  const image = encodeImage(grid, height, paletteOf(schemeNamed(scheme)), shade);
  const isReduced = grid.stepsPerBin > 1 || grid.channelsPerRow > 1;
  const titles = [
    title,
    ...(isReduced ? [`peak of each ${describePixel(scene, grid)}`] : []),
    ...(grid.values.some(Number.isNaN) ? ['grey where not finite'] : []),
  ];
  return panel(titles.join(', '), WIDTH, height, [
    imageLayer(image, series, grid, height),
    axesLayer(scene, series.columns),
    legendLayer([isSigned ? -most : 0, most], scheme),
    note('square-root scale', {
      x: WIDTH - LEGEND.length - 10,
      y: 4 + LEGEND.thickness - LEGEND.above,
      align: 'right',
      color: MUTED,
      fontSize: 10.5,
    }),
    ...more,
  ]);
}

/** A raster with more spikes than ticks could show: one image, its pixels dark by their number. */
export function denseRasterPanel(scene: Scene, input: TimeSeries): Spec {
  const height = channelsHeight(scene);
  const grid = reduceToGrid(input, 'sum', height, WIDTH);
  const most = largestMagnitude(grid.values);
  // A lone spike must still be seen, so it begins at a third of the ink.
  const image = encodeImage(grid, height, GREYS, (sum) =>
    sum === 0 ? 0 : 0.35 + 0.65 * Math.sqrt(sum / most),
  );
  const title = `Spike raster, darker where more spikes share ${describePixel(scene, grid)}`;
  return panel(title, WIDTH, height, [
    imageLayer(image, input, grid, height),
    axesLayer(scene, input.columns),
  ]);
}

/** What one pixel of a grid stands for: '4 channels × 12 ms'. */
function describePixel({ dt }: Scene, { channelsPerRow, stepsPerBin }: Grid): string {
  const time = formatTime(stepsPerBin * dt);
  return channelsPerRow === 1 ? time : `${channelsPerRow} channels × ${time}`;
}

/** The image over the whole panel; what the last row and bin have too much is clipped. */
function imageLayer(url: string, series: TimeSeries, grid: Grid, height: number): Spec {
  const { rows, bins, stepsPerBin, channelsPerRow } = grid;
  const imageHeight = ((rows * channelsPerRow) / series.columns) * height;
  return {
    data: { values: [{}] },
    mark: {
      type: 'image',
      url,
      width: ((bins * stepsPerBin) / series.timesteps) * WIDTH,
      height: imageHeight,
      aspect: false,
      align: 'left',
      baseline: 'top',
      smooth: false,
      clip: true,
    },
    encoding: { x: { value: 0 }, y: { value: height - imageHeight } },
  };
}

/** Axes for a panel whose content is an image: Vega draws them for the sake of an unseen point. */
function axesLayer(scene: Scene, columns: number): Spec {
  return {
    data: { values: [{ t: beginOf(scene, 0), y: 0 }] },
    mark: { type: 'point', opacity: 0 },
    encoding: { x: timeAxis(scene), y: channelAxis(scene, columns) },
  };
}

function legendLayer(domain: [number, number], scheme: string): Spec {
  const legend = {
    title: null,
    orient: 'none',
    direction: 'horizontal',
    legendX: WIDTH - LEGEND.length,
    legendY: -LEGEND.above,
    gradientLength: LEGEND.length,
    gradientThickness: LEGEND.thickness,
    gradientOpacity: 1,
    tickCount: 4,
  };
  return {
    data: { values: [{ value: 0 }] },
    mark: { type: 'point', opacity: 0 },
    encoding: {
      color: {
        field: 'value',
        type: 'quantitative',
        scale: { type: 'sqrt', domain, scheme },
        legend,
      },
    },
  };
}

/** A data URL of the grid, row 0 lowest; `shade` maps a finite value to 0..1. */
function encodeImage(
  { values, rows, bins }: Grid,
  height: number,
  palette: readonly Colour[],
  shade: (value: number) => number,
): string {
  const tall = Math.ceil((OVERSAMPLING * height) / rows);
  const wide = Math.ceil((OVERSAMPLING * WIDTH) / bins);
  const lineLength = bins * wide;
  const pixels = new Uint8Array(rows * tall * lineLength);
  for (let row = 0; row < rows; row++) {
    const top = (rows - 1 - row) * tall * lineLength;
    for (let bin = 0; bin < bins; bin++) {
      const value = values[row * bins + bin] ?? NaN;
      const index = Number.isFinite(value) ? Math.round(shade(value) * (SHADES - 1)) : SHADES;
      pixels.fill(index, top + bin * wide, top + (bin + 1) * wide);
    }
    for (let line = 1; line < tall; line++) {
      pixels.copyWithin(top + line * lineLength, top, top + lineLength);
    }
  }
  const png = encodePng(pixels, lineLength, rows * tall, palette);
  return `data:image/png;base64,${png.toString('base64')}`;
}

/** A scheme's shades, and the one for values that are not finite. */
function paletteOf(scheme: ColourScheme): Colour[] {
  const shades = Array.from({ length: SHADES }, (_, shade): Colour => {
    const [red = '', green = '', blue = ''] = scheme(shade / (SHADES - 1)).match(/\d+/g) ?? [];
    return [Number(red), Number(green), Number(blue)];
  });
  return [...shades, NON_FINITE];
}
