/**
 * Looks for bursts in fluorescence. Of each burst, the mean of the half second in which the response is largest is
 * compared with the mean of the second before. Takes the output and its frame rate in Hz as arguments, and
 * prints how many bursts of each size rise by more than three standard deviations of what silence does.
 */
import { readNpy } from 'expsyn/files';

const [path, rate] = [process.argv[2], Number(process.argv[3])];
const { data, shape } = await readNpy(path);
const [, frames, neurons] = shape;
const { data: sizes } = await readNpy('sizes.npy');

/** The mean of a neuron from one moment to another, in seconds. */
function meanOf(neuron, begin, end) {
  const first = Math.max(0, Math.round(begin * rate));
  const last = Math.min(frames, Math.round(end * rate));
  let sum = 0;
  for (let frame = first; frame < last; frame++) sum += data[frame * neurons + neuron];
  return sum / (last - first);
}

const riseAt = (neuron, time) =>
  meanOf(neuron, time + 0.1, time + 0.6) - meanOf(neuron, time - 1, time);

const rises = new Map();
const silent = [];
for (let k = 0; k < sizes.length; k += 3) {
  const [time, neuron, spikes] = sizes.subarray(k, k + 3);
  rises.set(spikes, [...(rises.get(spikes) ?? []), riseAt(neuron, time)]);
  // Just before a burst, nothing has happened for at least four seconds, four time constants.
  if (time > 5) silent.push(riseAt(neuron, time - 1));
}
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const middle = mean(silent);
const deviation = Math.sqrt(mean(silent.map((value) => (value - middle) ** 2)));

console.log('spikes  bursts  mean rise  found');
for (const spikes of [...rises.keys()].sort()) {
  const values = rises.get(spikes);
  const found = values.filter((value) => value > 3 * deviation).length / values.length;
  const columns = [spikes, values.length, mean(values).toFixed(2), `${(100 * found).toFixed(0)} %`];
  console.log(columns.map((text, k) => String(text).padStart([6, 8, 11, 7][k])).join(''));
}
