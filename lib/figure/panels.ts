/** The panels of firing rates, spikes and time constants. */
import { reduceToGrid, type TimeSeries } from './reduction';
import type { InputSummary } from './input-summary';
import { formatTime } from './words';
import { denseRasterPanel } from './heat-map';
import {
  BAR,
  beginOf,
  BLUE,
  BROKEN_LINE,
  channelAxis,
  channelsHeight,
  emptyPanel,
  INK,
  ORANGE,
  panel,
  RATE_HEIGHT,
  SIDE_WIDTH,
  timeAxis,
  timeOf,
  UNLABELLED,
  WIDTH,
  type Spec,
} from './layout';
import type { Scene } from './scene';

/** Beyond this many, or when rows become thinner than so many pixels, spikes are no longer ticks. */
const MAX_TICKS = 30_000;
const THINNEST_TICK_ROW = 2;
const MANY_TICKS = 5_000;
const RATE_BINS = 200;

/** A shape without fill between neighbours, however thin it is. */
const BAR_MARK = { type: 'rect', color: BAR, stroke: BAR, strokeWidth: 0.4 };

/** Firing rate of the whole population, with the stimuli behind it. */
export function ratePanel(scene: Scene, input: TimeSeries): Spec {
  const { dt, stimuli } = scene;
  const { values: sums, stepsPerBin } = reduceToGrid(input, 'sum', 1, RATE_BINS);
  const bars = Array.from(sums, (sum, bin) => {
    const begin = bin * stepsPerBin;
    const end = Math.min(begin + stepsPerBin, input.timesteps);
    return {
      t: beginOf(scene, begin),
      end: beginOf(scene, end),
      rate: sum / input.columns / ((end - begin) * dt),
    };
  });
  // Room for the stimuli's names above the highest bar.
  const highest = highestRate(bars) * (stimuli.length > 0 ? 1.35 : 1);
  const ofWhat = input.columns === 1 ? '' : ', mean of all channels';
  return panel(
    `Firing rate${ofWhat} in bins of ${formatTime(stepsPerBin * dt)}`,
    WIDTH,
    RATE_HEIGHT,
    [
      ...stimulusLayers(scene),
      {
        data: { values: bars },
        mark: BAR_MARK,
        encoding: {
          x: timeAxis(scene),
          x2: { field: 'end' },
          y: {
            field: 'rate',
            type: 'quantitative',
            scale: { domain: [0, highest], nice: false },
            axis: { title: 'spikes/s', tickCount: 3 },
          },
          y2: { datum: 0 },
        },
      },
    ],
  );
}

function highestRate(bars: { rate: number }[]): number {
  return bars.reduce((most, { rate }) => Math.max(most, rate), 0) || 1;
}

function stimulusLayers(scene: Scene): Spec[] {
  const { stimuli, unit } = scene;
  const values = stimuli.map(({ start, end, strength }) => ({
    t: start * unit.perSecond,
    end: end * unit.perSecond,
    strength,
    label: `stimulus ${strength}`,
  }));
  if (values.length === 0) return [];
  const x = timeAxis(scene);
  const opacity = {
    field: 'strength',
    type: 'quantitative',
    scale: { domain: [0, 1], range: [0.08, 0.5] },
    legend: null,
  };
  return [
    {
      data: { values },
      mark: { type: 'rect', color: ORANGE, clip: true },
      encoding: { x, x2: { field: 'end' }, opacity },
    },
    {
      data: { values },
      mark: { type: 'text', align: 'left', baseline: 'top', dx: 3, dy: 2, fontSize: 9.5 },
      encoding: { x, y: { value: 0 }, text: { field: 'label' } },
    },
  ];
}

