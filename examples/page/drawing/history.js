/** The latest columns of simulated time: for each channel, the number of spikes and the last current. */

/** A step belongs to the next column if it begins less than this share of a column before it. */
const TOLERANCE = 1e-6;

/** Round numbers between 1 and 10. */
const ROUND = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10];

export class History {
  /** @param {number} size The number of columns to keep. */
  constructor(channels, size, columnSeconds) {
    this.channels = channels;
    this.size = size;
    this.columnSeconds = columnSeconds;
    this.spikes = new Uint16Array(channels * size);
    this.currents = new Float32Array(channels * size);
    this.clear();
  }

  clear() {
    /** The number of the newest column, counted from the first step. */
    this.newest = -1;
    /** Simulated seconds before the first step of the present dt, and the number of its steps. */
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
      // Computed from the number of the step, since a sum of dt would drift.
      const time = this.begin + this.steps * dt;
      this.#addStep(Math.floor(time / this.columnSeconds + TOLERANCE), step, spikes, currents);
    }
  }

  #addStep(column, step, spikes, currents) {
    const { channels, size } = this;
    for (let next = Math.max(this.newest + 1, column - size + 1); next <= column; next++) {
      const begin = (next % size) * channels;
      this.spikes.fill(0, begin, begin + channels);
      // A column in which no step begins has the currents of the column before it.
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

  /** The index at which a column begins in `spikes` and `currents`; undefined if it is not kept. */
  indexOf(column) {
    const isKept = column >= 0 && column <= this.newest && column > this.newest - this.size;
    return isKept ? (column % this.size) * this.channels : undefined;
  }

  /** The largest magnitude of a current in the last `nColumns` columns. */
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

/** The smallest round number that is not below a value. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = ROUND.find((one) => one * power >= value * (1 - 1e-9)) ?? 10;
  return Number((factor * power).toPrecision(2));
}
