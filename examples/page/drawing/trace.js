import { format } from './plot.js';

/** Draws the current of channel 0 as a line, from -scale to scale. */
export function drawTrace(plot, history, scale, theme) {
  const { x, y, width, height, nColumns, columnWidth } = plot.begin(theme);
  const { context, ratio } = plot;
  const yOf = (value) => y + (0.5 - value / scale / 2) * height;
  const parts = [1, 0.5, 0, -0.5, -1];
  for (const part of parts) {
    const at = yOf(part * scale);
    plot.line(part === 0 ? theme.muted : theme.line, x, at, x + width, at);
  }
  context.strokeStyle = theme.trace;
  context.lineWidth = 1.5 * ratio;
  context.lineJoin = 'round';
  context.beginPath();
  for (let column = 0; column < nColumns; column++) {
    const begin = history.indexOf(history.newest - nColumns + 1 + column);
    if (begin === undefined) continue;
    context.lineTo(x + (column + 0.5) * columnWidth, yOf(history.currents[begin]));
  }
  context.stroke();
  plot.drawTimeAxis(history, theme);
  const ticks = parts.map((part) => [(1 - part) / 2, format(part * scale)]);
  plot.drawLeftAxis('Current (spikes)', ticks, theme);
}
