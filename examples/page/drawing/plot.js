/** A canvas that shows a plot with axes. The newest column is on the right. */

const MARGIN = { left: 64, right: 92, top: 6, bottom: 40 };

/** Seconds between the ticks of the time axis, and the most ticks. */
const TICKS = [0.2, 0.5, 1, 2, 5];
const MOST_TICKS = 7;

/** A number as text, with a typographic minus sign. */
export function format(value) {
  return String(Number(value.toPrecision(3))).replace('-', '−');
}

export class Plot {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d', { alpha: false });
    this.cells = document.createElement('canvas');
  }

  /** Fits the canvas to its size on the page and clears it. Returns the area of the plot, in pixels. */
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
    // Each column is a whole number of pixels wide, so that every column is visible.
    const columnWidth = Math.max(1, Math.round(ratio));
    const room = Math.round((width - MARGIN.left - MARGIN.right) * ratio);
    const nColumns = Math.max(1, Math.floor(room / columnWidth));
    this.ratio = ratio;
    this.area = {
      x: Math.round(MARGIN.left * ratio),
      y: Math.round(MARGIN.top * ratio),
      width: nColumns * columnWidth,
      height: Math.round((height - MARGIN.top - MARGIN.bottom) * ratio),
      ...{ nColumns, columnWidth },
    };
    context.fillStyle = theme.plot;
    context.fillRect(this.area.x, this.area.y, this.area.width, this.area.height);
    context.imageSmoothingEnabled = false;
    return this.area;
  }

  /** Draws a cell for each column and channel. `colourAt(index)` returns its colour, or undefined. */
  drawCells(history, background, colourAt) {
    const { area, cells, context } = this;
    const { channels } = history;
    if (cells.width !== area.nColumns || cells.height !== channels) {
      cells.width = area.nColumns;
      cells.height = channels;
    }
    const cellContext = cells.getContext('2d', { alpha: false });
    const image = cellContext.createImageData(area.nColumns, channels);
    for (let column = 0; column < area.nColumns; column++) {
      const begin = history.indexOf(history.newest - area.nColumns + 1 + column);
      for (let n = 0; n < channels; n++) {
        const colour = (begin === undefined ? undefined : colourAt(begin + n)) ?? background;
        const i = (n * area.nColumns + column) * 4;
        image.data[i] = colour[0];
        image.data[i + 1] = colour[1];
        image.data[i + 2] = colour[2];
        image.data[i + 3] = 255;
      }
    }
    cellContext.putImageData(image, 0, 0);
    context.drawImage(cells, area.x, area.y, area.width, area.height);
  }

  /** Draws the axis of simulated time. */
  drawTimeAxis(history, theme) {
    const { area, ratio, context } = this;
    const shown = area.nColumns * history.columnSeconds;
    const seconds = TICKS.find((one) => shown / one <= MOST_TICKS) ?? TICKS.at(-1);
    const columns = Math.round(seconds / history.columnSeconds);
    const bottom = area.y + area.height;
    context.textAlign = 'center';
    context.textBaseline = 'top';
    const end = history.newest + 1;
    const first = Math.max(0, Math.ceil((end - area.nColumns) / columns));
    for (let tick = first; tick * columns <= end; tick++) {
      const x = area.x + area.width - (end - tick * columns) * area.columnWidth;
      this.line(theme.muted, x, bottom, x, bottom + 5 * ratio);
      this.text(theme.ink, String(Number((tick * seconds).toFixed(1))), x, bottom + 7 * ratio);
    }
    this.text(theme.muted, 'Simulated time (s)', area.x + area.width / 2, bottom + 22 * ratio);
  }

  /** Draws the axis on the left, with ticks [height, label]. Heights are between 0, at the top, and 1. */
  drawLeftAxis(title, ticks, theme) {
    const { area, ratio, context } = this;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    for (const [height, label] of ticks) {
      const y = area.y + height * area.height;
      this.line(theme.muted, area.x - 5 * ratio, y, area.x, y);
      this.text(theme.ink, label, area.x - 8 * ratio, y);
    }
    context.save();
    context.translate(10 * ratio, area.y + area.height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'center';
    this.text(theme.muted, title, 0, 0);
    context.restore();
  }

  /** Draws the colours of the currents from -scale to scale on the right. */
  drawColourScale(scale, theme) {
    const { area, ratio, context } = this;
    const [x, width] = [area.x + area.width + 14 * ratio, 12 * ratio];
    const gradient = context.createLinearGradient(0, area.y + area.height, 0, area.y);
    theme.stops.forEach((stop, i) => {
      gradient.addColorStop(i / (theme.stops.length - 1), `rgb(${stop.join(' ')})`);
    });
    context.fillStyle = gradient;
    context.fillRect(x, area.y, width, area.height);
    context.strokeStyle = theme.muted;
    context.lineWidth = ratio;
    context.strokeRect(x, area.y, width, area.height);
    context.textAlign = 'left';
    for (const [part, baseline] of [
      [1, 'top'],
      [0.5, 'middle'],
      [0, 'middle'],
      [-0.5, 'middle'],
      [-1, 'bottom'],
    ]) {
      context.textBaseline = baseline;
      const y = area.y + ((1 - part) / 2) * area.height;
      this.text(theme.ink, format(part * scale), x + width + 6 * ratio, y);
    }
    context.save();
    context.translate(area.x + area.width + 82 * ratio, area.y + area.height / 2);
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