/** Every spike of every channel. */
export function rasterPanel(scene: Scene, input: TimeSeries, { nonZeros }: InputSummary): Spec {
  const height = channelsHeight(scene);
  if (nonZeros > MAX_TICKS || height / input.columns < THINNEST_TICK_ROW) {
    return denseRasterPanel(scene, input);
  }
  const ticks = {
    data: { values: ticksOf(scene, input) },
    mark: { ...BROKEN_LINE, color: INK, strokeWidth: nonZeros > MANY_TICKS ? 0.7 : 1 },
    encoding: {
      x: timeAxis(scene),
      y: channelAxis(scene, input.columns),
      order: { value: null },
    },
  };
  const forWhom = input.columns < scene.columns ? ', the same for all channels' : '';
  return panel(`Spike raster${forWhom}`, WIDTH, height, [ticks]);
}

/** A point below, a point above, and a gap for each spike: one path draws them all. */
function ticksOf(
  scene: Scene,
  { data, timesteps, columns }: TimeSeries,
): { t: number | null; y: number | null }[] {
  const points: { t: number | null; y: number | null }[] = [];
  for (let index = 0; index < timesteps * columns; index++) {
    if (Number(data[index]) === 0) continue;
    const t = timeOf(scene, Math.floor(index / columns));
    const channel = index % columns;
    points.push({ t, y: channel - 0.42 }, { t, y: channel + 0.42 }, { t: null, y: null });
  }
  // Without any point, there would be no axes.
  return points.length > 0 ? points : [{ t: null, y: null }];
}

/** Mean rate of each channel, beside the raster. */
export function channelRatesPanel(scene: Scene, input: TimeSeries): Spec {
  const { dt } = scene;
  const height = channelsHeight(scene);
  const { values: sums, channelsPerRow } = reduceToGrid(input, 'sum', height, 1);
  // Bars are kept apart where they are thick enough.
  const gap = channelsPerRow === 1 ? 0.12 : 0;
  const bars = Array.from(sums, (sum, row) => {
    const first = row * channelsPerRow;
    const end = Math.min(first + channelsPerRow, input.columns);
    const rate = sum / (end - first) / (input.timesteps * dt);
    return { y: first - 0.5 + gap, end: end - 0.5 - gap, rate };
  });
  const layer = {
    data: { values: bars },
    mark: BAR_MARK,
    encoding: {
      x: {
        field: 'rate',
        type: 'quantitative',
        scale: { domain: [0, highestRate(bars)], nice: 4 },
        axis: { title: null, tickCount: 4 },
      },
      x2: { datum: 0 },
      y: channelAxis(scene, input.columns, UNLABELLED),
      y2: { field: 'end' },
    },
  };
  return panel('Mean rate (spikes/s)', SIDE_WIDTH, height, [layer]);
}

/** The time constant of each channel, beside the currents. */
export function tausPanel(scene: Scene): Spec {
  const { tau } = scene;
  if (tau === undefined) return emptyPanel(channelsHeight(scene));
  const milliseconds = Array.from(tau, (seconds) => seconds * 1e3);
  const shortest = milliseconds.reduce((least, value) => Math.min(least, value), Infinity);
  const longest = milliseconds.reduce((most, value) => Math.max(most, value), 0);
  // A stroke of no length with round caps is a dot; one path draws them all.
  const dots = milliseconds.flatMap((ms, y) => [
    { ms, y },
    { ms, y },
    { ms: null, y: null },
  ]);
  const layer = {
    data: { values: dots },
    mark: { ...BROKEN_LINE, clip: false, color: BLUE, strokeWidth: 4.2, strokeCap: 'round' },
    encoding: {
      x: {
        field: 'ms',
        type: 'quantitative',
        scale: { type: 'log', domain: [shortest * 0.8, longest * 1.25], nice: false },
        axis: { title: null, tickCount: 4 },
      },
      y: channelAxis(scene, scene.columns, UNLABELLED),
      order: { value: null },
    },
  };
  return panel('Time constant τ (ms)', SIDE_WIDTH, channelsHeight(scene), [layer]);
}
