import type { Stimulus } from '../../figure/scene';

/** A made-up recording, with the truth about it. */
export interface ExampleRaster {
  /** Spikes, 0 or 1, shape (T, N) in row-major order. */
  data: Uint8Array;
  shape: [timesteps: number, synapses: number];
  /** Length of a time step in seconds. */
  dt: number;
  /** Time constants in seconds, shape (N,): from AMPA-like 5 ms to NMDA-like 100 ms. */
  tau: Float64Array;
  stimuli: readonly Stimulus[];
}

const CHANNELS = 48;
const DURATION = 10;
const REFRACTORY_PERIOD = 2e-3;
const [SHORTEST_TAU, LONGEST_TAU] = [5e-3, 100e-3];

/** Log-normal base rates in spikes per second; the nearly silent channels fire far below them. */
const MEDIAN_RATE = 2.5;
const LOG_RATE_DEVIATION = 0.9;
const NEARLY_SILENT_FRACTION = 0.12;
const NEARLY_SILENT_FACTOR = 0.02;

/** What a stimulus of strength 1 adds to a channel that prefers it, in spikes per second. */
const PEAK_RESPONSE = 90;
const TUNING_WIDTH = 0.11;
const ADAPTATION_TIME = 0.12;
const ADAPTED_FRACTION = 0.35;

/** Where each stimulus lies on the circle that the channels' preferences are spread over. */
const EPOCHS: readonly (Stimulus & { place: number })[] = [
  { start: 1, end: 2, strength: 0.25, place: 0.15 },
  { start: 2.6, end: 3.6, strength: 0.5, place: 0.4 },
  { start: 4.2, end: 5.2, strength: 1, place: 0.65 },
  { start: 7.7, end: 8.7, strength: 0.75, place: 0.9 },
];

/** Middle of each population burst, in seconds; each lasts some tens of milliseconds. */
const BURSTS = [0.42, 2.21, 3.83, 5.74, 7.36, 9.12, 9.58];
const BURST_DEVIATION = 0.012;
const BURST_RATE = 75;

/** Nobody fires from here to there, in seconds. */
const SILENCE = { start: 6.1, end: 7.1 };

/**
 * Makes a raster that looks like a recording of 48 neurons over 10 s, the same one every time:
 * log-normal rates with some nearly silent channels, four stimuli of different strengths that tuned
 * channels respond and adapt to, population bursts, a second of silence, and a refractory period
 * of 2 ms.
 *
 * Spikes are drawn step by step with probability 1 - exp(-rate dt), none within the refractory
 * period of the one before.
 *
 * @param dt Length of a time step in seconds; T is the nearest number of steps to 10 s.
 */
export function makeExampleRaster(dt = 1e-3): ExampleRaster {
  const timesteps = Math.max(1, Math.round(DURATION / dt));
  const data = new Uint8Array(timesteps * CHANNELS);
  const refractorySteps = Math.max(1, Math.round(REFRACTORY_PERIOD / dt));
  for (let channel = 0; channel < CHANNELS; channel++) {
    const random = makeRandom(channel);
    const rateAt = drawRate(channel, random);
    let step = 0;
    while (step < timesteps) {
      const isSpike = random() < 1 - Math.exp(-rateAt(step * dt) * dt);
      if (isSpike) data[step * CHANNELS + channel] = 1;
      step += isSpike ? refractorySteps : 1;
    }
  }
  const stimuli = EPOCHS.map(({ start, end, strength }) => ({ start, end, strength }));
  return { data, shape: [timesteps, CHANNELS], dt, tau: spreadTaus(), stimuli };
}

/** Log-spaced, so that each channel's tau is the same factor above its neighbour's. */
function spreadTaus(): Float64Array {
  const ratio = LONGEST_TAU / SHORTEST_TAU;
  return Float64Array.from(
    { length: CHANNELS },
    (_, channel) => SHORTEST_TAU * ratio ** (channel / (CHANNELS - 1)),
  );
}

/** A channel's firing rate, in spikes per second, as a function of time in seconds. */
function drawRate(channel: number, random: () => number): (time: number) => number {
  const isNearlySilent = random() < NEARLY_SILENT_FRACTION;
  const excitability = isNearlySilent ? NEARLY_SILENT_FACTOR : 1;
  const base = MEDIAN_RATE * Math.exp(LOG_RATE_DEVIATION * drawNormal(random));
  const gain = 0.5 + random();
  // Neighbours prefer similar places, but not in perfect order.
  const preferred = channel / CHANNELS + 0.05 * drawNormal(random);
  const participation = random();
  const responses = EPOCHS.map(
    ({ strength, place }) => PEAK_RESPONSE * strength * gain * tuning(preferred - place),
  );
  return (time) => {
    if (time >= SILENCE.start && time < SILENCE.end) return 0;
    const response = responses.reduce(
      (sum, amplitude, epoch) => sum + amplitude * timeCourse(time, epoch),
      0,
    );
    return excitability * (base + response + BURST_RATE * participation * burst(time));
  };
}

/** A bump on a circle of circumference 1. */
function tuning(distance: number): number {
  const nearest = distance - Math.round(distance);
  return Math.exp(-0.5 * (nearest / TUNING_WIDTH) ** 2);
}

/** A response jumps to 1 when the stimulus begins and adapts while it lasts. */
function timeCourse(time: number, epoch: number): number {
  const { start = 0, end = 0 } = EPOCHS[epoch] ?? {};
  if (time < start || time >= end) return 0;
  const adaptation = Math.exp(-(time - start) / ADAPTATION_TIME);
  return ADAPTED_FRACTION + (1 - ADAPTED_FRACTION) * adaptation;
}

function burst(time: number): number {
  return BURSTS.reduce(
    (sum, middle) => sum + Math.exp(-0.5 * ((time - middle) / BURST_DEVIATION) ** 2),
    0,
  );
}

/** Box and Muller's transform of two uniform numbers. */
function drawNormal(random: () => number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/**
 * Uniform numbers in [0, 1) from a stream of the channel's own: the counter-based generator
 * SplitMix32, whose finalizer is MurmurHash3's.
 */
function makeRandom(stream: number): () => number {
  let state = Math.imul(stream + 1, 0x85ebca6b);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
