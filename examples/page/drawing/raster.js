import { drawChannelAxis } from './channel-axis.js';

/** Draws a mark for each column in which a channel has spiked. */
export function drawRaster(plot, history, theme) {
  plot.begin(theme);
  plot.drawCells(history, theme.plotBytes, (i) =>
    history.spikes[i] > 0 ? theme.spikeBytes : undefined,
  );
  plot.drawTimeAxis(history, theme);
  drawChannelAxis(plot, history, theme);
}
