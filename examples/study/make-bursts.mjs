/**
 * Makes the recording of the calcium study: each of 40 neurons fires bursts of 1 to 5 spikes within 50 ms, some
 * seconds apart, for five minutes. Writes bursts.npy, shape (E, 2), time in seconds and neuron, and
 * sizes.npy, shape (K, 3): when each burst began, of which neuron, and its number of spikes.
 *
 * The same every time: random numbers come from a small generator with a fixed seed.
 */
import { writeNpy } from 'expsyn/files';

import { makeRandom } from './random.mjs';

const NEURONS = 40;
const SECONDS = 300;
const MOST_SPIKES = 5;
const BURST_SECONDS = 0.05;
/** From one burst to the next: long enough for the fluorescence to decay, and a random time. */
const [LEAST_PAUSE, MORE_PAUSE] = [6, 4];

const random = makeRandom(4);
const events = [];
const bursts = [];
for (let neuron = 0; neuron < NEURONS; neuron++) {
  let time = LEAST_PAUSE * random() + 2;
  while (time < SECONDS - 2) {
    const spikes = 1 + Math.floor(MOST_SPIKES * random());
    for (let spike = 0; spike < spikes; spike++) {
      events.push([time + BURST_SECONDS * random(), neuron]);
    }
    bursts.push([time, neuron, spikes]);
    time += LEAST_PAUSE + MORE_PAUSE * random();
  }
}
events.sort(([a], [b]) => a - b);
await writeNpy('bursts.npy', events);
await writeNpy('sizes.npy', bursts);
console.log(
  `${events.length} spikes in ${bursts.length} bursts of ${NEURONS} neurons in ${SECONDS} s`,
);
