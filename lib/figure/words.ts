/** Durations and counts as people read them. */

/** 1 step, 10,000 steps. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** A duration in the unit that suits its size: `20 ms`. */
export function formatTime(seconds: number, digits = 4): string {
  const size = Math.abs(seconds);
  if (size === Infinity) return 'more than 1e308 s';
  const [unit, perSecond] =
    size === 0 || size >= 1 ? ['s', 1] : size >= 1e-3 ? ['ms', 1e3] : ['\u00b5s', 1e6];
  return `${Number((seconds * perSecond).toPrecision(digits))} ${unit}`;
}

/** The range of some durations: `20 ms` when they are equal, else `5 ms to 100 ms`. */
export function formatTimeRange(seconds: Float64Array): string {
  const shortest = seconds.reduce((least, value) => Math.min(least, value), Infinity);
  const longest = seconds.reduce((most, value) => Math.max(most, value), 0);
  const [from, to] = [formatTime(shortest), formatTime(longest)];
  return from === to ? from : `${from} to ${to}`;
}
