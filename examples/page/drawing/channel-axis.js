/** Draws an axis with the numbers of some channels, each at the middle of its row. */
export function drawChannelAxis(plot, { channels }, theme) {
  const step = Math.ceil(channels / 4);
  const ticks = [];
  for (let n = 0; n < channels; n += step) ticks.push([(n + 0.5) / channels, String(n)]);
  plot.drawLeftAxis('Channel', ticks, theme);
}
