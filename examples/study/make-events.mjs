/**
 * Makes the recording of the study: an animal runs to and fro on a track of 2 m for two minutes, and
 * 60 neurons fire where their place field is. Writes events.npy, shape (E, 2), time in seconds and
 * neuron; position.npy, where the animal was in each millisecond; fields.npy, where each neuron fires.
 *
 * The same every time: random numbers come from a small generator with a fixed seed.
 */
import { writeNpy } from 'expsyn/files';

import { makeRandom } from './random.mjs';

const NEURONS = 60;
const SECONDS = 120;
const TRACK = 2;
const FIELD_WIDTH = 0.12;
const PEAK_RATE = 15;
const BACKGROUND_RATE = 0.3;

const random = makeRandom(20);

const fields = Array.from({ length: NEURONS }, (_, n) => (TRACK * (n + 0.5)) / NEURONS);
const position = [];
const events = [];
let [place, speed, goal] = [0, 0.3, TRACK];
for (let step = 0; step < SECONDS * 1000; step++) {
  const time = step / 1000;
  if (Math.abs(goal - place) < 0.01) {
    goal = goal === TRACK ? 0 : TRACK;
    speed = 0.15 + 0.45 * random();
  }
  place += (Math.sign(goal - place) * speed) / 1000;
  position.push(place);
  fields.forEach((field, neuron) => {
    const distance = (place - field) / FIELD_WIDTH;
    const rate = BACKGROUND_RATE + PEAK_RATE * Math.exp(-0.5 * distance * distance);
    if (random() < rate / 1000) events.push(time + random() / 1000, neuron);
  });
}
// Within a millisecond the neurons were asked in their order, and not in that of time.
const pairs = Array.from({ length: events.length / 2 }, (_, i) => events.slice(2 * i, 2 * i + 2));
pairs.sort(([a], [b]) => a - b);
await writeNpy('events.npy', pairs);
await writeNpy('position.npy', position);
await writeNpy('fields.npy', fields);
console.log(`${pairs.length} spikes of ${NEURONS} neurons in ${SECONDS} s`);
