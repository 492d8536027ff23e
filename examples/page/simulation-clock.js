/** Simulated seconds behind the clock beyond which time is skipped. */
const MOST_BEHIND = 10;

/** Lets simulated time pass as fast as real time, while it runs. */
export class SimulationClock {
  constructor() {
    /** Seconds that have passed but are not simulated yet. */
    this.behind = 0;
    /** Seconds that were skipped. */
    this.skipped = 0;
    this.countedUntil = undefined;
  }

  /** Starts again, with nothing left to simulate. */
  reset() {
    this.behind = 0;
    this.stop();
  }

  /** Time does not pass until the next update(). */
  stop() {
    this.countedUntil = undefined;
  }

  /** Counts the time that has passed since the last update; `now` is in milliseconds. */
  update(now) {
    this.behind += (now - (this.countedUntil ?? now)) / 1000;
    this.countedUntil = now;
    if (this.behind > MOST_BEHIND) {
      this.skipped += this.behind - MOST_BEHIND;
      this.behind = MOST_BEHIND;
    }
  }

  /** Takes up to `most` whole steps of dt seconds, and returns their number. */
  takeSteps(dt, most) {
    // The clock of a page may step back.
    const steps = Math.max(0, Math.min(Math.floor(this.behind / dt), most));
    this.behind -= steps * dt;
    return steps;
  }
}
