/**
 * Reads where the animal is from the synaptic currents: the mean of the place fields, weighted by the
 * currents. Takes the outputs as arguments and prints the median distance from the true place.
 */
import { readNpy } from 'expsyn/files';

const { data: position } = await readNpy('position.npy');
const { data: fields } = await readNpy('fields.npy');
console.log('output            median error');
for (const path of process.argv.slice(2)) {
  const { data, shape } = await readNpy(path);
  const size = shape.at(-1);
  const errors = [];
  // The first seconds are left out: long time constants take a while to fill.
  for (let step = 5000; step < position.length; step += 10) {
    let [sum, weight] = [0, 0];
    for (let neuron = 0; neuron < size; neuron++) {
      const current = data[step * size + neuron];
      sum += current * fields[neuron];
      weight += current;
    }
    errors.push(weight > 0 ? Math.abs(sum / weight - position[step]) : Infinity);
  }
  errors.sort((a, b) => a - b);
  const median = errors[errors.length >> 1];
  console.log(`${path.padEnd(18)}${(100 * median).toFixed(1).padStart(9)} cm`);
}
