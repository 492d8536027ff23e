import { drawChannelAxis } from './channel-axis.js';
import { LEVELS } from './theme.js';

/** Draws the current of each channel as a colour, from -scale to scale. */
export function drawCurrents(plot, history, scale, theme) {
  plot.begin(theme);
  plot.drawCells(history, theme.plotBytes, (i) => {
    const level = Math.round((history.currents[i] / scale) * LEVELS);
    return theme.colours[Math.max(-LEVELS, Math.min(LEVELS, level)) + LEVELS];
  });
  plot.drawTimeAxis(history, theme);
  drawChannelAxis(plot, history, theme);
  plot.drawColourScale(scale, theme);
}
