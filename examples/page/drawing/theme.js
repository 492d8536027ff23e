/** The colours of the pictures, which are properties of the page's style sheet. */

const NAMES = ['page', 'plot', 'ink', 'muted', 'line', 'spike', 'trace'];
const SCALE_NAMES = ['negative', 'negative-middle', 'zero', 'positive-middle', 'positive'];

/** Different colours of each sign. */
export const LEVELS = 255;

/** Reads the colours, which depend on whether the page is light or dark. */
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
  theme.plotBytes = toBytes(theme.plot);
  return theme;
}

/** The red, green and blue of a colour such as #f6f8fa. */
function toBytes(hex) {
  return [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
}

/** The colour of a value between -1 and 1: a hue for each sign, and the background at 0. */
function colourOf(value, stops) {
  const place = ((Math.max(-1, Math.min(1, value)) + 1) / 2) * (stops.length - 1);
  const first = Math.min(stops.length - 2, Math.floor(place));
  const [from, to] = [stops[first], stops[first + 1]];
  return from.map((byte, i) => Math.round(byte + (to[i] - byte) * (place - first)));
}
