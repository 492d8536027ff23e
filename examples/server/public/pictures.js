/** Draws the history on canvases, with axes. The newest column is on the right. */

const MARGIN = { left: 64, right: 92, top: 6, bottom: 40 };
const NAMES = ['page', 'plot', 'ink', 'muted', 'line', 'spike', 'trace', 'zero'];
const SCALE_NAMES = ['negative', 'negative-middle', 'zero', 'positive-middle', 'positive'];

/** Seconds between the marks of the axis of time, of which there are only so many. */
const TICKS = [0.2, 0.5, 1, 2, 5];
const MOST_TICKS = 7;
/** Different colours of each sign. */
const LEVELS = 255;

/** The colours of the style sheet, as they are for now. */
export function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  const theme = Object.fromEntries(NAMES.map((name) => [name, read(name)]));
  theme.font = `12px ${style.fontFamily}`;
  theme.stops = SCALE_NAMES.map((name) => toBytes(read(name)));
  theme.colours = Array.from({ length: 2 * LEVELS + 1 }, (_, i) =>
    colourOf(i / LEVELS - 1, theme.stops),
  );
  theme.spikeBytes = toBytes(theme.spike);
  return theme;
}

function toBytes(hex) {
  return [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
}

/** The colour of a value between -1 and 1: one hue for each sign, the background in between. */
export function colourOf(value, stops) {
  const place = ((Math.max(-1, Math.min(1, value)) + 1) / 2) * (stops.length - 1);
  const first = Math.min(stops.length - 2, Math.floor(place));
  const [from, to] = [stops[first], stops[first + 1]];
  return from.map((byte, i) => Math.round(byte + (to[i] - byte) * (place - first)));
}

/** A number for an axis, with a minus sign as printers have it. */
export function format(value) {
  return String(Number(value.toPrecision(3))).replace('-', '−');
}

/** A canvas with a plot in it, and axes around. */
class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d', { alpha: false });
    this.cells = document.createElement('canvas');
  }

  /** Fits the canvas to its place on the page; returns where the plot is, in its pixels. */
  begin(theme) {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const [pixelsWide, pixelsHigh] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixelsWide || canvas.height !== pixelsHigh) {
      canvas.width = pixelsWide;
      canvas.height = pixelsHigh;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = theme.page;
    context.fillRect(0, 0, pixelsWide, pixelsHigh);
    // Whole pixels for each column, so that none is lost.
    const columnWidth = Math.max(1, Math.round(ratio));
    const room = Math.round((width - MARGIN.left - MARGIN.right) * ratio);
    const nColumns = Math.max(1, Math.floor(room / columnWidth));
    this.ratio = ratio;
    this.plot = {
      x: Math.round(MARGIN.left * ratio),
      y: Math.round(MARGIN.top * ratio),
      width: nColumns * columnWidth,
      height: Math.round((height - MARGIN.top - MARGIN.bottom) * ratio),
      ...{ nColumns, columnWidth },
    };
    context.fillStyle = theme.plot;
    context.fillRect(this.plot.x, this.plot.y, this.plot.width, this.plot.height);
    context.imageSmoothingEnabled = false;
    return this.plot;
  }

  /** A cell for each column and channel. `paint(index)` gives the colour of one, undefined for none. */
  drawCells(history, background, paint) {
    const { plot, cells, context } = this;
    const { channels } = history;
    if (cells.width !== plot.nColumns || cells.height !== channels) {
      cells.width = plot.nColumns;
      cells.height = channels;
    }
    const cellContext = cells.getContext('2d', { alpha: false });
    const image = cellContext.createImageData(plot.nColumns, channels);
    for (let column = 0; column < plot.nColumns; column++) {
      const begin = history.indexOf(history.newest - plot.nColumns + 1 + column);
      for (let n = 0; n < channels; n++) {
        const colour = (begin === undefined ? undefined : paint(begin + n)) ?? background;
        const i = (n * plot.nColumns + column) * 4;
        image.data[i] = colour[0];
        image.data[i + 1] = colour[1];
        image.data[i + 2] = colour[2];
        image.data[i + 3] = 255;
      }
    }
    cellContext.putImageData(image, 0, 0);
    context.drawImage(cells, plot.x, plot.y, plot.width, plot.height);
  }

  /** The axis of simulated time. */
  drawTime(history, theme) {
    const { plot, ratio, context } = this;
    const shown = plot.nColumns * history.columnSeconds;
    const seconds = TICKS.find((one) => shown / one <= MOST_TICKS) ?? TICKS.at(-1);
    const columns = Math.round(seconds / history.columnSeconds);
    const bottom = plot.y + plot.height;
    context.textAlign = 'center';
    context.textBaseline = 'top';
    const end = history.newest + 1;
    const first = Math.max(0, Math.ceil((end - plot.nColumns) / columns));
    for (let tick = first; tick * columns <= end; tick++) {
      const x = plot.x + plot.width - (end - tick * columns) * plot.columnWidth;
      this.line(theme.muted, x, bottom, x, bottom + 5 * ratio);
      this.text(theme.ink, String(Number((tick * seconds).toFixed(1))), x, bottom + 7 * ratio);
    }
    this.text(theme.muted, 'Simulated time (s)', plot.x + plot.width / 2, bottom + 22 * ratio);
  }

  /** The axis on the left: marks at heights between 0, at the top, and 1. */
  drawMarks(title, marks, theme) {
    const { plot, ratio, context } = this;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    for (const [height, label] of marks) {
      const y = plot.y + height * plot.height;
      this.line(theme.muted, plot.x - 5 * ratio, y, plot.x, y);
      this.text(theme.ink, label, plot.x - 8 * ratio, y);
    }
    context.save();
    context.translate(10 * ratio, plot.y + plot.height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'center';
    this.text(theme.muted, title, 0, 0);
    context.restore();
  }

  /** What the colours stand for, on the right. */
  drawColours(scale, theme) {
    const { plot, ratio, context } = this;
    const [x, width] = [plot.x + plot.width + 14 * ratio, 12 * ratio];
    const gradient = context.createLinearGradient(0, plot.y + plot.height, 0, plot.y);
    theme.stops.forEach((stop, i) => {
      gradient.addColorStop(i / (theme.stops.length - 1), `rgb(${stop.join(' ')})`);
    });
    context.fillStyle = gradient;
    context.fillRect(x, plot.y, width, plot.height);
    context.strokeStyle = theme.muted;
    context.lineWidth = ratio;
    context.strokeRect(x, plot.y, width, plot.height);
    context.textAlign = 'left';
    for (const [part, baseline] of [
      [1, 'top'],
      [0.5, 'middle'],
      [0, 'middle'],
      [-0.5, 'middle'],
      [-1, 'bottom'],
    ]) {
      context.textBaseline = baseline;
      const y = plot.y + ((1 - part) / 2) * plot.height;
      this.text(theme.ink, format(part * scale), x + width + 6 * ratio, y);
    }
    context.save();
    context.translate(plot.x + plot.width + 82 * ratio, plot.y + plot.height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    this.text(theme.muted, 'Current (spikes)', 0, 0);
    context.restore();
  }

  line(colour, x0, y0, x1, y1) {
    const { context, ratio } = this;
    context.strokeStyle = colour;
    context.lineWidth = ratio;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }

  text(colour, text, x, y) {
    const { context, ratio } = this;
    context.font = this.font.replace(/^\d+/, (size) => String(size * ratio));
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }
}

/** The three pictures of a history. */
export class Pictures {
  constructor(raster, currents, trace) {
    [this.raster, this.currents, this.trace] = [raster, currents, trace].map((canvas) => {
      return new Picture(canvas);
    });
  }

  /** Draws everything anew; returns how many columns are shown. */
  draw(history, scale, theme) {
    for (const picture of [this.raster, this.currents, this.trace]) picture.font = theme.font;
    this.#drawRaster(history, theme);
    this.#drawCurrents(history, scale, theme);
    this.#drawTrace(history, scale, theme);
    return this.currents.plot.nColumns;
  }

  #drawRaster(history, theme) {
    const { raster } = this;
    raster.begin(theme);
    raster.drawCells(history, toBytes(theme.plot), (i) =>
      history.spikes[i] > 0 ? theme.spikeBytes : undefined,
    );
    raster.drawTime(history, theme);
    raster.drawMarks('Channel', channelMarks(history.channels), theme);
  }

  #drawCurrents(history, scale, theme) {
    const { currents } = this;
    currents.begin(theme);
    currents.drawCells(history, toBytes(theme.plot), (i) => {
      const level = Math.round((history.currents[i] / scale) * LEVELS);
      return theme.colours[Math.max(-LEVELS, Math.min(LEVELS, level)) + LEVELS];
    });
    currents.drawTime(history, theme);
    currents.drawMarks('Channel', channelMarks(history.channels), theme);
    currents.drawColours(scale, theme);
  }

  #drawTrace(history, scale, theme) {
    const { trace } = this;
    const plot = trace.begin(theme);
    const { context } = trace;
    const yOf = (value) => plot.y + (0.5 - value / scale / 2) * plot.height;
    const marks = [1, 0.5, 0, -0.5, -1];
    for (const part of marks) {
      const y = yOf(part * scale);
      trace.line(part === 0 ? theme.muted : theme.line, plot.x, y, plot.x + plot.width, y);
    }
    context.strokeStyle = theme.trace;
    context.lineWidth = 1.5 * trace.ratio;
    context.lineJoin = 'round';
    context.beginPath();
    for (let column = 0; column < plot.nColumns; column++) {
      const begin = history.indexOf(history.newest - plot.nColumns + 1 + column);
      if (begin === undefined) continue;
      context.lineTo(plot.x + (column + 0.5) * plot.columnWidth, yOf(history.currents[begin]));
    }
    context.stroke();
    trace.drawTime(history, theme);
    const labels = marks.map((part) => [(1 - part) / 2, format(part * scale)]);
    trace.drawMarks('Current (spikes)', labels, theme);
  }
}

/** Some channels, at the middle of their rows. */
function channelMarks(channels) {
  const step = Math.ceil(channels / 4);
  const marks = [];
  for (let n = 0; n < channels; n += step) marks.push([(n + 0.5) / channels, String(n)]);
  return marks;
}
