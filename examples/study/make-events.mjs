/**
 * Makes the recording of the study: an animal runs to and fro on a track of 2 m for two minutes, and
 * 60 neurons fire where their place field is. Writes events.npy, shape (E, 2), time in seconds and
 * neuron; position.npy, where the animal was in each millisecond; fields.npy, where each neuron fires.
 *
 * The same every time: random numbers come from a small generator with a fixed seed.
 */
import { writeFileSync } from 'node:fs';

const NEURONS = 60;
const SECONDS = 120;
const TRACK = 2;
const FIELD_WIDTH = 0.12;
const PEAK_RATE = 15;
const BACKGROUND_RATE = 0.3;

let state = 20;
/** SplitMix32: uniform numbers from 0 to 1. */
function random() {
  state = (state + 0x9e3779b9) | 0;
  let mixed = state ^ (state >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}

/** Writes numbers as NumPy does. */
function writeNpy(path, numbers, shape) {
  const dictionary = `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(length - 10, 8);
  header.write(dictionary, 10);
  header.write('\n', length - 1);
  writeFileSync(path, Buffer.concat([header, Buffer.from(Float64Array.from(numbers).buffer)]));
}

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
writeNpy('events.npy', pairs.flat(), [pairs.length, 2]);
writeNpy('position.npy', position, [position.length]);
writeNpy('fields.npy', fields, [NEURONS]);
console.log(`${pairs.length} spikes of ${NEURONS} neurons in ${SECONDS} s`);
