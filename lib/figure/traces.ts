/** The panels with the synaptic currents of a few channels, over the whole run and close up. */
import { traceOf, type TimeSeries } from './reduction';
import { formatTime } from './words';
import {
  beginOf,
  BLUE,
  BROKEN_LINE,
  emptyPanel,
  INK,
  panel,
  SIDE_WIDTH,
  timeAxis,
  timeOf,
  WIDTH,
  type Spec,
} from './layout';
import type { Range } from '../formats/raster-source';
import type { Scene } from './scene';

const ROW_HEIGHT = 46;
/** How much of a row its trace fills. */
const FILL = 0.74;
/** The space between a row's lowest current and the end of the row, where the spikes are marked. */
const MARGIN = 0.12;
/** Up to so many steps, each one is marked with a dot. */
const FEW_STEPS = 60;

/** One channel's place in a panel of traces, which has one row for each, the first at the top. */
interface Row {
  channel: number;
  /** Where the row begins on the panel's vertical axis, along which the rows are 1 apart. */
  bottom: number;
  /** Maps a current to that axis. */
  place: (current: number) => number;
  /** The currents that the axis names: 0 and a round one. */
  labelled: number[];
}

/** The currents of the chosen channels over the whole run. */
export function tracesPanel(scene: Scene, output: TimeSeries): Spec {
  const { closeUp, unit, tau, firstChannel } = scene;
  const rows = rowsOf(scene, output);
  const x = timeAxis(scene, { title: `time (${unit.name})` });
  const band = { t: beginOf(scene, closeUp.begin), end: beginOf(scene, closeUp.end) };
  const names = rows.map(({ channel, bottom }) => ({
    y: bottom + FILL / 2,
    name: `channel ${firstChannel + channel}`,
    tau: tau === undefined ? '' : `τ = ${formatTime(tau[channel] ?? NaN, 3)}`,
  }));
  // A text of two lines is not drawn as such everywhere.
  const label = (field: string, dy: number): Spec => ({
    data: { values: names },
    mark: { type: 'text', align: 'right', fontSize: 10.5, dy, color: INK },
    encoding: { x: { value: -36 }, y: rowAxis(rows), text: { field } },
  });
  return panel(titleOf(scene, output), WIDTH, rows.length * ROW_HEIGHT, [
    {
      data: { values: hasCloseUp(scene) ? [band] : [] },
      mark: { type: 'rect', color: BLUE, opacity: 0.12, stroke: BLUE, strokeWidth: 1 },
      encoding: { x, x2: { field: 'end' } },
    },
    traceLayer(scene, output, rows, { begin: 0, end: output.timesteps }, x, WIDTH),
    label('name', tau === undefined ? 0 : -6),
    label('tau', 7),
  ]);
}

/** The same channels in a short range, where the decays can be seen, with the spikes below. */
export function closeUpPanel(scene: Scene, output: TimeSeries): Spec {
  const { closeUp, unit, dt, input, summary } = scene;
  const rows = rowsOf(scene, output);
  const height = rows.length * ROW_HEIGHT;
  if (!hasCloseUp(scene)) return emptyPanel(height);
  const x = timeAxis(scene, { title: `time (${unit.name})`, tickCount: 4 }, closeUp);
  return panel(
    `Close-up of ${formatTime((closeUp.end - closeUp.begin) * dt, 2)}`,
    SIDE_WIDTH,
    height,
    [
      traceLayer(scene, output, rows, closeUp, x, SIDE_WIDTH * 4),
      ...(input && summary?.isSpikes === true ? [spikesLayer(scene, input, rows, x)] : []),
    ],
  );
}

function hasCloseUp({ closeUp, timesteps }: Scene): boolean {
  return closeUp.end - closeUp.begin < timesteps;
}

function titleOf({ channels }: Scene, output: TimeSeries): string {
  if (output.columns === 1) return 'Synaptic current';
  return channels.length === output.columns
    ? 'Synaptic currents, each to its own scale'
    : 'Synaptic currents of the channels marked above, each to its own scale';
}

function rowsOf({ channels }: Scene, output: TimeSeries): Row[] {
  const everything = { begin: 0, end: output.timesteps };
  return channels.map((channel, index) => {
    const extremes = traceOf(output, channel, everything, 1).map(({ value }) => value || 0);
    const lowest = Math.min(0, ...extremes);
    const highest = Math.max(0, ...extremes);
    // Scaled first, since the difference of the largest doubles overflows.
    const size = Math.max(highest, -lowest) || 1;
    const span = highest / size - lowest / size || 1;
    const bottom = channels.length - 1 - index;
    return {
      channel,
      bottom,
      place: (current) => bottom + ((current / size - lowest / size) / span) * FILL,
      labelled: [0, roundDown(highest >= -lowest ? highest : lowest)],
    };
  });
}

/** The nearest number towards 0 that is 1, 1.5, or 2 to 9 times a power of ten; 0 for 0. */
function roundDown(value: number): number {
  if (value === 0) return 0;
  const [digits = '', power = ''] = Math.abs(value).toExponential().split('e');
  const rounded = digits.startsWith('1') && Number(digits) >= 1.5 ? '1.5' : digits.charAt(0);
  return Math.sign(value) * Number(`${rounded}e${power}`);
}

function rowAxis(rows: Row[]): Spec {
  const labels = rows.flatMap(({ place, labelled }) =>
    labelled.map((current) => ({ y: place(current), text: formatCurrent(current) })),
  );
  const choices = labels.map(({ y, text }) => `datum.value === ${y} ? '${text}' : `);
  return {
    field: 'y',
    type: 'quantitative',
    scale: { domain: [-MARGIN, rows.length - MARGIN], nice: false, zero: false },
    axis: {
      values: labels.map(({ y }) => y),
      labelExpr: `${choices.join('')}''`,
      labelOverlap: false,
      domain: false,
      title: null,
    },
  };
}

function formatCurrent(current: number): string {
  return String(current).replace('-', '\u2212');
}

function traceLayer(
  scene: Scene,
  output: TimeSeries,
  rows: Row[],
  steps: Range,
  x: Spec,
  maxBins: number,
): Spec {
  const values = rows.flatMap(({ channel, place }) =>
    traceOf(output, channel, steps, maxBins).map(({ step, value }) => ({
      t: timeOf(scene, step),
      y: Number.isNaN(value) ? null : place(value),
      channel,
    })),
  );
  const hasDots = steps.end - steps.begin <= FEW_STEPS;
  return {
    data: { values },
    mark: { ...BROKEN_LINE, color: BLUE, strokeWidth: 1, point: hasDots && { size: 12 } },
    encoding: { x, y: rowAxis(rows), detail: { field: 'channel' }, order: { value: null } },
  };
}

/** A small stroke below the current for each spike of the close-up. */
function spikesLayer(scene: Scene, input: TimeSeries, rows: Row[], x: Spec): Spec {
  const { closeUp } = scene;
  const values: { t: number | null; y: number | null }[] = [];
  for (const { channel, bottom } of rows) {
    const column = input.columns === 1 ? 0 : channel;
    for (let step = closeUp.begin; step < closeUp.end; step++) {
      if (Number(input.data[step * input.columns + column]) === 0) continue;
      const t = timeOf(scene, step);
      values.push({ t, y: bottom - 0.1 }, { t, y: bottom - 0.03 }, { t: null, y: null });
    }
  }
  return {
    data: { values },
    mark: { ...BROKEN_LINE, color: INK, strokeWidth: 1 },
    encoding: { x, y: rowAxis(rows), order: { value: null } },
  };
}
