/** What is shown: for each channel and column of simulated time, the spikes and the last current. */

/** A step that begins this part of a column before a column's beginning belongs to it. */
const TOLERANCE = 1e-6;

/** Between 1 and 10. */
const ROUND = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10];

export class History {
  /** @param {number} size The columns that are kept. */
  constructor(channels, size, columnSeconds) {
    this.channels = channels;
    this.size = size;
    this.columnSeconds = columnSeconds;
    this.spikes = new Uint16Array(channels * size);
    this.currents = new Float32Array(channels * size);
    this.clear();
  }

  clear() {
    /** The newest column, counted from the first step. */
    this.newest = -1;
    /** Simulated seconds at the beginning of the steps of one dt, and how many of these there were. */
    this.begin = 0;
    this.steps = 0;
    this.dt = 0;
    this.spikes.fill(0);
    this.currents.fill(0);
  }

  /** Simulated seconds so far. */
  get seconds() {
    return this.begin + this.steps * this.dt;
  }

  /** Adds steps of dt seconds: spikes and currents (steps, channels). */
  add(spikes, currents, steps, dt) {
    if (dt !== this.dt) {
      this.begin = this.seconds;
      this.steps = 0;
      this.dt = dt;
    }
    for (let step = 0; step < steps; step++, this.steps++) {
      // From the number of the step: sums of dt would drift.
      const time = this.begin + this.steps * dt;
      this.#addStep(Math.floor(time / this.columnSeconds + TOLERANCE), step, spikes, currents);
    }
  }

  #addStep(column, step, spikes, currents) {
    const { channels, size } = this;
    for (let next = Math.max(this.newest + 1, column - size + 1); next <= column; next++) {
      const begin = (next % size) * channels;
      this.spikes.fill(0, begin, begin + channels);
      // Columns without a step of their own go on as before.
      const before = ((next + size - 1) % size) * channels;
      this.currents.copyWithin(begin, before, before + channels);
    }
    this.newest = Math.max(this.newest, column);
    const begin = (column % size) * channels;
    for (let n = 0; n < channels; n++) {
      this.spikes[begin + n] += spikes[step * channels + n];
      this.currents[begin + n] = currents[step * channels + n];
    }
  }

  /** Where a column begins in `spikes` and `currents`; undefined where it is not kept. */
  indexOf(column) {
    const isKept = column >= 0 && column <= this.newest && column > this.newest - this.size;
    return isKept ? (column % this.size) * this.channels : undefined;
  }

  /** The largest magnitude of a current in the last columns. */
  peak(nColumns) {
    let peak = 0;
    for (let column = this.newest; column > this.newest - nColumns; column--) {
      const begin = this.indexOf(column);
      if (begin === undefined) break;
      for (let n = 0; n < this.channels; n++) {
        peak = Math.max(peak, Math.abs(this.currents[begin + n]));
      }
    }
    return peak;
  }
}

/** The next of some round numbers. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = ROUND.find((one) => one * power >= value * (1 - 1e-9)) ?? 10;
  return Number((factor * power).toPrecision(2));
}
